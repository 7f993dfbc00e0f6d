#include "tokenizer/gguf.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tokenizer/formats.h"
#include "tokenizer/gguf_metadata.h"
#include "tokenizer/gguf_pre.h"

namespace weir::tok {
namespace {

// Writes the key-value part of a file.
class Writer {
public:
    Writer& text(const std::string& key, const std::string& value) { return head(key, GgufType::string), string(value), *this; }
    Writer& u32(const std::string& key, uint32_t value) { return head(key, GgufType::u32), raw(value), *this; }
    Writer& flag(const std::string& key, bool value) { return head(key, GgufType::boolean), raw(static_cast<uint8_t>(value)), *this; }
    Writer& texts(const std::string& key, const std::vector<std::string>& values) {
        array(key, GgufType::string, values.size());
        for (const std::string& value : values) string(value);
        return *this;
    }
    template <class T>
    Writer& numbers(const std::string& key, GgufType type, const std::vector<T>& values) {
        array(key, type, values.size());
        for (const T value : values) raw(value);
        return *this;
    }
    Writer& array(const std::string& key, GgufType type, uint64_t count) {
        return head(key, GgufType::array), raw(static_cast<uint32_t>(type)), raw(count), *this;
    }
    template <class T>
    void raw(T value) { body_.append(reinterpret_cast<const char*>(&value), sizeof value); }
    std::string file(uint32_t version = 3) const {
        std::string out = "GGUF";
        const auto add = [&](auto value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); };
        add(version), add(uint64_t{0}), add(count_);
        return out + body_;
    }

private:
    void head(const std::string& key, GgufType type) { ++count_, string(key), raw(static_cast<uint32_t>(type)); }
    void string(const std::string& value) { raw(static_cast<uint64_t>(value.size())), body_ += value; }
    std::string body_;
    uint64_t count_ = 0;
};

Writer base(const std::string& model) {
    Writer w;
    w.text("general.architecture", "llama").text("general.name", "tiny").u32("llama.context_length", 2048).text("tokenizer.ggml.model", model);
    return w;
}

GgufFile good(const Writer& w) {
    auto file = read_gguf(w.file());
    EXPECT_TRUE(file) << file.error()->message;
    return file ? *std::move(file) : GgufFile{};
}
std::string why(const Writer& w) {
    const auto file = read_gguf(w.file());
    return file ? "" : file.error()->message;
}

TEST(Gguf, LlamaVocabulary) {
    Writer w = base("llama");
    w.texts("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "<0x41>", "a", "b", "ab", "<tool>"})
        .numbers<float>("tokenizer.ggml.scores", GgufType::f32, {0, 0, 0, 0, -1, -2, -0.5f, 0})
        .numbers<int32_t>("tokenizer.ggml.token_type", GgufType::i32, {2, 3, 3, 6, 1, 1, 1, 4})
        .text("tokenizer.chat_template", "{{ x }}").text("tokenizer.chat_template.tool_use", "{{ y }}").u32("tokenizer.ggml.eos_token_id", 2);
    const GgufFile file = good(w);
    EXPECT_EQ(file.info.architecture, "llama");
    EXPECT_EQ(file.info.context_length, 2048u);
    EXPECT_EQ(file.info.chat_template, "{{ x }}");
    EXPECT_THAT(file.info.named_templates, testing::ElementsAre(testing::Pair("tool_use", "{{ y }}")));
    EXPECT_EQ(file.info.bos_id, 1u);
    EXPECT_TRUE(file.info.add_bos);
    EXPECT_THAT(file.info.end_ids, testing::ElementsAre(2u));
    EXPECT_TRUE(file.spec.model.byte_fallback);
    EXPECT_EQ(file.spec.model.ranks[6], 0u);
    EXPECT_EQ(file.spec.model.ranks[3], ModelSpec::no_rank);
    ASSERT_EQ(file.spec.added.size(), 4u);
    EXPECT_FALSE(file.spec.added[3].special);
    EXPECT_EQ(file.spec.normalizer->children.front().content, "\u2581");
    w.flag("tokenizer.ggml.add_space_prefix", false).flag("tokenizer.ggml.add_bos_token", false);
    const GgufFile bare = good(w);
    EXPECT_EQ(bare.spec.normalizer->kind, NormalizerSpec::Kind::replace);
    EXPECT_FALSE(bare.spec.post_processor);
}

TEST(Gguf, ByteLevelVocabulary) {
    Writer w = base("gpt2");
    w.text("tokenizer.ggml.pre", "llama-bpe").texts("tokenizer.ggml.tokens", {"h", "e", "he", "<|eot_id|>", "<|begin|>"})
        .numbers<int32_t>("tokenizer.ggml.token_type", GgufType::i32, {1, 1, 1, 1, 3}).texts("tokenizer.ggml.merges", {"h e", "x y", "h"})
        .u32("tokenizer.ggml.bos_token_id", 4);
    const GgufFile file = good(w);
    EXPECT_THAT(file.spec.model.merges, testing::ElementsAre(testing::Pair(0u, 1u)));
    EXPECT_EQ(file.spec.model.merged, std::vector<uint32_t>{2});
    EXPECT_TRUE(file.spec.model.ignore_merges);
    EXPECT_EQ(file.info.eot_id, 3u);
    EXPECT_TRUE(file.spec.added[0].special);   // by its spelling
    EXPECT_EQ(file.spec.post_processor->single.front().ids, std::vector<uint32_t>{4});
    EXPECT_EQ(file.spec.pre_tokenizer->children.size(), 2u);
}

TEST(Gguf, BertVocabularyMarksContinuationsAgain) {
    Writer w = base("bert");
    w.texts("tokenizer.ggml.tokens", {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581un", "do"}).u32("tokenizer.ggml.unknown_token_id", 1)
        .u32("tokenizer.ggml.cls_token_id", 2).u32("tokenizer.ggml.seperator_token_id", 3)
        .numbers<int32_t>("tokenizer.ggml.token_type", GgufType::i32, {3, 2, 3, 3, 1, 1});
    const GgufFile file = good(w);
    EXPECT_EQ(file.spec.model.vocab[4], "un");
    EXPECT_EQ(file.spec.model.vocab[5], "##do");
    EXPECT_EQ(file.spec.model.vocab[2], "[CLS]");
    EXPECT_EQ(file.spec.post_processor->single.front().ids, std::vector<uint32_t>{2});
    EXPECT_EQ(file.spec.post_processor->single.back().ids, std::vector<uint32_t>{3});
}

TEST(Gguf, T5Vocabulary) {
    Writer w = base("t5");
    w.texts("tokenizer.ggml.tokens", {"<pad>", "</s>", "<unk>", "\u2581a"}).numbers<float>("tokenizer.ggml.scores", GgufType::f32, {0, 0, 0, -1})
        .numbers<int32_t>("tokenizer.ggml.token_type", GgufType::i32, {3, 3, 2, 1}).flag("tokenizer.ggml.add_space_prefix", true)
        .flag("tokenizer.ggml.remove_extra_whitespaces", true);
    const GgufFile file = good(w);
    EXPECT_EQ(file.spec.model.kind, ModelSpec::Kind::unigram);
    EXPECT_EQ(file.spec.model.unk_id, 2u);
    EXPECT_EQ(file.spec.normalizer->kind, NormalizerSpec::Kind::sentence_piece);
    EXPECT_EQ(file.spec.post_processor->single.back().ids, std::vector<uint32_t>{1});
}

TEST(Gguf, EndsOfGenerationAsHarmonyHasThem) {
    Writer w = base("gpt2");
    w.text("tokenizer.ggml.pre", "gpt-4o").texts("tokenizer.ggml.merges", {"a b"})
        .texts("tokenizer.ggml.tokens", {"a", "<|end|>", "<|return|>", "<|call|>", "<|channel|>"})
        .numbers<int32_t>("tokenizer.ggml.token_type", GgufType::i32, {1, 3, 3, 3, 3});
    const GgufFile file = good(w);
    EXPECT_THAT(file.info.end_ids, testing::ElementsAre(2u, 3u));
    EXPECT_FALSE(file.spec.added[0].special);   // <|end|> closes a message only
    EXPECT_FALSE(file.spec.added[3].special);   // <|channel|> is shown
}

TEST(Gguf, RefusesWhatItCannotBuild) {
    using testing::HasSubstr;
    EXPECT_THAT(why(base("rwkv")), HasSubstr("model rwkv are not supported"));
    EXPECT_THAT(why(base("gpt2").text("tokenizer.ggml.pre", "nobody")), HasSubstr("unknown pre-tokenizer nobody"));
    EXPECT_THAT(why(base("llama")), HasSubstr("no tokens"));
    EXPECT_THAT(why(base("gpt2").texts("tokenizer.ggml.tokens", {"a"})), HasSubstr("no merges"));
    EXPECT_THAT(why(base("t5").texts("tokenizer.ggml.tokens", {"a", "b", "c"})), HasSubstr("no scores"));
    EXPECT_THAT(why(base("llama").texts("tokenizer.ggml.tokens", {"a", "b"}).numbers<float>("tokenizer.ggml.scores", GgufType::f32, {1})), HasSubstr("fewer"));
    EXPECT_THAT(why(base("llama").texts("tokenizer.ggml.tokens", {"a"}).numbers<float>("tokenizer.ggml.scores", GgufType::f32, {NAN})), HasSubstr("not a number"));
    EXPECT_THAT(why(base("llama").texts("tokenizer.ggml.tokens", {"a"}).texts("tokenizer.ggml.token_type", {"x"})), HasSubstr("token types"));
    EXPECT_THAT(why(Writer()), HasSubstr("no tokenizer"));
    EXPECT_THAT(why(base("llama").texts("tokenizer.ggml.tokens", {std::string(token_bytes_max + 1, 'a')})), HasSubstr("too long"));
}

TEST(Gguf, EveryTruncationIsRefused) {
    Writer w = base("llama");
    w.texts("tokenizer.ggml.tokens", {"<unk>", "a"}).numbers<float>("tokenizer.ggml.scores", GgufType::f32, {0, -1});
    const std::string file = w.file();
    EXPECT_TRUE(read_gguf(file + "tensors follow"));
    for (size_t n = 0; n < file.size(); ++n) EXPECT_FALSE(read_gguf(file.substr(0, n))) << n;
}

TEST(Gguf, HostileHeadersAreRefused) {
    const auto outcome = [](const std::string& file) {
        GgufMetadata meta;
        const char* what = "";
        return meta.read(file, what) == GgufMetadata::Outcome::ok ? "" : std::string(what);
    };
    EXPECT_EQ(outcome("GGML" + std::string(40, '\0')), "it does not begin with GGUF");
    EXPECT_EQ(outcome(Writer().file(1)), "its version is neither 2 nor 3");
    EXPECT_EQ(outcome(Writer().file(0x03000000)), "it is written for a big-endian machine");
    std::string many = Writer().file();
    const uint64_t count = gguf_keys_max + 1;
    std::memcpy(many.data() + 16, &count, 8);
    EXPECT_EQ(outcome(many), "it has too many keys");
    EXPECT_EQ(outcome(Writer().array("a", GgufType::u64, uint64_t{1} << 62).file()), "an array is too long");
    EXPECT_EQ(outcome(Writer().array("a", GgufType::string, uint64_t{1} << 62).file()), "an array is too long");
    EXPECT_EQ(outcome(Writer().array("a", static_cast<GgufType>(99), 1).file()), "a value is of an unknown type");
    EXPECT_EQ(outcome(Writer().text(std::string(70'000, 'k'), "").file()), "a key is empty or too long");
    Writer nested;
    nested.array("a", GgufType::array, 1);
    for (int i = 0; i < 8; ++i) nested.raw(static_cast<uint32_t>(GgufType::array)), nested.raw(uint64_t{1});
    EXPECT_EQ(outcome(nested.file()), "arrays are nested too deep");
}

TEST(Gguf, NumbersOfAnyWidth) {
    Writer w;
    w.numbers<int8_t>("small", GgufType::i8, {-1, 2}).numbers<uint64_t>("large", GgufType::u64, {7, uint64_t{1} << 63}).u32("n", 5).flag("b", true);
    GgufMetadata meta;
    const char* what = "";
    const std::string file = w.file();
    ASSERT_EQ(meta.read(file, what), GgufMetadata::Outcome::ok);
    std::vector<int64_t> out;
    EXPECT_TRUE(meta.integers("small", out));
    EXPECT_THAT(out, testing::ElementsAre(-1, 2));
    EXPECT_FALSE(meta.integers("large", out));   // does not fit
    EXPECT_FALSE(meta.integers("n", out));
    EXPECT_EQ(meta.number("n"), 5u);
    EXPECT_EQ(meta.flag("n"), std::nullopt);
    EXPECT_EQ(meta.flag("b"), true);
    EXPECT_EQ(meta.text("none"), std::nullopt);
}

TEST(Gguf, ReadsAFileUpToItsTensors) {
    Writer w = base("llama");
    w.texts("tokenizer.ggml.tokens", {"<unk>", "a"}).text("general.filler", std::string(size_t{17} << 20, 'x')).text("tokenizer.chat_template", "late");
    const auto path = std::filesystem::temp_directory_path() / ("weir_gguf_test_" + std::to_string(getpid()) + ".gguf");
    std::ofstream(path, std::ios::binary) << w.file() << "tensors";
    const auto file = read_gguf_file(path.string());
    ASSERT_TRUE(file) << file.error()->message;
    EXPECT_EQ(file->info.chat_template, "late");
    std::filesystem::resize_file(path, size_t{16} << 20);
    EXPECT_FALSE(read_gguf_file(path.string()));
    std::filesystem::remove(path);
    EXPECT_FALSE(read_gguf_file(path.string()));
}

TEST(GgufPre, KnowsTheNames) {
    EXPECT_EQ(find_gguf_pre("")->patterns, find_gguf_pre("default")->patterns);
    EXPECT_EQ(find_gguf_pre("mpt")->patterns.size(), 0u);
    EXPECT_TRUE(find_gguf_pre("tekken")->ignore_merges);
    EXPECT_TRUE(find_gguf_pre("gemma4")->raw_utf8);
    EXPECT_EQ(find_gguf_pre("deepseek-llm")->patterns.size(), 6u);
    EXPECT_FALSE(find_gguf_pre("deepseek"));
    EXPECT_FALSE(find_gguf_pre("gpt-2 phi-2"));
}

}  // namespace
}  // namespace weir::tok
