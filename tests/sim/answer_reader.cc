#include "tests/sim/answer_reader.h"

#include <algorithm>
#include <cstdlib>

namespace weir::sim {

std::string Answer::field(const std::string& name) const {
    size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    at += name.size() + 4;
    return head.substr(at, head.find("\r\n", at) - at);
}

void AnswerReader::feed(std::string& in) {
    while (!answer.complete && !answer.bad && step(in)) {}
}

void AnswerReader::closed() {
    if (at_ == At::until_close) answer.complete = true;
}

bool AnswerReader::take_head(std::string& in) {
    size_t end = in.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    std::string head = in.substr(0, end + 2);
    in.erase(0, end + 4);
    if (head.compare(0, 9, "HTTP/1.1 ") != 0) return answer.bad = true;
    int status = std::atoi(head.c_str() + 9);
    if (status >= 100 && status < 200) {
        answer.interim++;
        return true;
    }
    for (char& c : head) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    answer.status = status;
    answer.head = head;
    answer.head_done = true;
    answer.closes = answer.field("connection") == "close";
    std::string length = answer.field("content-length"), coding = answer.field("transfer-encoding");
    if (!length.empty() && !coding.empty()) return answer.bad = true;
    if (head_request_ || status == 204 || status == 304) {
        answer.complete = true;
    } else if (coding == "chunked") {
        at_ = At::chunk_size;
    } else if (!length.empty()) {
        at_ = At::length;
        left_ = std::strtoul(length.c_str(), nullptr, 10);
        answer.complete = left_ == 0;
    } else {
        at_ = At::until_close;
        answer.until_close = true;
    }
    return true;
}

// False: more bytes are needed.
bool AnswerReader::step(std::string& in) {
    if (at_ == At::head) return take_head(in);
    if (at_ == At::until_close || at_ == At::length || at_ == At::chunk) {
        size_t n = at_ == At::until_close ? in.size() : std::min(left_, in.size());
        if (n == 0) return false;
        answer.body.append(in, 0, n);
        in.erase(0, n);
        if (at_ == At::until_close) return false;
        left_ -= n;
        if (left_ == 0 && at_ == At::length) answer.complete = true;
        if (left_ == 0 && at_ == At::chunk) at_ = At::chunk_end;
        return true;
    }
    size_t line_end = in.find("\r\n");
    if (line_end == std::string::npos) return false;
    std::string line = in.substr(0, line_end);
    in.erase(0, line_end + 2);
    if (at_ == At::chunk_end) {
        answer.bad = !line.empty();
        at_ = At::chunk_size;
    } else if (at_ == At::trailer) {
        answer.complete = line.empty();
    } else {
        char* after = nullptr;
        left_ = std::strtoul(line.c_str(), &after, 16);
        answer.bad = after == line.c_str() || (*after != '\0' && *after != ';');
        at_ = left_ == 0 ? At::trailer : At::chunk;
    }
    return true;
}

}  // namespace weir::sim
