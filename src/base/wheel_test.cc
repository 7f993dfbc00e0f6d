#include "base/wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "base/clock.h"

namespace weir {
namespace {

struct Probe : Timer {
    std::vector<uint64_t>* fired;
    Wheel* wheel;
};

TEST(Wheel, FiresAtItsTickAndNotBefore) {
    for (uint64_t delay : {1ull, 2ull, 255ull, 256ull, 257ull, 65'535ull, 65'536ull, 70'000ull, 16'777'217ull}) {
        Wheel wheel(12'345);
        std::vector<uint64_t> fired;
        Probe t;
        t.fired = &fired;
        t.fire = [](Timer& timer) { static_cast<Probe&>(timer).fired->push_back(1); };
        wheel.arm(t, 12'345 + delay);
        wheel.advance(12'345 + delay - 1);
        EXPECT_TRUE(fired.empty()) << delay;
        wheel.advance(12'345 + delay);
        EXPECT_EQ(fired.size(), 1u) << delay;
        EXPECT_EQ(wheel.next_ms(), -1);
    }
}

TEST(Wheel, DestroyedTimerIsGone) {
    Wheel wheel(0);
    std::vector<uint64_t> fired;
    {
        Probe t;
        t.fired = &fired;
        t.fire = [](Timer& timer) { static_cast<Probe&>(timer).fired->push_back(1); };
        wheel.arm(t, 10);
    }
    wheel.advance(1000);
    EXPECT_TRUE(fired.empty());
}

// Against a naive map: random arms, cancels and jumps.
TEST(Wheel, AgreesWithAMap) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        Random random(seed);
        uint64_t now = random.below(1 << 20);
        Wheel wheel(now);
        std::vector<std::unique_ptr<Probe>> timers(64);
        std::vector<uint64_t> fired;
        std::map<Probe*, uint64_t> expect;
        for (auto& t : timers) {
            t = std::make_unique<Probe>();
            t->fired = &fired;
            t->wheel = &wheel;
            t->fire = [](Timer& timer) {
                auto& p = static_cast<Probe&>(timer);
                p.fired->push_back(p.due_ms);
                EXPECT_EQ(p.due_ms, p.wheel->now_ms());
            };
        }
        for (int step = 0; step < 2'000; step++) {
            auto* t = timers[random.below(timers.size())].get();
            switch (random.below(4)) {
            case 0:
            case 1: {
                uint64_t due = now + 1 + random.below(1ull << random.below(22));
                wheel.arm(*t, due);
                expect[t] = due;
                break;
            }
            case 2:
                wheel.cancel(*t);
                expect.erase(t);
                break;
            case 3: {
                now += random.below(1ull << random.below(18));
                size_t due = 0;
                for (auto it = expect.begin(); it != expect.end();)
                    if (it->second <= now) it = expect.erase(it), due++;
                    else ++it;
                fired.clear();
                wheel.advance(now);
                ASSERT_EQ(fired.size(), due) << "seed " << seed << " step " << step;
            }
            }
        }
    }
}

}  // namespace
}  // namespace weir
