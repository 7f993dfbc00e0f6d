#include "route/affinity.h"

#include <gtest/gtest.h>

#include <thread>

namespace weir::route {
namespace {

struct AffinityTest : testing::Test {
    LoadCells cells;
    Registry registry{cells, nullptr, false, [](FleetViewRef) {}};
    Affinity affinity{{.ttl_ms = 10'000, .hard = true}};
    Instant now = 1'000 * ns_per_s;
    AffinityTest() {
        for (int i = 0; i < 70; ++i) {
            WorkerSpec spec;
            spec.url = "http://h" + std::to_string(i) + ":1";
            spec.ready = true, spec.ranks = 2;
            EXPECT_TRUE(registry.add(std::move(spec)));
        }
    }
    Hints hints(const char* session, const char* parent = "", bool final = false) {
        Hints h;
        h.session = session, h.parent_session = parent, h.session_final = final;
        return h;
    }
    void served(const Hints& h, uint32_t i, Leg::Role role = Leg::whole) {
        affinity.served(h, role, *registry.view(), registry.view()->ranks()[i], now);
    }
    std::vector<uint64_t> eligible = std::vector<uint64_t>(3, ~0ull);
    // The rank it is narrowed to; -1: none.
    int where(const Hints& h, Leg::Role role = Leg::whole) {
        std::vector<uint64_t> bits = eligible;
        found = affinity.narrow(h, role, *registry.view(), bits, now);
        if (found != Affinity::Found::bound) {
            EXPECT_EQ(bits, eligible);
            return -1;
        }
        int at = -1, n = 0;
        for (int i = 0; i < 192; ++i)
            if (bits[static_cast<size_t>(i) / 64] >> i % 64 & 1) at = i, ++n;
        EXPECT_EQ(n, 1);
        return at;
    }
    Affinity::Found found{};
};

TEST_F(AffinityTest, ASessionKeepsItsRankUntilIdleOrFinal) {
    EXPECT_EQ(where(hints("")), -1);
    EXPECT_EQ(found, Affinity::Found::no_session);
    served(hints(""), 5);
    EXPECT_EQ(where(hints("a")), -1);
    EXPECT_EQ(found, Affinity::Found::unbound);
    served(hints("a"), 131);
    served(hints("b"), 4);
    EXPECT_EQ(where(hints("a")), 131);
    EXPECT_EQ(where(hints("b")), 4);
    EXPECT_EQ(where(hints("a"), Leg::prefill), -1) << "each leg has a place of its own";
    for (int i = 0; i < 5; ++i) {
        now += 9 * ns_per_s;
        EXPECT_EQ(where(hints("a")), 131) << "each use counts anew";
    }
    EXPECT_EQ(where(hints("b")), -1) << "idle for longer";
    served(hints("a", "", true), 131);
    EXPECT_EQ(where(hints("a")), -1);
    EXPECT_EQ(affinity.sessions(), 0u);
}

TEST_F(AffinityTest, AFamilyStaysTogether) {
    served(hints("child-1", "parent"), 7);
    EXPECT_EQ(where(hints("child-2", "parent")), 7);
    EXPECT_EQ(where(hints("parent")), 7);
    EXPECT_EQ(where(hints("child-1")), -1);
    served(hints("child-1", "parent", true), 7);
    EXPECT_EQ(where(hints("parent")), 7) << "a child's end is not the family's";
    served(hints("parent", "", true), 7);
    EXPECT_EQ(where(hints("child-2", "parent")), -1);
}

TEST_F(AffinityTest, BoundAnewWhenItsRankIsNotEligible) {
    served(hints("a"), 20);
    registry.remove(3);                          // ranks 6 and 7: others move up
    EXPECT_EQ(where(hints("a")), 18) << "found by what it is, not where it stood";
    eligible[0] &= ~(1ull << 18);
    EXPECT_EQ(where(hints("a")), -1);
    EXPECT_EQ(found, Affinity::Found::not_there);
    served(hints("a"), 30);
    EXPECT_EQ(where(hints("a")), 30);
    registry.remove(registry.view()->ranks()[30].worker->slot);
    EXPECT_EQ(where(hints("a")), -1);
    EXPECT_EQ(found, Affinity::Found::not_there);
}

TEST_F(AffinityTest, HasAByteBoundAndServesAllCores) {
    Affinity small{{.ttl_ms = 10'000, .bytes_max = 64 * 1'024}};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            std::vector<uint64_t> bits;
            for (int i = 0; i < 2'000; ++i) {
                const std::string name = "s" + std::to_string((i * 7 + t) % 1'500);
                Hints h;
                h.session = name;
                bits.assign(3, ~0ull);
                small.narrow(h, Leg::whole, *registry.view(), bits, now);
                small.served(h, Leg::whole, *registry.view(), registry.view()->ranks()[static_cast<size_t>(i) % 140], now);
            }
        });
    for (auto& t : threads) t.join();
    EXPECT_LE(small.sessions(), 64 * 1'024 / StickyMap::bytes_per_entry);
    EXPECT_GT(small.sessions(), 64 * 1'024 / StickyMap::bytes_per_entry / 2);
    EXPECT_GT(small.evicted(), 0u);
}

}  // namespace
}  // namespace weir::route
