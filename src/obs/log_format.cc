// How a line looks, and how its fields travel: [u32 length][message] then per field [kind][u8 length][key] and an 8-byte value
// or [u32 length][text].
#include "obs/escape.h"
#include "obs/log_queue.h"

#include <array>
#include <cstring>
#include <ctime>

namespace weir {
namespace {

constexpr size_t key_bytes_max = 64;
constexpr std::string_view cut_mark = "...";

// Splits the room of a line among its texts in the order given: whoever comes late in an overlong line is cut.
struct Room {
    size_t left = LogQueue::line_bytes_max;
    size_t take(size_t wanted) {
        const size_t n = wanted < left ? wanted : left;
        left -= n;
        return n;
    }
};

class Packer {
public:
    explicit Packer(char* to) : at_(to) {}
    template <class T>
    void raw(T value) { bytes(&value, sizeof value); }
    void bytes(const void* from, size_t n) {
        if (n) std::memcpy(at_, from, n);
        at_ += n;
    }
    void text(std::string_view s, size_t n) {
        raw(static_cast<uint32_t>(n));
        bytes(s.data(), n);
        if (n < s.size() && n >= cut_mark.size()) std::memcpy(at_ - cut_mark.size(), cut_mark.data(), cut_mark.size());
    }

private:
    char* at_;
};

class Unpacker {
public:
    explicit Unpacker(std::string_view packed) : rest_(packed) {}
    bool more() const { return !rest_.empty(); }
    template <class T>
    T raw() {
        T value;
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_.remove_prefix(sizeof value);
        return value;
    }
    std::string_view text(size_t n) {
        const std::string_view s = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return s;
    }

private:
    std::string_view rest_;
};

constexpr std::array<std::string_view, 5> level_words = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
constexpr std::array<std::string_view, 5> level_colours = {"\033[35m", "\033[34m", "\033[32m", "\033[33m", "\033[31m"};

bool reserved(std::string_view key) { return key == "timestamp" || key == "level" || key == "module" || key == "message"; }

void append_value(LogField::Kind kind, Unpacker& from, bool json, std::string& out) {
    switch (kind) {
        case LogField::text: {
            const std::string_view text = from.text(from.raw<uint32_t>());
            if (json) append_json(out, text);
            else append_word(out, text);
            return;
        }
        case LogField::integer: return append_number(out, from.raw<int64_t>());
        case LogField::natural: return append_number(out, from.raw<uint64_t>());
        case LogField::boolean: out += from.raw<uint64_t>() != 0 ? "true" : "false"; return;
        case LogField::real: break;
    }
    const double value = from.raw<double>();
    const bool plain = value - value == 0;           // NaN and infinities are no JSON numbers
    if (json && !plain) out += '"';
    append_number(out, value);
    if (json && !plain) out += '"';
}

struct Second {                                      // the broken-down form of the last second seen by this thread
    uint64_t unix_s = ~0ull;
    bool local = false;
    char text[20], zone[7];
};

void break_down(uint64_t unix_s, bool local, Second& s) {
    const auto t = static_cast<time_t>(unix_s);
    tm parts{};
    if (local) ::localtime_r(&t, &parts);
    else ::gmtime_r(&t, &parts);
    ::strftime(s.text, sizeof s.text, "%Y-%m-%dT%H:%M:%S", &parts);
    const long minutes = local ? parts.tm_gmtoff / 60 : 0, size = minutes < 0 ? -minutes : minutes;
    s.zone[0] = minutes < 0 ? '-' : '+';
    const long digits[] = {size / 600, size / 60 % 10, -1, size % 60 / 10, size % 10};
    for (int i = 0; i < 5; ++i) s.zone[i + 1] = digits[i] < 0 ? ':' : static_cast<char>('0' + digits[i]);
    s.unix_s = unix_s;
    s.local = local;
}

}  // namespace

size_t packed_size(std::string_view message, std::initializer_list<LogField> fields) {
    Room room;
    size_t bytes = sizeof(uint32_t) + room.take(message.size());
    for (const LogField& f : fields) {
        bytes += 2 + std::min(f.key.size(), key_bytes_max);
        bytes += f.kind == LogField::text ? sizeof(uint32_t) + room.take(f.string.size()) : sizeof(uint64_t);
    }
    return bytes;
}

void pack(std::string_view message, std::initializer_list<LogField> fields, char* to) {
    Room room;
    Packer packer(to);
    packer.text(message, room.take(message.size()));
    for (const LogField& f : fields) {
        const size_t key = std::min(f.key.size(), key_bytes_max);
        packer.raw(f.kind);
        packer.raw(static_cast<uint8_t>(key));
        packer.bytes(f.key.data(), key);
        if (f.kind == LogField::text) packer.text(f.string, room.take(f.string.size()));
        else if (f.kind == LogField::boolean) packer.raw(static_cast<uint64_t>(f.b));
        else packer.raw(f.u);
    }
}

void format_time(uint64_t unix_us, bool local, std::string& out) {
    thread_local Second cached;
    const uint64_t unix_s = unix_us / 1'000'000;
    if (cached.unix_s != unix_s || cached.local != local) break_down(unix_s, local, cached);
    out.append(cached.text, 19);
    char fraction[7] = {'.'};
    auto us = static_cast<unsigned>(unix_us % 1'000'000);
    for (int i = 6; i > 0; --i, us /= 10) fraction[i] = static_cast<char>('0' + us % 10);
    out.append(fraction, 7);
    if (local) out.append(cached.zone, 6);
    else out += 'Z';
}

void format_log(const LogLine& line, bool json, bool local_time, bool colour, std::string& out) {
    const auto level = static_cast<size_t>(line.level) % level_words.size();
    Unpacker from(line.packed);
    const std::string_view message = from.text(from.raw<uint32_t>());
    if (json) {
        out += "{\"timestamp\":\"";
        format_time(line.unix_us, local_time, out);
        out.append("\",\"level\":\"").append(level_words[level]).append("\",\"module\":\"").append(name(line.module)).append("\",\"message\":");
        append_json(out, message);
    } else {
        format_time(line.unix_us, local_time, out);
        out += level_words[level].size() == 4 ? "  " : " ";
        if (colour) out += level_colours[level];
        out += level_words[level];
        if (colour) out += "\033[0m";
        out.append(" ").append(name(line.module)).append(": ");
        append_plain(out, message);
    }
    while (from.more()) {
        const auto kind = from.raw<LogField::Kind>();
        const std::string_view key = from.text(from.raw<uint8_t>());
        out += json ? ',' : ' ';
        if (json) append_json(out, key);
        else append_plain(out, key);
        if (json && reserved(key)) out.insert(out.size() - 1, 1, '_');
        out += json ? ':' : '=';
        append_value(kind, from, json, out);
    }
    out += json ? "}\n" : "\n";
}

}  // namespace weir
