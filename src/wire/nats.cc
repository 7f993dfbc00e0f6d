#include "wire/nats.h"

#include <algorithm>
#include <charconv>

#include "wire/http1.h"

namespace weir {
namespace {

constexpr Str line_end = "\r\n";

// The next word, taken from the front of `text`.
Str word(Str& text) {
    const size_t from = std::min(text.find_first_not_of(" \t"), text.size());
    text.remove_prefix(from);
    const size_t n = std::min(text.find_first_of(" \t"), text.size());
    const Str w = text.substr(0, n);
    text.remove_prefix(n);
    return w;
}

bool number(Str digits, uint64_t& out) {
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size();
}

}  // namespace

// A message's line: MSG subject sid [reply] bytes, HMSG subject sid [reply] header-bytes bytes.
NatsReader::Kind NatsReader::read_sizes(Str arguments, bool with_headers) {
    Str words[6];
    size_t n = 0;
    for (Str w; n < 6 && !(w = word(arguments)).empty();) words[n++] = w;
    const size_t least = with_headers ? 4 : 3;
    uint64_t total = 0, headers = 0;
    message_ = {};
    const bool good = (n == least || n == least + 1) && number(words[1], message_.sid) && number(words[n - 1], total) &&
                      (!with_headers || number(words[n - 2], headers)) && headers <= total && total <= message_max_;
    if (!good) return none;
    message_.subject = words[0];
    if (n > least) message_.reply = words[2];
    headers_bytes_ = headers;
    total_bytes_ = total;
    return message;
}

NatsReader::Kind NatsReader::line(Str text) {
    Str rest = text;
    const Str op = word(rest);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (op == "MSG" || op == "HMSG") return read_sizes(rest, op == "HMSG");
    text_ = rest;
    if (op == "PING") return ping;
    if (op == "PONG") return pong;
    if (op == "+OK") return ok;
    if (op == "INFO") return info;
    if (op != "-ERR") return none;
    if (text_.size() >= 2 && text_.front() == '\'' && text_.back() == '\'') text_ = text_.substr(1, text_.size() - 2);
    return error;
}

// Bytes of what begins here; 0: its first line is not whole yet, or bad().
size_t NatsReader::whole(Str so_far) {
    const size_t end = so_far.find('\n');
    if (end == Str::npos) {
        bad_ = so_far.size() > nats_line_max;
        return 0;
    }
    headers_bytes_ = total_bytes_ = 0;
    line_bytes_ = end + 1;
    kind_ = end == 0 || end > nats_line_max || so_far[end - 1] != '\r' ? none : line(so_far.substr(0, end - 1));
    bad_ = kind_ == none;
    if (bad_) return 0;
    return kind_ == message ? line_bytes_ + total_bytes_ + line_end.size() : line_bytes_;
}

// `text` is one whole, and was measured.
NatsReader::Kind NatsReader::take(Str text) {
    if (kind_ != message) return kind_;
    const Str body = text.substr(line_bytes_, total_bytes_);
    message_.headers = body.substr(0, headers_bytes_);
    message_.payload = body.substr(headers_bytes_);
    bad_ = text.substr(line_bytes_ + total_bytes_) != line_end || (headers_bytes_ && !message_.headers.starts_with("NATS/1.0"));
    return bad_ ? none : message;
}

NatsReader::Kind NatsReader::next(Str& bytes) {
    if (given_) held_.clear(), given_ = false;
    if (bad_) return none;
    if (held_.empty()) {
        if (bytes.empty()) return none;
        const size_t n = whole(bytes);
        if (bad_) return none;
        if (n && n <= bytes.size()) {
            const Str text = bytes.substr(0, n);
            bytes.remove_prefix(n);
            return take(text);
        }
    }
    for (;;) {   // first the line, then the rest
        size_t n = held_.empty() ? 0 : whole(held_);
        if (bad_) return none;
        if (n && held_.size() >= n) break;
        if (bytes.empty()) return none;
        const size_t to_line_end = bytes.find('\n');
        size_t more = n ? n - held_.size() : to_line_end == Str::npos ? bytes.size() : to_line_end + 1;
        more = std::min(more, bytes.size());
        held_.append(bytes.substr(0, more));
        bytes.remove_prefix(more);
    }
    given_ = true;
    return take(held_);
}

bool nats_subject(Str text) {
    if (text.empty() || text.front() == '.' || text.back() == '.' || text.find("..") != Str::npos) return false;
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) > 0x20 && c != 0x7f; });
}

void append_nats_publish_head(std::string& out, Str subject, Str reply, size_t headers_bytes, size_t payload_bytes) {
    out.append(headers_bytes ? "HPUB " : "PUB ").append(subject).append(" ");
    if (!reply.empty()) out.append(reply).append(" ");
    if (headers_bytes) out.append(std::to_string(headers_bytes)).append(" ");
    out.append(std::to_string(headers_bytes + payload_bytes)).append(line_end);
}

void append_nats_subscribe(std::string& out, Str subject, uint64_t sid) {
    out.append("SUB ").append(subject).append(" ").append(std::to_string(sid)).append(line_end);
}

void append_nats_unsubscribe(std::string& out, uint64_t sid) { out.append("UNSUB ").append(std::to_string(sid)).append(line_end); }

void append_nats_header(std::string& out, Str name, Str value) {
    if (name.empty() || name.find_first_of(":\r\n ") != Str::npos || value.find_first_of("\r\n") != Str::npos) return;
    out.append(name).append(": ").append(value).append(line_end);
}

Str nats_header(Str headers, Str name) {
    for (size_t at = headers.find(line_end); at != Str::npos && at + 2 < headers.size();) {
        const size_t from = at + 2, end = std::min(headers.find(line_end, from), headers.size());
        const Str field = headers.substr(from, end - from);
        const size_t colon = field.find(':');
        std::string lower(name);
        for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        if (colon != Str::npos && same_ignoring_case(field.substr(0, colon), lower)) {
            const size_t value = field.find_first_not_of(' ', colon + 1);
            return value == Str::npos ? Str() : field.substr(value);
        }
        at = end;
    }
    return {};
}

unsigned nats_status(Str headers) {
    constexpr Str begin = "NATS/1.0 ";
    uint64_t status = 0;
    const Str digits = headers.starts_with(begin) ? headers.substr(begin.size(), 3) : Str();
    return number(digits, status) ? static_cast<unsigned>(status) : 0;
}

}  // namespace weir
