// Streams against DecodeStream's own algorithm (make_window runs it as the reference does) and against the full decode.
#include "tokenizer/detokenizer.h"

#include <gmock/gmock.h>

#include <random>

#include "tokenizer/decoders.h"
#include "tokenizer/detokenizer_forms.h"
#include "tokenizer/detokenizer_utf8.h"

namespace weir::tok {
namespace {

using Kind = DecoderSpec::Kind;

DecoderSpec step(Kind kind) {
    DecoderSpec made;
    made.kind = kind;
    if (kind == Kind::strip) made.content = " ", made.start = 1;
    if (kind == Kind::replace) made.pattern = {"\u2581", false}, made.content = " ";
    return made;
}

DecoderSpec chain(std::vector<Kind> kinds) {
    DecoderSpec made = step(Kind::sequence);
    for (const Kind kind : kinds) made.children.push_back(step(kind));
    return made;
}

const std::vector<std::string> texts = {"a", "\u2581b", "\u2581", "\u2581\u2581", "##c", ".", "n't", "d</w>", "Ġe", "ä½", "ł", "é", "中", "\ufffd", "x\ufffd", "<s>", "</s>", "",
                                        "a token longer than fourteen bytes", "<0x41>", "<0xE4>", "<0xBD>", "<0xA0>", "<0xFF>", "<0x20>", "<pad>", "|", "Ã"};
constexpr uint32_t first_special = 15, specials = 2;

TokenTable table() {
    TokenTable made;
    for (uint32_t id = 0; id < texts.size(); ++id)
        made.push(texts[id], TokenTable::present | (id >= first_special && id < first_special + specials ? TokenTable::special : 0));
    made.push("", 0);   // an id without a token
    return made;
}

std::unique_ptr<const Decoding> decoding(const std::optional<DecoderSpec>& spec, const TokenTable& tokens) {
    auto made = Decoding::make(spec, tokens);
    EXPECT_TRUE(made);
    return *std::move(made);
}

std::vector<std::string> chunks(const Decoding& decoding, const std::vector<uint32_t>& ids, bool skip) {
    const auto stream = decoding.stream(skip);
    std::vector<std::string> out;
    for (const uint32_t id : ids) stream->feed(id, out.emplace_back());
    stream->flush(out.emplace_back());
    return out;
}

std::string joined(const std::vector<std::string>& parts) {
    std::string all;
    for (const std::string& part : parts) all += part;
    return all;
}

struct Case {
    const char* name;
    std::optional<DecoderSpec> spec;
    const char* form;
    bool bytes;   // byte runs may break after their text went out, where the window's algorithm gives up
};

std::vector<Case> cases() {
    DecoderSpec pieces = step(Kind::sentence_piece), all = pieces;
    pieces.strip_first = all.strip_first = all.strip_all = true;
    return {
        {"ByteLevel", step(Kind::byte_level), "bytes", false},
        {"ByteLevel, fused", chain({Kind::byte_level, Kind::fuse}), "bytes", false},
        {"SentencePiece chain", chain({Kind::replace, Kind::byte_fallback, Kind::fuse, Kind::strip}), "fallback", true},
        {"without Strip", chain({Kind::replace, Kind::byte_fallback, Kind::fuse}), "fallback", true},
        {"sentence_piece", pieces, "fallback", true},
        {"sentence_piece, all marks", all, "fallback", true},
        {"WordPiece", step(Kind::word_piece), "words", false},
        {"Metaspace", step(Kind::metaspace), "words", false},
        {"none", std::nullopt, "words", false},
        {"BPEDecoder", step(Kind::bpe), "window", false},
        {"CTC", step(Kind::ctc), "window", true},
        {"Strip behind ByteFallback", chain({Kind::byte_fallback, Kind::strip}), "window", true},
    };
}

std::vector<uint32_t> random_ids(std::mt19937& random, bool bytes) {
    std::vector<uint32_t> ids(1 + random() % 14);
    for (uint32_t& id : ids) {
        id = random() % (texts.size() + 2);
        while (!bytes && id < texts.size() && byte_fallback_byte(texts[id])) id = random() % texts.size();
    }
    return ids;
}

TEST(Detokenizer, ChoosesTheFormByTheChain) {
    const TokenTable tokens = table();
    for (const Case& c : cases()) EXPECT_STREQ(decoding(c.spec, tokens)->form(), c.form) << c.name;
}

TEST(Detokenizer, StreamsGiveTheReferencesChunks) {
    const TokenTable tokens = table();
    std::mt19937 random(7);
    for (const Case& c : cases()) {
        if (c.spec && c.spec->strip_all) continue;   // a window that begins with bare marks would lose them
        const auto fast = decoding(c.spec, tokens);
        std::optional<Decoder> plain;
        if (c.spec) plain = *Decoder::make(*c.spec);
        const auto window = make_window(tokens, plain);
        for (int i = 0; i < 2'000; ++i) {
            const std::vector<uint32_t> ids = random_ids(random, false);
            const bool skip = i % 2;
            EXPECT_EQ(fast->decode(ids, skip), window->decode(ids, skip)) << c.name;
            EXPECT_EQ(chunks(*fast, ids, skip), chunks(*window, ids, skip)) << c.name << ' ' << testing::PrintToString(ids);
        }
    }
}

TEST(Detokenizer, ChunksAndFlushAreTheFullDecode) {
    const TokenTable tokens = table();
    std::mt19937 random(8);
    for (const Case& c : cases()) {
        if (std::string_view(c.name) == "CTC") continue;   // what a token means depends on the one before it
        const auto made = decoding(c.spec, tokens);
        const bool runs_whole = c.bytes && std::string_view(c.name).find("sentence_piece") != 0;
        for (int i = 0; i < 2'000; ++i) {
            const std::vector<uint32_t> ids = random_ids(random, !runs_whole);
            EXPECT_EQ(joined(chunks(*made, ids, i % 2)), made->decode(ids, i % 2)) << c.name << ' ' << testing::PrintToString(ids);
        }
    }
}

TEST(Detokenizer, ACharacterComesWhenItIsComplete) {
    const TokenTable tokens = table();
    const auto bytes = decoding(step(Kind::byte_level), tokens);
    EXPECT_THAT(chunks(*bytes, {9, 10, 0}, false), testing::ElementsAre("", "\u4f60", "a", ""));     // E4 BD, A0
    EXPECT_THAT(chunks(*bytes, {9, 0, 9}, false), testing::ElementsAre("", "\ufffda", "", "\ufffd"));
    const auto runs = decoding(chain({Kind::replace, Kind::byte_fallback, Kind::fuse, Kind::strip}), tokens);
    EXPECT_THAT(chunks(*runs, {20, 21, 22, 20, 21, 22}, false), testing::ElementsAre("", "", "\u4f60", "", "", "\u4f60", ""));
    EXPECT_THAT(chunks(*runs, {23, 20, 21, 22, 0}, false), testing::ElementsAre("", "", "", "", "\ufffd\ufffd\ufffd\ufffd" "a", ""));
}

TEST(Detokenizer, ARunThatBreaksAfterItsTextWentOutLosesOnlyTheRest) {
    const TokenTable tokens = table();
    const auto runs = decoding(chain({Kind::replace, Kind::byte_fallback, Kind::fuse}), tokens);
    EXPECT_THAT(chunks(*runs, {20, 21, 22, 23, 0}, false), testing::ElementsAre("", "", "\u4f60", "", "\ufffda", ""));
    EXPECT_EQ(runs->decode(std::vector<uint32_t>{20, 21, 22, 23, 0}, false), "\ufffd\ufffd\ufffd\ufffd" "a");
}

TEST(Detokenizer, SpecialTokensAreSkippedOrShown) {
    const TokenTable tokens = table();
    const auto bytes = decoding(step(Kind::byte_level), tokens);
    EXPECT_THAT(chunks(*bytes, {0, 15, 9, 16, 10}, true), testing::ElementsAre("a", "", "", "", "\u4f60", ""));
    EXPECT_THAT(chunks(*bytes, {0, 15, 99, 1'000'000'000}, false), testing::ElementsAre("a", "<s>", "", "", ""));
}

TEST(Detokenizer, HeldTextIsBounded) {
    const TokenTable tokens = table();
    for (const Case& c : cases()) {
        const auto owner = decoding(c.spec, tokens);
        const auto kept = owner->stream(false);
        std::string out;
        size_t fed = 0;
        for (size_t i = 0; i < 3 * detokenizer_held_max; ++i) kept->feed(std::string_view(c.name) == "CTC" && i % 2 ? 25 : 13, out), fed += 3;
        EXPECT_GT(out.size(), fed / 8) << c.name;
    }
}

TEST(Utf8, LossyAsRustHasIt) {
    EXPECT_EQ(lossy_utf8("a\xe4\xbd" "b"), "a\ufffdb");
    EXPECT_EQ(lossy_utf8("\xf0\x80\x80"), "\ufffd\ufffd\ufffd");
    EXPECT_EQ(lossy_utf8("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");
    EXPECT_EQ(lossy_utf8("\xf0\x9f\x98"), "\ufffd");
    EXPECT_EQ(lossy_utf8("\xc1\xbf\xff"), "\ufffd\ufffd\ufffd");
    EXPECT_EQ(patched_utf8("\xe4\xbd" "b"), "\ufffd\ufffd" "b");
    EXPECT_FALSE(valid_utf8("\xf4\x90\x80\x80"));
    EXPECT_TRUE(valid_utf8("plain and \u4e2d\U0001f600"));
}

TEST(Utf8, PiecesGiveWhatTheWholeGives) {
    std::mt19937 random(9);
    const std::string alphabet = "a\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80\xff\xed\xa0";
    for (int i = 0; i < 3'000; ++i) {
        std::string bytes, out;
        for (size_t n = random() % 12; n-- > 0;) bytes += alphabet[random() % alphabet.size()];
        Utf8Tail tail;
        for (size_t at = 0; at < bytes.size();) {
            const size_t n = 1 + random() % 3;
            tail.feed(std::string_view(bytes).substr(at, n), out);
            at += n;
        }
        tail.finish(out);
        EXPECT_EQ(out, lossy_utf8(bytes));
    }
}

}  // namespace
}  // namespace weir::tok
