#include <gmock/gmock.h>

#include "base/base64.h"
#include "tokenizer/decoders.h"
#include "tokenizer/formats.h"
#include "tokenizer/tiktoken_families.h"

namespace weir::tok {
namespace {

// All bytes, then these.
std::string ranks(std::vector<std::string> more = {}) {
    std::string out;
    uint32_t rank = 0;
    for (int byte = 0; byte < 256; ++byte) out += base64_encode(std::string(1, static_cast<char>(byte))) + " " + std::to_string(rank++) + "\n";
    for (const std::string& token : more) out += base64_encode(token) + " " + std::to_string(rank++) + "\n";
    return out;
}

std::string why(const Result<TokenizerSpec>& result) { return result ? "" : result.error()->message; }

const AddedToken* added(const TokenizerSpec& spec, std::string_view text) {
    for (const AddedToken& token : spec.added)
        if (token.text == text) return &token;
    return nullptr;
}

TEST(Tiktoken, ReadsRanksAndTheFamilysTokens) {
    FolderConfig config;
    config.model_type = "qwen";
    const auto spec = read_tiktoken(ranks({"th", "the"}), "some.tiktoken", config);
    ASSERT_TRUE(spec) << why(spec);
    EXPECT_EQ(spec->model.vocab.size(), 258u);
    EXPECT_EQ(spec->model.vocab[0x20], "\u0120");   // GPT-2's alphabet
    EXPECT_EQ(spec->model.vocab[257], "the");
    EXPECT_TRUE(spec->model.merge_by_rank_of_token);
    EXPECT_TRUE(spec->model.ignore_merges);
    EXPECT_EQ(spec->normalizer->kind, NormalizerSpec::Kind::nfc);
    EXPECT_EQ(added(*spec, "<|endoftext|>")->id, 258u);
    EXPECT_EQ(added(*spec, "<|im_end|>")->id, 260u);
    EXPECT_TRUE(added(*spec, "<|im_end|>")->special);
}

TEST(Tiktoken, TheFoldersTokensWinAndGapsAreFilled) {
    const auto config = FolderConfig::read(R"({"added_tokens_decoder":{"256":{"content":"[BOS]","special":true},"260":{"content":"<tool>","special":false}},
        "bos_token":"[BOS]","add_bos_token":true,"model_max_length":1000000000000000019884624838656})", R"({"model_type":"kimi_k2"})");
    ASSERT_TRUE(config);
    const auto spec = read_tiktoken(ranks(), "tiktoken.model", *config);
    ASSERT_TRUE(spec) << why(spec);
    EXPECT_EQ(added(*spec, "[BOS]")->id, 256u);
    EXPECT_FALSE(added(*spec, "<tool>")->special);
    EXPECT_EQ(added(*spec, "<|reserved_token_257|>")->id, 257u);
    EXPECT_EQ(added(*spec, "<|reserved_token_260|>"), nullptr);
    EXPECT_EQ(spec->added.size(), 256u);
    ASSERT_TRUE(spec->post_processor);
    EXPECT_EQ(spec->post_processor->single.front().ids, std::vector<uint32_t>{256});
}

TEST(Tiktoken, TellsTheFamily) {
    const auto family = [](const char* file, size_t n, const char* model_type = "", const char* tokenizer_class = "") {
        FolderConfig config;
        config.model_type = model_type;
        config.tokenizer_class = tokenizer_class;
        const TiktokenFamily* found = find_tiktoken_family(file, n, config);
        return found ? std::string(found->name) : "";
    };
    EXPECT_EQ(family("cl100k_base.tiktoken", 9), "cl100k");
    EXPECT_EQ(family("x.tiktoken", 100256), "cl100k");
    EXPECT_EQ(family("o200k_base.tiktoken", 199998), "o200k");
    EXPECT_EQ(family("x.tiktoken", 199998, "gpt_oss"), "o200k_harmony");
    EXPECT_EQ(family("tiktoken.model", 128000), "llama3");
    EXPECT_EQ(family("tiktoken.model", 200000), "llama4");
    EXPECT_EQ(family("tokenizer.model", 200000, "llama4_text"), "llama4");
    EXPECT_EQ(family("tiktoken.model", 163584), "kimi-k2");
    EXPECT_EQ(family("qwen.tiktoken", 151643), "qwen");
    EXPECT_EQ(family("gpt2.tiktoken", 50256, "", "WhisperTokenizer"), "whisper");
    EXPECT_EQ(family("gpt2.tiktoken", 50256), "gpt2");
    EXPECT_EQ(family("multilingual.tiktoken", 50257), "whisper");
    EXPECT_EQ(family("tokenizer.model", 151329, "chatglm"), "glm4");
    EXPECT_EQ(family("x.tiktoken", 12345), "");
}

TEST(Tiktoken, WhispersTokensLieWhereItsModelsHaveThem) {
    const auto config = FolderConfig::read("", R"({"model_type":"whisper","vocab_size":51866})");
    std::vector<AddedToken> tokens;
    find_tiktoken_family("multilingual.tiktoken", 50257, *config)->specials(50257, tokens);
    const auto id = [&](std::string_view text) {
        for (const AddedToken& token : tokens)
            if (token.text == text) return token.id;
        return 0u;
    };
    EXPECT_EQ(id("<|endoftext|>"), 50257u);
    EXPECT_EQ(id("<|en|>"), 50259u);
    EXPECT_EQ(id("<|yue|>"), 50358u);
    EXPECT_EQ(id("<|notimestamps|>"), 50364u);
    EXPECT_EQ(id("<|0.00|>"), 50365u);
    EXPECT_EQ(id("<|30.00|>"), 51865u);
    tokens.clear();
    find_tiktoken_family("multilingual.tiktoken", 50257, {})->specials(50257, tokens);   // before the third version
    EXPECT_EQ(id("<|su|>"), 50357u);
    EXPECT_EQ(id("<|translate|>"), 50358u);
    tokens.clear();
    find_tiktoken_family("gpt2.tiktoken", 50256, *config)->specials(50256, tokens);
    EXPECT_EQ(id("<|startoftranscript|>"), 50257u);
}

TEST(Tiktoken, RefusesBrokenRanks) {
    FolderConfig config;
    config.model_type = "qwen";
    const auto refusal = [&](const std::string& text) { return why(read_tiktoken(text, "x", config)); };
    EXPECT_THAT(refusal("IQ==\n"), testing::HasSubstr("line 1: not a token and its rank"));
    EXPECT_THAT(refusal("I*== 0\n"), testing::HasSubstr("line 1: the token is not base64"));
    EXPECT_THAT(refusal("IQ== 0\nIg== 0\n"), testing::HasSubstr("line 2: the rank is there twice"));
    EXPECT_THAT(refusal("IQ== 4294967295\n"), testing::HasSubstr("the rank is too large"));
    EXPECT_THAT(refusal("IQ== 0\n"), testing::HasSubstr("256 single bytes"));
    EXPECT_THAT(refusal(ranks({"ab", "ab"})), testing::HasSubstr("twice"));
    EXPECT_THAT(refusal(""), testing::HasSubstr("256 single bytes"));
    config.model_type = "";
    EXPECT_EQ(read_tiktoken(ranks(), "x", config).error()->code, Code::not_supported);
}

TEST(Tiktoken, IsToldFromOtherFiles) {
    EXPECT_TRUE(looks_like_tiktoken("IQ== 0\r\nIg== 1\n"));
    EXPECT_FALSE(looks_like_tiktoken("\n\x0e\n\x05<unk>"));
    EXPECT_FALSE(looks_like_tiktoken("GGUF"));
    EXPECT_FALSE(looks_like_tiktoken(""));
}

TEST(ByteLevel, CharsAndBytesAreInverse) {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    EXPECT_EQ(byte_level_bytes(byte_level_chars(all)), all);
}

}  // namespace
}  // namespace weir::tok
