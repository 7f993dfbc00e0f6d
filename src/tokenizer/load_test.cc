// Vocabularies of every format, from file to ids: those of tests/golden/tokenizers against what their own libraries made of them, and the
// reference folder's (WEIR_REFERENCE_DIR) where it is at hand.
#include "tokenizer/load.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

namespace weir {
namespace {

namespace fs = std::filesystem;

const fs::path golden = fs::path(WEIR_SOURCE_DIR) / "tests/golden/tokenizers";

std::vector<uint32_t> encoded(const Tokenizer& tokenizer, std::string_view text, bool as_text = true) {
    std::vector<uint32_t> ids;
    const auto scratch = tokenizer.scratch();
    EXPECT_TRUE(tokenizer.encode(text, {.special_as_text = as_text}, *scratch, ids));
    return ids;
}

std::string slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// Pieces of `text` between `separator`s.
std::vector<std::string> split(const std::string& text, const std::string& separator) {
    std::vector<std::string> out;
    for (size_t at = 0;;) {
        const size_t end = text.find(separator, at);
        out.push_back(text.substr(at, end - at));
        if (end == text.npos) return out;
        at = end + separator.size();
    }
}

std::vector<uint32_t> numbers(const std::string& text) {
    std::istringstream in(text);
    std::vector<uint32_t> out;
    for (uint32_t n; in >> n;) out.push_back(n);
    return out;
}

TEST(Load, EveryFormatGivesItsLibrarysIdsAndText) {
    std::map<std::string, TokenizerRef> tokenizers;
    size_t cases = 0;
    for (const std::string& line : split(slurp(golden / "formats.txt"), "\n")) {
        const auto fields = split(line, "\t");
        if (fields.size() != 4) continue;
        TokenizerRef& tokenizer = tokenizers[fields[0]];
        if (!tokenizer) {
            auto loaded = load_tokenizer((golden / fields[0]).string());
            ASSERT_TRUE(loaded) << fields[0] << ": " << loaded.error()->message;
            tokenizer = *loaded;
        }
        const auto text = nlohmann::json::parse(fields[1]).get<std::string>();
        const auto back = nlohmann::json::parse(fields[3]);
        const auto ids = numbers(fields[2]);
        EXPECT_EQ(encoded(*tokenizer, text), ids) << fields[0] << ' ' << fields[1];
        EXPECT_EQ(tokenizer->decode(ids, false), back.is_null() ? text : back.get<std::string>()) << fields[0] << ' ' << fields[1];
        const auto stream = tokenizer->detokenizer(false);
        std::string streamed;
        for (const uint32_t id : ids) stream->feed(id, streamed);
        stream->flush(streamed);
        EXPECT_EQ(streamed, tokenizer->decode(ids, false)) << fields[0] << ' ' << fields[1];
        ++cases;
    }
    EXPECT_GT(cases, 100u);
    EXPECT_EQ(tokenizers.size(), 6u);
}

TEST(Load, ControlTokensInATextAreTextOnlyWhereAsked) {
    const auto tokenizer = *load_tokenizer((golden / "bytes_bpe.model").string());
    EXPECT_THAT(encoded(*tokenizer, "<s>", false), testing::ElementsAre(1));
    EXPECT_GT(encoded(*tokenizer, "<s>", true).size(), 1u);
    EXPECT_EQ(tokenizer->decode(std::vector<uint32_t>{1, 404}, true).find("<s>"), std::string::npos);
}

class Folder {
public:
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
    void put(const char* from, const char* name) const { fs::copy_file(golden / from, path / name, fs::copy_options::overwrite_existing); }
    void write(const char* name, const std::string& text) const { std::ofstream(path / name, std::ios::binary) << text; }
    std::string why() const {
        const auto loaded = load_tokenizer(path.string());
        return loaded ? "" : loaded.error()->message;
    }
    const fs::path path = fs::temp_directory_path() / ("weir_load_test_" + std::to_string(getpid()));
};

TEST(Load, AFoldersBestFileComesFirst) {
    const Folder folder;
    EXPECT_THAT(folder.why(), testing::HasSubstr("no tokenizer in"));
    const auto size = [&] { return (*load_tokenizer(folder.path.string()))->vocab_size(); };
    folder.put("bytes_bpe.gguf", "a.gguf");
    EXPECT_EQ(size(), 420u);
    folder.put("suffix_bpe.model", "tokenizer.model");
    const uint32_t suffix = size();
    EXPECT_NE(suffix, 420u);
    folder.put("tekken.json", "tekken.json");
    EXPECT_EQ(size(), 440u);
    folder.write("config.json", R"({"model_type":"qwen"})");
    folder.put("qwen.tiktoken", "tiktoken.model");
    EXPECT_EQ(size(), 664u);
    folder.write("tokenizer.json", "{}");
    EXPECT_NE(folder.why(), "");   // the one that counts is broken
}

TEST(Load, NamesWhatIsWrong) {
    const Folder folder;
    EXPECT_THAT(load_tokenizer((folder.path / "absent").string()).error()->message, testing::HasSubstr("there is no"));
    folder.write("tokenizer.model", "no such thing");
    EXPECT_THAT(folder.why(), testing::HasSubstr("SentencePiece model"));
    folder.write("tokenizer_config.json", "[1]");
    EXPECT_THAT(folder.why(), testing::HasSubstr("tokenizer_config.json is not a JSON object"));
}

TEST(Reference, GgufVectors) {
    const char* reference = std::getenv("WEIR_REFERENCE_DIR");
    if (!reference || !fs::exists(fs::path(reference) / "data/gguf")) GTEST_SKIP() << "WEIR_REFERENCE_DIR has no data/gguf";
    for (const auto& entry : fs::directory_iterator(fs::path(reference) / "data/gguf")) {
        if (entry.path().extension() != ".gguf" || !fs::exists(entry.path().string() + ".inp")) continue;
        const auto tokenizer = load_tokenizer(entry.path().string());
        ASSERT_TRUE(tokenizer) << entry.path() << ": " << tokenizer.error()->message;
        const auto texts = split(slurp(entry.path().string() + ".inp"), "\n__ggml_vocab_test__\n"), ids = split(slurp(entry.path().string() + ".out"), "\n");
        size_t matched = 0;
        for (size_t i = 0; i < texts.size(); ++i) matched += i < ids.size() && encoded(**tokenizer, texts[i], false) == numbers(ids[i]);
        std::printf("%s: %zu / %zu\n", entry.path().filename().c_str(), matched, texts.size());
        EXPECT_EQ(matched, texts.size()) << entry.path();
    }
}

}  // namespace
}  // namespace weir
