// Standard input line by line, standard output in large pieces: what bulk work at hundreds of MB a second needs.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir {

// Reads a descriptor in large blocks. Lines end at '\n', which is not part of them; a last line without one counts.
class Lines {
public:
    explicit Lines(int fd) : fd_(fd) {}
    // The next line, valid until the next call; nothing at the end. A failed read ends the input and is kept in `failure`.
    std::optional<std::string_view> next();
    std::string rest();                       // all that is left, lines or not
    bool failed() const { return failed_; }
    bool waiting() const { return done_ == end_; }   // nothing of what was read is left: the next call may block

private:
    bool fill();
    int fd_;
    std::string buffer_;
    size_t done_ = 0, end_ = 0;
    bool over_ = false, failed_ = false;
};

// Writes to a descriptor when enough has come together, or when asked.
class Output {
public:
    explicit Output(int fd) : fd_(fd) {}
    ~Output() { flush(); }
    std::string& text() { return text_; }     // append here
    void line() { text_ += '\n', maybe_flush(); }
    bool flush();                             // false: nobody takes it any more

private:
    void maybe_flush();
    int fd_;
    std::string text_;
    bool broken_ = false;
};

void append_error(std::string& out, const Failure&);   // {"error":{"kind":...,"message":...}}
bool is_terminal(int fd);

}  // namespace weir
