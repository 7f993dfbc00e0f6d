#include "api/decode.h"

#include <gmock/gmock.h>

#include "api/test_calls.h"
#include "tests/support/golden.h"

namespace weir::api {
namespace {

using testing::decode;
using testing::options_of;
using ::testing::ElementsAre;

Api api_named(const std::string& word) { return word == "cmpl" ? Api::completions : word == "emb" ? Api::embeddings : Api::chat; }

// "<chat|cmpl|emb> <body>" -> "ok ..." or the error reply. Light and full decoding; an error found by light alone is marked.
std::string refusal(Dialect dialect, const std::string& input) {
    size_t space = input.find(' ');
    std::string word = input.substr(0, space), body = input.substr(space + 1);
    auto light = decode(options_of(dialect), api_named(word), body, false);
    auto full = decode(options_of(dialect), api_named(word), body, true);
    if (full->result) return "ok model=" + std::string(full->call.model) + " choices=" + std::to_string(full->call.choices);
    Asked asked{"POST", "/", full->call.model};
    std::string text = testing::text_of(error_reply(full->options, *full->result.error(), asked));
    return light->result ? "only full: " + text : text;
}

TEST(Decode, RefusalsOfFrontend) {
    golden::check("api/decode_frontend.txt", [](const std::string& in) { return refusal(Dialect::frontend, in); });
}
TEST(Decode, RefusalsOfLaunch) {
    golden::check("api/decode_launch.txt", [](const std::string& in) { return refusal(Dialect::launch, in); });
}

TEST(Decode, ContentTypeMattersToLaunchOnly) {
    std::string body = R"({"model":"m","messages":[{"role":"user","content":"x"}]})";
    for (Str type : {"text/plain", "", "application/jsonx"}) {
        EXPECT_TRUE(decode(options_of(Dialect::frontend), Api::chat, body, true, type)->result);
        auto d = decode(options_of(Dialect::launch), Api::chat, body, true, type);
        ASSERT_FALSE(d->result);
        EXPECT_EQ(d->result.error()->code, Code::bad_content_type);
    }
    for (Str type : {"application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"})
        EXPECT_TRUE(decode(options_of(Dialect::launch), Api::chat, body, true, type)->result) << type;
}

TEST(Decode, LightReadsWhatRoutingNeedsAndKeepsTheRest) {
    std::string body = R"( {"stream":true,"zz":{"a":[1]},"model":"m\u00e9","stream_options":{"include_usage":true},"n":2,"max_tokens":7,)"
                       R"("messages":[{"role":"user","content":"x"}],"user":"u","metadata":{"k":"v"}} )";
    auto d = decode(options_of(Dialect::launch), Api::chat, body, false);
    ASSERT_TRUE(d->result);
    const Call& c = d->call;
    EXPECT_EQ(c.model, "mé");
    EXPECT_EQ(c.user, "u");
    EXPECT_EQ(c.wants, wants::stream | wants::include_usage);
    EXPECT_EQ(c.choices, 2);
    EXPECT_EQ(c.sampling.max_tokens, 7);
    EXPECT_FALSE(c.full);
    EXPECT_TRUE(c.messages.empty());
    EXPECT_EQ(c.doc.top.size(), 9u);
    std::vector<std::string> extra;
    for (const Member& m : c.extra) extra.emplace_back(c.doc.at(m.key));
    EXPECT_THAT(extra, ElementsAre("zz", "user", "metadata"));
}

TEST(Decode, UnsupportedFieldsCanBeIgnored) {
    Options o = options_of(Dialect::frontend);
    std::string body = R"({"model":"m","messages":[{"role":"user","content":"x"}],"foo":1,"bar":2})";
    auto d = decode(o, Api::chat, body);
    ASSERT_FALSE(d->result);
    EXPECT_EQ(d->result.error()->message, "Validation: Unsupported parameter(s): `foo`, `bar`");
    EXPECT_EQ(d->result.error()->code, Code::unsupported_field);
    o.ignore_unsupported = true;
    EXPECT_TRUE(decode(o, Api::chat, body)->result);
}

TEST(Decode, MessagesInFull) {
    auto d = decode(options_of(Dialect::frontend), Api::chat, R"({"model":"m","messages":[
        {"role":"system","content":"be \"nice\"\n"},
        {"role":"user","name":"bob","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"http://h/x.png","detail":"low"}},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"input_audio","input_audio":{"data":"BBBB","format":"wav"}},
            {"type":"video_url","video_url":{"url":"http://h/v.mp4"}},{"type":"file","file":{"file_id":"f-1"}},{"type":"custom","x":1}]},
        {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]},
        {"role":"tool","tool_call_id":"c1","content":"42"},
        {"role":"assistant"}]})");
    ASSERT_TRUE(d->result) << d->result.error()->message;
    auto m = d->call.messages;
    ASSERT_EQ(m.size(), 5u);
    EXPECT_EQ(m[0].role, Role::system);
    EXPECT_TRUE(m[0].content_was_string);
    EXPECT_EQ(m[0].parts[0].text, "be \"nice\"\n");
    EXPECT_EQ(m[1].name, "bob");
    ASSERT_EQ(m[1].parts.size(), 7u);
    EXPECT_EQ(m[1].parts[0].text, "see");
    EXPECT_EQ(m[1].parts[1].media->ref, "http://h/x.png");
    EXPECT_EQ(m[1].parts[1].media->detail, "low");
    EXPECT_EQ(m[1].parts[2].media->from, Media::data);
    EXPECT_EQ(m[1].parts[2].media->format, "image/png");
    EXPECT_EQ(m[1].parts[2].media->ref, "AAAA");
    EXPECT_EQ(m[1].parts[3].media->kind, Media::audio);
    EXPECT_EQ(m[1].parts[3].media->format, "wav");
    EXPECT_EQ(m[1].parts[4].media->kind, Media::video);
    EXPECT_EQ(m[1].parts[5].media->from, Media::file_id);
    EXPECT_EQ(m[1].parts[6].kind, Part::Kind::other);
    EXPECT_EQ(d->call.doc.at(m[1].parts[6].raw), R"({"type":"custom","x":1})");
    EXPECT_TRUE(m[2].content_was_null);
    EXPECT_EQ(m[2].reasoning, "hm");
    ASSERT_EQ(m[2].calls.size(), 1u);
    EXPECT_EQ(m[2].calls[0].arguments, "{\"a\": 1}");
    EXPECT_EQ(m[3].tool_call_id, "c1");
    EXPECT_TRUE(m[4].content_was_null);
    EXPECT_EQ(d->call.doc.at(m[4].raw), R"({"role":"assistant"})");
}

