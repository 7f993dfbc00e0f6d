#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "obs/log.h"
#include "tests/sim/sim_world.h"

namespace weir::sim {
namespace {

#ifdef WEIR_SANITIZED
constexpr uint64_t seeds_default = 200, stops_max = 25;
#else
constexpr uint64_t seeds_default = 2'000, stops_max = 100;
#endif

uint64_t from_environment(const char* name, uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

void quiet() {
    for (auto& level : log_levels) level.store(LogLevel::off);
}

void add(Counts& to, const Counts& c) {
    to.whole += c.whole;
    to.unary_errors += c.unary_errors;
    to.stream_errors += c.stream_errors;
    to.broken += c.broken;
    to.own += c.own;
    to.wrong += c.wrong;
    to.destroyed += c.destroyed;
    to.continued += c.continued;
    to.queued += c.queued;
    to.resumes_most = std::max(to.resumes_most, c.resumes_most);
    for (size_t i = 0; i < c.faults.size(); i++) to.faults[i] += c.faults[i];
}

// One run. True when all is well; else it has been reported.
template <class Change>
bool run_one(uint64_t seed, Change change, Counts& counts, uint64_t* turns = nullptr, bool show = false) {
    size_t frames = frames_live_bytes();
    bool good = false;
    {
        World world(seed);
        change(world.options, world.net);
        auto& violations = world.run();
        good = violations.empty();
        add(counts, world.counts);
        if (turns) *turns = world.turns();
        if (!good || show) std::cerr << "seed " << seed << (good ? "" : " fails: " + violations.front()) << "\n" << world.traces();
    }
    if (frames_live_bytes() != frames) {
        std::cerr << "seed " << seed << " leaves " << frames_live_bytes() - frames << " bytes of coroutine frames\n";
        good = false;
    }
    EXPECT_TRUE(good) << "again: WEIR_SIM_SEED=" << seed << " --gtest_filter=Simulation." << testing::UnitTest::GetInstance()->current_test_info()->name();
    return good;
}

void print(uint64_t seeds, const Counts& counts) {
    std::cerr << seeds << " seeds: " << counts.whole << " whole answers, " << counts.unary_errors << " error answers, " << counts.stream_errors
              << " errors in streams, " << counts.broken << " broken off, " << counts.own << " own answers, " << counts.wrong << " wrong requests, "
              << counts.destroyed << " destroyed, " << counts.continued << " continued, " << counts.queued << " times queued\n";
    for (size_t i = 0; i < counts.faults.size(); i++) std::cerr << (i ? ", " : "faults: ") << name(static_cast<Fault>(i)) << " " << counts.faults[i];
    std::cerr << "\n";
}

// One configuration over so many seeds, or over the one that is asked for. False: there is nothing to count.
template <class Change>
bool run_seeds(Change change, Counts& counts, uint64_t& seeds, uint64_t otherwise) {
    quiet();
    seeds = from_environment("WEIR_SIM_SEEDS", otherwise);
    if (std::getenv("WEIR_SIM_SEED")) {
        run_one(from_environment("WEIR_SIM_SEED", 0), change, counts, nullptr, true);
        return false;
    }
    uint64_t bad = 0;
    for (uint64_t seed = 1; seed <= seeds && bad < 5; seed++) bad += !run_one(seed, change, counts);
    print(seeds, counts);
    if (seeds < 200) return false;
    for (size_t i = 0; i < counts.faults.size(); i++) EXPECT_GT(counts.faults[i], 0u) << "never reached: " << name(static_cast<Fault>(i));
    return true;
}

// A simulation that reaches nothing proves nothing: all of them look at what they counted.
TEST(Simulation, Seeds) {
    Counts counts;
    uint64_t seeds = 0;
    if (!run_seeds([](Options&, SimNet&) {}, counts, seeds, seeds_default)) return;
    EXPECT_GT(counts.whole, seeds);
    EXPECT_GT(counts.unary_errors, seeds / 20);
    EXPECT_GT(counts.stream_errors, seeds / 20);
    EXPECT_GT(counts.broken, seeds / 100);
    EXPECT_GT(counts.own, seeds / 10);
    EXPECT_GT(counts.wrong, seeds / 10);
    EXPECT_GT(counts.destroyed, seeds / 20);
    EXPECT_GT(counts.continued, seeds / 100);
    EXPECT_GT(counts.queued, seeds / 100);
}

// Workers' connections are used again all the time, and no error is explained by something that was destroyed.
TEST(Simulation, SeedsOfManyClients) {
    Counts counts;
    uint64_t seeds = 0;
    auto many = [](Options& o, SimNet&) {
        o.clients = 8;
        o.destroy_per_10k = 0;
        o.fault_percent = 30;
    };
    if (!run_seeds(many, counts, seeds, seeds_default / 4)) return;
    EXPECT_GT(counts.whole, 4 * seeds);
    EXPECT_EQ(counts.destroyed, 0u);
    EXPECT_GT(counts.queued, seeds / 20);
}

TEST(Simulation, SeedsWhileMuchIsDestroyed) {
    Counts counts;
    uint64_t seeds = 0;
    auto rough = [](Options& o, SimNet&) {
        o.clients = 6;
        o.destroy_per_10k = 40;
    };
    if (!run_seeds(rough, counts, seeds, seeds_default / 4)) return;
    EXPECT_GT(counts.whole, 4 * seeds);
    EXPECT_GT(counts.destroyed, seeds);
    EXPECT_GT(counts.queued, seeds / 20);
}

TEST(Simulation, TheSameSeedIsTheSameRun) {
    quiet();
    for (uint64_t seed : {3, 14, 159}) {
        std::string first;
        for (int i = 0; i < 2; i++) {
            World world(seed);
            world.run();
            if (i == 0) first = world.traces();
            else EXPECT_EQ(world.traces(), first);
        }
        EXPECT_FALSE(first.empty());
    }
}

TEST(Simulation, DestroyedWhileRequestsWait) {
    quiet();
    Counts counts;
    const uint64_t seeds = seeds_default / 10;
    auto crowded = [](Options& o, SimNet&) {
        o.clients = 6;
        o.requests_max = 1;
        o.destroy_per_10k = 40;
        o.fault_percent = 20;
    };
    for (uint64_t seed = 1; seed <= seeds; seed++)
        if (!run_one(seed, crowded, counts)) return;
    EXPECT_GT(counts.queued, seeds);
    EXPECT_GT(counts.destroyed, seeds);
}

// The same run, with something destroyed after the first turn, then after the second, and so on: a turn resumes about one coroutine.
TEST(Simulation, DestroyedAtEveryTurn) {
    quiet();
    Counts counts;
    for (uint64_t seed : {11, 12}) {
        for (auto path : {FlowOptions::Path::forward, FlowOptions::Path::events}) {
            for (auto victim : {Options::connection, Options::worker, Options::client}) {
                uint64_t last = 0, step = 1;
                for (uint64_t at = 0; at <= last; at += step) {   // 0: the whole run, to learn how long it is
                    auto change = [&](Options& o, SimNet& net) {
                        o.clients = 1;
                        o.destroy_per_10k = 0;
                        o.fault_percent = 0;
                        o.flow.path = path;
                        o.destroy_at = at;
                        o.victim = victim;
                        net.one_at_a_time(true);
                    };
                    uint64_t turns = 0;
                    if (!run_one(seed, change, counts, &turns)) return;
                    if (at == 0) last = turns;
                    step = last / stops_max + 1;
                }
            }
        }
    }
    EXPECT_GT(counts.destroyed, 6 * stops_max);
}

}  // namespace
}  // namespace weir::sim
