// The endpoints: one row each. Lookup by method and path, with the paths a dialect lets its operator move.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "api/dialect.h"
#include "base/arena.h"
#include "base/result.h"
#include "types/tail.h"

namespace weir::api {

enum class Endpoint : uint8_t {
    chat, completions, embeddings, models, model, health, live, liveness, readiness, metrics, openapi, docs, docs_asset,
    decisions, decision, busy, busy_set, busy_put,
    tokenize, detokenize, tokenize_plain, detokenize_plain, tokenizers, tokenizer_add, tokenizer, tokenizer_remove,
};
constexpr bool about_tokenizers(Endpoint e) { return e >= Endpoint::tokenize; }
constexpr bool about_routing(Endpoint e) { return e >= Endpoint::decisions && e <= Endpoint::busy_put; }
enum class Method : uint8_t { get, head, post, put, patch, del, options, other };
Method method_of(Str token);             // as in the request line, case matters

class Encoder;                           // api/encode.h
using Decode = Result<void> (*)(const Options&, Call&, Arena&);
using MakeEncoder = std::unique_ptr<Encoder> (*)(const Options&, const Tail&, int64_t now_s);

struct Row {
    Endpoint endpoint;
    Api api;
    Method method;                       // GET rows answer HEAD too
    Str path;                            // default path; a trailing '*' matches any non-empty rest
    Str override_name;                   // as in DYN_HTTP_SVC_<NAME>_PATH, lower case; empty: fixed
    uint8_t legs;                        // roles a worker may serve it with (types/worker.h), 0: answered here
    Str metric_name;                     // label `endpoint`
    Str schema;                          // name in components/schemas of /openapi.json; empty: no body
    Str summary;
    Decode decode;                       // full decoding; null: no body
    MakeEncoder encoder;                 // null: answered here
};
std::span<const Row> rows();
const Row* row_of(Api);                  // the endpoint engines serve for this Api; null when there is none

struct Found {
    Code code = Code::ok;                // ok, route_unknown, method_not_allowed
    const Row* row = nullptr;            // set when ok
    Str rest;                            // what '*' matched, still percent-encoded
    Str allow;                           // method_not_allowed: value of the allow header; static
};

struct PathOverride { Str name, path; }; // name: Row::override_name; path starts with '/'

// Immutable after make(); shared by all cores.
class Routes {
public:
    // Refuses: a path without leading '/', two endpoints on one path with the same method.
    static Result<std::shared_ptr<const Routes>> make(const Options&, std::span<const PathOverride> = {});
    Found find(Method, Str path) const;  // path: without query, as sent
    std::string path_of(Endpoint) const; // where it is served now ("/v1/models/*" for model); empty when not served
    const Row* row_at(Endpoint) const;   // null when not served

private:
    struct Entry { const Row* row; std::string path; bool prefix; };
    std::vector<Entry> entries_;
};

}  // namespace weir::api
