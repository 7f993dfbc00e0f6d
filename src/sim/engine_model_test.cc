#include "sim/engine_model.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <set>

#include "sim/text.h"

namespace weir::sim {
namespace {

struct Recorder final : EngineSink {
    std::vector<TokenEvent> events;
    std::map<std::pair<uint64_t, int>, std::vector<uint32_t>> tokens;
    std::map<std::pair<uint64_t, int>, Finish> finished;
    std::map<uint64_t, uint64_t> held;   // chained hash -> parent, as told by KV events
    uint64_t stored = 0, removed = 0;
    uint64_t seed = plain_hash_seed;

    void on_token(const TokenEvent& e) override {
        events.push_back(e);
        auto key = std::make_pair(e.id, static_cast<int>(e.choice));
        ASSERT_EQ(finished.count(key), 0u) << "an event after the last one";
        if (e.has_token) {
            ASSERT_EQ(e.index, tokens[key].size());
            tokens[key].push_back(e.token);
        }
        if (e.finish != Finish::none) finished[key] = e.finish;
    }
    void on_kv(const KvEvent& e) override {
        if (e.kind == KvEvent::cleared) held.clear();
        if (e.kind == KvEvent::removed)
            for (uint64_t h : e.chained) removed += held.erase(h);
        if (e.kind != KvEvent::stored) return;
        uint64_t parent = e.parent;
        ASSERT_TRUE(parent == 0 || held.count(parent) == 1);
        for (size_t i = 0; i < e.chained.size(); ++i) {
            ASSERT_EQ(e.chained[i], parent ? chain_hash(parent, e.local[i]) : e.local[i]);
            const size_t size = e.tokens.size() / e.chained.size();
            ASSERT_TRUE(size == 0 || e.local[i] == block_hash(e.tokens.subspan(i * size, size), seed));
            ASSERT_TRUE(held.emplace(e.chained[i], parent).second) << "stored twice";
            parent = e.chained[i];
            ++stored;
        }
    }
};

std::vector<uint32_t> prompt(uint32_t from, uint32_t n) {
    std::vector<uint32_t> v(n);
    std::iota(v.begin(), v.end(), from);
    return v;
}
RequestSpec ask(uint64_t id, std::vector<uint32_t> tokens, uint32_t max_tokens, uint64_t seed = 1) {
    RequestSpec r;
    r.id = id, r.tokens = std::move(tokens), r.max_tokens = max_tokens, r.seed = seed;
    return r;
}
EngineParams small() {
    EngineParams p;
    p.block_size = 16, p.num_blocks = 64, p.max_num_seqs = 4, p.max_num_batched_tokens = 256;
    p.timing = Timing::flat(1'000, 10);   // a millisecond a prompt token, 10 ms a token
    return p;
}
void run(EngineModel& e, Recorder& r, Instant until = never - 1) {
    for (Instant at; (at = e.next_event_time()) <= until;) e.advance(at, r);
}
constexpr Instant ms(uint64_t n) { return n * ns_per_ms; }

TEST(EngineModel, FirstTokenComesAfterPrefillThenOneADecodeStep) {
    EngineModel e(small());
    Recorder r;
    ASSERT_TRUE(e.submit(ask(7, prompt(0, 100), 3), ms(5)));
    EXPECT_EQ(e.next_event_time(), ms(5));
    run(e, r);
    ASSERT_EQ(r.events.size(), 3u);
    EXPECT_EQ(r.events[0].at, ms(5 + 100 + 10));
    EXPECT_EQ(r.events[1].at, ms(125));
    EXPECT_EQ(r.events[2].at, ms(135));
    EXPECT_EQ(r.events[0].prompt_tokens, 100u);
    EXPECT_EQ(r.finished.at({7, 0}), Finish::length);
    EXPECT_EQ(e.next_event_time(), never);
    EXPECT_EQ(e.load().blocks_in_use, 0u);
    EXPECT_TRUE(e.consistent());
}

TEST(EngineModel, SpeedupDividesTimeAndZeroMeansNone) {
    for (double ratio : {10.0, 0.0, 1.0 / 0.0}) {
        EngineParams p = small();
        p.speedup_ratio = ratio;
        EngineModel e(p);
        Recorder r;
        ASSERT_TRUE(e.submit(ask(1, prompt(0, 100), 4), 0));
        run(e, r);
        EXPECT_EQ(r.events.back().at, ratio == 10.0 ? ms(14) : 0u);
    }
}

TEST(EngineModel, AnInstantEngineYieldsAfterSoManySteps) {
    EngineParams p = small();
    p.speedup_ratio = 0;
    EngineModel e(p);
    Recorder r;
    ASSERT_TRUE(e.submit(ask(1, prompt(0, 10), 100), ms(1)));
    e.advance(ms(1), r, 8);
    EXPECT_EQ(r.events.size(), 8u);
    EXPECT_LE(e.next_event_time(), ms(1));
    e.advance(ms(1), r, 1'000);
    EXPECT_EQ(r.events.size(), 100u);
}

TEST(EngineModel, TheDefaultPolynomialGivesTheMockersTimes) {
    EngineParams p;
    EngineModel e(p);
    Recorder r;
    ASSERT_TRUE(e.submit(ask(1, prompt(0, 1'000), 2), 0));
    run(e, r);
    const double usage = 16.0 / p.num_blocks;   // 1,000 tokens in blocks of 64
    const double prefill = 4.209989e-07 * 1e6 + 1.518344e-02 * 1e3 + 16.50142, decode = -25.74 * usage * usage + 54.01 * usage + 5.74;
    EXPECT_NEAR(static_cast<double>(r.events[0].at) / 1e6, prefill + decode, 0.001);
    EXPECT_NEAR(static_cast<double>(r.events[1].at - r.events[0].at) / 1e6, decode, 0.001);
}

TEST(EngineModel, TokensDependOnSeedAndIndexOnly) {
    EngineModel alone(small()), busy(small());
    Recorder a, b;
    ASSERT_TRUE(alone.submit(ask(1, prompt(0, 50), 30, 99), 0));
    run(alone, a);
    for (uint64_t id = 10; id < 30; ++id) ASSERT_TRUE(busy.submit(ask(id, prompt(id * 100, 40 + id), 25, id), 0));
    ASSERT_TRUE(busy.submit(ask(1, prompt(7'000, 90), 30, 99), ms(3)));
    run(busy, b);
    EXPECT_EQ((a.tokens.at({1, 0})), (b.tokens.at({1, 0})));
    for (uint32_t n = 0; n < 30; ++n) EXPECT_EQ((a.tokens.at({1, 0})[n]), word_token(99, n));
    EngineParams p = small();
    p.vocab = 32'000;
    EngineModel v(p);
    Recorder c;
    ASSERT_TRUE(v.submit(ask(1, prompt(0, 50), 3, 99), 0));
    run(v, c);
    EXPECT_EQ((c.tokens.at({1, 0})[2]), vocab_token(99, 2, 32'000));
}

TEST(EngineModel, SequencesAndTokensOfAStepStayWithinTheirLimits) {
    EngineParams p = small();
    p.num_blocks = 4'096;
    EngineModel e(p);
    Recorder r;
    for (uint64_t id = 0; id < 40; ++id) ASSERT_TRUE(e.submit(ask(id, prompt(id * 1'000, 20 + 30 * (id % 11)), 1 + id % 7), 0));
    uint64_t computed = 0;
    bool full = false;
    while (e.next_event_time() != never) {
        e.advance(e.next_event_time(), r, 1);
        EXPECT_LE(e.load().running, p.max_num_seqs);
        EXPECT_LE(e.totals().computed_tokens - computed, p.max_num_batched_tokens);
        full = full || e.totals().computed_tokens - computed == p.max_num_batched_tokens;
        computed = e.totals().computed_tokens;
    }
    EXPECT_TRUE(full);
    EXPECT_EQ(r.finished.size(), 40u);
}

TEST(EngineModel, ALongPromptIsComputedInChunksBesideDecodes) {
    EngineParams p = small();
    EngineModel e(p);
    Recorder r;
    ASSERT_TRUE(e.submit(ask(1, prompt(0, 16), 20), 0));
    e.advance(0, r);
    ASSERT_TRUE(e.submit(ask(2, prompt(5'000, 600), 1), 1));
    run(e, r);
    // 600 tokens at 255 a step (one is the other's decode): three steps; the other gives a token in each.
    size_t before = 0;
    for (const auto& ev : r.events) {
        if (ev.id == 2) break;
        before += ev.id == 1;
    }
    EXPECT_EQ(before, 1u + 3u);
    EXPECT_EQ(e.totals().computed_tokens, 16u + 19 + 600);
}

TEST(EngineModel, WithoutChunksAPromptWaitsForABudgetOfItsOwn) {
    EngineParams p = small();
    p.chunked_prefill = false;
    EngineModel e(p);
    Recorder r;
    ASSERT_TRUE(e.submit(ask(1, prompt(0, 200), 1), 0));
    ASSERT_TRUE(e.submit(ask(2, prompt(1'000, 100), 1), 0));   // does not fit beside the first
    ASSERT_TRUE(e.submit(ask(3, prompt(3'000, 700), 1), 0));   // exceeds the budget: alone
    run(e, r);
    EXPECT_EQ(r.events[0].at, ms(210));
    EXPECT_EQ(r.events[1].at, ms(210 + 110));
    EXPECT_EQ(r.events[2].at, ms(320 + 710));
    EXPECT_EQ(e.totals().steps, 3u);
}

TEST(EngineModel, ARequestThatArrivesInAStepWaitsForTheNext) {
    EngineModel e(small());
    Recorder r;
    ASSERT_TRUE(e.submit(ask(1, prompt(0, 100), 2), 0));
    e.advance(0, r);
    ASSERT_TRUE(e.submit(ask(2, prompt(500, 50), 1), ms(20)));
    EXPECT_EQ(e.next_event_time(), ms(110));
    run(e, r);
    EXPECT_EQ(r.events[1].at, ms(110 + 50 + 10));
    EXPECT_EQ(r.events[2].at, ms(170));
    EngineModel late(small());   // advance() called late runs what was due in the order it was due
    Recorder l;
    ASSERT_TRUE(late.submit(ask(1, prompt(0, 100), 2), 0));
    ASSERT_TRUE(late.submit(ask(2, prompt(500, 50), 1), ms(20)));
    late.advance(ms(1'000), l);
    ASSERT_EQ(l.events.size(), 3u);
    EXPECT_EQ(l.events[0].at, ms(110));
    EXPECT_EQ(l.events[2].at, ms(170));
}

TEST(EngineModel, ARepeatedPromptHitsButForItsLastBlock) {
    EngineModel e(small());
    Recorder r;
    ASSERT_TRUE(e.submit(ask(1, prompt(0, 100), 1), 0));
    run(e, r);
    ASSERT_TRUE(e.submit(ask(2, prompt(0, 100), 1), ms(1'000)));
    run(e, r);
    EXPECT_EQ(r.events[0].cached_tokens, 0u);
    EXPECT_EQ(r.events[1].cached_tokens, 96u);
    EXPECT_EQ(r.events[1].at, ms(1'000 + 4 + 10));
    ASSERT_TRUE(e.submit(ask(3, prompt(0, 96), 1), ms(2'000)));   // all blocks are known: the last one is computed again
    run(e, r);
    EXPECT_EQ(r.events[2].cached_tokens, 80u);
    EXPECT_EQ(e.totals().cache_hit_tokens, 96u + 80);
    auto other = prompt(0, 100);
    other[40] = 9'999;
    ASSERT_TRUE(e.submit(ask(4, other, 1), ms(3'000)));
    run(e, r);
    EXPECT_EQ(r.events[3].cached_tokens, 32u);
    auto salted = ask(5, prompt(0, 100), 1);
    salted.hash_seed = r.seed = hash_seed("", "tenant-1");
    ASSERT_TRUE(e.submit(std::move(salted), ms(4'000)));
    run(e, r);
    EXPECT_EQ(r.events[4].cached_tokens, 0u);
}

TEST(EngineModel, NoPrefixCachingNoHitsNoEvents) {
    EngineParams p = small();
    p.prefix_caching = false;
    EngineModel e(p);
    Recorder r;
    for (uint64_t id = 1; id < 4; ++id) {
        ASSERT_TRUE(e.submit(ask(id, prompt(0, 100), 1), 0));
        run(e, r);
        EXPECT_EQ(r.events.back().cached_tokens, 0u);
    }
    EXPECT_EQ(r.stored, 0u);
}

TEST(EngineModel, AnAnswerSentBackAsHistoryHits) {
    EngineModel e(small());
    Recorder r;
    ASSERT_TRUE(e.submit(ask(1, prompt(0, 64), 65), 0));
    run(e, r);
    auto next = prompt(0, 64);
    for (uint32_t t : r.tokens.at({1, 0})) next.push_back(t);
    next.push_back(1);
    ASSERT_TRUE(e.submit(ask(2, next, 1), ms(10'000)));
    run(e, r);
    EXPECT_EQ(r.events.back().cached_tokens, 128u);
}

TEST(EngineModel, TheLeastRecentlyUsedPrefixIsEvicted) {
    EngineModel e(small());   // 64 blocks
    Recorder r;
    auto send = [&](uint64_t id, uint32_t from) {
        EXPECT_TRUE(e.submit(ask(id, prompt(from, 320), 1), ms(id * 1'000)));
        run(e, r);
        return r.events.back().cached_tokens;
    };
    send(1, 0), send(2, 10'000), send(3, 20'000);   // 60 blocks
    EXPECT_EQ(send(4, 0), 304u);                    // the first is used again
    send(5, 30'000);                                // evicts the second's end
    EXPECT_EQ(send(6, 0), 304u);
    EXPECT_LT(send(7, 10'000), 304u);
    EXPECT_GT(e.totals().evicted_blocks, 0u);
    EXPECT_EQ(e.totals().evicted_blocks, r.removed);
    EXPECT_EQ(r.held.size(), r.stored - r.removed);
}

TEST(EngineModel, OutOfBlocksTheNewestIsPreemptedAndNothingIsLost) {
    EngineParams p = small();
    p.num_blocks = 20;   // 320 tokens
    p.watermark = 0;
    EngineModel e(p);
    Recorder r;
    for (uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(e.submit(ask(id, prompt(id * 1'000, 64), 150, id), 0));
    while (e.next_event_time() != never) {
        e.advance(e.next_event_time(), r, 1);
        ASSERT_TRUE(e.consistent());
    }
    EXPECT_GT(e.totals().preemptions, 0u);
    for (uint64_t id = 1; id <= 3; ++id) {
        ASSERT_EQ((r.tokens.at({id, 0}).size()), 150u);
        for (uint32_t n = 0; n < 150; ++n) ASSERT_EQ((r.tokens.at({id, 0})[n]), word_token(id, n));
    }
    EXPECT_EQ(r.events.back().id, 3u);   // the first come were not the ones preempted
    EXPECT_EQ(e.load().blocks_in_use, 0u);
}

TEST(EngineModel, AWatermarkKeepsBlocksForThoseWhoRun) {
    EngineParams p = small();
    p.num_blocks = 20;
    p.watermark = 0.5;
    EngineModel e(p);
    Recorder r;
    ASSERT_TRUE(e.submit(ask(1, prompt(0, 300), 2), 0));         // alone it may pass the mark
    ASSERT_TRUE(e.submit(ask(2, prompt(1'000, 16), 1), 0));
    e.advance(0, r, 1);
    EXPECT_EQ(e.load().running, 1u);
    run(e, r);
    EXPECT_EQ(r.finished.size(), 2u);
}

TEST(EngineModel, TheContextEndsAnAnswer) {
    EngineParams p = small();
    p.max_model_len = 40;
    EngineModel e(p);
    Recorder r;
    ASSERT_TRUE(e.submit(ask(1, prompt(0, 30), 1'000), 0));
    run(e, r);
    EXPECT_EQ((r.tokens.at({1, 0}).size()), 10u);
    EXPECT_EQ((r.finished.at({1, 0})), Finish::length);
    auto full = e.submit(ask(2, prompt(0, 40), 1), 0);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error()->code, Code::too_large);
    EXPECT_TRUE(e.submit(ask(2, prompt(0, 40), 0), 0));   // without an answer it just fits
    EXPECT_EQ(EngineModel(small()).context_max(), 64u * 16);
}

TEST(EngineModel, AnAnswerMayEndByItselfOrBeEmpty) {
    EngineModel e(small());
    Recorder r;
    auto natural = ask(1, prompt(0, 10), 50);
    natural.natural_tokens = 7;
    ASSERT_TRUE(e.submit(std::move(natural), 0));
    ASSERT_TRUE(e.submit(ask(2, prompt(100, 10), 0), 0));
    run(e, r);
    EXPECT_EQ((r.tokens.at({1, 0}).size()), 7u);
    EXPECT_EQ((r.finished.at({1, 0})), Finish::stop);
    EXPECT_EQ((r.tokens.count({2, 0})), 0u);
    EXPECT_EQ((r.finished.at({2, 0})), Finish::length);
}

TEST(EngineModel, ChoicesAreSequencesThatShareTheirPrompt) {
    EngineModel e(small());
    Recorder r;
    auto several = ask(1, prompt(0, 40), 5, 3);
    several.n = 3, several.first_choice = 2;
    ASSERT_TRUE(e.submit(std::move(several), 0));
    e.advance(0, r, 1);
    EXPECT_EQ(e.load().running, 3u);
    EXPECT_EQ(e.load().blocks_in_use, 2u + 3);   // two full blocks shared, a partial one each
    run(e, r);
    std::set<std::vector<uint32_t>> answers;
    for (int c = 2; c < 5; ++c) answers.insert(r.tokens.at({1, c}));
    EXPECT_EQ(answers.size(), 3u);
    EXPECT_EQ(r.tokens.at({1, 3})[0], word_token(choice_seed(3, 1), 0));
}

TEST(EngineModel, RolesLeaveOutTheirOtherHalf) {
    for (auto role : {EngineParams::prefill, EngineParams::decode}) {
        EngineParams p = small();
        p.role = role;
        EngineModel e(p);
        Recorder r;
        ASSERT_TRUE(e.submit(ask(1, prompt(0, 100), 1), 0));
        run(e, r);
        EXPECT_EQ(r.events[0].at, role == EngineParams::prefill ? ms(100) : ms(10));
    }
}

TEST(EngineModel, RefusesWhatItCannotHold) {
    EngineParams p = small();
    p.queue_len_max = 3;
    EngineModel e(p);
    ASSERT_TRUE(e.submit(ask(1, prompt(0, 10), 1), 0));
    auto twice = e.submit(ask(1, prompt(0, 10), 1), 0);
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error()->code, Code::bad_field);
    EXPECT_FALSE(e.submit(ask(2, {}, 1), 0));
    auto none = ask(2, prompt(0, 10), 1);
    none.n = 0;
    EXPECT_FALSE(e.submit(std::move(none), 0));
    auto many = ask(2, prompt(0, 10), 1);
    many.n = 3;
    auto full = e.submit(std::move(many), 0);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error()->code, Code::queue_full);
    EXPECT_EQ(e.totals().refused, 3u);
    EXPECT_TRUE(e.submit(ask(2, prompt(0, 10), 1), 0));
    EXPECT_TRUE(e.consistent());
}

TEST(EngineModel, ImpossibleParametersAreNamed) {
    auto named = [](auto change) {
        EngineParams p;
        change(p);
        auto got = p.check();
        return got ? std::string() : got.error()->param;
    };
    EXPECT_EQ(named([](EngineParams&) {}), "");
    EXPECT_EQ(named([](EngineParams& p) { p.max_num_seqs = 0; }), "max_num_seqs");
    EXPECT_EQ(named([](EngineParams& p) { p.max_num_batched_tokens = 0; }), "max_num_batched_tokens");
    EXPECT_EQ(named([](EngineParams& p) { p.block_size = 0; }), "block_size");
    EXPECT_EQ(named([](EngineParams& p) { p.num_blocks = 0; }), "num_blocks");
    EXPECT_EQ(named([](EngineParams& p) { p.num_blocks = 1u << 30; }), "num_blocks");
    EXPECT_EQ(named([](EngineParams& p) { p.watermark = 1; }), "watermark");
    EXPECT_EQ(named([](EngineParams& p) { p.speedup_ratio = -1; }), "speedup_ratio");
    EXPECT_EQ(named([](EngineParams& p) { p.decode_speedup_ratio = 0.0 / 0.0; }), "decode_speedup_ratio");
    EXPECT_EQ(named([](EngineParams& p) { p.vocab = 256; }), "vocab");
}

TEST(EngineModel, FlushingEmptiesTheCacheOfAnIdleEngine) {
    EngineModel e(small());
    Recorder r;
    ASSERT_TRUE(e.submit(ask(1, prompt(0, 100), 2), 0));
    e.advance(0, r);
    EXPECT_FALSE(e.flush_cache(r));
    run(e, r);
    EXPECT_FALSE(r.held.empty());
    EXPECT_TRUE(e.flush_cache(r));
    EXPECT_TRUE(r.held.empty());
    ASSERT_TRUE(e.submit(ask(2, prompt(0, 100), 1), 0));
    run(e, r);
    EXPECT_EQ(r.events.back().cached_tokens, 0u);
}

TEST(EngineModel, PromptsOfHashesNeedNoTokens) {
    EngineModel e(small());
    Recorder r;
    for (uint64_t id = 1; id < 3; ++id) {
        RequestSpec s;
        s.id = id, s.block_hashes = {11, 22, 33}, s.prompt_tokens = 60, s.max_tokens = 40, s.seed = id;
        ASSERT_TRUE(e.submit(std::move(s), ms(id * 1'000)));
        run(e, r);
    }
    EXPECT_EQ(r.events[0].cached_tokens, 0u);
    EXPECT_EQ(r.events.back().cached_tokens, 48u);
    EXPECT_EQ(r.stored, 3u + 2 * 3);   // 99 computed tokens: six full blocks, three of them shared
}

// Random life: submits, cancels, odd steps. Whatever happens, references agree, and at the end nothing is held.
TEST(EngineModel, EverythingIsGivenBackWhateverHappens) {
    for (uint64_t seed = 1; seed <= 60; ++seed) {
        Random random(seed);
        EngineParams p = small();
        p.num_blocks = 8 + static_cast<uint32_t>(random.below(40));
        p.max_num_seqs = 1 + static_cast<uint32_t>(random.below(9));
        p.max_num_batched_tokens = 1 + static_cast<uint32_t>(random.below(80));
        p.chunked_prefill = random.below(4) > 0;
        p.prefix_caching = random.below(4) > 0;
        p.watermark = random.below(2) ? 0.1 : 0;
        p.queue_len_max = 40;
        EngineModel e(p);
        Recorder r;
        Instant now = 0;
        uint64_t id = 0, sequences = 0, cancelled = 0, stopped = 0;
        for (int i = 0; i < 400; ++i) {
            const uint64_t what = random.below(10);
            if (what < 4) {
                ++id;
                auto s = ask(id, prompt(static_cast<uint32_t>(random.below(3)) * 1'000, 1 + static_cast<uint32_t>(random.below(p.num_blocks * 20))),
                             static_cast<uint32_t>(random.below(60)), id);
                s.n = static_cast<uint16_t>(1 + random.below(3));
                s.natural_tokens = static_cast<uint32_t>(random.below(30));
                const uint32_t n = s.n;
                if (e.submit(std::move(s), now)) sequences += n;
            } else if (what < 6 && id) {
                const uint64_t which = 1 + random.below(id);
                if (random.below(2)) e.cancel(which);
                else stopped += e.stop_choice(which, static_cast<uint16_t>(random.below(3)));
            } else {
                now += random.below(ms(60));
                e.advance(now, r, 1 + random.below(4));
            }
            ASSERT_TRUE(e.consistent()) << seed;
        }
        if (seed % 2)
            for (uint64_t i = 1; i <= id; ++i) e.cancel(i);
        else run(e, r);
        cancelled = e.totals().cancelled;
        const EngineLoad load = e.load();
        EXPECT_EQ(load.running + load.waiting + load.blocks_in_use, 0u) << seed;
        EXPECT_EQ(r.finished.size() + cancelled + stopped, sequences) << seed;
        EXPECT_EQ(e.totals().finished_length + e.totals().finished_stop, r.finished.size() + stopped);
        EXPECT_EQ(r.held.size(), r.stored - r.removed);
        EXPECT_LE(r.held.size(), p.num_blocks);
        EXPECT_TRUE(e.consistent()) << seed;
    }
}

}  // namespace
}  // namespace weir::sim