TEST(Decode, ToolsFormatsSamplingHints) {
    auto d = decode(options_of(Dialect::launch), Api::chat, R"({"model":"m","messages":[{"role":"user","content":"x"}],
        "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}],
        "tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,
        "response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object"}}},
        "temperature":0.5,"top_p":0.25,"top_k":-1,"min_p":0.1,"presence_penalty":-1,"frequency_penalty":1,"repetition_penalty":1.5,"seed":-3,
        "stop":["a","b"],"stop_token_ids":[1,2],"logit_bias":{"5":-100,"7":1.5},"logprobs":true,"top_logprobs":3,"max_completion_tokens":9,"max_tokens":5,
        "min_tokens":2,"ignore_eos":true,"priority":-4,"cache_salt":"s","chat_template_kwargs":{"a":1},
        "nvext":{"backend_instance_id":18446385850734466672,"dp_rank":3,"token_data":[9,8]}})");
    ASSERT_TRUE(d->result) << d->result.error()->message;
    const Call& c = d->call;
    ASSERT_EQ(c.tools.size(), 1u);
    EXPECT_EQ(c.tools[0].name, "f");
    EXPECT_TRUE(c.tools[0].strict);
    EXPECT_EQ(c.doc.at(c.tools[0].schema), R"({"type":"object"})");
    EXPECT_EQ(c.tool_choice.kind, ToolChoice::named);
    EXPECT_EQ(c.tool_choice.name, "f");
    EXPECT_EQ(c.parallel_tools, false);
    EXPECT_EQ(c.format.kind, Format::json_schema);
    EXPECT_TRUE(c.format.strict);
    EXPECT_EQ(c.doc.at(c.format.body), R"({"type":"object"})");
    const Sampling& s = c.sampling;
    EXPECT_EQ(s.temperature, 0.5f);
    EXPECT_EQ(s.top_k, -1);
    EXPECT_EQ(s.seed, -3);
    EXPECT_THAT(s.stop, ElementsAre("a", "b"));
    EXPECT_THAT(s.stop_ids, ElementsAre(1u, 2u));
    ASSERT_EQ(s.logit_bias.size(), 2u);
    EXPECT_EQ(s.logit_bias[1].bias, 1.5f);
    EXPECT_EQ(s.logprobs, 3);
    EXPECT_EQ(s.max_tokens, 9);
    EXPECT_TRUE(s.max_was_completion && s.ignore_eos);
    EXPECT_EQ(c.hints.pin, 18446385850734466672ull);
    EXPECT_EQ(c.hints.dp_rank, 3u);
    EXPECT_EQ(c.hints.priority, -4);
    EXPECT_THAT(c.tokens, ElementsAre(9u, 8u));
    EXPECT_EQ(c.template_kwargs, R"({"a":1})");
}

