// MessagePack to JSON and back, so that a payload has one encoder and one decoder whatever codec a worker speaks.
#include <array>

#include "base/limits.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"
#include "wire/msgpack.h"
#include "wire/utf8.h"

namespace weir {
namespace {

using Kind = MsgpackReader::Kind;

class ToJson {
public:
    ToJson(Str value, std::string& out) : in_(value), out_(out) {}
    bool run() { return value(0) && in_.done(); }

private:
    bool text() {
        const Str t = in_.text();
        if (!in_.ok() || !utf8_valid(t)) return false;
        append_json_string(out_, t);
        return true;
    }
    bool key() {
        if (in_.kind() == Kind::text) return text();
        if (in_.kind() != Kind::integer) return false;
        out_ += '"';
        integer();
        out_ += '"';
        return in_.ok();
    }
    void integer() {
        if (in_.negative()) append_json_number(out_, in_.signed_number());
        else append_json_number(out_, in_.number());
    }
    bool list(size_t depth) {
        const uint32_t n = in_.array();
        out_ += '[';
        for (uint32_t i = 0; i < n; i++) {
            if (i) out_ += ',';
            if (!value(depth + 1)) return false;
        }
        out_ += ']';
        return in_.ok();
    }
    bool object(size_t depth) {
        const uint32_t n = in_.map();
        out_ += '{';
        for (uint32_t i = 0; i < n; i++) {
            if (i) out_ += ',';
            if (!key()) return false;
            out_ += ':';
            if (!value(depth + 1)) return false;
        }
        out_ += '}';
        return in_.ok();
    }
    bool bytes() {
        bool first = true;
        out_ += '[';
        for (char c : in_.binary()) {
            if (!first) out_ += ',';
            first = false;
            append_json_number(out_, uint64_t{static_cast<uint8_t>(c)});
        }
        out_ += ']';
        return in_.ok();
    }
    bool value(size_t depth) {
        if (depth > limits::json_depth_max) return false;
        switch (in_.kind()) {
        case Kind::nil: in_.take_nil(), out_ += "null"; return true;
        case Kind::boolean: out_ += in_.boolean() ? "true" : "false"; return true;
        case Kind::integer: integer(); return in_.ok();
        case Kind::real:
            if (in_.single()) append_json_number(out_, static_cast<float>(in_.real()));   // its own shortest text: 0.7, not 0.699999988
            else append_json_number(out_, in_.real());
            return in_.ok();
        case Kind::text: return text();
        case Kind::binary: return bytes();
        case Kind::array: return list(depth);
        case Kind::map: return object(depth);
        default: return false;
        }
    }
    MsgpackReader in_;
    std::string& out_;
};

bool put(Str json, MsgpackWriter& out, std::string& scratch);

bool put_text(Str raw, MsgpackWriter& out, std::string& scratch) {
    const Str t = json_unescaped(raw, scratch);
    if (!t.data() && !raw.empty()) return false;
    out.text(t);
    return true;
}

bool put_number(Str json, MsgpackWriter& out) {
    if (json_is_integer(json)) {
        if (auto u = json_uint(json)) return out.number(*u), true;
        if (auto i = json_int(json)) return out.signed_number(*i), true;
    }
    auto d = json_double(json);
    return d && (out.real(*d), true);
}

bool put(Str json, MsgpackWriter& out, std::string& scratch) {
    switch (json_kind(json)) {
    case JsonKind::null: return out.nil(), true;
    case JsonKind::boolean: return out.boolean(json.front() == 't'), true;
    case JsonKind::number: return put_number(json, out);
    case JsonKind::string: return put_text(json_inside(json), out, scratch);
    case JsonKind::array:
        out.array(json_count(json));
        for (JsonItems items(json); items.next();)
            if (!put(items.value, out, scratch)) return false;
        return true;
    case JsonKind::object: {
        size_t n = 0;
        for (JsonMembers m(json); m.next();) n++;
        out.map(n);
        for (JsonMembers m(json); m.next();)
            if (!put_text(m.key, out, scratch) || !put(m.value, out, scratch)) return false;
        return true;
    }
    }
    return false;
}

}  // namespace

bool msgpack_to_json(Str value, std::string& out) { return ToJson(value, out).run(); }

bool json_to_msgpack(Str json, std::string& out) {
    const size_t from = json.find_first_not_of(" \t\r\n");
    if (from == Str::npos) return false;
    std::string scratch;
    MsgpackWriter writer(out);
    return put(json.substr(from), writer, scratch);
}

}  // namespace weir
