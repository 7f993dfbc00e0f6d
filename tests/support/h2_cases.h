// Reads tests/abuse/http2.txt (its head says how it is written) and takes HTTP/2 answers apart just far enough to judge them.
#pragma once
#include <array>
#include <cctype>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir::test {

struct H2Case {
    struct Step { std::string send; int await_end = 0; };
    struct Expect { std::string what, code; int stream = 0; };   // stream 0: any
    std::string name;
    std::vector<Step> steps;
    std::vector<Expect> expects;
};

inline std::string be(uint64_t v, int bytes) {
    std::string out;
    for (int i = bytes - 1; i >= 0; i--) out.push_back(static_cast<char>(v >> (8 * i)));
    return out;
}
inline std::string h2_frame(int type, int flags, uint32_t stream, std::string_view payload, long length = -1) {
    std::string out = be(length < 0 ? payload.size() : static_cast<uint64_t>(length), 3);
    out += be(static_cast<uint64_t>(type), 1) + be(static_cast<uint64_t>(flags), 1) + be(stream, 4);
    return out.append(payload);
}
inline std::string hpack_length(size_t n) {
    if (n < 127) return be(n, 1);
    std::string out = "\x7f";
    for (n -= 127; n >= 128; n /= 128) out += be(n % 128 | 128, 1);
    return out + be(n, 1);
}
inline std::string hpack_field(std::string_view name, std::string_view value) {
    return std::string(1, '\0') + hpack_length(name.size()) + std::string(name) + hpack_length(value.size()) + std::string(value);
}
inline const std::string h2_magic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct H2CaseReader {
    static std::string unquote(std::string_view text) {
        std::string out;
        for (size_t i = 0; i < text.size(); i++)
            if (text[i] == '\\' && i + 1 < text.size()) out += text[++i] == 'r' ? '\r' : text[i] == 'n' ? '\n' : text[i];
            else out += text[i];
        return out;
    }
    // Splits at blanks outside of "" and [].
    static std::vector<std::string> words(std::string_view line) {
        std::vector<std::string> out;
        for (size_t i = 0; i < line.size();) {
            if (line[i] == ' ') { i++; continue; }
            size_t from = i;
            bool quoted = false, bracket = false;
            for (; i < line.size() && (quoted || bracket || line[i] != ' '); i++) {
                if (line[i] == '"') quoted = !quoted;
                else if (line[i] == '[' && !quoted) bracket = true;
                else if (line[i] == ']' && !quoted) bracket = false;
            }
            out.emplace_back(line.substr(from, i - from));
        }
        return out;
    }
    static std::string times(const std::string& what, size_t n) {
        std::string out;
        while (n--) out += what;
        return out;
    }
    static std::string token(std::string t) {
        size_t star = t.rfind('*'), n = 1;
        if (star != std::string::npos && star + 1 < t.size() && t.back() != ']' && t.back() != '"') {
            n = std::stoul(t.substr(star + 1));
            t.resize(star);
        }
        if (t == "zeros") return std::string(n, '\0');
        if (t == "get" || t == "post")
            return hpack_field(":method", t == "get" ? "GET" : "POST") + hpack_field(":scheme", "http") + hpack_field(":path", "/health") +
                   hpack_field(":authority", "x");
        if (t.starts_with("u16=")) return be(std::stoull(t.substr(4)), 2);
        if (t.starts_with("u31=") || t.starts_with("u32=")) return be(std::stoull(t.substr(4)), 4);
        if (t.front() == '"') return times(unquote(t.substr(1, t.size() - 2)), n);
        if (t.front() == '[') {
            size_t eq = t.find('=', 1);
            std::string name = t.substr(1, eq - 1), value = t.substr(eq + 1, t.size() - eq - 2);
            if (value.size() > 2 && value[1] == '*') value = std::string(std::stoul(value.substr(2)), value[0]);
            return times(hpack_field(name, value), n);
        }
        std::string bytes;
        for (size_t i = 0; i + 1 < t.size(); i += 2) bytes.push_back(static_cast<char>(std::stoi(t.substr(i, 2), nullptr, 16)));
        return times(bytes, n);
    }
    static std::string frame(const std::vector<std::string>& w, uint32_t round) {
        static const std::map<std::string, int> types{{"data", 0}, {"headers", 1}, {"priority", 2}, {"rst_stream", 3}, {"settings", 4},
                                                      {"push_promise", 5}, {"ping", 6}, {"goaway", 7}, {"window_update", 8}, {"continuation", 9}};
        static const std::map<std::string, int> flag_bits{{"end_stream", 1}, {"ack", 1}, {"end_headers", 4}, {"padded", 8}, {"priority", 32}};
        int type = types.contains(w[0]) ? types.at(w[0]) : std::stoi(w[0], nullptr, 16), flags = 0;
        uint32_t stream = 0;
        long length = -1;
        std::string payload;
        size_t i = 1;
        for (; i < w.size() && w[i] != ":"; i++) {
            if (w[i].starts_with("stream=")) stream = static_cast<uint32_t>(std::stoul(w[i].substr(7))) + (w[i].back() == '+' ? 2 * round : 0);
            else if (w[i].starts_with("len=")) length = std::stol(w[i].substr(4));
            else flags |= flag_bits.contains(w[i]) ? flag_bits.at(w[i]) : std::stoi(w[i], nullptr, 16);
        }
        for (i++; i < w.size(); i++) payload += token(w[i]);
        return h2_frame(type, flags, stream, payload, length);
    }
    static std::string bytes(const std::vector<std::string>& w, uint32_t round) {
        if (w[0] == "hello") return h2_magic + h2_frame(4, 0, 0, {});
        if (w[0] == "magic") return h2_magic;
        if (w[0] != "raw") return frame(w, round);
        std::string out;
        for (size_t i = 1; i < w.size(); i++) out += token(w[i]);
        return out;
    }
};

