#include "sim/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace weir::sim {
namespace {

TEST(Text, AWordIsAFunctionOfSeedAndIndex) {
    EXPECT_EQ(words(7, 40), words(7, 40));
    EXPECT_NE(words(7, 40), words(8, 40));
    EXPECT_EQ(words(7, 40).substr(0, words(7, 20).size()), words(7, 20));
    EXPECT_NE(word(7, 0)[0], ' ');
    EXPECT_EQ(word(7, 1)[0], ' ');
}

TEST(Text, GeneratedWordsTokeniseToTheTokensGenerated) {
    for (uint64_t seed = 0; seed < 50; ++seed) {
        std::vector<uint32_t> read, made;
        append_tokens(words(seed, 100), read);
        for (uint64_t n = 0; n < 100; ++n) made.push_back(word_token(seed, n));
        ASSERT_EQ(read, made) << words(seed, 100);
    }
}

TEST(Text, TokensCoverTheTextAndCountAgrees) {
    for (std::string text : {"", "a", " ", "   ", "hello world", "a b  c", "12345678", "123456789 x", "日本語のテキスト"}) {
        std::vector<uint32_t> tokens;
        append_tokens(text, tokens);
        EXPECT_EQ(tokens.size(), count_tokens(text)) << text;
        EXPECT_EQ(tokens.empty(), text.empty());
    }
    EXPECT_EQ(count_tokens("hello world"), 2u);
    EXPECT_EQ(count_tokens("123456789 x"), 3u);
    EXPECT_EQ(count_tokens("   "), 3u);
}

TEST(Text, TokensOfAPrefixAreAPrefixOfTheTokens) {
    std::string text = words(3, 60);
    std::vector<uint32_t> all;
    append_tokens(text, all);
    for (size_t cut = 0; cut < text.size(); ++cut) {
        if (text[cut] != ' ') continue;
        std::vector<uint32_t> part;
        append_tokens(text.substr(0, cut), part);
        ASSERT_TRUE(std::equal(part.begin(), part.end(), all.begin()));
    }
}

TEST(Text, DifferentPiecesHaveDifferentTokens) {
    std::set<uint32_t> ids;
    for (int i = 0; i < 20'000; ++i) ids.insert(token_of(std::to_string(i)));
    EXPECT_GE(ids.size(), 19'990u);
}

TEST(Text, SomeWordsAreNotAscii) {
    int beyond = 0;
    for (uint64_t n = 0; n < 4'096; ++n) {
        bool ascii = true;
        for (char c : word(1, n)) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
        beyond += !ascii;
    }
    EXPECT_GT(beyond, 150);
    EXPECT_LT(beyond, 400);
}

TEST(Text, VocabTokensStayInRange) {
    for (uint64_t n = 0; n < 1'000; ++n) {
        EXPECT_GE(vocab_token(5, n, 300), 256u);
        EXPECT_LT(vocab_token(5, n, 300), 300u);
    }
}

TEST(Text, VectorsHaveLengthOneAndDependOnTheSeed) {
    std::vector<float> a(64), b(64), c(64);
    unit_vector(1, a), unit_vector(1, b), unit_vector(2, c);
    EXPECT_EQ(a, b);
    EXPECT_NE(a, c);
    double sum = 0;
    for (float x : a) sum += static_cast<double>(x) * x;
    EXPECT_NEAR(sum, 1.0, 1e-5);
}

TEST(Text, SeedsOfTextAndChoicesDiffer) {
    EXPECT_EQ(text_seed("abc"), text_seed("abc"));
    EXPECT_NE(text_seed("abc"), text_seed("abd"));
    EXPECT_NE(text_seed(""), text_seed(" "));
    EXPECT_EQ(choice_seed(9, 0), 9u);
    EXPECT_NE(choice_seed(9, 1), choice_seed(9, 2));
}

}  // namespace
}  // namespace weir::sim
