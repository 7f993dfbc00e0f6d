#include "tokenizer/decoders.h"

#include <gmock/gmock.h>

namespace weir::tok {
namespace {

using Kind = DecoderSpec::Kind;
using testing::ElementsAre;

DecoderSpec spec(Kind kind) {
    DecoderSpec made;
    made.kind = kind;
    return made;
}

std::string decoded(const DecoderSpec& s, Tokens tokens) {
    auto decoder = Decoder::make(s);
    EXPECT_TRUE(decoder);
    return decode_tokens(&*decoder, std::move(tokens));
}

TEST(Decoders, ByteLevelReadsItsAlphabetAndLeavesOtherTokens) {
    EXPECT_EQ(decoded(spec(Kind::byte_level), {"ä½", "ł", "å¥½", "Ġ!"}), "\xe4\xbd\xa0\xe5\xa5\xbd !");
    EXPECT_EQ(decoded(spec(Kind::byte_level), {"ä½"}), "\xef\xbf\xbd");            // half a character
    EXPECT_EQ(decoded(spec(Kind::byte_level), {"<中文>"}), "<中文>");              // not of the alphabet: stays
    EXPECT_EQ(byte_level_bytes("Ġ"), " ");
}

TEST(Decoders, WordPieceJoinsContinuationsAndCleansUp) {
    DecoderSpec s = spec(Kind::word_piece);
    EXPECT_EQ(decoded(s, {"##un", "do", "##ing", "it", "!", "we", "do", "not", "'m"}), "##un doing it! we do not'm");
    EXPECT_EQ(decoded(s, {"a", "do not"}), "a don't");
    s.cleanup = false;
    EXPECT_EQ(decoded(s, {"it", "!"}), "it !");
}

TEST(Decoders, MetaspaceDropsTheFirstTokensMarks) {
    DecoderSpec s = spec(Kind::metaspace);
    EXPECT_EQ(decoded(s, {"\u2581a\u2581b", "\u2581c"}), "ab c");
    s.prepend_scheme = PrependScheme::never;
    EXPECT_EQ(decoded(s, {"\u2581a", "\u2581c"}), " a c");
}

TEST(Decoders, BpeAndCtc) {
    EXPECT_EQ(decoded(spec(Kind::bpe), {"he", "llo</w>", "you</w>"}), "hello you");
    EXPECT_EQ(decoded(spec(Kind::ctc), {"<pad>", "h", "h", "<pad>", "i", "|", "|", "<pad>", "y"}), "hi y");
    EXPECT_EQ(decoded(spec(Kind::ctc), {"a", "<pad>", "a"}), "aa");
}

TEST(Decoders, ByteFallbackMakesARunTextOrNothing) {
    const DecoderSpec s = spec(Kind::byte_fallback);
    EXPECT_EQ(decoded(s, {"<0xE4>", "<0xBD>", "<0xA0>", "!"}), "\xe4\xbd\xa0!");
    EXPECT_EQ(decoded(s, {"<0xE4>", "<0xBD>", "<0xA0>", "<0xFF>"}), "\ufffd\ufffd\ufffd\ufffd");
    EXPECT_EQ(decoded(s, {"<0xE4>", "x"}), "\ufffdx");
    EXPECT_EQ(decoded(s, {"<0xG4>", "<0x+4>"}), "<0xG4>\x04");
    DecoderSpec each = s;
    each.per_char = true;
    EXPECT_EQ(decoded(each, {"<0xE4>", "<0xBD>", "<0xA0>", "<0xFF>", "<0xE4>", "<0xBD>"}), "\xe4\xbd\xa0\ufffd\ufffd\ufffd");
}

TEST(Decoders, ReplaceStripFuseInSequence) {
    DecoderSpec chain = spec(Kind::sequence), replace = spec(Kind::replace), strip = spec(Kind::strip);
    replace.pattern = {"\u2581", false};
    replace.content = " ";
    strip.content = " ";
    strip.start = 1;
    chain.children = {replace, spec(Kind::byte_fallback), spec(Kind::fuse), strip};
    EXPECT_EQ(decoded(chain, {"\u2581\u2581a", "\u2581b"}), " a b");
    strip.start = 0;
    strip.stop = 2;
    EXPECT_EQ(strip_token(strip, "a   "), "a ");
    EXPECT_EQ(strip_token(strip, "  "), "");
}

TEST(Decoders, ReplaceByPattern) {
    DecoderSpec s = spec(Kind::replace);
    s.pattern = {"\\s+", true};
    s.content = "_";
    EXPECT_EQ(decoded(s, {"a \n b", "", "\u00a0"}), "a_b_");
    s.pattern = {"x*", true};
    EXPECT_EQ(decoded(s, {"axb", "é"}), "_a_b__é_");
    s.pattern = {"(", true};
    EXPECT_FALSE(Decoder::make(s));
}

TEST(Decoders, SentencePieceStripsMarksAtTheFront) {
    DecoderSpec s = spec(Kind::sentence_piece);
    const Tokens tokens = {"\u2581", "\u2581a", "\u2581b"};
    EXPECT_EQ(decoded(s, tokens), "  a b");
    s.strip_first = true;
    EXPECT_EQ(decoded(s, tokens), " a b");
    s.strip_all = true;
    EXPECT_EQ(decoded(s, tokens), "a b");
    EXPECT_EQ(decoded(s, {"<0x20>", "\u2581a"}), "  a");   // a byte is text
}

TEST(Decoders, NoDecoderJoinsBySpaces) { EXPECT_EQ(decode_tokens(nullptr, {"a", "", "b"}), "a  b"); }

TEST(Decoders, RefusesWhatIsNotOneCharacter) {
    DecoderSpec s = spec(Kind::strip);
    s.content = "ab";
    EXPECT_FALSE(Decoder::make(s));
    s = spec(Kind::metaspace);
    s.replacement = "";
    EXPECT_FALSE(Decoder::make(s));
}

}  // namespace
}  // namespace weir::tok
