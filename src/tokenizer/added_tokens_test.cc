// Added tokens: what is found, and how flags widen or refuse a match.
#include "tokenizer/added_tokens.h"

#include <gtest/gtest.h>

namespace weir::tok {
namespace {

using Token = AddedTokens::Token;

// "a|<s>#1|b": parts, tokens with their ids.
std::string parts(const AddedTokens& added, std::string_view text, bool special_as_text = false) {
    std::vector<AddedPart> out;
    added.cut(text, special_as_text, out);
    std::string shown;
    for (const AddedPart& part : out) {
        shown += (shown.empty() ? "" : "|") + std::string(text.substr(part.begin, part.end - part.begin));
        if (part.id != AddedPart::text) shown += "#" + std::to_string(part.id);
    }
    return shown;
}

Token plain(std::string text, uint32_t id) { return {std::move(text), id, false, false, false, false}; }

TEST(AddedTokens, LeftmostThenLongest) {
    const AddedTokens added({plain("<s>", 1), plain("<s>x", 2), plain("s>xy", 3), plain("y", 4)});
    EXPECT_EQ(parts(added, ""), "");
    EXPECT_EQ(parts(added, "none"), "none");
    EXPECT_EQ(parts(added, "<s>"), "<s>#1");
    EXPECT_EQ(parts(added, "a<s>xyb"), "a|<s>x#2|y#4|b");
    EXPECT_EQ(parts(added, "s>xy<s"), "s>xy#3|<s");
}

TEST(AddedTokens, ManyFirstBytesAndLongText) {
    std::vector<Token> tokens;
    for (char c = 'A'; c <= 'Z'; c++) tokens.push_back(plain(std::string("<") + c, static_cast<uint32_t>(c)));
    for (char c = '0'; c <= '9'; c++) tokens.push_back(plain(std::string(1, c) + "!", static_cast<uint32_t>(c)));
    const AddedTokens added(tokens);
    const std::string filler(1000, '.');
    EXPECT_EQ(parts(added, filler + "<Q" + filler + "7!"), filler + "|<Q#81|" + filler + "|7!#55");
}

TEST(AddedTokens, StripsTakeSpaces) {
    const AddedTokens added({{"<l>", 1, false, true, false, false}, {"<r>", 2, false, false, true, false}, {"<b>", 3, false, true, true, false}});
    EXPECT_EQ(parts(added, "a  <l>  b"), "a|  <l>#1|  b");
    EXPECT_EQ(parts(added, "a  <r>  b"), "a  |<r>  #2|b");
    EXPECT_EQ(parts(added, "a \xE3\x80\x80<b>\n b"), "a| \xE3\x80\x80<b>\n #3|b");
    EXPECT_EQ(parts(added, "<r>  <l>"), "<r>  #2|<l>#1");           // the spaces are gone when the second looks for them
}

TEST(AddedTokens, AMatchWhoseSpacesAreTakenIsNoToken) {
    const AddedTokens added({{"  ", 1, false, true, true, false}});
    EXPECT_EQ(parts(added, "a          b"), "a|          #1|b");
}

TEST(AddedTokens, SingleWordsStandAlone) {
    const AddedTokens added({{"cat", 1, false, false, false, true}});
    EXPECT_EQ(parts(added, "cat concat cats cat_ \xC3\xA9" "cat cat."), "cat#1| concat cats cat_ \xC3\xA9" "cat |cat#1|.");
}

TEST(AddedTokens, SpecialAsText) {
    const AddedTokens added({{"<s>", 1, true, false, false, false}, plain("s", 2)});
    EXPECT_EQ(parts(added, "a<s>s"), "a|<s>#1|s#2");
    EXPECT_EQ(parts(added, "a<s>s", true), "a<s>|s#2");             // the 's' inside stays hidden
}

TEST(AddedTokens, CutsBeforeTokensThatKeepToThemselves) {
    const AddedTokens added({{"<s>", 1, true, false, false, false}, {"<l>", 2, true, true, false, false}});
    AddedPart around;
    EXPECT_EQ(added.safe_cut("ab<s>cd<l>ef", 12, around), 2u);
    EXPECT_EQ(added.safe_cut("ab<s>cd", 1, around), 0u);
    EXPECT_EQ(around.id, AddedPart::text);
    EXPECT_EQ(added.safe_cut("ab<s>cd<s>ef", 8, around), 7u);
    EXPECT_NE(around.id, AddedPart::text);                          // in the middle of a token
}

}  // namespace
}  // namespace weir::tok
