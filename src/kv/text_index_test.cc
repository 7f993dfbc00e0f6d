#include "kv/text_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "kv/text_blocks.h"

namespace weir::kv {
namespace {

constexpr Instant start = 1'000 * ns_per_s;

std::unique_ptr<TextIndex> make(TextIndexSettings settings = {}) { return std::move(*TextIndex::make(settings)); }

std::map<Rank, uint32_t> match(TextIndex::Lookup& lookup, std::string_view text) {
    std::map<Rank, uint32_t> all;
    for (auto& found : lookup.match(text)) EXPECT_TRUE(all.emplace(found.rank, found.chars).second);
    return all;
}

// The blocks of a text as the header says, one character at a time.
std::vector<std::string> naive_blocks(std::string_view text) {
    std::vector<std::string> blocks;
    uint32_t chars = 0, in_block = 0;
    for (size_t i = 0; i < text.size(); i++) {
        bool begins = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
        if (begins && (blocks.empty() || in_block == (chars <= 1'024 ? 16u : 128u))) blocks.emplace_back(), in_block = 0;
        if (blocks.empty()) blocks.emplace_back();
        if (begins) chars++, in_block++;
        blocks.back() += text[i];
    }
    return blocks;
}
uint32_t chars_in(const std::string& text) {
    return static_cast<uint32_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}
uint32_t naive_match(const std::vector<std::string>& have, const std::vector<std::string>& want) {
    uint32_t chars = 0;
    for (size_t i = 0; i < have.size() && i < want.size() && have[i] == want[i]; i++) chars += chars_in(want[i]);
    return chars;
}

std::string random_text(Random& random, const std::vector<std::string>& earlier) {
    std::string text;
    if (!earlier.empty() && random.below(4)) {
        text = earlier[random.below(earlier.size())];
        if (random.below(3)) text.resize(random.below(text.size() + 1));   // may cut a character in two
    }
    static const char* const letters[] = {"a", "b", "ä", "漢", "🙂"};
    for (uint64_t n = random.below(random.below(8) ? 60 : 1'500); n > 0; n--) text += letters[random.below(5)];
    return text;
}

TEST(TextBlocks, AreCutByCharacters) {
    TextBlocks blocks;
    for (uint32_t n : {0u, 1u, 15u, 16u, 17u, 1'023u, 1'024u, 1'025u, 1'152u, 1'153u, 3'000u}) {
        std::string plain(n, 'x'), wide;
        for (uint32_t i = 0; i < n; i++) wide += i % 3 ? "ä" : "x";
        for (auto& text : {plain, wide}) {
            blocks.cut(text, text_chars_max);
            EXPECT_EQ(blocks.chars, n);
            EXPECT_EQ(blocks.hashes.size(), naive_blocks(text).size()) << n;
            EXPECT_EQ(blocks.chars_until(static_cast<uint32_t>(blocks.hashes.size())), n);
        }
    }
    blocks.cut(std::string(1'000, 'x'), 100);
    EXPECT_EQ(blocks.chars, 112u) << "whole blocks, the last one past the limit";
    blocks.cut("\x80\x80\xff", text_chars_max);
    EXPECT_EQ(blocks.chars, 1u);
}

TEST(TextIndex, FindsTheLongestLeadingPart) {
    auto index = make();
    auto lookup = index->lookup();
    EXPECT_TRUE(match(*lookup, "").empty());
    std::string system(800, 's'), question = system + "what is a weir?";
    index->insert(1, question, start);
    index->insert(2, system, start);
    index->insert(2, "", start);
    EXPECT_EQ(match(*lookup, question), (std::map<Rank, uint32_t>{{1, 815}, {2, 800}}));
    EXPECT_EQ(match(*lookup, question + " And what is it for?"), (std::map<Rank, uint32_t>{{1, 800}, {2, 800}}));
    EXPECT_EQ(match(*lookup, system.substr(0, 100)), (std::map<Rank, uint32_t>{{1, 96}, {2, 96}}));
    EXPECT_EQ(match(*lookup, "t" + system), (std::map<Rank, uint32_t>{}));
    index->insert(1, "hi", start);
    EXPECT_EQ(match(*lookup, "hi"), (std::map<Rank, uint32_t>{{1, 2}}));
    EXPECT_EQ(index->stats().chars, 815u + 800 + 2);
    EXPECT_EQ(index->stats().inserted, 3u);
    index->remove_ranks(1, 1);
    EXPECT_EQ(match(*lookup, question), (std::map<Rank, uint32_t>{{2, 800}}));
    EXPECT_EQ(index->stats().chars, 800u);
    index->insert(1, question, start);
    EXPECT_EQ(match(*lookup, question)[1], 815u);
    EXPECT_EQ(index->stats().chars, 1'615u);
}

TEST(TextIndex, AgreesWithAMapOfBlocks) {
    for (uint64_t seed = 1; seed <= 5; seed++) {
        auto index = make();
        auto lookup = index->lookup();
        Random random(seed);
        std::vector<std::string> texts;
        std::map<Rank, std::vector<std::vector<std::string>>> sent;
        for (int step = 0; step < 400; step++) {
            std::string text = random_text(random, texts);
            auto blocks = naive_blocks(text);
            std::map<Rank, uint32_t> expected;
            for (auto& [rank, all] : sent)
                for (auto& have : all)
                    if (uint32_t chars = naive_match(have, blocks)) expected[rank] = std::max(expected[rank], chars);
            ASSERT_EQ(match(*lookup, text), expected) << "seed " << seed << " step " << step;
            Rank rank = static_cast<Rank>(random.below(6));
            if (random.below(60) == 0) {
                index->remove_ranks(rank, 1);
                sent.erase(rank);
                continue;
            }
            index->insert(rank, text, start);
            sent[rank].push_back(std::move(blocks));
            texts.push_back(std::move(text));
        }
        EXPECT_EQ(index->stats().evicted, 0u);
    }
}

TEST(TextIndex, TendDropsTheLeastRecentlyUsedAboveItsSize) {
    auto index = make({.chars_max = 100'000, .evict_every_ms = 1'000});
    auto lookup = index->lookup();
    auto text = [](int i) { return std::to_string(i) + std::string(1'000, 'x'); };
    index->tend(start);
    for (int i = 0; i < 300; i++) {
        index->insert(static_cast<Rank>(i % 4), text(i), start);
        index->insert(0, text(0), start);        // always in use
    }
    EXPECT_GT(index->stats().chars, 300'000u);
    index->tend(start + 999 * ns_per_ms);
    EXPECT_GT(index->stats().chars, 300'000u) << "not before its time";
    index->tend(start + 1'000 * ns_per_ms);
    EXPECT_LE(index->stats().chars, 100'000u);
    EXPECT_GT(index->stats().chars, 98'000u) << "and not much more than needed";
    EXPECT_EQ(match(*lookup, text(0)), (std::map<Rank, uint32_t>{{0, 1'001}}));
    EXPECT_EQ(match(*lookup, text(299)), (std::map<Rank, uint32_t>{{3, 1'003}}));
    EXPECT_EQ(match(*lookup, text(100)), (std::map<Rank, uint32_t>{}));
}

TEST(TextIndex, KeepsItsBytesInAChurnOfPrompts) {
    auto index = make({.bytes_max = text_bytes_min, .chars_max = UINT64_MAX});
    auto lookup = index->lookup();
    Random random(1);
    std::string shared(500, 's'), text;
    for (int i = 0; i < 15'000; i++) {
        text = (i % 3 ? shared : std::string()) + std::to_string(i) + std::string(random.below(900), 'y');
        index->insert(static_cast<Rank>(i % 8), text, start);
        if (i % 256 == 0) {
            index->tend(start + static_cast<Instant>(i) * ns_per_ms);
            ASSERT_LE(index->stats().bytes, text_bytes_min);
            ASSERT_EQ(match(*lookup, text)[static_cast<Rank>(i % 8)], text.size()) << "the newest is there";
        }
    }
    EXPECT_LE(index->stats().bytes, text_bytes_min);
    EXPECT_GT(index->stats().evicted, 2'000'000u);
    EXPECT_GE(match(*lookup, shared)[3], 496u) << "what all share stays";
    uint64_t before = index->stats().chars;
    for (Rank rank = 0; rank < 8; rank++) index->remove_ranks(rank, 1);
    EXPECT_GT(before, 100'000u);
    EXPECT_EQ(index->stats().chars, 0u) << "as many characters left as came";
}

TEST(TextIndex, NeedsRoom) { EXPECT_FALSE(TextIndex::make({.bytes_max = text_bytes_min - 1})); }

// Writers insert and remove beside readers: nobody is ever told of more than was sent to the rank, and afterwards all is there.
TEST(TextIndex, IsReadWhileItIsWritten) {
    auto index = make();
    std::vector<std::string> texts;
    std::vector<std::vector<std::string>> blocks;
    Random random(9);
    for (int i = 0; i < 60; i++) texts.push_back(random_text(random, texts));
    for (auto& text : texts) blocks.push_back(naive_blocks(text));
    auto rank_of = [](size_t i) { return static_cast<Rank>(i % 5); };
    std::vector<std::vector<uint32_t>> most(texts.size(), std::vector<uint32_t>(5, 0));
    for (size_t i = 0; i < texts.size(); i++)
        for (size_t k = 0; k < texts.size(); k++) most[i][rank_of(k)] = std::max(most[i][rank_of(k)], naive_match(blocks[k], blocks[i]));
    std::atomic<bool> stop{false};
    auto write = [&](size_t first) {
        for (int round = 0; round < 20; round++) {
            for (size_t i = first; i < texts.size(); i += 2) index->insert(rank_of(i), texts[i], start);
            if (first == 0 && round < 19) index->remove_ranks(static_cast<Rank>(round % 5), 1);
        }
        for (size_t i = first; i < texts.size(); i += 2) index->insert(rank_of(i), texts[i], start);
    };
    auto read = [&](uint64_t seed) {
        auto lookup = index->lookup();
        Random own(seed);
        while (!stop.load()) {
            size_t i = own.below(texts.size());
            for (auto& found : lookup->match(texts[i])) ASSERT_LE(found.chars, most[i][found.rank]);
        }
    };
    std::thread readers[] = {std::thread(read, 1), std::thread(read, 2)};
    std::thread writer(write, 0);
    write(1);
    writer.join();
    stop = true;
    for (auto& reader : readers) reader.join();
    for (size_t i = 0; i < texts.size(); i++) index->insert(rank_of(i), texts[i], start);   // the last removal may have hit the other's
    auto lookup = index->lookup();
    for (size_t i = 0; i < texts.size(); i++) {
        auto found = match(*lookup, texts[i]);
        for (Rank rank = 0; rank < 5; rank++) EXPECT_EQ(found[rank], most[i][rank]);
    }
}

}  // namespace
}  // namespace weir::kv
