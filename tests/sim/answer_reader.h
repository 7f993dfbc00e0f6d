// A client's view of an HTTP/1.1 answer, written independently of the parsers under test. Feed bytes, look at what came.
#pragma once
#include <string>
#include <string_view>

namespace weir::sim {

struct Answer {
    int status = 0, interim = 0;         // interim: 1xx heads seen before
    std::string head, body;              // head: lower case
    bool head_done = false, complete = false, closes = false, bad = false;
    bool until_close = false;            // complete only when the connection ends properly
    std::string field(const std::string& name) const;
};

class AnswerReader {
public:
    explicit AnswerReader(bool head_request = false) : head_request_(head_request) {}
    // Takes bytes from the front of `in` until the answer is complete, or all of them.
    void feed(std::string& in);
    void closed();                       // the peer's end of stream
    Answer answer;

private:
    bool step(std::string& in);
    bool take_head(std::string& in);
    bool head_request_;
    enum class At { head, length, chunk_size, chunk, chunk_end, trailer, until_close } at_ = At::head;
    size_t left_ = 0;
};

}  // namespace weir::sim
