// The request body as it arrived: raw bytes plus the place of every top-level JSON member.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace weir {

using Str = std::string_view;

struct Span {                        // bytes of Doc::body; bodies of 4 GiB and more are refused by limit
    uint32_t off = 0, len = 0;
    bool empty() const { return len == 0; }
};

struct Member {                      // one top-level JSON member, known or not, in the order sent
    Span key;                        // between the quotes, escapes still in place
    Span value;                      // the whole value, quotes and brackets included
};

enum class Mime : uint8_t { none, json, multipart, protobuf, opaque };

// Owns nothing: `body` belongs to the connection (read in place) or to a body buffer of the core, `top` to the request's arena.
struct Doc {
    Str body;
    std::span<Member> top;           // filled by api::decode in one pass; splicing and unknown-field survival need only this
    Mime mime = Mime::none;
    Str at(Span s) const { return body.substr(s.off, s.len); }
    void drop() { body = {}; top = {}; }   // after it all views into the body are dead
};

}  // namespace weir
