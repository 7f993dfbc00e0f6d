// The caches over real vocabularies: texts that begin like others, cut anywhere, give the ids they give without. WEIR_REFERENCE_DIR;
// with WEIR_SOAK=1 more of both.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "prepare/text_caches.h"
#include "tokenizer/load.h"
#include "wire/utf8.h"

namespace weir::prepare {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> corpora(const fs::path& folder) {
    std::vector<fs::path> files;
    for (auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file() && entry.path().extension() != ".json" && entry.path().extension() != ".gz") files.push_back(entry.path());
    std::ranges::sort(files);
    std::vector<std::string> out;
    for (auto& file : files) {
        std::string text(200'000, '\0');
        std::ifstream in(file, std::ios::binary);
        in.read(text.data(), static_cast<std::streamsize>(text.size()));
        text.resize(static_cast<size_t>(in.gcount()));
        text.resize(utf8_valid_prefix(text));
        out.push_back(std::move(text));
    }
    return out;
}

size_t whole(std::string_view text, size_t at) {   // back to where a character begins
    while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) at--;
    return std::min(at, text.size());
}

std::string piece(Random& random, const std::vector<std::string>& texts, const Tokenizer& tokenizer) {
    constexpr const char* runs[] = {" ", "\n", "a", "7", "\t \n", "e\xcc\x81", "\xe4\xb8\xad", "\xcc\x81", "'s", "\xf0\x9f\x98\x80\xe2\x80\x8d", "!"};
    switch (random.below(6)) {
    case 0: {   // longer than the window that is looked at
        std::string out;
        const char* run = runs[random.below(std::size(runs))];
        for (uint64_t n = random.below(3'000); n > 0; n--) out += run;
        return out;
    }
    case 1: {
        uint32_t id = tokenizer.vocab_size() - 1 - static_cast<uint32_t>(random.below(40));
        return std::string(tokenizer.special(id) ? tokenizer.token(id) : "");
    }
    default: {
        const std::string& text = texts[random.below(texts.size())];
        size_t begin = whole(text, random.below(text.size())), end = whole(text, begin + random.below(3'000));
        return text.substr(begin, std::max(begin, end) - begin);
    }
    }
}

TEST(CachesOverRealVocabularies, GiveTheSameIds) {
    const char* reference = std::getenv("WEIR_REFERENCE_DIR");
    fs::path data = fs::path(reference ? reference : "") / "data";
    if (!reference || !fs::exists(data / "tokenizers")) GTEST_SKIP() << "WEIR_REFERENCE_DIR is not set";
    std::vector<std::string> texts = corpora(data / "corpora");
    ASSERT_FALSE(texts.empty());
    uint64_t reused = 0, seen = 0;
    const char* soak = std::getenv("WEIR_SOAK");
    std::vector<const char*> names = {"qwen2_5", "tinyllama", "t5-small", "bert-base-uncased"};
    if (soak) names.insert(names.end(), {"llama3_1", "deepseek_v3", "gpt4o", "gemma2", "mistral_nemo", "phi-2"});
    for (const char* name : names) {
        fs::path folder = data / "tokenizers" / name;
        if (!fs::exists(folder / "tokenizer.json")) continue;
        auto tokenizer = load_tokenizer(folder / "tokenizer.json");
        ASSERT_TRUE(tokenizer) << name << " " << tokenizer.error()->message;
        auto scratch = (*tokenizer)->scratch();
        TextCaches caches({1 << 20, 100, 4 << 20});
        Random random(seen++);
        std::vector<std::string> past = {""};
        for (int i = 0; i < (soak ? 500 : 25); i++) {
            const std::string& base = past[random.below(past.size())];
            std::string text = base.substr(0, whole(base, random.below(4) ? base.size() : random.below(base.size() + 1)));
            for (uint64_t n = random.below(4); n > 0; n--) text += piece(random, texts, **tokenizer);
            std::vector<uint32_t> plain;
            auto encoded = (*tokenizer)->encode(text, {}, *scratch, plain);
            ASSERT_TRUE(encoded) << name << ": " << encoded.error()->message;
            EncodeJob job(&caches, **tokenizer, text, {}, *scratch);
            auto done = job.step(text.size() + 1);
            ASSERT_TRUE(done && *done) << name << ", text " << i << " of " << text.size() << " bytes: " << (done ? "not done" : done.error()->message);
            reused += job.reused_bytes();
            TokenIds ids = job.take();
            if (*ids != plain) {
                std::ofstream("/tmp/weir-cache-difference.txt", std::ios::binary) << text;
                FAIL() << name << ", text " << i << " of " << text.size() << " bytes";
            }
            past.push_back(std::move(text));
            if (past.size() > 12) past.erase(past.begin() + 1);
        }
    }
    EXPECT_GT(seen, 2u);
    EXPECT_GT(reused, 100'000u);
}

}  // namespace
}  // namespace weir::prepare
