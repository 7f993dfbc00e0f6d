#include "respond/token_text.h"

#include <gmock/gmock.h>

#include <map>

namespace weir::respond {
namespace {

// Ids are letters; 1 and 2 are the halves of an é, 3 is the end of text.
class Letters final : public Tokenizer {
public:
    class Words final : public Detokenizer {
    public:
        void feed(uint32_t id, std::string& out) override {
            if (id == 1) held_ = "\xc3";
            else if (id == 2) out += std::exchange(held_, {}) + "\xa9";
            else if (id != 3) out += static_cast<char>(id);
        }
        void flush(std::string& out) override {
            if (!std::exchange(held_, {}).empty()) out += "\xef\xbf\xbd";
        }

    private:
        std::string held_;
    };
    std::unique_ptr<EncodeScratch> scratch() const override { return std::make_unique<EncodeScratch>(); }
    Result<void> encode(std::string_view, const EncodeOptions&, EncodeScratch&, std::vector<uint32_t>&, std::vector<TokenOffset>*) const override { return {}; }
    std::string decode(std::span<const uint32_t> ids, bool) const override { return std::string(ids.begin(), ids.end()); }
    std::unique_ptr<Detokenizer> detokenizer(bool) const override { return std::make_unique<Words>(); }
    uint32_t vocab_size() const override { return 256; }
    std::string_view token(uint32_t) const override { return {}; }
    bool find(std::string_view, uint32_t&) const override { return false; }
    bool special(uint32_t id) const override { return id == 3; }
    size_t memory_bytes() const override { return 0; }
    uint64_t fingerprint() const override { return 1; }
    size_t safe_cut(std::string_view, size_t) const override { return 0; }
};

struct TokenTextTest : testing::Test {
    Batch in, out;
    TokenTextRules rules;
    tok::StopRules stops;
    std::unique_ptr<TokenText> text;
    std::vector<std::vector<uint32_t>> kept;

