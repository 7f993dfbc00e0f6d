// /openapi.json, built from the endpoint rows and the field rows. 3.0.3: what the embedded page can draw.
#include "api/answers.h"
#include "api/fields.h"
#include "wire/json_write.h"

namespace weir::api {
namespace {

struct Schema { Str name; Api api; Str example; };
constexpr Schema schemas[] = {
    {"ChatCompletionRequest", Api::chat, R"({"model":"demo","messages":[{"role":"user","content":"Hello!"}],"max_tokens":50,"stream":false})"},
    {"CompletionRequest", Api::completions, R"({"model":"demo","prompt":"Once upon a time","max_tokens":50,"stream":false})"},
    {"EmbeddingRequest", Api::embeddings, R"({"model":"demo","input":"The quick brown fox"})"},
};

// Bodies that are not of the inference endpoints, whole.
struct PlainSchema { Str name, json; };
constexpr PlainSchema plain_schemas[] = {
    {"TokenizeRequest",
     R"({"type":"object","required":["prompt"],"properties":{"model":{"type":"string","nullable":true},"prompt":{"oneOf":[{"type":"string"},)"
     R"({"type":"array","items":{"type":"string"}}]},"add_special_tokens":{"type":"boolean","nullable":true},"return_token_strs":{"type":"boolean",)"
     R"("nullable":true}},"example":{"model":"demo","prompt":"Hello!"}})"},
    {"DetokenizeRequest",
     R"({"type":"object","required":["tokens"],"properties":{"model":{"type":"string","nullable":true},"tokens":{"type":"array","items":{}},)"
     R"("skip_special_tokens":{"type":"boolean","nullable":true}},"example":{"model":"demo","tokens":[1,2,3]}})"},
    {"BusyThresholdRequest",
     R"({"type":"object","required":["model"],"properties":{"model":{"type":"string"},"active_decode_blocks_threshold":{"type":"number","nullable":true},)"
     R"("active_prefill_tokens_threshold":{"type":"integer","nullable":true},"active_prefill_tokens_threshold_frac":{"type":"number","nullable":true}},)"
     R"("example":{"model":"demo","active_decode_blocks_threshold":0.9}})"},
    {"AddTokenizerRequest",
     R"({"type":"object","required":["name","source"],"properties":{"name":{"type":"string"},"source":{"type":"string","description":)"
     R"("A folder, a file, or a Hugging Face id"},"chat_template":{"type":"string","nullable":true}},"example":{"name":"demo","source":"org/model"}})"},
};

void put_type(const FieldRow& row, JsonWriter& w) {
    w.object();
    switch (row.type) {
        case Type::boolean: w.member("type", "boolean"); break;
        case Type::text: w.member("type", "string"); break;
        case Type::u8: case Type::u32: case Type::i32: case Type::i64: w.member("type", "integer"); break;
        case Type::f32: w.member("type", "number").member("format", "float"); break;
        case Type::object: w.member("type", "object"); break;
        case Type::list:
            w.member("type", "array").key("items");
            if (row.field == Field::messages) w.object().member("$ref", "#/components/schemas/Message").end_object();
            else w.object().end_object();
            break;
        case Type::text_or_list:
            w.key("oneOf").array().object().member("type", "string").end_object();
            w.object().member("type", "array").key("items").object().member("type", "string").end_object().end_object().end_array();
            break;
        case Type::any: break;
    }
    if (row.low != 0 || row.high != 0) {
        w.member("minimum", static_cast<int64_t>(row.low));
        if (row.high < 4294967295.0) w.member("maximum", static_cast<int64_t>(row.high));
    }
    bool required = row.field == Field::model || row.field == Field::messages || row.field == Field::prompt || row.field == Field::input;
    if (!required && row.type != Type::any) w.member("nullable", true);
    if (!row.about.empty()) w.member("description", row.about);
    w.end_object();
}

void put_schema(const Options& options, const Schema& schema, JsonWriter& w) {
    w.key(schema.name).object().member("type", "object").key("required").array().text("model");
    w.text(schema.api == Api::chat ? "messages" : schema.api == Api::completions ? "prompt" : "input").end_array();
    w.key("properties").object();
    for (const FieldRow& row : fields())
        if (find_field(row.name, schema.api) == &row && !(row.launch_only && options.dialect == Dialect::frontend)) put_type(row, w.key(row.name));
    w.end_object().key("example").raw(schema.example).end_object();
}

void put_message_schema(JsonWriter& w) {
    w.key("Message").object().member("type", "object").key("required").array().text("role").end_array().key("properties").object();
    w.key("role").object().member("type", "string").key("enum").array();
    for (Role role : {Role::system, Role::developer, Role::user, Role::assistant, Role::tool, Role::function}) w.text(name(role));
    w.end_array().end_object();
    w.key("content").object().member("description", "A string, or a list of parts (text, image_url, input_audio, video_url, file)").end_object();
    for (const char* text : {"name", "tool_call_id", "reasoning_content"}) w.key(text).object().member("type", "string").end_object();
    w.key("tool_calls").object().member("type", "array").key("items").object().member("type", "object").end_object().end_object();
    w.end_object().end_object();
}

void put_response(const char* code, const char* what, const char* type, JsonWriter& w) {
    w.key(code).object().member("description", what);
    if (type) w.key("content").object().key(type).object().end_object().end_object();
    w.end_object();
}

const char* parameter_of(const Row& row) { return row.api == Api::models ? "model_id" : about_routing(row.endpoint) ? "request_id" : "tokenizer_id"; }

void put_operation(const Row& row, JsonWriter& w) {
    bool post = row.method == Method::post, put = row.method == Method::put, del = row.method == Method::del, one = row.path.ends_with('*');
    w.key(post ? "post" : put ? "put" : del ? "delete" : "get").object().member("summary", row.summary);
    std::string id(post ? "create_" : put ? "replace_" : del ? "delete_" : "get_");
    Str ending = one ? "_one" : row.endpoint == Endpoint::liveness ? "ness" : about_tokenizers(row.endpoint) && row.path.rfind('/') == 0 ? "_plain" : "";
    w.member("operationId", id + std::string(row.metric_name) + std::string(ending));
    w.key("tags").array().text(about_tokenizers(row.endpoint) ? "tokenizers"
                               : about_routing(row.endpoint) ? "routing" : post ? "inference" : row.api == Api::models ? "models" : "service").end_array();
    if (one)
        w.key("parameters").array().object().member("name", parameter_of(row)).member("in", "path").member("required", true).key("schema").object()
            .member("type", "string").end_object().end_object().end_array();
    if (!row.schema.empty())
        w.key("requestBody").object().member("required", true).key("content").object().key("application/json").object().key("schema").object()
            .member("$ref", "#/components/schemas/" + std::string(row.schema)).end_object().end_object().end_object().end_object();
    w.key("responses").object();
    bool text = row.api == Api::metrics;
    bool streams = post && row.legs;
    const char* what = streams ? "The answer; server-sent events when `stream` is true" : "OK";
    put_response(row.endpoint == Endpoint::tokenizer_add ? "202" : "200", what,
                 text ? "text/plain" : row.endpoint == Endpoint::decisions || row.endpoint == Endpoint::decision ? "application/x-ndjson"
                      : "application/json", w);
    if (post || put) put_response("400", "The request is malformed or a value is out of range", nullptr, w);
    if (row.legs || row.endpoint == Endpoint::model) put_response("404", "No such model", nullptr, w);
    if (row.legs || row.api == Api::health) put_response("503", "No worker is ready", nullptr, w);
    w.end_object().end_object();
}

}  // namespace

Reply openapi_reply(const Options& options, const Routes& routes) {
    Reply reply;
    reply.content_type = "application/json";
    JsonWriter w(reply.body);
    w.object().member("openapi", "3.0.3").key("info").object().member("title", "weir").member("description", "OpenAI-compatible gateway to inference workers.");
    w.member("version", WEIR_VERSION).key("license").object().member("name", "Apache-2.0").end_object().end_object();
    w.key("servers").array().object().member("url", "/").end_object().end_array().key("paths").object();
    for (const Row& row : rows()) {
        std::string path = routes.path_of(row.endpoint);
        bool shown = !path.empty() && row.endpoint != Endpoint::docs && row.endpoint != Endpoint::docs_asset;
        for (const Row& before : std::span(rows().data(), &row)) shown = shown && routes.path_of(before.endpoint) != path;   // with that one
        if (!shown) continue;
        std::string shape = path;
        if (path.ends_with('*')) shape.replace(path.size() - 1, 1, std::string("{") + parameter_of(row) + "}");
        w.key(shape).object();
        for (const Row& same : std::span(&row, rows().data() + rows().size()))
            if (routes.path_of(same.endpoint) == path) put_operation(same, w);
        w.end_object();
    }
    w.end_object().key("components").object().key("schemas").object();
    for (const Schema& schema : schemas) put_schema(options, schema, w);
    for (const PlainSchema& schema : plain_schemas) w.key(schema.name).raw(schema.json);
    put_message_schema(w);
    w.end_object().end_object().end_object();
    return reply;
}

}  // namespace weir::api
