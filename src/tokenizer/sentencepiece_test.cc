#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "tokenizer/charsmap.h"
#include "tokenizer/formats.h"
#include "tokenizer/sentencepiece_normalizer.h"
#include "wire/protobuf.h"

namespace weir::tok {
namespace {

std::string varint(uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    return out + static_cast<char>(value);
}
std::string number(uint32_t field, uint64_t value) { return varint(field << 3) + varint(value); }
std::string bytes(uint32_t field, const std::string& value) { return varint(field << 3 | 2) + varint(value.size()) + value; }
std::string real(uint32_t field, float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    std::string out = varint(field << 3 | 5);
    for (int i = 0; i < 4; ++i) out += static_cast<char>(bits >> (8 * i));
    return out;
}
enum { normal = 1, unknown, control, user_defined, unused, byte };
std::string piece(const std::string& text, float score = 0, int type = normal) { return bytes(1, bytes(1, text) + real(2, score) + number(3, static_cast<uint64_t>(type))); }
const std::string head = piece("<unk>", 0, unknown) + piece("<s>", 0, control) + piece("</s>", 0, control);
const std::string bpe = bytes(2, number(3, 2)), plain = bytes(3, number(4, 0));

std::string why(const std::string& file) {
    const auto spec = read_sentencepiece(file, {});
    return spec ? "" : spec.error()->message;
}

TEST(Protobuf, ReadsFieldsAndStopsAtWhatIsBroken) {
    const std::string message = number(1, 300) + bytes(2, "ab") + real(3, 1.5f);
    ProtobufFields f(message);
    ASSERT_TRUE(f.next());
    EXPECT_EQ(f.number(), 300u);
    ASSERT_TRUE(f.next());
    EXPECT_EQ(f.bytes(), "ab");
    ASSERT_TRUE(f.next());
    EXPECT_EQ(f.real(), 1.5f);
    EXPECT_FALSE(f.next());
    EXPECT_FALSE(f.failed());
    const std::vector<std::string> broken = {"\x0a", "\x0a\x05" "abc", "\x08", "\x0d\x01\x02", std::string(11, '\x80'), std::string("\x00\x01", 2), "\x0b"};
    for (const std::string& text : broken) {
        ProtobufFields bad(text);
        while (bad.next()) {}
        EXPECT_TRUE(bad.failed());
    }
}

TEST(SentencePiece, BpeRanksByScoreAndLeavesOtherPiecesOut) {
    const auto spec = read_sentencepiece(head + piece("ab", -2) + piece("a", -9) + piece("b", -10) + piece("abb", -1) + piece("<tag>", 0, user_defined) + bpe + plain, {});
    ASSERT_TRUE(spec) << spec.error()->message;
    EXPECT_TRUE(spec->model.merge_by_rank_of_token);
    EXPECT_THAT(spec->model.ranks, testing::ElementsAre(ModelSpec::no_rank, ModelSpec::no_rank, ModelSpec::no_rank, 1, 2, 3, 0, ModelSpec::no_rank));
    EXPECT_EQ(spec->model.unk_token, "<unk>");
    EXPECT_FALSE(spec->model.present[1]);
    ASSERT_EQ(spec->added.size(), 4u);
    EXPECT_TRUE(spec->added[1].special);
    EXPECT_FALSE(spec->added[3].special);
    EXPECT_TRUE(spec->added[3].as_spelled);
    ASSERT_TRUE(spec->normalizer);
    EXPECT_EQ(spec->normalizer->children.front().kind, NormalizerSpec::Kind::prepend);   // nothing else to do: the fast way
    EXPECT_EQ(spec->post_processor->single.front().ids, std::vector<uint32_t>{1});
}

TEST(SentencePiece, UnigramLooksForNormalPiecesOnly) {
    const auto spec = read_sentencepiece(head + piece("\u2581a", -2) + piece("<x>", 0, user_defined) + piece("never", -3, unused), {});
    ASSERT_TRUE(spec) << spec.error()->message;
    EXPECT_EQ(spec->model.kind, ModelSpec::Kind::unigram);
    EXPECT_TRUE(std::isnan(spec->model.scores[0]));
    EXPECT_TRUE(std::isnan(spec->model.scores[5]));
    EXPECT_EQ(spec->model.scores[3], -2);
    EXPECT_FLOAT_EQ(static_cast<float>(spec->model.scores[4]), 0.2f);
    EXPECT_EQ(spec->normalizer->kind, NormalizerSpec::Kind::sentence_piece);
    EXPECT_EQ(spec->normalizer->verbatim, std::vector<std::string>{"<x>"});
    EXPECT_FALSE(spec->post_processor);
}

TEST(SentencePiece, TheFoldersConfigDecidesOnBosEosAndPrefix) {
    const auto config = FolderConfig::read(R"({"legacy":false,"add_bos_token":false,"add_eos_token":true,"added_tokens_decoder":{"9":{"content":"<more>","special":true}}})", "");
    const auto spec = read_sentencepiece(head + piece("a") + bpe + plain, *config);
    ASSERT_TRUE(spec) << spec.error()->message;
    EXPECT_EQ(spec->post_processor->single.back().ids, std::vector<uint32_t>{2});
    EXPECT_EQ(spec->post_processor->single.size(), 2u);
    EXPECT_EQ(spec->pre_tokenizer->prepend_scheme, PrependScheme::first);
    EXPECT_EQ(spec->added.back().text, "<more>");
    const auto other = FolderConfig::read(R"({"added_tokens_decoder":{"1":{"content":"<bos>"}}})", "");
    EXPECT_FALSE(read_sentencepiece(head + piece("a") + bpe, *other));
}

TEST(SentencePiece, RefusesWhatTheLibraryRefuses) {
    using testing::HasSubstr;
    EXPECT_THAT(why(""), HasSubstr("no pieces"));
    EXPECT_THAT(why(head.substr(0, head.size() - 1)), HasSubstr("truncated"));
    EXPECT_THAT(why(piece("a")), HasSubstr("no unknown piece"));
    EXPECT_THAT(why(head + piece("u", 0, unknown)), HasSubstr("two unknown"));
    EXPECT_THAT(why(head + piece("a") + piece("a")), HasSubstr("twice"));
    EXPECT_THAT(why(head + piece("")), HasSubstr("empty"));
    EXPECT_THAT(why(head + piece(std::string("a\0b", 3))), HasSubstr("zero character"));
    EXPECT_THAT(why(head + piece("\xff")), HasSubstr("not UTF-8"));
    EXPECT_THAT(why(head + piece("a", NAN)), HasSubstr("score"));
    EXPECT_THAT(why(head + piece("<0x41>", 0, byte)), HasSubstr("unexpected"));
    EXPECT_THAT(why(head + piece("<0x41>", 0, byte) + bytes(2, number(35, 1))), HasSubstr("not all 256"));
    EXPECT_THAT(why(head + piece("a", 0, 7)), HasSubstr("unknown type"));
    EXPECT_THAT(why(head + bytes(2, number(3, 3))), HasSubstr("WORD"));
    EXPECT_THAT(why(head + piece("ab", 0, unused) + bpe), HasSubstr("unused"));
    EXPECT_THAT(why(head + bytes(3, bytes(2, "broken"))), HasSubstr("charsmap"));
}

// A charsmap with the rules "A" -> "a" and "AB" -> "", made by hand: units of the double array, then the texts.
std::string small_charsmap() {
    std::vector<uint32_t> units(256);
    const auto unit = [](uint32_t offset, uint32_t label, bool leaf) { return offset << 10 | static_cast<uint32_t>(leaf) << 8 | label; };
    units[0] = unit(1, 0, false);                        // the root's children lie at 1 ^ label
    units[1 ^ 'A'] = unit((1 ^ 'A') ^ 128, 'A', true);   // its value and children at 128 ^ label
    units[128] = 1u << 31 | 0;
    units[128 ^ 'B'] = unit((128 ^ 'B') ^ 200, 'B', true);
    units[200] = 1u << 31 | 2;
    std::string out(4, '\0');
    const uint32_t size = 1'024;
    std::memcpy(out.data(), &size, 4);
    out.append(reinterpret_cast<const char*>(units.data()), size);
    return out + std::string("a\0\0", 3);
}

TEST(Charsmap, TakesTheLongestRule) {
    const auto map = Charsmap::read(small_charsmap());
    ASSERT_TRUE(map);
    EXPECT_EQ(map->normalize("xAyABz\u00e9"), "xayz\u00e9");
    EXPECT_EQ(map->replace("AB"), "a");     // the other reference asks the shortest
    EXPECT_EQ(map->replace("x"), std::nullopt);
    EXPECT_FALSE(Charsmap::read("123"));
    EXPECT_FALSE(Charsmap::read(small_charsmap().substr(0, 1'000)));
    EXPECT_FALSE(Charsmap::well_formed("\xff\xff\xff\xff"));
    EXPECT_EQ(Charsmap("junk").normalize("A"), "A");
}

std::string normalized(NormalizerSpec spec, std::string_view text, bool tracked = false) {
    spec.kind = NormalizerSpec::Kind::sentence_piece;
    auto made = make_sentencepiece_normalizer(spec);
    EXPECT_TRUE(made);
    Aligned aligned;
    aligned.start(text, {0, static_cast<uint32_t>(text.size())}, tracked);
    EXPECT_TRUE((*made)->run(aligned));
    if (tracked) { EXPECT_EQ(aligned.sources().size(), aligned.text().size()); }
    return std::string(aligned.text());
}

TEST(SentencePieceNormalizer, WhitespacePrefixAndSuffix) {
    NormalizerSpec spec;
    spec.content = small_charsmap();
    for (const bool tracked : {false, true}) {
        spec.whitespace_as_suffix = false;
        EXPECT_EQ(normalized(spec, "  ab   c  ", tracked), "\u2581ab\u2581c");
        EXPECT_EQ(normalized(spec, "   ", tracked), "");
        EXPECT_EQ(normalized(spec, "AB", tracked), "");              // all of it vanishes, the prefix too
        EXPECT_EQ(normalized(spec, "xAB \u2581", tracked), "\u2581x");   // written marks at the end go with the spaces
        spec.whitespace_as_suffix = true;
        EXPECT_EQ(normalized(spec, " ab ", tracked), "ab\u2581");
        EXPECT_EQ(normalized(spec, "\u2581", tracked), "\u2581");
    }
    spec.whitespace_as_suffix = spec.remove_extra_whitespaces = false;
    EXPECT_EQ(normalized(spec, " a  AB"), "\u2581\u2581a\u2581\u2581");
    EXPECT_EQ(normalized(spec, "AB"), "\u2581");
    spec.escape_whitespaces = false;
    EXPECT_EQ(normalized(spec, "a b"), " a b");
    spec.verbatim = {"ABA", "x y"};
    EXPECT_EQ(normalized(spec, "ABABA"), " ABABa");   // front to back: ABA stays, then B, then A by its rule
}

}  // namespace
}  // namespace weir::tok
