#include "wire/dynamo_frames.h"

#include <algorithm>
#include <charconv>

#include "wire/big_endian.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"
#include "wire/two_part.h"

namespace weir {
namespace {

constexpr Str overloaded_prefix = "Server overloaded:", unavailable_prefix = "Server unavailable:";

bool is_text(Str value) { return !value.empty() && json_kind(value) == JsonKind::string; }
bool is_object(Str value) { return !value.empty() && json_kind(value) == JsonKind::object; }

// One valid JSON object without blanks around it.
Result<Str> object_of(Str json, const char* what) {
    if (auto ok = check_json(json); !ok) return std::move(ok).error();
    const size_t from = json.find_first_not_of(" \t\r\n"), to = json.find_last_not_of(" \t\r\n");
    const Str value = json.substr(from, to - from + 1);
    if (json_kind(value) != JsonKind::object) return Failure(Code::bad_field, std::string(what) + " is no object");
    return value;
}

Result<std::string> text_of(Str object, Str key) {
    const Str value = json_member(object, key);
    std::string scratch;
    if (!is_text(value)) return Failure(Code::bad_field, std::string(key) + " is missing or no string", std::string(key));
    const Str text = json_unescaped(json_inside(value), scratch);
    if (text.data() == nullptr && json_inside(value).size() > 0) return Failure(Code::bad_field, "malformed string", std::string(key));
    return std::string(text);
}

// Holds bytes until `until` are there; takes them from the front of `bytes`.
bool gather(std::string& held, Str& bytes, size_t until) {
    const size_t n = std::min(until - std::min(until, held.size()), bytes.size());
    held.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    return held.size() >= until;
}

}  // namespace

const char* name(PayloadCodec codec) { return codec == PayloadCodec::msgpack ? "msgpack" : "json"; }

bool append_request_head(std::string& out, Str path, Str headers, size_t payload_bytes, size_t message_max) {
    if (path.size() > 0xffff || headers.size() > 0xffff || payload_bytes > 0xffffffff) return false;
    if (8 + path.size() + headers.size() + payload_bytes > message_max) return false;
    append_big_endian(out, path.size(), 2);
    out.append(path);
    append_big_endian(out, headers.size(), 2);
    out.append(headers);
    append_big_endian(out, payload_bytes, 4);
    return true;
}

size_t RequestFrameReader::whole(Str s) {
    size_t need = 0;
    for (size_t length : {2, 2, 4}) {
        need += length;
        if (s.size() < need) return need;
        need += read_big_endian(s.substr(need - length, length));
        if (s.size() < need) return need;
    }
    return need;
}

bool RequestFrameReader::next(Str& bytes, RequestFrame& out) {
    if (bad_) return false;
    if (given_) held_.clear(), given_ = false;
    auto give = [&](Str s) {
        const size_t path = read_big_endian(s.substr(0, 2)), headers = read_big_endian(s.substr(2 + path, 2));
        out = {s.substr(2, path), s.substr(4 + path, headers), s.substr(8 + path + headers)};
        return true;
    };
    if (held_.empty()) {
        const size_t n = whole(bytes);
        if ((bad_ = n > message_max_)) return false;
        if (n <= bytes.size()) {
            const Str s = bytes.substr(0, n);
            bytes.remove_prefix(n);
            return give(s);
        }
    }
    for (;;) {
        const size_t n = whole(held_);
        if ((bad_ = n > message_max_)) return false;
        if (n == held_.size()) break;
        if (!gather(held_, bytes, n)) return false;
    }
    given_ = true;
    return give(held_);
}

void append_ack(std::string& out, Str text) {
    append_big_endian(out, text.size(), 4);
    out.append(text);
}

bool AckReader::next(Str& bytes, Str& text) {
    if (bad_) return false;
    if (given_) held_.clear(), given_ = false;
    if (!gather(held_, bytes, 4)) return false;
    const size_t n = read_big_endian(Str(held_).substr(0, 4));
    if ((bad_ = n > ack_text_max) || !gather(held_, bytes, 4 + n)) return false;
    given_ = true;
    text = Str(held_).substr(4);
    return true;
}

AckKind ack_kind(Str text) {
    if (text.starts_with(overloaded_prefix)) return AckKind::overloaded;
    return text.starts_with(unavailable_prefix) ? AckKind::unavailable : AckKind::ok;
}

void append_control_header(std::string& out, const ControlHeader& h) {
    std::string info;
    JsonWriter(info).object().member("address", h.address).member("subject", h.subject).member("context", h.context.empty() ? h.id : h.context)
        .member("stream_type", "response").end_object();
    JsonWriter w(out);
    w.object().member("id", h.id).member("request_type", "single_in").member("response_type", "many_out").member("payload_codec", name(h.codec));
    w.key("connection_info").object().member("transport", "tcp_server").member("info", info).end_object();
    if (!h.metadata.empty()) {
        w.key("metadata").object();
        for (auto& [key, value] : h.metadata) w.member(key, value);
        w.end_object();
    }
    if (h.sent_at_ns) w.member("frontend_send_ts_ns", h.sent_at_ns);
    w.end_object();
}

Result<ControlHeader> read_control_header(Str json) {
    if (json.size() > control_header_max) return Failure(Code::bad_field, "the control header is too long");
    TRY(Str object, object_of(json, "the control header"));
    ControlHeader h;
    TRY(h.id, text_of(object, "id"));
    h.many_in = json_is(json_member(object, "request_type"), "many_in");
    if (const Str codec = json_member(object, "payload_codec"); is_text(codec)) {
        if (json_is(codec, "msgpack")) h.codec = PayloadCodec::msgpack;
        else if (!json_is(codec, "json")) return Failure(Code::bad_field, "unknown payload_codec", "payload_codec");
    }
    const Str info = json_member(object, "connection_info");
    if (!is_object(info) || !json_is(json_member(info, "transport"), "tcp_server"))
        return Failure(Code::bad_field, "connection_info is not of a tcp_server", "connection_info");
    TRY(std::string inner, text_of(info, "info"));
    TRY(Str target, object_of(inner, "info"));
    TRY(h.address, text_of(target, "address"));
    TRY(h.subject, text_of(target, "subject"));
    TRY(h.context, text_of(target, "context"));
    if (const Str metadata = json_member(object, "metadata"); is_object(metadata)) {
        for (JsonMembers m(metadata); m.next();) {
            std::string key, value;
            if (!is_text(m.value) || !json_unescape(m.key, key) || !json_unescape(json_inside(m.value), value))
                return Failure(Code::bad_field, "metadata holds strings", "metadata");
            h.metadata.emplace_back(std::move(key), std::move(value));
        }
    }
    if (const Str at = json_member(object, "frontend_send_ts_ns"); !at.empty() && json_kind(at) == JsonKind::number) h.sent_at_ns = json_uint(at).value_or(0);
    return h;
}

void append_handshake(std::string& out, Str subject) {
    std::string header;
    JsonWriter(header).object().member("subject", subject).member("stream_type", "response").end_object();
    append_two_part(out, header, {});
}

Result<std::string> read_handshake(Str header) {
    TRY(Str object, object_of(header, "the handshake"));
    if (!json_is(json_member(object, "stream_type"), "response")) return Failure(Code::bad_field, "not a response stream", "stream_type");
    return text_of(object, "subject");
}

void append_prologue(std::string& out, Str error) {
    std::string header;
    JsonWriter w(header);
    w.object().key("error");
    if (error.empty()) w.null();
    else w.text(error);
    w.end_object();
    append_two_part(out, header, {});
}

Result<void> read_prologue(Str header) {
    auto object = object_of(header, "the prologue");
    if (!object) return Failure(Code::engine_garbage, "the worker's answer could not be understood").detail(object.error()->message);
    const Str error = json_member(*object, "error");
    if (error.empty() || json_kind(error) == JsonKind::null) return Nothing{};
    const Str typed = json_member(*object, "typed_error");
    const WorkerError e = read_worker_error(is_object(typed) ? typed : error);
    std::string text = e.message;
    if (text.empty() && is_text(error)) text = text_of(*object, "error") ? *text_of(*object, "error") : std::string();
    Failure failure(e.retriable ? Code::reset_before_byte : Code::engine_status, "the worker refused the request");
    if (!e.retriable && e.status == 400 && !e.shown.empty()) failure->code = Code::bad_request, failure->message = e.shown;
    failure->reason = e.kind;
    failure->detail = text;
    failure->upstream_status = e.status;
    JsonWriter(failure->upstream_body).object().member("message", text).member("type", e.kind).end_object();
    return failure;
}

StreamWord stream_word(Str header) {
    if (header == "\"sentinel\"") return StreamWord::sentinel;
    if (header == "\"stop\"") return StreamWord::stop;
    return header == "\"kill\"" ? StreamWord::kill : StreamWord::none;
}

void append_stream_word(std::string& out, StreamWord word) {
    append_two_part(out, word == StreamWord::sentinel ? "\"sentinel\"" : word == StreamWord::stop ? "\"stop\"" : "\"kill\"", {});
}

Result<PlaneAddress> read_plane_address(Str text) {
    PlaneAddress a;
    const size_t slash = text.find('/'), colon = text.substr(0, slash).rfind(':');
    const Str port = slash == Str::npos || colon == Str::npos ? Str() : text.substr(colon + 1, slash - colon - 1);
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), a.port);
    if (port.empty() || parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() || a.port == 0 || colon == 0 || slash + 1 == text.size())
        return Failure(Code::bad_field, "not an address of the form host:port/path: " + std::string(text.substr(0, 300)));
    a.host = text.substr(0, colon);
    if (a.host.size() > 2 && a.host.front() == '[' && a.host.back() == ']') a.host = a.host.substr(1, a.host.size() - 2);
    a.path = text.substr(slash + 1);
    return a;
}

