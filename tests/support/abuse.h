// Reads tests/abuse/*.txt: raw requests and what must come back. The format is described at the head of tests/abuse/http1.txt.
#pragma once
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace weir::abuse {

struct Expected {
    int status = 0;          // 0 with wait: no answer, the server wants more bytes
    bool wait = false, close = false;
    bool endpoint = false;   // answered behind the parser: a code is given
    std::string code, param; // "*": any
};
struct Case {
    std::string name, bytes;
    std::vector<Expected> answers;
    int line = 0;            // in the file
};

// \r \n \t \\ \xNN and {repeat:N:TEXT}; TEXT ends at the next '}' and may hold escapes.
inline std::string unescape(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text.substr(i, 8) == "{repeat:") {
            char* colon = nullptr;
            const std::string rest(text.substr(i + 8));
            const unsigned long n = std::strtoul(rest.c_str(), &colon, 10);
            const size_t from = static_cast<size_t>(colon - rest.c_str()) + 1, end = rest.find('}', from);
            if (*colon != ':' || end == std::string::npos) throw std::runtime_error("bad {repeat}: " + rest.substr(0, 40));
            const std::string piece = unescape(std::string_view(rest).substr(from, end - from));
            for (unsigned long k = 0; k < n; ++k) out += piece;
            i += 8 + end;
        } else if (text[i] != '\\') {
            out.push_back(text[i]);
        } else {
            const char c = i + 1 < text.size() ? text[++i] : '\0';
            if (c == 'r') out.push_back('\r');
            else if (c == 'n') out.push_back('\n');
            else if (c == 't') out.push_back('\t');
            else if (c == '\\') out.push_back('\\');
            else if (c == 'x' && i + 2 < text.size()) {
                out.push_back(static_cast<char>(std::strtoul(std::string(text.substr(i + 1, 2)).c_str(), nullptr, 16)));
                i += 2;
            } else throw std::runtime_error("bad escape in: " + std::string(text.substr(0, 60)));
        }
    }
    return out;
}

inline Expected expected(std::string text) {
    Expected e;
    if (text == "wait") return e.wait = true, e;
    const size_t blank = text.find(' ');
    if (blank == std::string::npos) throw std::runtime_error("bad expectation: " + text);
    const std::string then = text.substr(blank + 1), what = text.substr(0, blank);
    if (then != "keep" && then != "close") throw std::runtime_error("neither keep nor close: " + text);
    e.close = then == "close";
    e.status = std::atoi(what.c_str());
    const size_t code = what.find('/');
    e.endpoint = code != std::string::npos;
    if (e.endpoint) {
        const size_t param = what.find('/', code + 1);
        e.code = what.substr(code + 1, param == std::string::npos ? param : param - code - 1);
        if (param != std::string::npos) e.param = what.substr(param + 1);
    }
    return e;
}

inline std::string posted(std::string_view text) {   // "/path body"
    const size_t blank = text.find(' ');
    const std::string body = blank == std::string_view::npos ? "" : unescape(text.substr(blank + 1));
    return "POST " + std::string(text.substr(0, blank)) + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline std::vector<Case> load(const std::string& path) {   // throws std::runtime_error with the line at fault
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot read " + path);
    std::vector<Case> cases;
    int number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        const size_t blank = line.find(' ');
        const std::string key = line.substr(0, blank), value = blank == std::string::npos ? "" : line.substr(blank + 1);
        try {
            if (line.empty() || line[0] == '#') continue;
            if (line[0] == '[') cases.push_back({line.substr(1, line.find(']') - 1), "", {}, number});
            else if (cases.empty()) throw std::runtime_error("text before the first [name]");
            else if (key == "send:") cases.back().bytes += unescape(value);
            else if (key == "post:") cases.back().bytes += posted(value);
            else if (key == "expect:")
                for (size_t from = 0, semi = 0; semi != std::string::npos; from = semi + 2) {
                    semi = value.find("; ", from);
                    cases.back().answers.push_back(expected(value.substr(from, semi == std::string::npos ? semi : semi - from)));
                }
            else if (key != "note:") throw std::runtime_error("unknown line");
        } catch (const std::runtime_error& e) {
            throw std::runtime_error(path + ":" + std::to_string(number) + ": " + e.what());
        }
    }
    return cases;
}

}  // namespace weir::abuse
