#include "prepare/text_caches.h"

#include <gtest/gtest.h>

#include <thread>

#include "prepare/toy_tokenizer_test.h"
#include "tokenizer/load.h"

namespace weir::prepare {
namespace {

using testing::ToyTokenizer;

std::string words(Random& random, size_t bytes) {
    std::string out;
    while (out.size() < bytes) {
        for (uint64_t n = 1 + random.below(12); n > 0; n--) out.push_back(static_cast<char>('a' + random.below(26)));
        out.push_back(" .\n"[random.below(3)]);
    }
    return out;
}

std::string turn(Random& random, size_t bytes) { return std::string(ToyTokenizer::mark) + "user\n" + words(random, bytes) + std::string(ToyTokenizer::mark) + "answer\n"; }

struct Encodes : ::testing::Test {
    std::vector<uint32_t> plain(std::string_view text, EncodeOptions o = {}) {
        std::vector<uint32_t> ids;
        auto done = tokenizer.encode(text, o, scratch, ids, nullptr);
        EXPECT_TRUE(done);
        return ids;
    }
    std::vector<uint32_t> cached(TextCaches& caches, std::string_view text, EncodeOptions o = {}, size_t* reused = nullptr) {
        EncodeJob job(&caches, tokenizer, text, o, scratch);
        auto done = job.step(text.size() + 1);
        EXPECT_TRUE(done && *done);
        if (reused) *reused = job.reused_bytes();
        return *job.take();
    }
    ToyTokenizer tokenizer;
    EncodeScratch scratch;
};

TEST_F(Encodes, AGrowingConversationCostsItsLastTurn) {
    TextCaches caches({0, 0, 10 << 20}, 1);
    Random random(1);
    std::string text = turn(random, 1'000);
    for (int i = 0; i < 200; i++) {   // beyond depth_max: chains are joined
        size_t reused = 0;
        ASSERT_EQ(cached(caches, text, {}, &reused), plain(text)) << i;
        EXPECT_GT(reused + 2'500, text.size()) << i;
        text += words(random, 300) + turn(random, 700);
    }
    EXPECT_EQ(caches.counts().prefix_hits, 199u);
    EXPECT_LT(caches.prefix()->budget().used(), 12 * text.size()) << "a conversation is kept once";
}

TEST_F(Encodes, UnextendedKeepsOnlyNewBeginnings) {
    TextCacheOptions options{0, 0, 10 << 20};
    options.extend = false;
    TextCaches caches(options, 1);
    Random random(1);
    const std::string first = turn(random, 4'000), text = first + turn(random, 4'000), longer = text + turn(random, 4'000);
    size_t reused = 0;
    cached(caches, first);
    const uint64_t used = caches.prefix()->budget().used();
    for (const std::string* grown : {&text, &longer}) {
        EXPECT_EQ(cached(caches, *grown, {}, &reused), plain(*grown));
        EXPECT_GT(reused + 1'600, first.size());
        EXPECT_LE(reused, first.size());
    }
    EXPECT_EQ(caches.prefix()->budget().used(), used);
    const std::string other = turn(random, 4'000);
    cached(caches, other);
    EXPECT_GT(caches.prefix()->budget().used(), used);
}

TEST_F(Encodes, ConversationsShareTheirBeginning) {
    TextCaches caches({0, 0, 10 << 20}, 1);
    Random random(2);
    std::string system = turn(random, 8'000);
    cached(caches, system + turn(random, 2'000));
    size_t reused = 0;
    std::string other = system + turn(random, 2'000);
    EXPECT_EQ(cached(caches, other, {}, &reused), plain(other));
    EXPECT_GT(reused + 1'600, system.size());
}

// Two texts part; the cuts of the first one behind that place are none of the second's, which has none for long.
TEST_F(Encodes, CutsBehindAPartingAreNotShared) {
    TextCaches caches({0, 0, 10 << 20}, 1);
    Random random(6);
    auto unit = [&] { return std::string(ToyTokenizer::mark) + words(random, 300); };   // each is a piece
    std::string start, other;
    for (int i = 0; i < 8; i++) start += unit();
    for (int i = 0; i < 14; i++) other += unit();
    EXPECT_EQ(cached(caches, start + other), plain(start + other));
    const std::string run = start + std::string(ToyTokenizer::mark) + std::string(6'000, 'a') + unit();
    size_t reused = 0;
    EXPECT_EQ(cached(caches, run, {}, &reused), plain(run));
    EXPECT_EQ(reused, start.size());
    const std::string longer = run.substr(0, start.size() + 5'000) + unit();
    EXPECT_EQ(cached(caches, longer, {}, &reused), plain(longer));
    EXPECT_EQ(reused, start.size());
}

TEST_F(Encodes, RandomTextsAreTheSameAsWithout) {
    Random random(3);
    for (uint64_t limit : {0ull, 3'000ull, 40'000ull, 1ull << 20}) {
        TextCaches caches({limit, limit ? 50u : 0u, limit}, random.next());
        std::vector<std::string> past = {""};
        for (int i = 0; i < 400; i++) {
            // Something seen before, cut anywhere, and something new behind it.
            const std::string& base = past[random.below(past.size())];
            std::string text = base.substr(0, random.below(base.size() + 1));
            for (uint64_t n = random.below(4); n > 0; n--) {
                if (random.below(2)) text += ToyTokenizer::mark.substr(0, random.below(6));
                text += words(random, random.below(1'500));
                if (random.below(3) == 0) text += ToyTokenizer::mark;
            }
            EncodeOptions o{random.below(8) == 0, random.below(8) == 0};
            ASSERT_EQ(cached(caches, text, o), plain(text, o)) << i;
            past.push_back(text);
            if (past.size() > 30) past.erase(past.begin() + 1);
        }
        EXPECT_LE(caches.prefix() ? caches.prefix()->budget().used() : 0, limit);
        EXPECT_LE(caches.exact() ? caches.exact()->budget().used() : 0, limit);
    }
}

TEST_F(Encodes, StepsAreShortAndComeToTheSame) {
    Random random(4);
    std::string text;
    for (int i = 0; i < 100; i++) text += turn(random, 5'000);
    EncodeJob job(nullptr, tokenizer, text, {}, scratch);
    size_t steps = 0;
    for (;; steps++) {
        ASSERT_LE(job.next_bytes(), 20'000u);
        auto done = job.step(20'000);
        ASSERT_TRUE(done);
        if (*done) break;
    }
    EXPECT_GT(steps, text.size() / 40'000);
    EXPECT_EQ(*job.take(), plain(text));
}

// A vocabulary whose texts all get a space put before them: what goes on from a cut must not.
TEST(EncodesWithAPrefix, SlicesAndTurnsAreTheWhole) {
    std::string vocab = R"("<unk>":0)", merges = R"("▁ a","a b","▁a b","▁ab c","e r","▁ th","t h","▁ t","▁ ▁")";
    unsigned id = 0;
    auto add = [&](std::string_view token) { vocab += ",\"" + std::string(token) + "\":" + std::to_string(++id); };
    for (unsigned b = 0; b < 256; b++) add(std::string("<0x") + "0123456789ABCDEF"[b / 16] + "0123456789ABCDEF"[b % 16] + ">");
    for (char c = 'a'; c <= 'z'; c++) add(std::string(1, c));
    for (const char* token : {"▁", ".", "▁a", "ab", "▁ab", "▁abc", "er", "▁th", "th", "▁t", "▁▁"}) add(token);
    auto spec = read_hf_tokenizer(R"({"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},)"
                                  R"({"type":"Replace","pattern":{"String":" "},"content":"▁"}]},"model":{"type":"BPE","unk_token":"<unk>",)"
                                  R"("fuse_unk":true,"byte_fallback":true,"vocab":{)" + vocab + "},\"merges\":[" + merges + "]}}");
    ASSERT_TRUE(spec) << spec.error()->message;
    auto built = build_tokenizer(*std::move(spec));
    ASSERT_TRUE(built) << built.error()->message;
    const Tokenizer& tokenizer = **built;
    auto scratch = tokenizer.scratch();
    Random random(5);
    TextCaches caches({0, 0, 10 << 20}, 1);
    std::string text = words(random, 2'000);
    for (int i = 0; i < 40; i++) {
        std::vector<uint32_t> plain;
        ASSERT_TRUE(tokenizer.encode(text, {}, *scratch, plain));
        for (TextCaches* with : {&caches, static_cast<TextCaches*>(nullptr)}) {
            EncodeJob job(with, tokenizer, text, {}, *scratch);
            while (!*job.step(1'000)) ASSERT_LE(job.next_bytes(), 20'000u);
            if (with && i > 0) {
                EXPECT_GT(job.reused_bytes() + 2'000, text.size()) << i;
            }
            ASSERT_EQ(*job.take(), plain) << i;
        }
        text += (i % 3 ? " " : "  ") + words(random, 900);
    }
}

TEST_F(Encodes, ATextWithoutCutsIsOnePiece) {
    std::string text(300'000, 'a');
    TextCaches caches({0, 0, 1 << 20}, 1);
    EncodeJob job(&caches, tokenizer, text, {}, scratch);
    EXPECT_EQ(job.next_bytes(), text.size());
    EXPECT_TRUE(*job.step(1));
    EXPECT_EQ(*job.take(), plain(text));
}

TEST_F(Encodes, TheExactCacheAnswersAndForgets) {
    TextCaches caches({4'000, 3, 0}, 1);
    EXPECT_EQ(cached(caches, "hello"), plain("hello"));
    EXPECT_EQ(cached(caches, "hello"), plain("hello"));
    EXPECT_EQ(caches.counts().l0_hits, 1u);
    EXPECT_EQ(cached(caches, "hello", {true, false}), plain("hello", {true, false})) << "other options are another text";
    for (int i = 0; i < 10; i++) cached(caches, "text " + std::to_string(i));
    EXPECT_EQ(caches.exact()->entries(), 3u);
    EXPECT_GT(caches.exact()->evictions(), 0u);
    cached(caches, std::string(10'000, 'b'));
    EXPECT_LE(caches.exact()->budget().used(), 4'000u);
}

TEST_F(Encodes, ThePrefixCacheEvictsWithinItsBudget) {
    TextCaches caches({0, 0, 60'000}, 1);
    Random random(5);
    for (int i = 0; i < 100; i++) {
        std::string text = turn(random, 5'000);
        ASSERT_EQ(cached(caches, text), plain(text));
        ASSERT_LE(caches.prefix()->budget().used(), 60'000u);
    }
    EXPECT_GT(caches.prefix()->evictions(), 50u);
}

TEST_F(Encodes, TokenizersDoNotMeetInTheCache) {
    TextCaches caches({1 << 20, 100, 1 << 20}, 1);
    Random random(6);
    std::string text = turn(random, 5'000) + turn(random, 5'000);
    ToyTokenizer other(2);
    auto a = encode_text(&caches, tokenizer, text, {}, scratch), b = encode_text(&caches, other, text, {}, scratch);
    ASSERT_TRUE(a && b);
    EXPECT_NE(**a, **b);
    EXPECT_EQ(**encode_text(&caches, tokenizer, text, {}, scratch), **a);
    EXPECT_EQ(**encode_text(&caches, other, text, {}, scratch), **b);
}

TEST_F(Encodes, AFailureIsPassedOnAndNotKept) {
    TextCaches caches({1 << 20, 100, 1 << 20}, 1);
    EXPECT_FALSE(encode_text(&caches, tokenizer, "bad \xff", {}, scratch));
    EXPECT_EQ(caches.exact()->entries(), 0u);
    EXPECT_TRUE(encode_text(&caches, tokenizer, "", {}, scratch));
}

TEST(TextCaches, ManyThreadsSeeTheSameIds) {
    ToyTokenizer tokenizer;
    TextCaches caches({50'000, 100, 200'000}, 7);
    std::vector<std::string> conversations;
    Random shared(8);
    for (int i = 0; i < 6; i++) conversations.push_back(turn(shared, 3'000));
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (uint64_t t = 0; t < 4; t++)
        threads.emplace_back([&, t] {
            Random random(100 + t);
            EncodeScratch scratch;
            for (int i = 0; i < 150; i++) {
                std::string text = conversations[random.below(conversations.size())];
                for (uint64_t n = random.below(6); n > 0; n--) text += std::string(ToyTokenizer::mark) + "turn " + std::to_string(n) + std::string(random.below(900), 'z');
                std::vector<uint32_t> plain;
                (void)tokenizer.encode(text, {}, scratch, plain, nullptr);
                auto got = encode_text(&caches, tokenizer, text, {}, scratch);
                if (!got || **got != plain) wrong++;
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace weir::prepare