namespace {

// By class, or by the older kind.
int status_of_error(Str of_class, Str kind) {
    struct Row { Str word; int status; };
    static constexpr Row rows[] = {{"InvalidRequest", 400}, {"InvalidArgument", 400}, {"Unauthenticated", 401}, {"PermissionDenied", 403},
                                   {"NotFound", 404}, {"Conflict", 409}, {"PayloadTooLarge", 413}, {"UnsupportedMediaType", 415},
                                   {"RateLimited", 429}, {"Cancelled", 499}, {"NotImplemented", 501}, {"Unavailable", 503},
                                   {"DeadlineExceeded", 504}, {"Timeout", 504}, {"Overloaded", 529}};
    for (Str said : {of_class, kind})
        for (const Row& row : rows)
            if (said == row.word) return row.status;
    return kind.starts_with("capacity.") ? 529 : kind.starts_with("worker.") ? 503 : 500;
}

}  // namespace

WorkerError read_worker_error(Str json) {
    WorkerError e;
    auto text = [](Str value) {
        std::string out, scratch;
        if (is_text(value)) out = json_unescaped(json_inside(value), scratch);
        return out;
    };
    if (is_text(json)) {
        e.message = text(json);
        return e;
    }
    if (!is_object(json)) return e;
    if (const Str type = json_member(json, "error_type"); !type.empty()) {   // "Disconnected", or {"Backend":"Disconnected"}
        e.kind = text(type);
        if (is_object(type))
            for (JsonMembers m(type); m.next();) e.kind = std::string(m.key) + "." + text(m.value);
    } else {
        e.kind = text(json_member(json, "reason"));
        if (e.kind.empty()) e.kind = text(json_member(json, "class"));
    }
    e.message = text(json_member(json, "message"));
    if (const Str shown = json_member(json, "public"); is_object(shown)) e.shown = text(json_member(shown, "message"));
    if (e.message.empty()) e.message = e.shown;
    e.status = status_of_error(text(json_member(json, "class")), e.kind);
    std::string folded;   // both generations spelled alike: CannotConnect = cannot_connect
    for (char c : e.kind)
        if (c != '_') folded.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
    for (Str word : {"cannotconnect", "disconnected", "connectiontimeout", "responsetimeout", "engineshutdown", "streamincomplete", "workerunavailable",
                     "worker.unavailable", "workeroverloaded", "capacity.exhausted"})
        e.retriable |= folded.ends_with(word);
    return e;
}

}  // namespace weir
