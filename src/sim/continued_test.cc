// Answers that go on where another one was, and ids that an answer is made of.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/engine_model.h"
#include "sim/text.h"

namespace weir::sim {
namespace {

struct Tokens final : EngineSink {
    std::vector<uint32_t> ids;
    void on_token(const TokenEvent& e) override { ids.push_back(e.token); }
};

std::vector<uint32_t> answer(const EngineParams& params, RequestSpec spec) {
    EngineModel engine(params);
    Tokens out;
    EXPECT_TRUE(engine.submit(std::move(spec), 0));
    while (engine.next_event_time() != never) engine.advance(engine.next_event_time(), out);
    return out.ids;
}

EngineParams made_of(std::vector<uint32_t> ids) {
    EngineParams p;
    p.speedup_ratio = 0;
    p.ids = std::make_shared<const std::vector<uint32_t>>(std::move(ids));
    return p;
}

RequestSpec spec(uint32_t max_tokens, uint32_t n_first = 0) {
    RequestSpec s;
    s.id = 1, s.seed = 9, s.tokens = {1, 2, 3}, s.max_tokens = max_tokens, s.n_first = n_first;
    return s;
}

TEST(Continued, TokensDependOnTheirPlaceOnly) {
    std::vector<uint32_t> ids(500);
    for (uint32_t i = 0; i < ids.size(); ++i) ids[i] = 7 * i;
    EngineParams listed = made_of(ids), words, vocab;
    words.speedup_ratio = vocab.speedup_ratio = 0;
    vocab.vocab = 5'000;
    for (const EngineParams& p : {listed, words, vocab}) {
        const auto whole = answer(p, spec(50, 3));
        const auto rest = answer(p, spec(30, 23));
        EXPECT_EQ(rest, std::vector<uint32_t>(whole.begin() + 20, whole.end()));
        EXPECT_NE(answer(p, spec(50, 4)), whole);
    }
    for (uint32_t id : answer(listed, spec(50))) EXPECT_EQ(id % 7, 0u);
}

TEST(Continued, IdsToAvoidAreReplacedByTheNextOne) {
    const EngineParams p = made_of({10, 11, 12, 13});
    const auto plain = answer(p, spec(100));
    RequestSpec s = spec(100);
    s.avoid = {11, 12};
    auto expected = plain;
    for (uint32_t& id : expected)
        if (id == 11 || id == 12) id = 13;
    EXPECT_NE(plain, expected);
    EXPECT_EQ(answer(p, s), expected);
    s.avoid = {10, 11, 12, 13};              // nothing is left: it does not look for ever
    EXPECT_EQ(answer(p, s).size(), 100u);
}

TEST(Continued, AnEmptyListIsNoEngine) { EXPECT_FALSE(made_of({}).check()); }

}  // namespace
}  // namespace weir::sim
