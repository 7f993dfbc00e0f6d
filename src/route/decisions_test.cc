#include "route/decisions.h"

#include <gtest/gtest.h>

namespace weir::route {
namespace {

Decision made(const std::string& id) {
    Decision d;
    std::ranges::copy(id, d.id.begin());
    d.id_len = static_cast<uint8_t>(id.size());
    d.policy = "kv", d.why = "least \"cost\"";
    d.at = 1'700'000'000'123, d.eligible = 3, d.prompt_tokens = 100, d.request_blocks = 7, d.block = 16, d.cached_tokens = 48;
    d.terms = {1.5f, 2, 0, 9};
    d.rejects[Reject::taint] = 2;
    d.candidates_n = 2;
    d.candidates[0].instance = 18'446'385'850'734'466'672ull;
    d.candidates[0].device = 3;
    d.candidates[0].load.requests = 4;
    d.candidates[1].matched_chars = 12;
    d.candidates[1].load.report_age_ms = 50;
    d.candidates[1].load.usage = 0.5f;
    return d;
}

std::string line_of(const Decision& d, Str url = "http://a:1") {
    std::string out;
    append_json(d, [&](const Decision::Candidate&) { return url; }, out);
    return out;
}

TEST(Decisions, ALineReadsBack) {
    Decision d = made("r-1");
    d.ending = {true, 200, 12'500, 30'000, 101, 64, 5};
    auto read = read_decision(line_of(d));
    ASSERT_TRUE(read) << read.error()->message;
    EXPECT_EQ(read->id, "r-1");
    EXPECT_EQ(read->why, "least \"cost\"");
    EXPECT_EQ(read->at_ms, 1'700'000'000'123.0);
    EXPECT_EQ(read->request_blocks, 7u);
    ASSERT_EQ(read->candidates.size(), 2u);
    EXPECT_EQ(read->candidates[0].worker, "http://a:1");
    EXPECT_EQ(read->candidates[0].instance, 18'446'385'850'734'466'672ull);
    EXPECT_EQ(read->candidates[0].device, 3u);
    EXPECT_EQ(read->candidates[0].load.requests, 4u);
    EXPECT_FALSE(read->candidates[0].load.reported());
    EXPECT_EQ(read->candidates[1].load.report_age_ms, 50u);
    EXPECT_EQ(read->candidates[1].load.usage, 0.5f);
    EXPECT_EQ(read->candidates[1].matched_chars, 12u);
    EXPECT_TRUE(read->ended);
    EXPECT_EQ(read->ttft_ms, 12.5);
    EXPECT_EQ(read->observed_cached_tokens, 64u);
    EXPECT_EQ(read_decision(line_of(d, ""))->candidates[0].worker, "18446385850734466672") << "URLs are not always told";
}

TEST(Decisions, SaysWhoWasLeftOut) { EXPECT_NE(line_of(made("x")).find(R"("rejected":{"taint":2})"), std::string::npos); }

TEST(Decisions, BadLines) {
    EXPECT_EQ(read_decision("{").error()->code, Code::bad_json);
    EXPECT_EQ(read_decision("{}").error()->param, "candidates");
    EXPECT_EQ(read_decision(R"({"candidates":[1]})").error()->param, "candidates");
    EXPECT_EQ(read_decision(R"({"candidates":[{}],"chosen":1})").error()->param, "chosen");
    EXPECT_TRUE(read_decision(R"({"candidates":[{"rank":"x"}],"new":[{}],"id":7})")) << "what is not known is passed over";
}

TEST(DecisionRing, KeepsTheNewest) {
    DecisionRing ring;
    EXPECT_TRUE(ring.newest(5).empty());
    for (size_t i = 0; i < DecisionRing::size + 10; i++) ring.add(made("r" + std::to_string(i)));
    EXPECT_EQ(ring.newest(2)[0].request_id(), "r1033");
    EXPECT_EQ(ring.newest(2)[1].request_id(), "r1032");
    EXPECT_EQ(ring.newest(1 << 20).size(), DecisionRing::size);
    EXPECT_TRUE(ring.of("r9").empty());
    ASSERT_EQ(ring.of("r10").size(), 1u);
    ring.end(10, {});   // overwritten: nothing to tell
    ring.end(ring.of("r10")[0].number, {true, 200, 7, 9, 0, 0, 0});
    EXPECT_EQ(ring.of("r10")[0].ending.ttft_us, 7u);
    size_t told = 0;
    for (auto& d : ring.newest(1 << 20)) told += d.ending.known;
    EXPECT_EQ(told, 1u);
}

TEST(DecisionRing, SamplesAboveAThousandASecond) {
    DecisionRing ring;
    auto wanted = [&](Instant from, int n) {
        int yes = 0;
        for (int i = 0; i < n; i++) yes += ring.wants(from);
        return yes;
    };
    EXPECT_EQ(wanted(ns_per_s, 1'000), 1'000);
    EXPECT_EQ(wanted(ns_per_s, 6'400), 100);
    EXPECT_EQ(wanted(2 * ns_per_s, 10), 10);
}

}  // namespace
}  // namespace weir::route
