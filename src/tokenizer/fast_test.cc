// The fast encoder against plain BPE behind the regular expression, over random vocabularies.
#include "tokenizer/fast_encoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tokenizer/formats.h"
#include "tokenizer/regex.h"

namespace weir::tok {
namespace {

constexpr const char* gpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view mark = "\xe2\x96\x81";

struct Made {
    TokenizerSpec spec;
    Vocab vocab;
    std::unique_ptr<Bpe> bpe;
    std::unique_ptr<FastEncoder> fast;
};

// Merges of random pairs of the tokens so far, now and then out of order, over the symbols given.
void fill_model(ModelSpec& model, std::mt19937_64& random, size_t merges, const std::vector<std::string>& favourites) {
    std::vector<uint32_t> often;
    for (uint32_t id = 0; id < model.vocab.size(); id++) {
        if (std::find(favourites.begin(), favourites.end(), model.vocab[id]) != favourites.end()) often.push_back(id);
    }
    for (size_t i = 0; i < merges; i++) {
        const uint32_t a = often[random() % often.size()], b = often[random() % often.size()];
        const std::string text = std::string(model.vocab[a]) + std::string(model.vocab[b]);
        if (text.size() > 40) continue;
        auto known = std::find(model.vocab.begin(), model.vocab.end(), text);
        const auto id = static_cast<uint32_t>(known - model.vocab.begin());
        if (known == model.vocab.end()) model.vocab.push_back(text), often.push_back(id);
        model.merges.emplace_back(a, b);
    }
    for (size_t i = 0; i + 1 < model.merges.size() && random() % 2; i += 1 + random() % 9) std::swap(model.merges[i], model.merges[i + 1]);
    model.present.assign(model.vocab.size(), true);
}

void finish(Made& m) {
    m.vocab.build(m.spec.model, {});
    m.bpe = Bpe::build(m.spec.model, m.vocab);
    ASSERT_TRUE(m.bpe);
    m.fast = recognise_fast(m.spec, m.vocab, *m.bpe);
    ASSERT_TRUE(m.fast);
}

std::vector<uint32_t> plain(const Made& m, std::string_view piece) {
    ModelScratch scratch;
    std::vector<ModelToken> tokens;
    EXPECT_TRUE(m.bpe->encode(piece, scratch, tokens));
    std::vector<uint32_t> out;
    for (const ModelToken& t : tokens) out.push_back(t.id);
    return out;
}

std::string random_text(std::mt19937_64& random, size_t parts, const std::vector<std::string>& alphabet) {
    std::string out;
    for (size_t i = 0; i < parts; i++) out += alphabet[random() % alphabet.size()];
    return out;
}

TEST(Fast, ByteLevelEqualsPlainBpe) {
    const std::vector<std::string> alphabet = {"a", "b", "c", "a", "b", " ", "中", "文", "字", "é", "か", "😀", "'s", ".", "1", "\n"};
    std::vector<std::string> favourites;
    for (const std::string& part : alphabet) {
        for (const char c : part) favourites.push_back(byte_level_chars(std::string(1, c)));
    }
    auto regex = Regex::compile(gpt2);
    ASSERT_TRUE(regex);
    for (uint64_t seed = 0; seed < 20; seed++) {
        std::mt19937_64 random(seed);
        Made m;
        m.spec.pre_tokenizer.emplace();
        m.spec.pre_tokenizer->kind = PreTokenizerSpec::Kind::byte_level;
        m.spec.pre_tokenizer->add_prefix_space = false;
        for (int b = 0; b < 256; b++) m.spec.model.vocab.push_back(byte_level_chars(std::string(1, static_cast<char>(b))));
        m.spec.model.ignore_merges = seed % 3 == 0;
        fill_model(m.spec.model, random, 20 + seed * 30, favourites);
        if (seed % 4 == 0) m.spec.model.vocab.push_back("abcab"), m.spec.model.present.push_back(true);    // no merge makes it
        finish(m);
        if (HasFatalFailure()) return;
        const auto scratch = m.fast->scratch();
        for (int i = 0; i < 60; i++) {
            const std::string text = random_text(random, 1 + random() % 200, alphabet);
            std::vector<uint32_t> wanted, got;
            ASSERT_TRUE(regex->each(text, [&](size_t begin, size_t end) {
                for (const uint32_t id : plain(m, byte_level_chars(text.substr(begin, end - begin)))) wanted.push_back(id);
            }));
            for (size_t at = 0; at < text.size();) at = m.fast->encode_some(text, at, 1 + random() % 64, Before::nothing, *scratch, got);
            ASSERT_EQ(got, wanted) << "seed " << seed << ": " << text;
            if (const size_t cut = m.fast->safe_cut(text, random() % (text.size() + 1)); cut != 0) {
                std::vector<uint32_t> halves;
                m.fast->encode(std::string_view(text).substr(0, cut), Before::nothing, *scratch, halves);
                m.fast->encode(std::string_view(text).substr(cut), Before::itself, *scratch, halves);
                ASSERT_EQ(halves, wanted) << "cut at " << cut << ": " << text;
            }
        }
    }
}

// A byte without a token is lost, and its neighbours may merge: nothing could be cut. Bytes that no text has may lack one.
TEST(Fast, WithoutATokenForEachByteOfTextItIsPlainBpe) {
    for (const int missing : {0xF1, 0xE4, 0x80, int{'q'}, 0xC0, 0xFF}) {
        Made m;
        m.spec.pre_tokenizer.emplace();
        m.spec.pre_tokenizer->kind = PreTokenizerSpec::Kind::byte_level;
        m.spec.pre_tokenizer->add_prefix_space = false;
        for (int b = 0; b < 256; b++)
            if (b != missing) m.spec.model.vocab.push_back(byte_level_chars(std::string(1, static_cast<char>(b))));
        std::mt19937_64 random(1);
        fill_model(m.spec.model, random, 20, {"a", "b"});
        m.vocab.build(m.spec.model, {});
        m.bpe = Bpe::build(m.spec.model, m.vocab);
        ASSERT_TRUE(m.bpe);
        EXPECT_EQ(recognise_fast(m.spec, m.vocab, *m.bpe) != nullptr, missing == 0xC0 || missing == 0xFF) << missing;
    }
}

TEST(Fast, SentencePieceEqualsPlainBpe) {
    const std::vector<std::string> alphabet = {"a", "b", "c", "a", " ", " ", "中", "文", "é", "か", "😀", "\n", "\xe2\x96\x81"};
    const std::vector<std::string> favourites = {"a", "b", "c", "中", "文", "é", std::string(mark)};
    size_t cuts = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        std::mt19937_64 random(seed);
        Made m;
        NormalizerSpec prepend, replace;
        prepend.kind = NormalizerSpec::Kind::prepend, prepend.content = mark;
        replace.kind = NormalizerSpec::Kind::replace, replace.pattern = {" ", false}, replace.content = mark;
        m.spec.normalizer.emplace();
        m.spec.normalizer->children = {prepend, replace};
        for (int b = 0; b < 256; b++) {
            constexpr char digits[] = "0123456789ABCDEF";
            m.spec.model.vocab.push_back(std::string{'<', '0', 'x', digits[b >> 4], digits[b & 15], '>'});
        }
        m.spec.model.vocab.push_back("<unk>");
        m.spec.model.unk_token = "<unk>", m.spec.model.fuse_unk = m.spec.model.byte_fallback = true;
        for (const std::string& f : favourites) m.spec.model.vocab.push_back(f);
        fill_model(m.spec.model, random, 10 + seed * 15, favourites);
        finish(m);
        if (HasFatalFailure()) return;
        const auto scratch = m.fast->scratch();
        for (int i = 0; i < 60; i++) {
            const std::string text = random_text(random, 1 + random() % 120, alphabet);
            std::string normal(mark);
            for (const char c : text) c == ' ' ? normal += mark : normal += c;
            std::vector<uint32_t> got;
            for (size_t at = 0; at < text.size();) at = m.fast->encode_some(text, at, 1 + random() % 64, Before::nothing, *scratch, got);
            ASSERT_EQ(got, plain(m, normal)) << "seed " << seed << ": " << text;
            if (const size_t cut = m.fast->safe_cut(text, random() % (text.size() + 1)); cut != 0) {
                std::vector<uint32_t> halves;
                m.fast->encode(std::string_view(text).substr(0, cut), Before::nothing, *scratch, halves);
                m.fast->encode(std::string_view(text).substr(cut), Before::itself, *scratch, halves);
                ASSERT_EQ(halves, got) << "cut at " << cut << ": " << text;
                cuts++;
            }
        }
    }
    EXPECT_GT(cuts, 300u);
}

// Byte level, with merges among few letters.
void make_letters(Made& m, uint64_t seed, size_t merges) {
    std::mt19937_64 random(seed);
    m.spec.pre_tokenizer.emplace();
    m.spec.pre_tokenizer->kind = PreTokenizerSpec::Kind::byte_level;
    m.spec.pre_tokenizer->add_prefix_space = false;
    for (int b = 0; b < 256; b++) m.spec.model.vocab.push_back(byte_level_chars(std::string(1, static_cast<char>(b))));
    fill_model(m.spec.model, random, merges, {"a", "b"});
    finish(m);
}

TEST(Fast, LongPiecesEqualPlainBpe) {
    for (uint64_t seed = 0; seed < 30; seed++) {
        Made m;
        make_letters(m, seed, 5 + seed * 4);
        if (HasFatalFailure()) return;
        std::mt19937_64 random(seed);
        const auto scratch = m.fast->scratch();
        for (int i = 0; i < 6; i++) {
            std::string text = random_text(random, 64 + random() % 3000, {"a", "b", "a"});
            if (i % 3 == 0) text = std::string(64 + random() % 3000, 'a');
            if (i % 3 == 1) text += text + text;
            std::vector<uint32_t> got;
            m.fast->encode(text, Before::nothing, *scratch, got);
            ASSERT_EQ(got, plain(m, text)) << "seed " << seed << ": " << text.size() << " bytes, " << text.substr(0, 80);
        }
    }
}

TEST(Fast, WorkOnOneLongPieceIsLinear) {
    for (uint64_t seed = 0; seed < 12; seed++) {
        Made m;
        make_letters(m, seed, 10 + seed * 20);
        if (HasFatalFailure()) return;
        for (const char* unit : {"a", "b", "ab", "aab", "abb", "aaabab"}) {
            std::string text;
            while (text.size() < 1 << 16) text += unit;
            const auto scratch = m.fast->scratch();
            std::vector<uint32_t> ids;
            m.fast->encode(text, Before::nothing, *scratch, ids);
            EXPECT_LE(scratch->work, 80 * text.size()) << unit;    // 40 is the longest token here
            EXPECT_GE(scratch->work, ids.size());
            size_t bytes = 0;
            for (const uint32_t id : ids) bytes += m.vocab.text(id).size();
            EXPECT_EQ(bytes, text.size());
        }
    }
}

}  // namespace
}  // namespace weir::tok
