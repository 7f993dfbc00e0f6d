#include "base/arena.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace weir {
namespace {

TEST(Arena, TakesNothingBeforeFirstUse) {
    Arena a;
    EXPECT_EQ(a.bytes(), 0u);
    EXPECT_TRUE(a.copy("").empty());
    EXPECT_EQ(a.bytes(), 0u);
    a.alloc(1);
    EXPECT_EQ(a.bytes(), limits::arena_chunk);
}

TEST(Arena, AlignsAndKeepsWhatItGave) {
    Arena a;
    std::vector<std::string_view> views;
    for (int i = 0; i < 3000; ++i) {
        views.push_back(a.copy(std::to_string(i)));
        auto* p = a.make<uint64_t>(uint64_t(i));
        EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % alignof(uint64_t), 0u);
        EXPECT_EQ(*p, uint64_t(i));
    }
    for (int i = 0; i < 3000; ++i) EXPECT_EQ(views[i], std::to_string(i));
    EXPECT_EQ(a.concat({"ab", "", "c"}), "abc");
}

TEST(Arena, BigRequestsLeaveTheChunkInUse) {
    Arena a;
    char* before = static_cast<char*>(a.alloc(1, 1));
    std::string big(100'000, 'x');
    EXPECT_EQ(a.copy(big), big);
    char* after = static_cast<char*>(a.alloc(1, 1));
    EXPECT_EQ(after, before + 1);
    EXPECT_GT(a.bytes(), big.size());
}

TEST(Arena, ResetKeepsTheFirstChunk) {
    Arena a;
    void* first = a.alloc(8);
    for (int i = 0; i < 100; ++i) a.alloc(1000);
    a.alloc(1'000'000);
    a.reset();
    EXPECT_EQ(a.bytes(), limits::arena_chunk);
    EXPECT_EQ(a.alloc(8), first);
    a.release();
    EXPECT_EQ(a.bytes(), 0u);
}

TEST(Arena, FirstChunkIsReusedByTheNextArenaOfTheThread) {
    void* first;
    {
        Arena a;
        first = a.alloc(8);
    }
    Arena b;
    EXPECT_EQ(b.alloc(8), first);
}

TEST(Arena, ChunksMayBeFreedByAnotherThread) {
    Arena a;
    a.alloc(3000);
    a.alloc(3000);
    std::thread([b = std::move(a)]() mutable { b.alloc(3000); b.release(); }).join();
    EXPECT_EQ(a.bytes(), 0u);
}

TEST(SpanBuilder, GrowsAndGivesBackTheRest) {
    Arena a;
    SpanBuilder<uint32_t> b(a);
    for (uint32_t i = 0; i < 1000; ++i) b.push(i);
    auto s = b.take();
    ASSERT_EQ(s.size(), 1000u);
    for (uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(s[i], i);
    SpanBuilder<char> c(a);
    c.push('x');
    auto one = c.take();
    EXPECT_EQ(static_cast<char*>(a.alloc(1, 1)), one.data() + 1);
    EXPECT_TRUE(c.take().empty());
}

}  // namespace
}  // namespace weir