    TokenTextTest() { stops.eos_ids = {3}; }
    void make() {
        rules.tokenizer = std::make_shared<Letters>();
        rules.stops = *tok::StopSet::make(stops);
        text = std::make_unique<TokenText>(std::move(rules));
    }
    Event& ids(std::vector<uint32_t> list, uint16_t choice = 0) {
        kept.push_back(std::move(list));
        Event& e = in.add(Event::tokens, choice);
        e.data = {reinterpret_cast<const char*>(kept.back().data()), kept.back().size() * sizeof(uint32_t)};
        e.flags = Event::end_of_frame;
        return e;
    }
    Event& letters(Str all, uint16_t choice = 0) { return ids(std::vector<uint32_t>(all.begin(), all.end()), choice); }
    void length(uint16_t choice = 0) { in.add(Event::finish, choice).index = static_cast<uint32_t>(FinishReason::length); }
    // "0:text" and "0!reason", in order; '/' where a frame ends.
    std::string run() {
        out.clear();
        text->run(in, out);
        in.clear();
        std::string all;
        for (const Event& e : out.events) {
            if (!all.empty()) all += ' ';
            if (e.kind == Event::text) all += std::to_string(e.choice) + ":" + std::string(e.data);
            else if (e.kind == Event::finish) all += std::to_string(e.choice) + "!" + name(e.finish_reason());
            else all += "other";
            if (e.flags & Event::end_of_frame) all += "/";
        }
        return all;
    }
};

TEST_F(TokenTextTest, EachItemIsAFrameAndTheEndComesLast) {
    make();
    letters("a");
    letters("bc");
    EXPECT_EQ(run(), "0:a/ 0:bc/");
    length();
    EXPECT_EQ(run(), "0!length");
    EXPECT_FALSE(text->cut());
    EXPECT_EQ(text->tokens(), 3u);
}

TEST_F(TokenTextTest, TheFirstItemIsSaidThoughItHasNoText) {
    make();
    ids({1});
    EXPECT_EQ(run(), "0:/");
    ids({1});
    EXPECT_EQ(run(), "");
    ids({2});
    EXPECT_EQ(run(), "0:\xc3\xa9/");
}

TEST_F(TokenTextTest, WhatIsHeldBackComesWithTheEnd) {
    make();
    letters("a");
    ids({1});
    length();
    EXPECT_EQ(run(), "0:a/ 0:\xef\xbf\xbd 0!length");
}

TEST_F(TokenTextTest, StopStringsAcrossItems) {
    stops.strings = {"bcd"};
    make();
    letters("ab");
    EXPECT_EQ(run(), "0:a/");
    letters("c");
    EXPECT_EQ(run(), "");
    letters("de");
    letters("f");
    length();
    EXPECT_EQ(run(), "0!stop/");
    EXPECT_TRUE(text->cut());
    EXPECT_EQ(text->tokens(), 4u);
}

TEST_F(TokenTextTest, AStopStringThatDoesNotComeIsText) {
    stops.strings = {"bcd"};
    make();
    letters("ab");
    length();
    EXPECT_EQ(run(), "0:a/ 0:b 0!length");
}

TEST_F(TokenTextTest, EndTokensStopUnlessIgnored) {
    make();
    ids({'a', 3, 'b'});
    EXPECT_EQ(run(), "0:a 0!stop/");
    EXPECT_TRUE(text->cut());
    stops.ignore_eos = true;
    make();
    ids({'a', 3, 'b'});
    EXPECT_EQ(run(), "0:ab/");
}

TEST_F(TokenTextTest, ChoicesAreApart) {
    rules.choices = 2;
    stops.strings = {"x"};
    make();
    letters("a", 0);
    letters("bx", 1);
    EXPECT_EQ(run(), "0:a/ 1:b 1!stop/");
    EXPECT_FALSE(text->cut());
    letters("c", 1);
    length(0);
    EXPECT_EQ(run(), "0!length");
    EXPECT_TRUE(text->cut());
}

TEST_F(TokenTextTest, UsageIsCountedHereAndCachedTokensAreTheEngines) {
    rules.prompt_tokens = 7;
    make();
    letters("abc");
    Usage said;
    said.prompt = 99, said.completion = 98, said.cached = 5, said.has_cached = true;
    in.add(Event::usage).more = &said;
    length();
    EXPECT_EQ(run(), "0:abc/ 0!length");
    out.clear();
    text->usage(out);
    const Usage& u = *out.events.at(0).as<Usage>();
    EXPECT_EQ(u.prompt, 7u);
    EXPECT_EQ(u.completion, 3u);
    EXPECT_EQ(u.cached, 5u);
    EXPECT_TRUE(u.has_cached);
}

TEST_F(TokenTextTest, EchoComesFirstInEachChoice) {
    rules.choices = 2;
    rules.echo = "say ";
    make();
    letters("a", 0);
    letters("b", 1);
    letters("c", 0);
    EXPECT_EQ(run(), "0:say a/ 1:say b/ 0:c/");
}

TEST_F(TokenTextTest, ThePromptsLastIdsAreHeardButNotSaid) {
    const std::vector<uint32_t> prompt = {'x', 'y', 1};
    rules.prompt = prompt;
    make();
    ids({2});
    EXPECT_EQ(run(), "0:\xc3\xa9/");   // the character began in the prompt
}

TEST_F(TokenTextTest, LogprobsComeWithTheirItem) {
    rules.logprobs = 1;
    stops.strings = {"bz"};
    make();
    const double first[] = {-0.5, -1};
    TokenAlternative best{'q', -0.1, {}};
    const std::span<const TokenAlternative> tops[] = {{&best, 1}, {&best, 1}};
    const TokenScores two{first, tops};
    letters("ab").more = &two;
    EXPECT_EQ(run(), "0:a/");
    const auto* shown = out.events[0].as<Logprobs>();
    ASSERT_NE(shown, nullptr);
    ASSERT_EQ(shown->content.size(), 2u);
    EXPECT_EQ(shown->content[0].token, "a");
    EXPECT_FLOAT_EQ(shown->content[1].logprob, -1);
    EXPECT_EQ(shown->content[1].top[0].token, "q");
    EXPECT_EQ(shown->content[1].text_offset, 1u);
}

TEST_F(TokenTextTest, TextOfTheEngineIsTakenWhereItSendsNoIds) {
    make();
    in.add(Event::text).data = "hello";
    EXPECT_EQ(run(), "0:hello");
    letters("a").flags = 0;
    in.add(Event::text).data = "a";
    EXPECT_EQ(run(), "0:a/");
}

}  // namespace
}  // namespace weir::respond