inline std::vector<H2Case> read_h2_cases(const std::string& path) {
    std::vector<H2Case> out;
    std::ifstream in(path);
    std::vector<std::vector<std::string>> loop;
    size_t rounds = 0;
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line[0] == '#') continue;
        auto w = H2CaseReader::words(line);
        if (w[0] == "case") {
            out.push_back({w.at(1), {{}}, {}});
        } else if (w[0] == "expect") {
            H2Case::Expect e{w.at(1), w.size() > 2 ? w[2] : "", 0};
            if (w.size() > 3 && w[3] != "any") e.stream = std::stoi(w[3]);
            out.back().expects.push_back(e);
        } else if (w[0] == "await") {
            out.back().steps.back().await_end = std::stoi(w.at(2));
            out.back().steps.push_back({});
        } else if (w[0] == "loop") {
            rounds = std::stoul(w.at(1));
        } else if (w[0] == "end") {
            for (uint32_t r = 0; r < rounds; r++)
                for (auto& l : loop) out.back().steps.back().send += H2CaseReader::bytes(l, r);
            loop.clear();
            rounds = 0;
        } else if (rounds) {
            loop.push_back(w);
        } else {
            out.back().steps.back().send += H2CaseReader::bytes(w, 0);
        }
    }
    return out;
}

