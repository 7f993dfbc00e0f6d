// What a model hub says, checked: nothing of it becomes a path, a length or a URL before it went through here.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hub/hub_http.h"

namespace weir::hub {

inline constexpr size_t listing_bytes_max = 32u << 20;     // of /api/models/...
inline constexpr size_t listing_files_max = 200'000;
inline constexpr size_t name_bytes_max = 512;              // of one file in a repository

// "name" or "org/name" with the characters the hub allows; not a path.
bool is_repo_id(std::string_view id);
bool is_commit(std::string_view text);                     // 40 lower-case hex digits
// A branch, tag or commit, or a file inside a repository: relative, no empty, "." or ".." part, no control characters.
bool is_inner_path(std::string_view path);

// Whether a gateway needs this file of a model; `has_tokenizer_json`: then no other vocabulary is needed.
bool is_wanted(std::string_view file, bool has_tokenizer_json);
bool is_vocabulary(std::string_view file);                 // a tokenizer can be made of it
// Files asked for by name: their absence is worth remembering.
const std::vector<std::string_view>& wanted_by_name();

struct Listing {
    std::string commit;
    std::vector<std::string> files;                        // all of the repository, as named
};
Result<Listing> read_listing(std::string_view json);

struct FileFacts {
    std::string etag, commit;
    std::optional<uint64_t> bytes;
    std::string url;                                       // where the bytes are
};
// From the answer to HEAD .../resolve/...; `asked`: its URL. Failure: engine_garbage when it is not a hub's answer.
Result<FileFacts> read_facts(const HubResponse&, std::string_view asked);

// What an answer of the hub other than success means to its user; `what`: "model 'a/b'" or "file 'x' of model 'a/b'".
Failure refusal(const HubResponse&, std::string_view what, bool token_given);

struct Origin { std::string scheme, host, port; bool operator==(const Origin&) const = default; };
std::optional<Origin> origin_of(std::string_view url);     // http and https without user info; nullopt: anything else
// An absolute URL from a Location field; nullopt: not a URL that may be followed (other scheme, https to http).
std::optional<std::string> follow(std::string_view from, std::string_view location);
bool keeps_token(std::string_view from, std::string_view to);   // same host, not less safe; or the hub itself behind a mirror
std::string quote(std::string_view text, bool keep_slash);      // percent-encoding

}  // namespace weir::hub
