// Small tokenizers of every kind against what the reference library made of some texts with them (tests/golden/tokenizers/make_hf.py).
#include <gtest/gtest.h>

#include <charconv>
#include <map>
#include <set>
#include <sstream>

#include "tests/support/golden.h"
#include "tokenizer/load.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"

namespace weir {
namespace {

const std::string folder = WEIR_SOURCE_DIR "/tests/golden/tokenizers/";

std::vector<std::string> fields_of(const std::string& line) {
    std::vector<std::string> out;
    std::istringstream in(line);
    for (std::string field; std::getline(in, field, '\t');) out.push_back(field);
    return out;
}
std::string text_of(const std::string& json) {
    std::string out;
    EXPECT_TRUE(json_unescape(json_inside(json), out)) << json;
    return out;
}
std::string list_of(const std::vector<uint32_t>& ids) {
    std::string out = "[";
    for (const uint32_t id : ids) out += (out.size() > 1 ? "," : "") + std::to_string(id);
    return out + "]";
}
std::string list_of(const std::vector<TokenOffset>& offsets) {
    std::vector<uint32_t> flat;
    for (const TokenOffset& o : offsets) flat.push_back(o.begin), flat.push_back(o.end);
    return list_of(flat);
}

struct Loaded {
    TokenizerRef tokenizer;
    std::unique_ptr<EncodeScratch> scratch;
};

void check(Loaded& loaded, const std::vector<std::string>& want) {
    const std::string text = text_of(want[1]);
    std::vector<uint32_t> ids, special, again;
    std::vector<TokenOffset> offsets;
    const Result<void> plain = loaded.tokenizer->encode(text, {false, false}, *loaded.scratch, ids);
    if (want[2] == "error") {
        EXPECT_FALSE(plain);
        return;
    }
    ASSERT_TRUE(plain) << plain.error()->message;
    ASSERT_TRUE(loaded.tokenizer->encode(text, {true, false}, *loaded.scratch, special));
    ASSERT_TRUE(loaded.tokenizer->encode(text, {false, false}, *loaded.scratch, again, &offsets));
    EXPECT_EQ(list_of(ids), want[2]);
    EXPECT_EQ(list_of(special), want[3]);
    EXPECT_EQ(list_of(again), want[2]) << "with offsets";
    EXPECT_EQ(list_of(offsets), want[4]);
    if (want[5] != "null") {
        EXPECT_EQ(loaded.tokenizer->decode(ids, false), text_of(want[5]));
        EXPECT_EQ(loaded.tokenizer->decode(ids, true), text_of(want[6]));
    }
}

TEST(HfGolden, EveryKindAsTheReference) {
    std::map<std::string, Loaded> loaded;
    std::istringstream lines(golden::slurp(folder + "hf_cases.txt"));
    size_t count = 0;
    for (std::string line; std::getline(lines, line); count++) {
        const std::vector<std::string> want = fields_of(line);
        ASSERT_TRUE(want.size() == 7 || (want.size() == 3 && want[2] == "error")) << line;
        Loaded& one = loaded[want[0]];
        if (!one.tokenizer) {
            auto read = load_tokenizer(folder + want[0]);
            ASSERT_TRUE(read) << read.error()->message;
            one = {*read, (*read)->scratch()};
        }
        SCOPED_TRACE(want[0] + " " + want[1]);
        check(one, want);
    }
    EXPECT_EQ(loaded.size(), 9u);
    EXPECT_GT(count, 200u);
}

TEST(HfGolden, FingerprintsTellTokenizersApart) {
    std::map<uint64_t, std::string> seen;
    for (const char* name : {"hf_byte_level", "hf_gpt2", "hf_fallback", "hf_unigram", "hf_unigram_bytes", "hf_word_piece", "hf_word_level", "hf_word_level_bare", "hf_suffixes"}) {
        const std::string path = folder + name + ".json";
        const auto first = load_tokenizer(path), second = load_tokenizer(path);
        ASSERT_TRUE(first && second) << path;
        EXPECT_EQ((*first)->fingerprint(), (*second)->fingerprint());
        EXPECT_TRUE(seen.emplace((*first)->fingerprint(), path).second) << path;
        EXPECT_GT((*first)->memory_bytes(), 500u);
    }
}

std::vector<uint32_t> ids_of(const Tokenizer& tokenizer, std::string_view text, const EncodeOptions& options = {}) {
    std::vector<uint32_t> out;
    const auto scratch = tokenizer.scratch();
    EXPECT_TRUE(tokenizer.encode(text, options, *scratch, out));
    return out;
}

TEST(HfGolden, SafeCutsChangeNothing) {
    const std::string text = "The weir asks.</s>  It rains, 12345 times; the miller's\n\n wheel turns <s>slowly slowly</s> and on.";
    for (const char* name : {"hf_byte_level", "hf_gpt2", "hf_fallback", "hf_unigram", "hf_word_piece"}) {
        const auto loaded = load_tokenizer(folder + name + ".json");
        ASSERT_TRUE(loaded);
        const Tokenizer& tokenizer = **loaded;
        const auto whole = ids_of(tokenizer, text);
        std::set<size_t> cuts;
        for (size_t limit = 0; limit <= text.size(); limit++) {
            const size_t cut = tokenizer.safe_cut(text, limit);
            ASSERT_LE(cut, limit);
            if (cut == 0 || !cuts.insert(cut).second) continue;
            auto joined = ids_of(tokenizer, text.substr(0, cut));
            const auto rest = ids_of(tokenizer, text.substr(cut), {.continues = true});
            joined.insert(joined.end(), rest.begin(), rest.end());
            EXPECT_EQ(joined, whole) << name << " cut at " << cut;
        }
        if (name == std::string_view("hf_byte_level") || name == std::string_view("hf_fallback")) {
            EXPECT_GT(cuts.size(), 2u) << name;
        }
    }
}

TEST(HfGolden, SpecialTextStaysText) {
    const auto loaded = load_tokenizer(folder + "hf_byte_level.json");
    ASSERT_TRUE(loaded);
    const Tokenizer& tokenizer = **loaded;
    uint32_t special = 0;
    ASSERT_TRUE(tokenizer.find("</s>", special));
    EXPECT_TRUE(tokenizer.special(special));
    const auto scratch = tokenizer.scratch();
    std::vector<uint32_t> as_token, as_text;
    ASSERT_TRUE(tokenizer.encode("a</s>b", {false, false}, *scratch, as_token));
    ASSERT_TRUE(tokenizer.encode("a</s>b", {false, true}, *scratch, as_text));
    EXPECT_EQ(std::count(as_token.begin(), as_token.end(), special), 1);
    EXPECT_EQ(std::count(as_text.begin(), as_text.end(), special), 0);
    EXPECT_EQ(tokenizer.decode(as_text, true), "a</s>b");
}

TEST(HfGolden, BrokenUtf8IsRefused) {
    const auto loaded = load_tokenizer(folder + "hf_gpt2.json");
    ASSERT_TRUE(loaded);
    const auto scratch = (*loaded)->scratch();
    std::vector<uint32_t> ids;
    const auto encoded = (*loaded)->encode("a\xC3", {}, *scratch, ids);
    ASSERT_FALSE(encoded);
    EXPECT_EQ(encoded.error()->code, Code::bad_field);
}

}  // namespace
}  // namespace weir
