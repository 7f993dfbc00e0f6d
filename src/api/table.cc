#include "api/table.h"

#include "api/decode.h"
#include "api/encode.h"
#include "types/worker.h"

namespace weir::api {
namespace {

constexpr uint8_t text_roles = role::whole | role::prefill | role::decode;
using E = Endpoint;
using M = Method;

constexpr Row table[] = {
    {E::chat, Api::chat, M::post, "/v1/chat/completions", "chat", text_roles, "chat_completions", "ChatCompletionRequest",
     "Create a chat completion", decode_full, make_encoder},
    {E::completions, Api::completions, M::post, "/v1/completions", "cmp", text_roles, "completions", "CompletionRequest",
     "Create a text completion", decode_full, make_encoder},
    {E::embeddings, Api::embeddings, M::post, "/v1/embeddings", "emb", role::whole, "embeddings", "EmbeddingRequest",
     "Create embeddings", decode_full, make_encoder},
    {E::models, Api::models, M::get, "/v1/models", "models", 0, "models", "", "List the models served", nullptr, nullptr},
    {E::model, Api::models, M::get, "/v1/models/*", "models", 0, "models", "", "Describe one model", nullptr, nullptr},
    {E::health, Api::health, M::get, "/health", "health", 0, "health", "", "Is the service healthy", nullptr, nullptr},
    {E::live, Api::health, M::get, "/live", "live", 0, "live", "", "Is the process alive", nullptr, nullptr},
    {E::liveness, Api::health, M::get, "/liveness", "", 0, "live", "", "Is the process alive", nullptr, nullptr},
    {E::readiness, Api::health, M::get, "/readiness", "", 0, "readiness", "", "May requests be sent here", nullptr, nullptr},
    {E::metrics, Api::metrics, M::get, "/metrics", "metrics", 0, "metrics", "", "Prometheus metrics", nullptr, nullptr},
    {E::tokenize, Api::none, M::post, "/v1/tokenize", "", 0, "tokenize", "TokenizeRequest", "Token ids of a text", nullptr, nullptr},
    {E::detokenize, Api::none, M::post, "/v1/detokenize", "", 0, "detokenize", "DetokenizeRequest", "The text of token ids", nullptr, nullptr},
    {E::tokenize_plain, Api::none, M::post, "/tokenize", "", 0, "tokenize", "TokenizeRequest", "Token ids, as vLLM and SGLang answer", nullptr, nullptr},
    {E::detokenize_plain, Api::none, M::post, "/detokenize", "", 0, "detokenize", "DetokenizeRequest", "The text, as vLLM and SGLang answer",
     nullptr, nullptr},
    {E::tokenizers, Api::admin, M::get, "/v1/tokenizers", "", 0, "tokenizers", "", "List the tokenizers loaded", nullptr, nullptr},
    {E::tokenizer_add, Api::admin, M::post, "/v1/tokenizers", "", 0, "tokenizers", "AddTokenizerRequest", "Load a tokenizer", nullptr, nullptr},
    {E::tokenizer, Api::admin, M::get, "/v1/tokenizers/*", "", 0, "tokenizers", "", "Describe one tokenizer; with /status behind it, its state",
     nullptr, nullptr},
    {E::tokenizer_remove, Api::admin, M::del, "/v1/tokenizers/*", "", 0, "tokenizers", "", "Remove a tokenizer", nullptr, nullptr},
    {E::busy, Api::admin, M::get, "/busy_threshold", "", 0, "busy_threshold", "", "From when on workers count as busy", nullptr, nullptr},
    {E::busy_set, Api::admin, M::post, "/busy_threshold", "", 0, "busy_threshold", "BusyThresholdRequest", "Set or read a model's thresholds", nullptr,
     nullptr},
    {E::busy_put, Api::admin, M::put, "/busy_threshold", "", 0, "busy_threshold", "BusyThresholdRequest", "Set or read a model's thresholds", nullptr, nullptr},
    {E::decisions, Api::admin, M::get, "/debug/decisions", "", 0, "decisions", "", "The newest routing decisions, a line each", nullptr, nullptr},
    {E::decision, Api::admin, M::get, "/debug/decisions/*", "", 0, "decisions", "", "The decisions for one request", nullptr, nullptr},
    {E::openapi, Api::none, M::get, "/openapi.json", "", 0, "openapi", "", "This document", nullptr, nullptr},
    {E::docs, Api::none, M::get, "/docs", "", 0, "docs", "", "This document as a page", nullptr, nullptr},
    {E::docs_asset, Api::none, M::get, "/docs/*", "", 0, "docs", "", "Files of the page", nullptr, nullptr},
};

bool matches(Method row, Method asked) { return row == asked || (row == Method::get && asked == Method::head); }

}  // namespace

std::span<const Row> rows() { return table; }

Method method_of(Str token) {
    constexpr Str names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < std::size(names); ++i)
        if (token == names[i]) return static_cast<Method>(i);
    return Method::other;
}

