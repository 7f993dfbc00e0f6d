#include "net/h2_guard.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir {
namespace {
enum : unsigned char { data = 0, headers = 1, rst_stream = 3, settings = 4, goaway = 7, window_update = 8, continuation = 9 };
enum : unsigned char { end_stream = 1, ack = 1, padded = 8 };
}  // namespace

size_t H2Guard::scan(std::string_view bytes, uint64_t now_ms) {
    size_t at = 0;
    if (std::exchange(data_stream_, 0)) {   // its header was taken apart when we stopped before it
        at = ahead_;
        if (!frame(now_ms)) return 0;
    }
    while (at < bytes.size()) {
        if (skip_) {
            size_t step = std::min<size_t>(skip_, bytes.size() - at);
            skip_ -= static_cast<uint32_t>(step);
            at += step;
            continue;
        }
        size_t begin = at, step = std::min<size_t>(header_.size() - have_, bytes.size() - at);
        std::memcpy(header_.data() + have_, bytes.data() + at, step);
        have_ = static_cast<uint8_t>(have_ + step);
        at += step;
        if (have_ < header_.size()) break;
        have_ = 0;
        skip_ = static_cast<uint32_t>(header_[0]) << 16 | static_cast<uint32_t>(header_[1]) << 8 | header_[2];
        if (header_[3] == data) {
            ahead_ = static_cast<uint8_t>(step);
            data_stream_ = (header_[5] & 0x7f) << 24 | header_[6] << 16 | header_[7] << 8 | header_[8];
            if (data_stream_) return begin;
        }
        if (!frame(now_ms)) return begin;
    }
    return at;
}

bool H2Guard::frame(uint64_t now_ms) {
    second(now_ms);
    unsigned char type = header_[3], flags = header_[4];
    switch (type) {
        case data:   // a padded one may be empty too
            if (flags & end_stream || skip_ > (flags & padded ? 1u : 0u)) return true;
            return count(empty_, limits::h2_empty_data_per_s_max, "too many empty DATA frames");
        case headers:
            continuations_ = 0;
            return true;
        case continuation: return count(continuations_, limits::h2_continuations_max, "too many CONTINUATION frames");
        case rst_stream: return reset_stream(now_ms);
        case settings: return flags & ack || count(settings_, limits::h2_settings_per_s_max, "too many SETTINGS frames");
        case window_update: return true;
        case goaway: return true;
        default: return count(controls_, limits::h2_pings_per_s_max, "too many PING, PRIORITY or unknown frames");
    }
}

bool H2Guard::reset_stream(uint64_t now_ms) {
    second(now_ms);
    return count(resets_, limits::h2_resets_per_s_max, "too many streams reset");
}

bool H2Guard::count(uint16_t& counter, size_t most, const char* why) {
    if (++counter <= most) return true;
    why_ = why;
    return false;
}

void H2Guard::second(uint64_t now_ms) {
    if (now_ms - second_began_ms_ < 1'000) return;
    second_began_ms_ = now_ms;
    resets_ = settings_ = controls_ = empty_ = 0;
}

}  // namespace weir
