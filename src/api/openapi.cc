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

void put_operation(const Row& row, JsonWriter& w) {
    bool post = row.method == Method::post;
    w.key(post ? "post" : "get").object().member("summary", row.summary);
    std::string id(post ? "create_" : "get_");
    w.member("operationId", id + std::string(row.metric_name) + (row.endpoint == Endpoint::model ? "_one" : row.endpoint == Endpoint::liveness ? "ness" : ""));
    w.key("tags").array().text(post ? "inference" : row.api == Api::models ? "models" : "service").end_array();
    if (row.endpoint == Endpoint::model)
        w.key("parameters").array().object().member("name", "model_id").member("in", "path").member("required", true).key("schema").object()
            .member("type", "string").end_object().end_object().end_array();
    if (!row.schema.empty())
        w.key("requestBody").object().member("required", true).key("content").object().key("application/json").object().key("schema").object()
            .member("$ref", "#/components/schemas/" + std::string(row.schema)).end_object().end_object().end_object().end_object();
    w.key("responses").object();
    bool text = row.api == Api::metrics;
    put_response("200", post ? "The answer; server-sent events when `stream` is true" : "OK", text ? "text/plain" : "application/json", w);
    if (post) put_response("400", "The request is malformed or a value is out of range", nullptr, w);
    if (post || row.endpoint == Endpoint::model) put_response("404", "No such model", nullptr, w);
    if (post || row.api == Api::health) put_response("503", "No worker is ready", nullptr, w);
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
        if (path.empty() || row.endpoint == Endpoint::docs || row.endpoint == Endpoint::docs_asset) continue;
        if (path.ends_with('*')) path.replace(path.size() - 1, 1, "{model_id}");
        w.key(path).object();
        put_operation(row, w);
        w.end_object();
    }
    w.end_object().key("components").object().key("schemas").object();
    for (const Schema& schema : schemas) put_schema(options, schema, w);
    put_message_schema(w);
    w.end_object().end_object().end_object();
    return reply;
}

}  // namespace weir::api
