#include "kv/block_hash.h"

#include <gmock/gmock.h>

#include <numeric>

#include "base/clock.h"

namespace weir::kv {
namespace {

using testing::ElementsAre;
using Hashes = std::vector<uint64_t>;

std::vector<uint32_t> counting(uint32_t from, uint32_t n) {
    std::vector<uint32_t> out(n);
    std::iota(out.begin(), out.end(), from);
    return out;
}

// Vectors of dynamo 1.6.1's own library.
TEST(BlockHash, PlainVectors) {
    auto h = hash_blocks(counting(1, 8), {.block_tokens = 4});
    EXPECT_THAT(h.local, ElementsAre(14643705804678351452u, 16777012769546811212u));
    EXPECT_THAT(h.chained, ElementsAre(14643705804678351452u, 4945711292740353085u));
    h = hash_blocks(counting(0, 32), {.block_tokens = 16});
    EXPECT_THAT(h.local, ElementsAre(15310707395893867146u, 15292316782987903195u));
    EXPECT_THAT(h.chained, ElementsAre(15310707395893867146u, 13769157705258532664u));
}

TEST(BlockHash, LoraAndSaltVectors) {
    auto h = hash_blocks(counting(1, 8), {.block_tokens = 4, .seed = hash_seed("adapter-a", "")});
    EXPECT_THAT(h.local, ElementsAre(11381080598872079209u, 5698110331184095209u));
    EXPECT_THAT(h.chained, ElementsAre(11381080598872079209u, 17518568667535815909u));
    h = hash_blocks(counting(1, 8), {.block_tokens = 4, .seed = hash_seed("", "tenant-1")});
    EXPECT_THAT(h.local, ElementsAre(12236259103925738072u, 16244233118725531467u));
    EXPECT_EQ(h.chained[1], 10698633946847767502u);
    h = hash_blocks(counting(1, 8), {.block_tokens = 4, .seed = hash_seed("adapter-a", "tenant-1")});
    EXPECT_THAT(h.local, ElementsAre(5419529179100330851u, 8208374588024910845u));
    EXPECT_EQ(h.chained[1], 17491403834204085147u);
    EXPECT_EQ(hash_seed("", ""), hash_seed_plain);
}

TEST(BlockHash, EagleVector) {
    EXPECT_THAT(hash_blocks(counting(1, 9), {.block_tokens = 4, .eagle = true}).local, ElementsAre(1914873892905420881u, 1929047464662796003u));
    EXPECT_EQ(hash_blocks(counting(1, 8), {.block_tokens = 4, .eagle = true}).local.size(), 1u);   // (8 - 1) / 4
    EXPECT_EQ(hash_blocks({}, {.block_tokens = 4, .eagle = true}).local.size(), 0u);
}

TEST(BlockHash, CapturedPromptOfARealWorker) {
    const std::vector<uint32_t> prompt{529, 29989, 1792, 29989, 29958, 13, 10994, 727, 29892, 920, 526, 366, 29973, 2, 29871, 13};
    EXPECT_THAT(hash_blocks(prompt, {}).local, ElementsAre(17511667538238754476u));
}

TEST(BlockHash, MediaGoIntoTheBlocksTheyTouch) {
    const auto tokens = counting(1, 12);
    const HashRules rules{.block_tokens = 4};
    const Hashes plain = hash_blocks(tokens, rules).local;
    const MediaRange media[] = {{9, 3, 9}, {7, 5, 6}};
    const Hashes with = hash_blocks(tokens, rules, media).local;
    EXPECT_NE(with[0], plain[0]);
    EXPECT_NE(with[1], plain[1]);
    EXPECT_NE(with[2], plain[2]);
    // Ascending by hash, whatever the order in the prompt.
    const MediaRange other[] = {{7, 3, 9}, {9, 5, 6}};
    EXPECT_EQ(hash_blocks(tokens, rules, other).local[1], with[1]);
    EXPECT_NE(hash_blocks(tokens, rules, other).local[0], with[0]);
    // The bytes are tokens, then le64 hashes: the same as tokens 1..4 with the hash written as two more tokens.
    const std::vector<uint32_t> spelled{1, 2, 3, 4, 9, 0};
    EXPECT_EQ(hash_blocks(spelled, {.block_tokens = 6}).local[0], with[0]);
    const MediaRange last[] = {{9, 11, 12}};
    EXPECT_EQ(hash_blocks(tokens, rules, last).local[1], plain[1]);
    EXPECT_NE(hash_blocks(tokens, rules, last).local[2], plain[2]);
}

TEST(BlockHash, MediaIdentifiers) {
    EXPECT_EQ(media_hash("00000000000000ffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 255u);
    EXPECT_EQ(media_hash("00000000000000FFaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 255u);
    const std::string not_hex(64, 'g');
    EXPECT_EQ(media_hash(not_hex), prefix_key(not_hex));
    EXPECT_EQ(media_hash("photo"), prefix_key("photo"));
    EXPECT_EQ(sglang_pad_token(0), 1'000'000u);
    EXPECT_EQ(sglang_pad_token((uint64_t{1} << 30) + 5), 1'000'005u);
}

TEST(BlockHash, PrefixKeys) {
    EXPECT_EQ(prefix_key_text(0x00ab12), "000000000000ab12");
    EXPECT_EQ(prefix_key(""), 0x2d06800538d394c2u);   // XXH3-64 of nothing
    const std::vector<uint32_t> tokens{0x64636261};
    EXPECT_EQ(prefix_key(tokens), prefix_key("abcd"));
}

TEST(BlockHash, GrowingInPiecesEqualsAllAtOnce) {
    Random random(7);
    for (int round = 0; round < 300; ++round) {
        const HashRules rules{.block_tokens = static_cast<uint32_t>(1 + random.below(40)), .eagle = random.below(2) == 0};
        const auto tokens = counting(static_cast<uint32_t>(random.below(1000)), static_cast<uint32_t>(random.below(200)));
        std::vector<MediaRange> media;
        for (uint32_t at = 0; random.below(2) && at < tokens.size(); at += 1 + static_cast<uint32_t>(random.below(60)))
            media.push_back({random.next(), at, at + 1 + static_cast<uint32_t>(random.below(20))});
        const BlockHashes want = hash_blocks(tokens, rules, media);
        std::vector<uint64_t> local{5};
        hash_local(tokens, rules, local, media);
        ASSERT_EQ(std::vector<uint64_t>(local.begin() + 1, local.end()), want.local);
        BlockHasher hasher(rules);
        BlockHashes got;
        for (size_t at = 0; at < tokens.size();) {
            const size_t n = std::min<size_t>(1 + random.below(50), tokens.size() - at);
            hasher.feed(std::span(tokens).subspan(at, n), got, media);
            at += n;
        }
        ASSERT_EQ(got.local, want.local);
        ASSERT_EQ(got.chained, want.chained);
        ASSERT_EQ(hasher.blocks(), want.local.size());
        ASSERT_EQ(hasher.tokens(), tokens.size());
        ASSERT_EQ(hasher.partial().size(), tokens.size() - hasher.blocks() * rules.block_tokens);
        hasher.reset();
        BlockHashes again;
        hasher.feed(tokens, again, media);
        ASSERT_EQ(again.chained, want.chained);
    }
}

}  // namespace
}  // namespace weir::kv
