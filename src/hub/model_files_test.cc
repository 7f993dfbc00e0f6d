#include "hub/model_files.h"

#include <gtest/gtest.h>

#include "hub/fake_hub_test.h"

namespace weir {
namespace {

using testing::TempDir;
using Templates = std::vector<std::pair<std::string, std::string>>;

struct Folder : ::testing::Test {
    Folder() { dir.write("tokenizer.json", "{}"); }
    ModelFiles read() {
        auto files = read_model_files(dir.path);
        EXPECT_TRUE(files) << files.error()->message;
        return files ? *files : ModelFiles{};
    }
    TempDir dir;
};

TEST_F(Folder, ReadsWhatAGatewayNeeds) {
    dir.write("config.json", R"({"model_type":"llama","architectures":["LlamaForCausalLM"],"max_position_embeddings":131072,"vocab_size":128256,
                                 "eos_token_id":[1,2],"time_step_limit":[0.0,Infinity],"text":"NaN"})");
    dir.write("generation_config.json", R"({"eos_token_id":[128001,128008,128009],"temperature":0.6})");
    dir.write("tokenizer_config.json", R"({"bos_token":"<|begin|>","eos_token":{"content":"<|end|>","lstrip":false},"pad_token":null,
        "model_max_length":1000000000000000019884624838656,"clean_up_tokenization_spaces":true,"add_bos_token":true,"tokenizer_class":"T",
        "chat_template":"{{ x }}\n","added_tokens_decoder":{"1":{"content":"a"}}})");
    dir.write("special_tokens_map.json", R"({"bos_token":"<old>","unk_token":"<unk>"})");
    ModelFiles f = read();
    EXPECT_EQ(f.model_type, "llama");
    EXPECT_EQ(f.architectures, std::vector<std::string>{"LlamaForCausalLM"});
    EXPECT_EQ(f.max_position, 131'072u);
    EXPECT_EQ(f.vocab_size, 128'256u);
    EXPECT_EQ(f.stop_ids, (std::vector<uint32_t>{128'001, 128'008, 128'009}));
    EXPECT_EQ(f.bos, "<|begin|>") << "the legacy map does not count beside added_tokens_decoder";
    EXPECT_EQ(f.eos, "<|end|>");
    EXPECT_EQ(f.unk, "");
    EXPECT_TRUE(f.clean_up_spaces);
    EXPECT_EQ(f.add_bos, true);
    EXPECT_FALSE(f.model_max_length);
    EXPECT_EQ(f.templates, (Templates{{"default", "{{ x }}\n"}}));
    EXPECT_EQ(f.template_file, "tokenizer_config.json");
    EXPECT_EQ(f.tokenizer, dir.path + "/tokenizer.json");
}

TEST(ModelFilesOf, AFolderOfTemplatesAloneNeedsNoVocabulary) {
    TempDir dir;
    dir.write("tokenizer_config.json", R"({"bos_token":"<s>","chat_template":"{{ x }}"})");
    EXPECT_FALSE(read_model_files(dir.path));
    auto files = read_model_files(dir.path, false);
    ASSERT_TRUE(files);
    EXPECT_EQ(files->bos, "<s>");
    EXPECT_EQ(files->templates, (Templates{{"default", "{{ x }}"}}));
}

TEST_F(Folder, NestedTextConfigAndSingleStopId) {
    dir.write("config.json", R"({"model_type":"gemma3","text_config":{"max_position_embeddings":32768,"eos_token_id":106}})");
    ModelFiles f = read();
    EXPECT_EQ(f.max_position, 32'768u);
    EXPECT_EQ(f.stop_ids, std::vector<uint32_t>{106});
}

TEST_F(Folder, OldFoldersNameTheirTokensInTheMap) {
    dir.write("tokenizer_config.json", R"({"bos_token":"<a>","model_max_length":4096})");
    dir.write("special_tokens_map.json", R"({"bos_token":{"content":"<s>"},"unk_token":"<unk>"})");
    ModelFiles f = read();
    EXPECT_EQ(f.bos, "<s>");
    EXPECT_EQ(f.unk, "<unk>");
    EXPECT_EQ(f.model_max_length, 4'096u);
}

TEST_F(Folder, TemplateFilesBeatTheConfig) {
    dir.write("chat_template.json", R"({"chat_template":"C"})");
    EXPECT_EQ(read().templates, (Templates{{"default", "C"}}));
    dir.write("tokenizer_config.json", R"({"chat_template":[{"name":"default","template":"A"},{"name":"tool_use","template":"B"}]})");
    EXPECT_EQ(read().templates, (Templates{{"default", "A"}, {"tool_use", "B"}}));
    dir.write("chat_template.jinja", "D\n");
    EXPECT_EQ(read().templates, (Templates{{"default", "D\n"}}));
    dir.write("additional_chat_templates/tool_use.jinja", "E");
    EXPECT_EQ(read().templates, (Templates{{"default", "D\n"}, {"tool_use", "E"}}));
    EXPECT_EQ(read().template_file, "chat_template.jinja");
}

TEST_F(Folder, NamesTheFileAtFault) {
    dir.write("generation_config.json", "{\"eos_token_id\": }");
    auto got = read_model_files(dir.path);
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error()->message.starts_with("generation_config.json: ")) << got.error()->message;
    dir.write("generation_config.json", "{}");
    dir.write("tokenizer_config.json", R"({"chat_template":5})");
    auto strange = read_model_files(dir.path);
    ASSERT_FALSE(strange);
    EXPECT_TRUE(strange.error()->message.starts_with("tokenizer_config.json: ")) << strange.error()->message;
}

TEST(ModelFiles, FindsTheVocabularyOfEachFormat) {
    for (const char* name : {"tekken.json", "tokenizer.model", "qwen.tiktoken", "spiece.model", "vocab.txt", "m.gguf"}) {
        TempDir dir;
        EXPECT_FALSE(read_model_files(dir.path)) << "an empty folder";
        dir.write(name, "x");
        dir.write("readme.txt", "x");
        auto f = read_model_files(dir.path);
        ASSERT_TRUE(f) << name;
        EXPECT_EQ(f->tokenizer, dir.path + "/" + name);
        EXPECT_EQ(read_model_files(dir.path + "/" + name)->tokenizer, dir.path + "/" + name);
    }
    EXPECT_EQ(read_model_files("/nonexistent/model").error()->code, Code::model_unknown);
}

TEST(ModelFiles, ReadsATemplateFile) {
    TempDir dir;
    dir.write("a.jinja", "{{ a }}");
    dir.write("b.json", R"({"chat_template":"B"})");
    dir.write("c.json", R"("C")");
    dir.write("empty.jinja", "");
    EXPECT_EQ(*read_template_file(dir.path + "/a.jinja"), (Templates{{"default", "{{ a }}"}}));
    EXPECT_EQ(*read_template_file(dir.path + "/b.json"), (Templates{{"default", "B"}}));
    EXPECT_EQ(*read_template_file(dir.path + "/c.json"), (Templates{{"default", "C"}}));
    EXPECT_FALSE(read_template_file(dir.path + "/empty.jinja"));
    EXPECT_FALSE(read_template_file(dir.path + "/none.jinja"));
}

}  // namespace
}  // namespace weir
