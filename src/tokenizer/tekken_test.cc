#include <gmock/gmock.h>

#include "base/base64.h"
#include "tokenizer/formats.h"

namespace weir::tok {
namespace {

struct File {
    std::vector<std::string> more = {"he", "hey"};
    std::string specials = R"([{"rank":0,"token_str":"<unk>","is_control":true},{"rank":1,"token_str":"<s>","is_control":true},{"rank":2,"token_str":"</s>","is_control":true}])";
    std::string version = "v11";
    int size = 262, special_count = 5;

    std::string text() const {
        std::string out = R"({"config":{"pattern":"\\p{L}+|\\s+","num_vocab_tokens":9,"default_vocab_size":)" + std::to_string(size) +
                          R"(,"default_num_special_tokens":)" + std::to_string(special_count) + R"(,"version":")" + version + R"("},"vocab":[)";
        int rank = 0;
        const auto add = [&](const std::string& bytes) {
            out += (rank ? "," : "") + std::string(R"({"rank":)") + std::to_string(rank) + R"(,"token_bytes":")" + base64_encode(bytes) + R"(","token_str":null})";
            ++rank;
        };
        for (int byte = 0; byte < 256; ++byte) add(std::string(1, static_cast<char>(byte)));
        for (const std::string& token : more) add(token);
        return out + "]" + (specials.empty() ? "" : ",\"special_tokens\":" + specials) + "}";
    }
};

std::string why(const File& file) {
    const auto spec = read_tekken(file.text());
    return spec ? "" : spec.error()->message;
}

TEST(Tekken, SpecialsComeFirstAndRanksAreCutAtTheVocabularysSize) {
    File file;
    file.more = {"he", "hey", "never"};
    file.size = 5 + 258;
    const auto spec = read_tekken(file.text());
    ASSERT_TRUE(spec) << spec.error()->message;
    EXPECT_EQ(spec->model.vocab.size(), 263u);
    EXPECT_EQ(spec->model.vocab[5 + 'a'], "a");
    EXPECT_EQ(spec->model.vocab[262], "hey");
    EXPECT_FALSE(spec->model.present[4]);
    ASSERT_EQ(spec->added.size(), 5u);
    EXPECT_EQ(spec->added[1].text, "<s>");
    EXPECT_EQ(spec->added[3].text, "<SPECIAL_3>");
    EXPECT_TRUE(spec->added[4].special);
    EXPECT_EQ(spec->pre_tokenizer->children[0].pattern.text, "\\p{L}+|\\s+");
    EXPECT_EQ(spec->post_processor->single.front().ids, std::vector<uint32_t>{1});
}

TEST(Tekken, EarlyVersionsMayLeaveTheSpecialsOut) {
    File file;
    file.specials = "";
    file.version = "v3";
    file.special_count = 24;
    file.size = 24 + 258;
    const auto spec = read_tekken(file.text());
    ASSERT_TRUE(spec) << spec.error()->message;
    EXPECT_EQ(spec->added[3].text, "[INST]");
    EXPECT_EQ(spec->added[19].text, "[TOOL_CONTENT]");
    EXPECT_EQ(spec->added[20].text, "<SPECIAL_20>");
    file.version = "v11";
    EXPECT_THAT(why(file), testing::HasSubstr("special_tokens are missing"));
}

TEST(Tekken, RefusesBrokenFiles) {
    const auto with = [](auto change) {
        File file;
        change(file);
        return why(file);
    };
    EXPECT_THAT(with([](File& f) { f.size = 400; }), testing::HasSubstr("fewer tokens"));
    EXPECT_THAT(with([](File& f) { f.size = 3; }), testing::HasSubstr("not a number in range"));
    EXPECT_THAT(with([](File& f) { f.special_count = 2; }), testing::HasSubstr("no place"));
    EXPECT_THAT(with([](File& f) { f.version = "7"; }), testing::HasSubstr("version"));
    EXPECT_THAT(with([](File& f) { f.specials = R"([{"rank":1,"token_str":"<s>"},{"rank":1,"token_str":"x"}])"; }), testing::HasSubstr("twice"));
    EXPECT_THAT(with([](File& f) { f.specials = R"([{"rank":0,"token_str":"<s>"},{"rank":1,"token_str":"<s>"}])"; }), testing::HasSubstr("twice"));
    EXPECT_THAT(with([](File& f) { f.specials = R"([{"rank":0}])"; }), testing::HasSubstr("no token_str"));
    EXPECT_THAT(with([](File& f) { f.specials = R"([{"rank":9,"token_str":"<s>"}])"; }), testing::HasSubstr("not a number in range"));
    EXPECT_EQ(read_tekken("[]").error()->code, Code::bad_json);
    EXPECT_EQ(read_tekken("{").error()->code, Code::bad_json);
}

}  // namespace
}  // namespace weir::tok
