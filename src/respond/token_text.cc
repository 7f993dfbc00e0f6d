#include "respond/token_text.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::respond {
namespace {

constexpr size_t before_max = 8;   // ids of the prompt that the detokenizer hears first: no decoder looks further back

uint32_t characters(Str text) {
    return static_cast<uint32_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

TokenText::TokenText(TokenTextRules rules) : rules_(std::move(rules)) {
    const std::span<const uint32_t> prompt = rules_.prompt;
    const auto last = prompt.subspan(prompt.size() - std::min(prompt.size(), before_max));
    before_.assign(last.begin(), last.end());
    rules_.prompt = {};
    usage_.prompt = rules_.prompt_tokens;
    choices_.resize(rules_.choices);
}

TokenText::Choice& TokenText::choice(uint16_t index) {
    if (index >= choices_.size()) choices_.resize(index + 1u);
    Choice& c = choices_[index];
    if (c.words) return c;
    c.words = rules_.tokenizer->detokenizer(rules_.skip_special);
    for (uint32_t id : before_) c.words->feed(id, scratch_);
    scratch_.clear();
    c.stop = std::make_unique<tok::StopState>(*rules_.stops);
    return c;
}

void TokenText::score(Choice& c, uint32_t id, const TokenScores& scores, size_t at) {
    if (!c.kept) c.kept = std::make_unique<Arena>();
    auto text_of = [&](uint32_t token, Str said) { return c.kept->copy(said.empty() ? Str(rules_.tokenizer->decode({&token, 1}, false)) : said); };
    TokenLogprob shown;
    shown.token = text_of(id, {});
    shown.null_logprob = scores.logprobs.empty();
    if (!shown.null_logprob) shown.logprob = static_cast<float>(scores.logprobs[at]);
    if (!scores.top.empty() && rules_.logprobs > 0) {
        const auto& top = scores.top[at];
        const size_t n = std::min<size_t>(top.size(), static_cast<size_t>(rules_.logprobs));
        auto* all = static_cast<TokenLogprob*>(c.kept->alloc(n * sizeof(TokenLogprob), alignof(TokenLogprob)));
        for (size_t i = 0; i < n; i++) {
            new (all + i) TokenLogprob();
            all[i].token = text_of(top[i].id, top[i].token);
            all[i].logprob = static_cast<float>(top[i].logprob);
        }
        shown.top = {all, n};
    }
    c.scores.push_back(shown);
}

// A frame of its own for the text. A choice's first is there even without any: the encoder may have something to say.
void TokenText::say(Choice& c, const Event& from, Str text, Batch& out, bool last) {
    const bool first = !std::exchange(c.said, true) && !last;
    if (text.empty() && c.scores.empty() && !first) return;
    Event& e = out.add(Event::text, from.choice);
    e.at = from.at;
    e.data = out.arena.copy(text);
    if (text.empty()) e.data = "";
    if (!last) e.flags |= Event::end_of_frame;
    if (!c.scores.empty()) {
        auto* all = static_cast<TokenLogprob*>(out.arena.alloc(c.scores.size() * sizeof(TokenLogprob), alignof(TokenLogprob)));
        uint32_t offset = c.text_offset;
        for (size_t i = 0; i < c.scores.size(); i++) {
            TokenLogprob* shown = new (all + i) TokenLogprob(c.scores[i]);
            shown->text_offset = offset;
            offset += characters(shown->token);
        }
        Logprobs* logprobs = out.arena.make<Logprobs>();
        logprobs->content = {all, c.scores.size()};
        e.more = logprobs;
        c.scores.clear();
    }
    c.text_offset += characters(text);
}

void TokenText::tokens(const Event& e, Batch& out) {
    Choice& c = choice(e.choice);
    if (c.ended) return;
    text_.clear();
    if (!c.begun && !rules_.echo.empty()) text_ = rules_.echo;
    c.begun = true;
    const size_t n = e.data.size() / sizeof(uint32_t);
    const auto* scores = rules_.logprobs >= 0 ? e.as<TokenScores>() : nullptr;
    for (size_t i = 0; i < n && c.stop->stopped() == tok::Stopped::no; i++) {
        uint32_t id = 0;
        std::memcpy(&id, e.data.data() + i * sizeof id, sizeof id);
        tokens_++;
        if (scores) score(c, id, *scores, i);
        tok::feed_token(id, *c.words, *c.stop, scratch_, text_);
    }
    const bool stopped = c.stop->stopped() != tok::Stopped::no;
    say(c, e, text_, out, stopped);
    if (!stopped) return;
    c.ended = true;
    ended_++;
    stopped_++;
    Event& end = out.add(Event::finish, e.choice);
    end.at = e.at;
    end.index = static_cast<uint32_t>(FinishReason::stop);
    end.flags |= Event::end_of_frame;
}

// The engine ended the choice: what was held back is text after all, unless a stop string comes out of it.
void TokenText::finish(const Event& e, Batch& out) {
    Choice& c = choice(e.choice);
    if (c.ended) return;
    c.ended = true;
    ended_++;
    text_.clear();
    if (!c.begun && !rules_.echo.empty()) text_ = rules_.echo;
    scratch_.clear();
    c.words->flush(scratch_);
    const bool stopped = c.stop->feed_text(scratch_, text_) != tok::Stopped::no;
    if (!stopped) c.stop->flush(text_);
    say(c, e, text_, out, true);
    out.events.push_back(e);
    if (stopped) out.events.back().index = static_cast<uint32_t>(FinishReason::stop), out.events.back().more = nullptr;
}

void TokenText::run(const Batch& in, Batch& out) {
    out.at = in.at;
    for (Choice& c : choices_)
        if (c.kept && c.scores.empty()) c.kept->reset();
    bool spelled = false;                         // the item's ids were there, so its text says nothing new
    for (const Event& e : in.events) {
        switch (e.kind) {
        case Event::tokens: tokens(e, out); break;
        case Event::finish: finish(e, out); break;
        case Event::text:
            if (!spelled && !choice(e.choice).ended) out.events.push_back(e);
            break;
        case Event::usage:
            if (const auto* u = e.as<Usage>(); u && u->has_cached) usage_.cached = std::max(usage_.cached, u->cached), usage_.has_cached = true;
            break;
        default: out.events.push_back(e); break;
        }
        spelled = e.kind == Event::tokens ? true : e.flags & Event::end_of_frame ? false : spelled;
    }
}

void TokenText::usage(Batch& out) {
    usage_.completion = tokens_;
    out.add(Event::usage).more = &usage_;
}

}  // namespace weir::respond
