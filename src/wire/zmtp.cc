#include "wire/zmtp.h"

#include <algorithm>

#include "wire/big_endian.h"

namespace weir {
namespace {

constexpr unsigned flag_more = 1, flag_long = 2, flag_command = 4;
constexpr Str mechanism("NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);

void append_command(std::string& out, Str body) {
    out.push_back(static_cast<char>(flag_command | (body.size() > 255 ? flag_long : 0)));
    append_big_endian(out, body.size(), body.size() > 255 ? 8 : 1);
    out.append(body);
}

}  // namespace

void append_zmtp_greeting(std::string& out) {
    out.append("\xff\0\0\0\0\0\0\0\1\x7f", 10);      // a length that older peers understand too
    out.append("\x03\x00", 2);                       // 3.0: subscriptions are messages, nobody pings
    out.append(mechanism).append(32, '\0');
}

void append_zmtp_ready(std::string& out, Str socket_type) {
    std::string body("\x05READY\x0bSocket-Type");
    append_big_endian(body, socket_type.size(), 4);
    append_command(out, body.append(socket_type));
}

void append_zmtp_frame(std::string& out, Str bytes, bool more) {
    const bool wide = bytes.size() > 255;
    out.push_back(static_cast<char>((more ? flag_more : 0) | (wide ? flag_long : 0)));
    append_big_endian(out, bytes.size(), wide ? 8 : 1);
    out.append(bytes);
}

bool ZmtpReader::gather(Str& bytes, size_t until) {
    const size_t n = std::min(until - std::min(until, held_.size()), bytes.size());
    held_.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    return held_.size() >= until;
}

void ZmtpReader::greeting() {
    const Str g = held_;
    bad_ = g[0] != '\xff' || g[9] != '\x7f' || static_cast<uint8_t>(g[10]) < 3 || g.substr(12, 20) != mechanism;
    greeted_ = true;
    held_.clear();
}

// READY carries properties: u8 length, name, u32 length, value.
void ZmtpReader::command(Str body) {
    const size_t n = body.empty() ? 0 : static_cast<uint8_t>(body[0]);
    const Str name = body.substr(std::min<size_t>(body.size(), 1), n);
    if (name == "ERROR") bad_ = true;
    if (name != "READY") return;
    ready_ = true;
    body.remove_prefix(1 + n);
    while (!body.empty() && !bad_) {
        const size_t key = static_cast<uint8_t>(body[0]);
        if ((bad_ = body.size() < 5 + key)) return;
        const size_t value = read_big_endian(body.substr(1 + key, 4));
        if ((bad_ = body.size() - 5 - key < value)) return;
        if (body.substr(1, key) == "Socket-Type") socket_type_ = body.substr(5 + key, value);
        body.remove_prefix(5 + key + value);
    }
}

bool ZmtpReader::next(Str& bytes) {
    if (given_) frames_.clear(), size_ = 0, given_ = false;
    while (!bad_) {
        if (!greeted_) {
            if (!gather(bytes, zmtp_greeting_bytes)) return false;
            greeting();
            continue;
        }
        if (!gather(bytes, 1)) return false;
        const auto flags = static_cast<unsigned char>(held_[0]);
        const size_t head = flags & flag_long ? 9 : 2;
        if ((bad_ = flags > 7) || !gather(bytes, head)) return false;
        const size_t n = read_big_endian(Str(held_).substr(1, head - 1));
        if ((bad_ = n > message_max_ - size_) || !gather(bytes, head + n)) return false;
        if (flags & flag_command) {
            bad_ = more_ || (flags & flag_more);
            if (!bad_) command(Str(held_).substr(head));
            held_.clear();
            continue;
        }
        if ((bad_ = !ready_ || frames_.size() >= zmtp_frames_max)) return false;
        frames_.emplace_back(held_, head);
        size_ += n;
        held_.clear();
        more_ = flags & flag_more;
        if (!more_) return given_ = true;
    }
    return false;
}

}  // namespace weir
