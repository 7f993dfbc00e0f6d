// What tokenizer.json may say, and what is refused with which words.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tokenizer/hf_number.h"
#include "tokenizer/load.h"

namespace weir {
namespace {

constexpr const char* bpe = R"("model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]})";

std::string refused(std::string_view json) {
    auto read = read_hf_tokenizer(json);
    if (!read) return read.error()->message;
    auto built = build_tokenizer(*std::move(read));
    return built ? "taken" : built.error()->message;
}
std::string with(const std::string& more, const std::string& model = bpe) { return "{" + more + (more.empty() ? "" : ",") + model + "}"; }
std::string model(const std::string& fields) { return "{\"model\":{" + fields + "}}"; }

TEST(HfJson, LeastThatIsTaken) {
    EXPECT_EQ(refused(with("")), "taken");
    EXPECT_EQ(refused(with(R"("version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,"unknown":{"x":[1,2.5,null]})")), "taken");
    EXPECT_EQ(refused(model(R"("vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]])")), "taken");
    EXPECT_EQ(refused(model(R"("unk_id":0,"vocab":[["<unk>",0],["a",-1.5]])")), "taken");
    EXPECT_EQ(refused(model(R"("unk_token":"u","vocab":{"u":0})")), "taken");
    EXPECT_EQ(refused(model(R"("unk_token":"u","vocab":{"u":0},"continuing_subword_prefix":"##","max_input_chars_per_word":9)")), "taken");
}

TEST(HfJson, TypesAreTold) {
    const auto kind = [](const std::string& json) {
        auto read = read_hf_tokenizer(json);
        EXPECT_TRUE(read) << read.error()->message;
        return read ? static_cast<int>(read->model.kind) : -1;
    };
    EXPECT_EQ(kind(model(R"("vocab":{"a":0},"merges":[])")), static_cast<int>(tok::ModelSpec::Kind::bpe));
    EXPECT_EQ(kind(model(R"("unk_token":"u","vocab":{"u":0})")), static_cast<int>(tok::ModelSpec::Kind::word_level));
    EXPECT_EQ(kind(model(R"("unk_token":"u","vocab":{"u":0},"continuing_subword_prefix":"##","max_input_chars_per_word":9)")), static_cast<int>(tok::ModelSpec::Kind::word_piece));
    EXPECT_EQ(kind(model(R"("vocab":[["u",0.5]])")), static_cast<int>(tok::ModelSpec::Kind::unigram));
}

TEST(HfJson, RefusalsNameThePlace) {
    const std::pair<std::string, const char*> cases[] = {
        {"", "tokenizer.json: "},
        {"[]", "is not an object"},
        {"{}", "model: is missing"},
        {with("") + "x", "tokenizer.json: "},
        {with(R"("version":"2.0")"), "version"},
        {model(R"("type":"GPT","vocab":{})"), "model.type: 'GPT' is unknown"},
        {model(R"("type":"BPE","vocab":{"a":0})"), "vocab or merges are missing"},
        {model(R"("type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"])"), "token 'ab' is out of the vocabulary"},
        {model(R"("type":"BPE","vocab":{"a":0,"b":1},"merges":["a"])"), "merges[0]: 'a' is not two tokens"},
        {model(R"("type":"BPE","vocab":{"a":0,"b":1},"merges":["a  b"])"), "is not two tokens"},
        {model(R"("type":"BPE","vocab":{"a":0},"merges":[["a"]])"), "merges[0]: is not a pair"},
        {model(R"("type":"BPE","vocab":{"a":0},"merges":{})"), "neither a list of strings nor a list of pairs"},
        {model(R"("type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1)"), "model.dropout"},
        {model(R"("type":"BPE","vocab":{"a":-1},"merges":[])"), "the id of 'a'"},
        {model(R"("type":"BPE","vocab":{"a":4000000000},"merges":[])"), "the id of 'a' is too large"},
        {model(R"("type":"BPE","vocab":{"a":0},"merges":[],"fuse_unk":"yes")"), "model.fuse_unk"},
        {model(R"("type":"Unigram","vocab":[["a",0]],"unk_id":1)"), "model.unk_id"},
        {model(R"("type":"Unigram","vocab":[["a"]])"), "model.vocab[0]: is not [token, score]"},
        {model(R"("type":"Unigram","vocab":[["a",1e999]])"), "tokenizer.json: "},
        {model(R"("type":"WordLevel","vocab":{"a":0})"), "model.unk_token: is missing"},
        {with(R"("normalizer":{"type":"Shout"})"), "normalizer.type: 'Shout' is unknown"},
        {with(R"("normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Strip","strip_left":true}]})"), "normalizer.normalizers[1].strip_right: is missing"},
        {with(R"("normalizer":{"type":"Precompiled","precompiled_charsmap":"!"})"), "is not base64"},
        {with(R"("normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="})"), "is not a character map"},
        {with(R"("pre_tokenizer":{"type":"Delimiter","delimiter":" "})"), "pre_tokenizer.type: 'Delimiter' is unknown"},
        {with(R"("pre_tokenizer":{"type":"CharDelimiterSplit","delimiter":"ab"})"), "is not one character"},
        {with(R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated","invert":false})"), ""},
        {with(R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"a"},"behavior":"Sideways","invert":false})"), "behavior: 'Sideways' is unknown"},
        {with(R"("pre_tokenizer":{"type":"Metaspace","replacement":"_","add_prefix_space":false})"), "does not match prepend_scheme"},
        {with(R"("post_processor":{"type":"BertProcessing","sep":["a",0]})"), "post_processor.cls: is missing"},
        {with(R"("post_processor":{"type":"Nothing"})"), "post_processor.type: 'Nothing' is unknown"},
        {with(R"("decoder":{"type":"Sequence","decoders":[{"type":"Strip","content":" ","start":-1,"stop":0}]})"), "decoder.decoders[0].start: is not a number"},
        {with(R"("added_tokens":[{"id":0,"content":"x"}])"), "added_tokens[0].single_word: is missing"},
    };
    for (const auto& [json, words] : cases) {
        const std::string said = refused(json);
        EXPECT_NE(said, "taken") << json;
        EXPECT_NE(said.find(words), std::string::npos) << json << "\n  " << said;
    }
}

TEST(HfJson, OlderSpellingsAreToldByTheirFields) {
    EXPECT_EQ(refused(with(R"("normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"lowercase":true})")), "taken");
    EXPECT_EQ(refused(with(R"("post_processor":{"sep":["a",0],"cls":["b",1]})")), "taken");
    EXPECT_EQ(refused(with(R"("decoder":{"suffix":"</w>"})")), "taken");
}

TEST(HfJson, BoundsAreReached) {
    std::string deep = R"({"type":"NFC"})";
    for (size_t i = 0; i < limits::tokenizer_depth_max; i++) deep = R"({"type":"Sequence","normalizers":[)" + deep + "]}";
    EXPECT_NE(refused(with("\"normalizer\":" + deep)).find("nested too deeply"), std::string::npos);
    std::string wide = R"({"type":"Sequence","normalizers":[)";
    for (size_t i = 0; i <= limits::tokenizer_components_max; i++) wide += std::string(i ? "," : "") + R"({"type":"NFC"})";
    EXPECT_NE(refused(with("\"normalizer\":" + wide + "]}")).find("too many entries"), std::string::npos);
    const std::string long_token(limits::tokenizer_token_max + 1, 'x');
    EXPECT_NE(refused(model(R"("type":"BPE","merges":[],"vocab":{")" + long_token + R"(":0})")).find("bytes"), std::string::npos);
    const size_t beyond_file = limits::tokenizer_file_max + 1;   // never looked at, so never filled
    const auto file = std::make_unique_for_overwrite<char[]>(beyond_file);
    EXPECT_NE(refused(std::string_view(file.get(), beyond_file)).find("too large"), std::string::npos);
    const std::string beyond = std::to_string(limits::tokenizer_id_max);
    EXPECT_NE(refused(model(R"("type":"BPE","merges":[],"vocab":{"a":)" + beyond + "}")).find("the id of 'a' is too large"), std::string::npos);
    std::string added = "\"added_tokens\":[0";                    // counted before they are read
    for (size_t i = 0; i < limits::tokenizer_added_max; i++) added += ",0";
    EXPECT_NE(refused(with(added + "]")).find("too many added tokens"), std::string::npos);
    added.resize(added.size() - 2);
    EXPECT_NE(refused(with(added + "]")).find("added_tokens[0]: is not an object"), std::string::npos);
}

TEST(HfJson, AddedTokensGetTheReferencesIds) {
    const char* flags = R"("single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true})";
    const std::string added = std::string(R"("added_tokens":[{"id":77,"content":"x",)") + flags + R"(,{"id":99,"content":"ab",)" + flags + R"(,{"id":5,"content":"",)" + flags +
                              R"(,{"id":78,"content":"y",)" + flags + "]";
    auto read = read_hf_tokenizer(with(added));
    ASSERT_TRUE(read) << read.error()->message;
    ASSERT_EQ(read->added.size(), 3u);
    EXPECT_EQ(read->added[0].id, 3u);                                // behind the model's three tokens, whatever the file says
    EXPECT_EQ(read->added[1].id, 2u);                                // the model's own
    EXPECT_EQ(read->added[2].id, 4u);
}

TEST(HfJson, NumbersRoundTwiceAsTheReferences) {
    EXPECT_EQ(tok::reference_double("-2.5"), -2.5);
    EXPECT_EQ(tok::reference_double("0"), 0.0);
    EXPECT_EQ(tok::reference_double("12e2"), 1200.0);
    EXPECT_EQ(tok::reference_double("123456789012345678901234567890"), 1.2345678901234568e29);
    EXPECT_EQ(tok::reference_double("1e-400"), 0.0);
    EXPECT_EQ(tok::reference_double("-0.1 "), -0.1);
    EXPECT_GT(tok::reference_double("1e400"), 1e308);
    EXPECT_EQ(tok::reference_double("-10.131424903869629"), -10131424903869629.0 / 1e15);
}

}  // namespace
}  // namespace weir
