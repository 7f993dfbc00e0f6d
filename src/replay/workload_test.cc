#include "replay/workload.h"

#include <gtest/gtest.h>

#include <set>

namespace weir::replay {
namespace {

constexpr std::string_view tiny =
    "{\"timestamp\": 1000, \"input_length\": 1030, \"output_length\": 5, \"hash_ids\": [0, 1, 2]}\n"
    "{\"timestamp\": 1000, \"input_length\": 512, \"output_length\": 7, \"hash_ids\": [0]}\n"
    "\n"
    "{\"timestamp\": 4000, \"input_length\": 1100, \"output_length\": 0, \"hash_ids\": [0, 1, 9]}\n";

TEST(Trace, IsReadInOrderAndSpreadOverItsTicks) {
    auto w = read_trace(tiny, 3);
    ASSERT_TRUE(w) << w.error()->message;
    ASSERT_EQ(w->requests.size(), 3u);
    EXPECT_EQ(w->requests[0].prompt_tokens, 1'030u);
    EXPECT_EQ(w->requests[1].out_tokens, 7u);
    EXPECT_EQ(w->requests[2].out_tokens, 1u) << "an answer has a token";
    EXPECT_LT(w->requests[0].at, w->requests[1].at) << "the two of one tick";
    EXPECT_LT(w->requests[1].at, 3 * ns_per_s);
    EXPECT_EQ(w->requests[2].at, 3 * ns_per_s);
    EXPECT_EQ(w->requests[0].session, w->requests[2].session);
    EXPECT_NE(w->requests[0].session, w->requests[1].session);
    EXPECT_GT(w->span, w->requests[2].at);
    EXPECT_EQ(read_trace(tiny, 3)->requests[0].at, w->requests[0].at) << "the same seed";
}

TEST(Trace, SaysWhichLineIsWrong) {
    const std::pair<std::string, std::string> cases[] = {
        {"{\"timestamp\": 1}", "line 1: input_length"},
        {"nonsense", "line 1: "},
        {"[1]", "line 1: not a JSON object"},
        {"{\"timestamp\": 1, \"input_length\": 10, \"output_length\": 1, \"hash_ids\": [1, 2]}", "line 1: hash_ids must have one"},
        {std::string(tiny) + "{\"timestamp\": 1, \"input_length\": 10, \"output_length\": 1, \"hash_ids\": [1]}", "line 5: timestamp is before"},
        {"", "no requests"},
    };
    for (const auto& [text, complaint] : cases) {
        auto w = read_trace(text, 1);
        ASSERT_FALSE(w) << text;
        EXPECT_NE(w.error()->message.find(complaint), std::string::npos) << w.error()->message;
    }
}

TEST(Expand, EqualBlocksAreEqualAndCopiesShareNothing) {
    auto w = read_trace(tiny, 3);
    ASSERT_TRUE(w);
    std::vector<uint64_t> a, b, c;
    expand(*w, w->requests[0], 0, 64, a);
    expand(*w, w->requests[2], 0, 64, b);
    expand(*w, w->requests[0], 1, 64, c);
    EXPECT_EQ(a.size(), 1'030u / 64);
    EXPECT_EQ(b.size(), 1'100u / 64);
    EXPECT_TRUE(std::equal(a.begin(), a.begin() + 16, b.begin())) << "two named blocks of 512 tokens are 16 of 64";
    EXPECT_EQ(b.size(), 17u);
    std::set<uint64_t> all(a.begin(), a.end());
    EXPECT_EQ(all.size(), a.size());
    for (uint64_t hash : c) EXPECT_FALSE(all.contains(hash));
}

TEST(Arrange, KeepsToTheRateInOrder) {
    const Workload w = synthetic({.requests = 500}, 1);
    for (const uint32_t copies : {1u, 3u}) {
        const auto arrivals = arrange(w, 20, copies, 2);
        ASSERT_EQ(arrivals.size(), 500u * copies * 2);
        EXPECT_TRUE(std::is_sorted(arrivals.begin(), arrivals.end(), [](auto& a, auto& b) { return a.at < b.at; }));
        EXPECT_NEAR(static_cast<double>(arrivals.size()) / (static_cast<double>(arrivals.back().at) / ns_per_s), 20, 1.5);
    }
}

TEST(Part, BeginsAtZeroAndTakesTheBlocksAlong) {
    const Workload w = synthetic({.requests = 100, .groups = 4}, 1), half = part_of(w, 0.5, 1);
    ASSERT_EQ(half.requests.size(), 50u);
    EXPECT_EQ(half.requests[0].at, 0u);
    EXPECT_EQ(half.blocks[half.requests[7].first_block], w.blocks[w.requests[57].first_block]);
    EXPECT_EQ(part_of(w, 0.001, 0.002).requests.size(), 0u);
}

TEST(Synthetic, SharesOnlyWithinGroups) {
    auto spec = parse_synthetic("requests=2000,prompt=1000,out=10,shared=0.5,groups=3,skew=0");
    ASSERT_TRUE(spec) << spec.error()->message;
    const Workload w = synthetic(*spec, 9);
    std::set<uint64_t> first;
    for (const Request& r : w.requests) first.insert(w.blocks[r.first_block]);
    EXPECT_EQ(first.size(), 3u);
    spec->groups = 0;
    const Workload alone = synthetic(*spec, 9);
    first.clear();
    for (const Request& r : alone.requests) first.insert(alone.blocks[r.first_block]);
    EXPECT_EQ(first.size(), 2'000u);
    spec->burst = 10;
    const Workload bursts = synthetic(*spec, 9);
    for (size_t i = 0; i < 2'000; i += 10) EXPECT_EQ(bursts.requests[i].at, bursts.requests[i + 9].at);
}

TEST(Synthetic, RefusesNonsense) {
    for (const char* text : {"requests=0", "prompt", "shared=2", "colour=3", "out=x", "burst=-1", "requests=10,,"})
        EXPECT_FALSE(parse_synthetic(text)) << text;
}

}  // namespace
}  // namespace weir::replay
