#include "sim/block_pool.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "base/clock.h"
#include "sim/block_hash.h"

namespace weir::sim {
namespace {

std::vector<uint32_t> range(uint32_t from, uint32_t n) {
    std::vector<uint32_t> v(n);
    std::iota(v.begin(), v.end(), from);
    return v;
}

// Vectors from a Dynamo worker's own library.
TEST(BlockHash, EqualsDynamos) {
    std::vector<uint64_t> h;
    append_block_hashes(range(1, 8), 4, hash_seed("", ""), h);
    EXPECT_EQ(h, (std::vector<uint64_t>{14643705804678351452u, 16777012769546811212u}));
    EXPECT_EQ(chain_hash(h[0], h[1]), 4945711292740353085u);
    h.clear();
    append_block_hashes(range(0, 32), 16, hash_seed("", ""), h);
    EXPECT_EQ(h, (std::vector<uint64_t>{15310707395893867146u, 15292316782987903195u}));
    EXPECT_EQ(chain_hash(h[0], h[1]), 13769157705258532664u);
    h.clear();
    append_block_hashes(range(1, 8), 4, hash_seed("adapter-a", ""), h);
    EXPECT_EQ(h, (std::vector<uint64_t>{11381080598872079209u, 5698110331184095209u}));
    h.clear();
    append_block_hashes(range(1, 8), 4, hash_seed("", "tenant-1"), h);
    EXPECT_EQ(h, (std::vector<uint64_t>{12236259103925738072u, 16244233118725531467u}));
    h.clear();
    append_block_hashes(range(1, 8), 4, hash_seed("adapter-a", "tenant-1"), h);
    EXPECT_EQ(h, (std::vector<uint64_t>{5419529179100330851u, 8208374588024910845u}));
}

TEST(BlockHash, PartialBlocksHaveNone) {
    std::vector<uint64_t> h;
    append_block_hashes(range(0, 31), 16, plain_hash_seed, h);
    EXPECT_EQ(h.size(), 1u);
}

TEST(BlockIndex, AgreesWithAMap) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        Random random(seed);
        BlockIndex index;
        std::map<uint64_t, uint32_t> model;
        for (int i = 0; i < 20'000; ++i) {
            const uint64_t key = 1 + random.below(300) * (random.below(2) ? 1 : 0x100000);   // some collide on purpose
            if (random.below(2)) ASSERT_EQ(index.insert(key, i), model.emplace(key, i).second);
            else index.erase(key), model.erase(key);
            const uint64_t look = 1 + random.below(300);
            auto at = model.find(look);
            ASSERT_EQ(index.find(look), at == model.end() ? BlockIndex::none : at->second);
            ASSERT_EQ(index.size(), model.size());
        }
    }
}

TEST(BlockPool, ReusesNamelessFirstThenTheLeastRecentlyFreed) {
    BlockPool pool(3);
    uint64_t evicted;
    uint32_t a = pool.allocate(evicted), b = pool.allocate(evicted), c = pool.allocate(evicted);
    EXPECT_EQ(pool.allocate(evicted), BlockPool::none);
    EXPECT_TRUE(pool.name(a, 11));
    EXPECT_TRUE(pool.name(b, 22));
    EXPECT_FALSE(pool.name(c, 22));
    pool.release(b);
    pool.release(a);
    pool.release(c);
    EXPECT_EQ(pool.in_use(), 0u);
    EXPECT_EQ(pool.allocate(evicted), c);
    EXPECT_EQ(evicted, 0u);
    EXPECT_EQ(pool.allocate(evicted), b);
    EXPECT_EQ(evicted, 22u);
    EXPECT_EQ(pool.find(22), BlockPool::none);
    EXPECT_EQ(pool.find(11), a);
    pool.hold(a);   // a hit takes it out of the queue
    EXPECT_EQ(pool.allocate(evicted), BlockPool::none);
    EXPECT_EQ(pool.in_use(), 3u);
}

TEST(BlockPool, ForgettingKeepsWhatIsInUse) {
    BlockPool pool(4);
    uint64_t evicted;
    uint32_t a = pool.allocate(evicted), b = pool.allocate(evicted);
    pool.name(a, 1), pool.name(b, 2);
    pool.release(b);
    std::vector<uint64_t> gone;
    pool.forget_free([&](uint64_t h) { gone.push_back(h); });
    EXPECT_EQ(gone, std::vector<uint64_t>{2});
    EXPECT_EQ(pool.find(1), a);
    EXPECT_EQ(pool.find(2), BlockPool::none);
    EXPECT_EQ(pool.named(), 1u);
}

}  // namespace
}  // namespace weir::sim
