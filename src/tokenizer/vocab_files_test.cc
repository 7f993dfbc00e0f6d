// Folders without a tokenizer.json. tests/interop/folders_live.py compares with transformers.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tokenizer/load.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct OldFolder : testing::Test {
    void SetUp() override {
        path = std::filesystem::path(testing::TempDir()) / ("weir-old-folder-" + std::to_string(::getpid()));
        std::filesystem::create_directories(path);
    }
    void TearDown() override { std::filesystem::remove_all(path); }
    void write(const char* name, std::string_view text) { std::ofstream(path / name, std::ios::binary) << text; }
    TokenizerRef load() {
        auto made = load_tokenizer(path.string());
        if (!made) return ADD_FAILURE() << made.error()->message, nullptr;
        return *made;
    }
    std::string refusal() {
        auto made = load_tokenizer(path.string());
        return made ? "loaded" : made.error()->message;
    }
    static std::vector<uint32_t> ids(const TokenizerRef& tokenizer, std::string_view text, bool special) {
        std::vector<uint32_t> out;
        const auto scratch = tokenizer->scratch();
        EncodeOptions options;
        options.add_special_tokens = special;
        EXPECT_TRUE(tokenizer->encode(text, options, *scratch, out));
        return out;
    }
    std::filesystem::path path;
};

constexpr const char* vocab = R"({"<s>": 0, "</s>": 1, "a": 2, "b": 3, "ab": 4, "\u0120": 5, "\u0120ab": 6, "<mask>": 7, "<|endoftext|>": 8})";
constexpr const char* merges = "#version: 0.2\na b\n\xc4\xa0 ab\n";

TEST_F(OldFolder, Gpt2) {
    write("vocab.json", vocab), write("merges.txt", merges);
    write("tokenizer_config.json", R"({"tokenizer_class": "GPT2TokenizerFast", "add_bos_token": true})");
    const TokenizerRef tokenizer = load();
    ASSERT_TRUE(tokenizer);
    EXPECT_THAT(ids(tokenizer, "ab ab", true), ElementsAre(8, 4, 6));
    EXPECT_THAT(ids(tokenizer, "ab<|endoftext|>", false), ElementsAre(4, 8));
}

TEST_F(OldFolder, TheModelTypeTellsWhereNoClassIsNamed) {
    write("vocab.json", vocab), write("merges.txt", merges), write("config.json", R"({"model_type": "roberta"})");
    write("special_tokens_map.json", R"({"mask_token": {"content": "<mask>", "lstrip": true}, "unk_token": "<unk>"})");
    write("added_tokens.json", R"({"<more>": 40})");
    const TokenizerRef tokenizer = load();
    ASSERT_TRUE(tokenizer);
    EXPECT_THAT(ids(tokenizer, "ab <mask>", true), ElementsAre(0, 4, 7, 1));
    EXPECT_THAT(ids(tokenizer, "<more><pad>", false), ElementsAre(9, 11)) << "new tokens are numbered behind the vocabulary";
}

TEST_F(OldFolder, Qwen2) {
    write("vocab.json", vocab), write("merges.txt", merges);
    write("tokenizer_config.json", R"({"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "bos_token": null,
        "added_tokens_decoder": {"20": {"content": "<|im_end|>", "special": true}}})");
    const TokenizerRef tokenizer = load();
    ASSERT_TRUE(tokenizer);
    EXPECT_THAT(ids(tokenizer, "ab ab<|im_end|>", true), ElementsAre(4, 6, 9));
}

TEST_F(OldFolder, Bert) {
    write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nplay \r\n##ing");
    EXPECT_THAT(ids(load(), "Playing x", true), ElementsAre(2, 5, 6, 1, 3));
    write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer", "do_lower_case": false})");
    EXPECT_THAT(ids(load(), "Playing [MASK]", false), ElementsAre(1, 4));
}

TEST_F(OldFolder, WhatIsNotKnownIsNamed) {
    write("vocab.json", vocab);
    EXPECT_THAT(refusal(), HasSubstr("merges.txt"));
    write("merges.txt", merges);
    EXPECT_THAT(refusal(), HasSubstr("no tokenizer class"));
    write("tokenizer_config.json", R"({"tokenizer_class": "CTRLTokenizer"})");
    EXPECT_THAT(refusal(), HasSubstr("CTRLTokenizer"));
    write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})");
    write("merges.txt", "a b c\n");
    EXPECT_THAT(refusal(), HasSubstr("merges[0]"));
    write("merges.txt", "a z\n");
    EXPECT_THAT(refusal(), HasSubstr("'z' is out of the vocabulary"));
    write("merges.txt", merges), write("vocab.json", R"(["a"])");
    EXPECT_THAT(refusal(), HasSubstr("is not a map"));
    write("vocab.json", R"({"a": 0} {})");
    EXPECT_THAT(refusal(), HasSubstr("tokenizer.json"));
    write("vocab.json", R"({"a": -1})");
    EXPECT_THAT(refusal(), HasSubstr("is not a token id"));
}

}  // namespace
}  // namespace weir
