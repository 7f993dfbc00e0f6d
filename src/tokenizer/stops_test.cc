#include "tokenizer/stops.h"

#include <gmock/gmock.h>

#include "base/limits.h"

namespace weir::tok {
namespace {

std::unique_ptr<const StopSet> stops(StopRules rules) {
    auto set = StopSet::make(rules);
    EXPECT_TRUE(set);
    return *std::move(set);
}

struct Ran {
    std::string text;
    Stopped stopped;
    uint16_t which;
    size_t held_max;
};

Ran run(const StopSet& set, const std::vector<std::string>& chunks) {
    StopState state(set);
    Ran ran{};
    for (const std::string& chunk : chunks) {
        ran.stopped = state.feed_text(chunk, ran.text);
        ran.held_max = std::max(ran.held_max, state.held());
    }
    state.flush(ran.text);
    ran.stopped = state.stopped();
    ran.which = state.which();
    return ran;
}

// The same rules said plainly: the end of the match that ends first, of these the longest.
Ran naive(const std::vector<std::string>& strings, const std::string& text, bool include) {
    for (size_t end = 1; end <= text.size(); ++end) {
        size_t best = 0;
        uint16_t which = 0;
        for (size_t i = 0; i < strings.size(); ++i) {
            const std::string& stop = strings[i];
            if (stop.size() <= end && stop.size() > best && text.compare(end - stop.size(), stop.size(), stop) == 0) best = stop.size(), which = static_cast<uint16_t>(i);
        }
        if (best) return {text.substr(0, include ? end : end - best), Stopped::text, which, 0};
    }
    return {text, Stopped::no, 0, 0};
}

TEST(Stops, FindsAStopStringAcrossEverySplit) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
        {{"END"}, "it goes on. EN EENDx"},   {{"\n\nUser:", "\n\n"}, "hi\n\nUser: x"}, {{"abcabd"}, "zabcabcabd!"},
        {{"aab", "ab", "b"}, "xaaab"},       {{"</s>", "<|end|>"}, "a<|en<|end|>b"},   {{"中文"}, "说中中文吧"},
        {{"aaa"}, "aabaaab"},                {{"x"}, "no such"},                       {{"abc", "bcd", "cde"}, "abxbcxabcde"},
    };
    for (const bool include : {false, true}) {
        for (const auto& [strings, text] : cases) {
            const auto set = stops({.strings = strings, .include_stop = include});
            const Ran want = naive(strings, text, include);
            std::vector<std::vector<std::string>> cuts = {{text}, {}};
            for (const char c : text) cuts[1].push_back(std::string(1, c));
            for (size_t i = 0; i <= text.size(); ++i) {
                cuts.push_back({text.substr(0, i), text.substr(i)});
                for (size_t k = i; k <= text.size(); ++k) cuts.push_back({text.substr(0, i), text.substr(i, k - i), text.substr(k)});
            }
            for (const auto& chunks : cuts) {
                const Ran got = run(*set, chunks);
                EXPECT_EQ(got.text, want.text) << text;
                EXPECT_EQ(got.stopped, want.stopped) << text;
                if (want.stopped == Stopped::text) { EXPECT_EQ(got.which, want.which) << text; }
            }
        }
    }
}

TEST(Stops, HoldsBackThePossiblePrefixAndNoMore) {
    const auto set = stops({.strings = {"abcabd", "cabx"}});
    StopState state(*set);
    std::string out;
    const auto held_after = [&](std::string_view text) { return state.feed_text(text, out), state.held(); };
    EXPECT_EQ(held_after("zz"), 0u);
    EXPECT_EQ(held_after("abc"), 3u);
    EXPECT_EQ(held_after("ab"), 5u);
    EXPECT_EQ(out, "zz");
    EXPECT_EQ(held_after("c"), 3u);   // abcabc: the second abc may still begin a stop string
    EXPECT_EQ(out, "zzabc");
    EXPECT_EQ(held_after("q"), 0u);
    EXPECT_EQ(out, "zzabcabcq");
}

TEST(Stops, IncludedStopStringsHoldNothingBack) {
    const auto set = stops({.strings = {"STOP"}, .include_stop = true});
    const Ran ran = run(*set, {"ST", "O", "Pmore"});
    EXPECT_EQ(ran.text, "STOP");
    EXPECT_EQ(ran.held_max, 0u);
}