// What came back, frame by frame.
struct H2Answers {
    struct Frame { int type, flags; uint32_t stream; std::string payload; };
    std::string rest;
    std::vector<Frame> frames;
    void take(std::string_view bytes) {
        rest.append(bytes);
        for (;;) {
            auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(rest[i])); };
            if (rest.size() < 9) return;
            size_t n = at(0) << 16 | at(1) << 8 | at(2);
            if (rest.size() < 9 + n) return;
            uint32_t stream = (at(5) << 24 | at(6) << 16 | at(7) << 8 | at(8)) & 0x7fffffffu;
            frames.push_back({static_cast<int>(at(3)), static_cast<int>(at(4)), stream, rest.substr(9, n)});
            rest.erase(0, 9 + n);
        }
    }
    bool ended(int stream) const {
        for (auto& f : frames)
            if (static_cast<int>(f.stream) == stream && ((f.type <= 1 && (f.flags & 1)) || f.type == 3)) return true;
        return false;
    }
    bool pong() const {
        for (auto& f : frames)
            if (f.type == 6 && f.flags == 1 && f.payload == "weirtest") return true;
        return false;
    }
    static uint32_t u32(const std::string& s, size_t at) {
        uint32_t v = 0;
        for (size_t i = at; i < at + 4 && i < s.size(); i++) v = v << 8 | static_cast<unsigned char>(s[i]);
        return v;
    }
    static std::string code_name(uint32_t code) {
        static const std::array<const char*, 14> names{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR",
                                                       "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR",
                                                       "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"};
        return code < names.size() ? names[code] : std::to_string(code);
    }
    // The status of a header block whose first field is :status, in any of the forms an encoder may choose on a fresh connection.
    static std::string status(const std::string& block) {
        static const std::map<int, const char*> indexed{{0x88, "200"}, {0x89, "204"}, {0x8a, "206"}, {0x8b, "304"},
                                                       {0x8c, "400"}, {0x8d, "404"}, {0x8e, "500"}};
        size_t i = 0;
        while (i < block.size() && (static_cast<unsigned char>(block[i]) & 0xe0) == 0x20) i++;   // table size updates
        if (i >= block.size()) return "";
        int first = static_cast<unsigned char>(block[i]);
        if (indexed.contains(first)) return indexed.at(first);
        if ((first & 0x3f) != 8 && (first & 0x0f) != 8) return "?";
        int n = static_cast<unsigned char>(block.at(i + 1));
        if (!(n & 0x80)) return block.substr(i + 2, static_cast<size_t>(n));
        uint64_t bits = 0;
        int have = 8 * (n & 0x7f);
        for (int k = 0; k < (n & 0x7f); k++) bits = bits << 8 | static_cast<unsigned char>(block.at(i + 2 + static_cast<size_t>(k)));
        std::string out;
        while (out.size() < 3 && have >= 5) {   // digits 0..2 have five bits, the others six
            uint64_t five = bits >> (have - 5) & 31;
            if (five <= 2) {
                out += static_cast<char>('0' + five);
                have -= 5;
            } else {
                out += static_cast<char>('3' + ((bits >> (have - 6) & 63) - 25));
                have -= 6;
            }
        }
        return out;
    }
    bool meets(const H2Case::Expect& e, bool closed) const {
        if (e.what == "close") return closed;
        if (e.what == "open") return pong();
        for (auto& f : frames) {
            if (e.stream && static_cast<int>(f.stream) != e.stream) continue;
            auto among = [&](const std::string& name) { return ("|" + e.code + "|").find("|" + name + "|") != std::string::npos; };
            if (e.what == "goaway" && f.type == 7 && among(code_name(u32(f.payload, 4)))) return closed;
            if (e.what == "rst" && f.type == 3 && among(code_name(u32(f.payload, 0)))) return true;
            if (e.what == "status" && f.type == 1 && (e.code == "any" || among(status(f.payload)))) return true;
        }
        return false;
    }
    std::string text() const {
        static const std::array<const char*, 10> names{"data",         "headers", "priority", "rst_stream",    "settings",
                                                       "push_promise", "ping",    "goaway",   "window_update", "continuation"};
        std::string out;
        for (auto& f : frames) {
            out += std::string(f.type < 10 ? names[static_cast<size_t>(f.type)] : "?") + "(" + std::to_string(f.stream);
            if (f.type == 1) out += " status " + status(f.payload);
            if (f.type == 3) out += " " + code_name(u32(f.payload, 0));
            if (f.type == 7) out += " " + code_name(u32(f.payload, 4)) + " " + f.payload.substr(std::min<size_t>(8, f.payload.size()));
            out += f.flags & 1 ? " end) " : ") ";
            if (out.size() > 600) return out + "...";
        }
        return out;
    }
};

}  // namespace weir::test