TEST(Decode, PromptsOfEveryShape) {
    auto prompts = [](Api api, std::string value) {
        std::string name = api == Api::completions ? "prompt" : "input";
        auto d = decode(options_of(Dialect::frontend), api, "{\"model\":\"m\",\"" + name + "\":" + value + "}");
        EXPECT_TRUE(d->result) << d->result.error()->message;
        std::string text = d->call.prompts_were_list ? "list" : "one";
        for (const Prompt& p : d->call.prompts) {
            text += p.is_tokens ? " ids" : " " + std::string(p.text);
            for (uint32_t id : p.tokens) text += "," + std::to_string(id);
        }
        return text;
    };
    for (Api api : {Api::completions, Api::embeddings}) {
        EXPECT_EQ(prompts(api, "\"a b\""), "one a b");
        EXPECT_EQ(prompts(api, "[\"a\",\"b\"]"), "list a b");
        EXPECT_EQ(prompts(api, "[1,2]"), "one ids,1,2");
        EXPECT_EQ(prompts(api, "[[1],[2,3]]"), "list ids,1 ids,2,3");
    }
}

TEST(Decode, LimitsAreReached) {
    auto code = [](Api api, std::string body) {
        auto light = decode(options_of(Dialect::launch), api, body, false), full = decode(options_of(Dialect::launch), api, body);
        EXPECT_EQ(static_cast<bool>(light->result), static_cast<bool>(full->result));   // forwarded bodies keep the limits too
        return full->result ? Code::ok : full->result.error()->code;
    };
    auto list = [](size_t n, const std::string& item) {
        std::string s;
        for (size_t i = 0; i < n; ++i) s += (i ? "," : "") + item;
        return s;
    };
    std::string chat = R"({"model":"m","messages":[{"role":"user","content":"x"}])";
    for (size_t over : {0, 1}) {
        Code want = over ? Code::bad_field : Code::ok;
        EXPECT_EQ(code(Api::chat, chat + ",\"stop\":[" + list(limits::stops_max + over, "\"s\"") + "]}"), want);
        EXPECT_EQ(code(Api::chat, chat + ",\"stop_token_ids\":[" + list(limits::stops_max + over, "7") + "]}"), want);
        EXPECT_EQ(code(Api::chat, chat + ",\"tools\":[" + list(limits::tools_max + over, R"({"type":"function","function":{"name":"f"}})") + "]}"), want);
        EXPECT_EQ(code(Api::chat, R"({"model":"m","messages":[)" + list(limits::messages_max + over, R"({"role":"user","content":"x"})") + "]}"), want);
        EXPECT_EQ(code(Api::completions, R"({"model":"m","prompt":[)" + list(limits::choices_max + over, "\"p\"") + "]}"), want);
        EXPECT_EQ(code(Api::completions, R"({"model":"m","n":2,"prompt":[)" + list(limits::choices_max / 2 + over, "\"p\"") + "]}"), want);
        EXPECT_EQ(code(Api::embeddings, R"({"model":"m","input":[)" + list(limits::inputs_max + over, "\"p\"") + "]}"), want);
        std::string deep = std::string(limits::json_depth_max - 1 + over, '[') + std::string(limits::json_depth_max - 1 + over, ']');
        EXPECT_EQ(code(Api::chat, chat + ",\"metadata\":" + deep + "}"), over ? Code::bad_json : Code::ok);
        std::string many = chat;
        for (size_t i = 2; i < limits::json_members_max + over; ++i) many += ",\"k" + std::to_string(i) + "\":1";
        EXPECT_EQ(code(Api::chat, many + "}"), over ? Code::bad_json : Code::ok);
    }
}

TEST(Decode, ModelOfPath) {
    Arena a;
    EXPECT_EQ(model_of_path("org%2Fname", a), "org/name");
    EXPECT_EQ(model_of_path("org/name", a), "org/name");
    EXPECT_EQ(model_of_path("a%zz%4", a), "a%zz%4");
}

}  // namespace
}  // namespace weir::api
