// The fast way against the general one (which is asked for offsets too) over the reference folder's tokenizers and texts; and their cuts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "tokenizer/load.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Of whole characters.
std::string slice(const std::string& text, std::mt19937_64& random) {
    size_t begin = random() % text.size(), end = std::min(text.size(), begin + 1 + random() % (random() % 4 == 0 ? 6000 : 300));
    while (begin < text.size() && continues(text[begin])) begin++;
    while (end < text.size() && continues(text[end])) end++;
    return text.substr(begin, std::max(begin, end) - begin);
}

std::vector<uint32_t> ids_of(const Tokenizer& tokenizer, EncodeScratch& scratch, std::string_view text, const EncodeOptions& options = {}) {
    std::vector<uint32_t> out;
    EXPECT_TRUE(tokenizer.encode(text, options, scratch, out));
    return out;
}

TEST(FastData, EqualsTheGeneralWayAndItsCutsChangeNothing) {
    const char* reference = std::getenv("WEIR_REFERENCE_DIR");
    const fs::path data = fs::path(reference ? reference : "") / "data";
    if (!reference || !fs::is_directory(data / "tokenizers")) GTEST_SKIP() << "WEIR_REFERENCE_DIR does not name the reference folder";
    std::vector<std::string> texts;
    for (const auto& entry : fs::directory_iterator(data / "corpora"))
        if (entry.path().extension() == ".txt") texts.push_back(read(entry.path()));
    ASSERT_FALSE(texts.empty());
    size_t cuts = 0, tokenizers = 0, compared = 0;
    for (const auto& entry : fs::directory_iterator(data / "tokenizers")) {
        const auto loaded = load_tokenizer((entry.path() / "tokenizer.json").string());
        if (!loaded) continue;
        const Tokenizer& tokenizer = **loaded;
        tokenizers++;
        const auto fast = tokenizer.scratch(), general = tokenizer.scratch();
        std::mt19937_64 random(tokenizers);
        for (int i = 0; i < 60; i++) {
            std::string text = slice(texts[random() % texts.size()], random);
            if (i % 3 == 0) text += slice(texts[random() % texts.size()], random);
            if (i % 20 == 0) text += std::string(random() % 500, "a =-1\n"[random() % 6]);
            std::vector<uint32_t> wanted;
            std::vector<TokenOffset> offsets;
            if (!tokenizer.encode(text, {}, *general, wanted, &offsets)) continue;    // without an unknown token, some have no answer
            compared++;
            ASSERT_EQ(ids_of(tokenizer, *fast, text), wanted) << entry.path() << ": " << text;
            const size_t cut = tokenizer.safe_cut(text, random() % (text.size() + 1));
            if (cut == 0) continue;
            cuts++;
            auto joined = ids_of(tokenizer, *fast, std::string_view(text).substr(0, cut));
            for (const uint32_t id : ids_of(tokenizer, *fast, std::string_view(text).substr(cut), {.continues = true})) joined.push_back(id);
            ASSERT_EQ(joined, wanted) << entry.path() << " cut at " << cut << ": " << text;
        }
    }
    EXPECT_GT(tokenizers, 20u);
    EXPECT_GT(compared, 50 * tokenizers);
    EXPECT_GT(cuts, 100u);
}

}  // namespace
}  // namespace weir