TEST(Stops, IdsEndTheChoiceHiddenOrVisible) {
    const auto set = stops({.strings = {"xyz"}, .eos_ids = {2}, .hidden_ids = {5}, .visible_ids = {7}});
    const auto ends_with = [&](uint32_t id) {
        StopState state(*set);
        std::string out;
        EXPECT_EQ(state.feed(1, "xy", out), Stopped::no);
        EXPECT_EQ(out, "");
        EXPECT_TRUE(state.ends(id));
        EXPECT_EQ(state.feed(id, state.hides_text(id) ? "" : "!", out), Stopped::id);
        EXPECT_EQ(state.stop_id(), id);
        EXPECT_EQ(state.feed(1, "more", out), Stopped::id);
        return out;
    };
    EXPECT_EQ(ends_with(2), "xy");
    EXPECT_EQ(ends_with(5), "xy");
    EXPECT_EQ(ends_with(7), "xy!");
}

TEST(Stops, IgnoreEosLeavesTheClientsIds) {
    const auto set = stops({.eos_ids = {2}, .hidden_ids = {5}, .ignore_eos = true});
    StopState state(*set);
    EXPECT_FALSE(state.ends(2));
    EXPECT_TRUE(state.ends(5));
}

TEST(Stops, NothingStopsWithinMinTokens) {
    const auto set = stops({.strings = {"ab"}, .eos_ids = {2}, .min_tokens = 2});
    StopState state(*set);
    std::string out;
    EXPECT_EQ(state.feed(1, "ab", out), Stopped::no);
    EXPECT_EQ(out, "ab");                                // plain text: nothing is held for it
    EXPECT_EQ(state.feed(2, "a", out), Stopped::no);     // the eos id, too
    EXPECT_EQ(out, "ab");
    EXPECT_EQ(state.feed(1, "b!", out), Stopped::text);   // begins within, ends behind
    EXPECT_EQ(out, "ab");
}

class Letters final : public Detokenizer {   // id = letter; 'w' waits for the next one
public:
    void feed(uint32_t id, std::string& out) override {
        if (id == 'w') return void(held_ += 'w');
        (out += held_) += static_cast<char>(id);
        held_.clear();
    }
    void flush(std::string& out) override { out += held_, held_.clear(); }

private:
    std::string held_;
};

TEST(Stops, AStopIdBringsOutWhatTheDetokenizerHeld) {
    const auto set = stops({.hidden_ids = {'h'}, .visible_ids = {'v'}});
    for (const auto& [ids, want] : std::vector<std::pair<std::string, std::string>>{{"awh", "aw"}, {"awv", "awv"}, {"av", "av"}}) {
        Letters letters;
        StopState state(*set);
        std::string scratch, out;
        for (const char id : ids) feed_token(static_cast<uint32_t>(id), letters, state, scratch, out);
        EXPECT_EQ(out, want);
        EXPECT_EQ(state.stopped(), Stopped::id);
    }
}

TEST(Stops, RefusesWhatIsOutOfBounds) {
    const auto refused = [](StopRules rules) {
        auto set = StopSet::make(rules);
        return !set && set.error()->code == Code::bad_field;
    };
    EXPECT_TRUE(refused({.strings = {"a", ""}}));
    EXPECT_FALSE(refused({.strings = std::vector<std::string>(limits::stops_max, "a")}));
    EXPECT_TRUE(refused({.strings = std::vector<std::string>(limits::stops_max + 1, "a")}));
    EXPECT_FALSE(refused({.strings = {std::string(stop_bytes_max, 'a')}}));
    EXPECT_TRUE(refused({.strings = {std::string(stop_bytes_max + 1, 'a')}}));
    EXPECT_TRUE(refused({.strings = std::vector<std::string>(5, std::string(stop_bytes_max, 'a'))}));
    EXPECT_FALSE(refused({.hidden_ids = std::vector<uint32_t>(stop_ids_max, 1)}));
    EXPECT_TRUE(refused({.hidden_ids = std::vector<uint32_t>(stop_ids_max + 1, 1)}));
}

}  // namespace
}  // namespace weir::tok
