#include "mocker/generation.h"

#include <algorithm>

#include "base/assert.h"
#include "mocker/broken.h"
#include "sim/text.h"
#include "wire/utf8.h"

namespace weir::mocker {
namespace {

// What the real servers take where the client says nothing.
uint32_t default_max_tokens(Face face, uint32_t context) {
    switch (face) {
        case Face::completions: return 16;
        case Face::generate: return 128;
        case Face::embeddings: return 0;
        case Face::chat: break;
    }
    return context;
}

std::unique_ptr<Answer> make_answer(const Ask& ask, const AnswerHead& head) {
    switch (ask.face) {
        case Face::chat: return make_chat_answer(ask, head);
        case Face::completions: return make_completions_answer(ask, head);
        case Face::embeddings: return make_embeddings_answer(ask, head);
        case Face::generate: break;
    }
    return make_generate_answer(ask, head);
}

}  // namespace

Generation::Generation(sim::EngineModel& engine, Ask ask, AnswerHead head, sim::Fault fault, Instant now)
    : engine_(engine), ask_(std::move(ask)), head_(std::move(head)), fault_(fault), answer_(make_answer(ask_, head_)),
      start_(now) {
    for (const std::string& s : ask_.stops) stop_bytes_max_ = std::max(stop_bytes_max_, s.size());
}

Generation::~Generation() {
    if (running_ == 0) return;
    for (size_t i = 0; i * ask_.n < choices_.size(); ++i) engine_.cancel(first_id_ + i);
}

Result<void> Generation::submit(uint64_t first_id, uint64_t seed, uint32_t natural_min, uint32_t natural_max, Instant now) {
    first_id_ = first_id;
    choices_.resize(ask_.prompts.size() * ask_.n);
    for (size_t i = 0; i < ask_.prompts.size(); ++i) {
        sim::RequestSpec spec;
        spec.id = first_id + i;
        spec.user = this;
        spec.n = static_cast<uint16_t>(ask_.n);
        spec.first_choice = static_cast<uint16_t>(i * ask_.n);
        // Without a seed the answer depends on its prompt: the same question gets the same answer, whenever it comes.
        spec.seed = ask_.seed ? *ask_.seed : sim::block_hash(ask_.prompts[i], seed);
        spec.hash_seed = sim::hash_seed(ask_.lora, ask_.cache_salt);
        const uint64_t spread = uint64_t{natural_max} - natural_min + 1;
        const uint32_t natural = natural_min + static_cast<uint32_t>(sim::draw(~spec.seed, 0) % spread);
        spec.max_tokens = ask_.max_tokens.value_or(default_max_tokens(ask_.face, engine_.context_max()));
        if (!ask_.max_tokens && !ask_.ignore_eos && ask_.face != Face::embeddings)
            spec.natural_tokens = std::max({natural, ask_.min_tokens, 1u});
        for (size_t c = 0; c < ask_.n; ++c) {
            choices_[i * ask_.n + c].prompt_tokens = static_cast<uint32_t>(ask_.prompts[i].size());
            choices_[i * ask_.n + c].seed = sim::choice_seed(spec.seed, static_cast<uint32_t>(c));
        }
        spec.tokens = std::move(ask_.prompts[i]);
        auto done = engine_.submit(std::move(spec), now);
        if (!done) {
            for (size_t k = 0; k < i; ++k) engine_.cancel(first_id + k);
            running_ = 0;
            return done;
        }
        running_ += ask_.n;
    }
    ask_.prompts.clear();
    return Nothing{};
}

void Generation::on_token(const sim::TokenEvent& e) {
    if (e.finish != sim::Finish::none) --running_;
    if (done_) return;
    pending_.push_back(e);
    if (on_tokens) on_tokens();
}

Step Generation::next(Instant now, std::string& out) {
    ASSERT(!done_);
    Step step;
    if (fault_.drop != sim::Fault::stay && fault_.wrong == sim::Fault::none && tokens_out_ >= fault_.drop_after && ask_.stream) {
        done_ = true;
        step.then = fault_.drop == sim::Fault::fin ? Step::close : Step::abort;
        return step;
    }
    while (pending_at_ < pending_.size()) {
        const sim::TokenEvent e = pending_[pending_at_];
        if (!due(now, e, step)) return step;
        ++pending_at_;
        take(e, out);
        if (done_) {   // the stream was cut
            step.then = Step::end;
            return step;
        }
        if (ask_.stream && fault_.wrong == sim::Fault::half_chunk && tokens_out_ > fault_.wrong_after) {
            done_ = true;
            step.then = Step::close;
            return step;
        }
        if (ask_.stream && fault_.drop != sim::Fault::stay && tokens_out_ >= fault_.drop_after) {
            done_ = true;
            step.then = fault_.drop == sim::Fault::fin ? Step::close : Step::abort;
            return step;
        }
    }
    pending_.clear();
    pending_at_ = 0;
    for (const Choice& c : choices_)
        if (c.finish == sim::Finish::none) return step;
    return finish(out, now);
}

// May the event be shown now? Else `step` says when to look again.
bool Generation::due(Instant now, const sim::TokenEvent& e, Step& step) {
    Instant at = e.at;
    if (fault_.slow != 1 && e.at > start_) at = start_ + static_cast<Instant>(static_cast<double>(e.at - start_) * fault_.slow);
    if (fault_.stall_ms && !stalled_ && tokens_out_ >= fault_.stall_after) {
        if (fault_.stall_ms == sim::forever_ms) return false;
        if (!stall_until_) stall_until_ = std::max(now, at) + fault_.stall_ms * ns_per_ms;
    }
    at = std::max(at, stall_until_);
    if (at > now) {
        step.wake = at;
        return false;
    }
    if (stall_until_) stalled_ = true;
    return true;
}

void Generation::take(const sim::TokenEvent& e, std::string& out) {
    Choice& c = choices_[e.choice];
    if (c.finish != sim::Finish::none) return;   // tokens after a stop string, made before the engine knew
    c.cached_tokens = e.cached_tokens;
    c.finish = e.finish;
    if (e.has_token) {
        const size_t old_size = c.text.size();
        // Word by word the text of the tokens, also where the engine has a vocabulary of its own.
        c.text.append(sim::word(c.seed, e.index));
        c.ids.push_back(e.token);
        ++tokens_out_;
        if (!ask_.stops.empty() && c.ids.size() >= ask_.min_tokens && match_stop(c, old_size) && e.finish == sim::Finish::none)
            if (engine_.stop_choice(first_id_ + e.choice / ask_.n, e.choice)) --running_;
    }
    const bool wrong_now = !spoiled_ && tokens_out_ > fault_.wrong_after;
    if (!ask_.stream) return;
    if (wrong_now && fault_.wrong >= sim::Fault::bad_json) return spoil(out, e.choice);
    show(out, e.choice);
}

// Ends the choice before the earliest stop string that its new text completes.
bool Generation::match_stop(Choice& c, size_t old_size) {
    size_t found = std::string::npos;
    for (const std::string& s : ask_.stops) {
        const size_t from = old_size >= s.size() ? old_size - s.size() + 1 : 0;
        const size_t at = c.text.find(s, from);
        if (at >= found) continue;
        found = at;
        c.matched_stop = s;
    }
    if (found == std::string::npos) return false;
    c.text.resize(found);
    c.finish = sim::Finish::stop;
    return true;
}

// Bytes of its text that no stop string can take back.
size_t Generation::showable(const Choice& c) const {
    if (c.finish != sim::Finish::none || stop_bytes_max_ == 0) return c.text.size();
    const size_t keep = stop_bytes_max_ - 1;
    if (c.text.size() <= keep) return c.text_sent;
    return std::max(c.text_sent, utf8_valid_prefix(std::string_view(c.text).substr(0, c.text.size() - keep)));
}

void Generation::show(std::string& out, size_t index) {
    Choice& c = choices_[index];
    const size_t to = showable(c);
    if (to == c.text_sent && c.finish == sim::Finish::none) return;
    answer_->piece(out, index, c, std::string_view(c.text).substr(c.text_sent, to - c.text_sent));
    c.begun = true;
    c.text_sent = to;
    c.ids_sent = c.ids.size();
}

// Wrong bytes in a stream, in the place of a token's event.
void Generation::spoil(std::string& out, size_t index) {
    spoiled_ = true;
    std::string event;
    if (fault_.wrong == sim::Fault::bad_utf8) choices_[index].text.append("\xff\xc3(");
    show(event, index);
    if (fault_.wrong == sim::Fault::bad_json) {
        const size_t brace = event.rfind('}');
        if (brace != event.npos) event[brace] = ',';
    } else if (fault_.wrong == sim::Fault::cut_sse) {
        event.resize(event.size() / 2);
        done_ = true;
    }
    out.append(event);
}

Step Generation::finish(std::string& out, Instant now) {
    Step step;
    step.then = Step::end;
    done_ = true;
    if (ask_.stream) {
        answer_->tail(out, usage_of(choices_, ask_.n));
        return step;
    }
    if (fault_.wrong == sim::Fault::bad_utf8) choices_[0].text.append("\xff\xc3(");
    std::string body;
    answer_->whole(body, choices_, now - start_);
    if (fault_.wrong != sim::Fault::bad_utf8) spoil_body(fault_.wrong, body);
    length_ = static_cast<int64_t>(body.size());
    if (fault_.drop != sim::Fault::stay && fault_.wrong == sim::Fault::none && tokens_out_ >= fault_.drop_after) {
        body.resize(fault_.drop_after ? body.size() / 2 : 0);
        step.then = fault_.drop == sim::Fault::fin ? Step::close : Step::abort;
    }
    out.append(body);
    return step;
}

}  // namespace weir::mocker