const Row* row_of(Api api) {
    for (const Row& row : table)
        if (row.api == api && row.encoder) return &row;
    return nullptr;
}

Result<std::shared_ptr<const Routes>> Routes::make(const Options& options, std::span<const PathOverride> overrides) {
    auto routes = std::make_shared<Routes>();
    for (const Row& row : table) {
        if (row.endpoint == E::metrics && !options.metrics_on_main_port) continue;
        std::string path(row.path);
        bool prefix = path.ends_with('*');
        for (const PathOverride& o : overrides) {
            if (row.override_name.empty() || o.name != row.override_name) continue;
            path.assign(o.path);
            if (prefix) path += path.ends_with('/') ? "*" : "/*";
        }
        if (prefix) path.pop_back();
        if (!path.starts_with('/') || path.find_first_of("?# ") != std::string::npos)
            return Failure(Code::bad_field, "path of " + std::string(row.override_name) + " must start with '/' and have no query: " + path);
        for (const Entry& e : routes->entries_)
            if (e.path == path && e.prefix == prefix && e.row->method == row.method)
                return Failure(Code::bad_field, "two endpoints on one path: " + path);
        routes->entries_.push_back({&row, std::move(path), prefix});
    }
    return std::shared_ptr<const Routes>(std::move(routes));
}

Found Routes::find(Method method, Str path) const {
    bool post = false, get = false, del = false;
    for (bool prefix : {false, true}) {   // an exact path wins over a prefix
        for (const Entry& e : entries_) {
            if (e.prefix != prefix) continue;
            if (prefix ? path.size() <= e.path.size() || !path.starts_with(e.path) : path != e.path) continue;
            if (matches(e.row->method, method)) return {Code::ok, e.row, prefix ? path.substr(e.path.size()) : Str{}, {}};
            (e.row->method == M::post ? post : e.row->method == M::del ? del : get) = true;
        }
    }
    if (path == "/docs/")   // the page itself; its files are "/docs/*"
        return matches(M::get, method) ? Found{Code::ok, row_at(E::docs_asset), {}, {}} : Found{Code::method_not_allowed, nullptr, {}, "GET,HEAD"};
    if (!post && !get && !del) return {Code::route_unknown, nullptr, {}, {}};
    return {Code::method_not_allowed, nullptr, {}, del ? "GET,HEAD,DELETE" : post && get ? "GET,HEAD,POST" : post ? "POST" : "GET,HEAD"};
}

const Row* Routes::row_at(Endpoint endpoint) const {
    for (const Entry& e : entries_)
        if (e.row->endpoint == endpoint) return e.row;
    return nullptr;
}

std::string Routes::path_of(Endpoint endpoint) const {
    for (const Entry& e : entries_)
        if (e.row->endpoint == endpoint) return e.path + (e.prefix ? "*" : "");
    return {};
}

}  // namespace weir::api
