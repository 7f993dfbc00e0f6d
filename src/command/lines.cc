#include "command/lines.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "wire/json_write.h"
#include "wire/utf8.h"

namespace weir {
namespace {
constexpr size_t block = 1 << 20;
}

bool Lines::fill() {
    if (over_) return false;
    if (done_ > 0 && (done_ == end_ || done_ >= block)) {
        buffer_.erase(0, done_);
        end_ -= done_, done_ = 0;
    }
    if (buffer_.size() < end_ + block) buffer_.resize(end_ + block);
    ssize_t got = 0;
    do got = ::read(fd_, buffer_.data() + end_, buffer_.size() - end_);
    while (got < 0 && errno == EINTR);
    if (got <= 0) {
        over_ = true, failed_ = got < 0;
        return false;
    }
    end_ += static_cast<size_t>(got);
    return true;
}

std::optional<std::string_view> Lines::next() {
    size_t seen = done_;
    for (;;) {
        if (const void* at = end_ > seen ? std::memchr(buffer_.data() + seen, '\n', end_ - seen) : nullptr) {
            const size_t stop = static_cast<size_t>(static_cast<const char*>(at) - buffer_.data());
            const std::string_view line(buffer_.data() + done_, stop - done_);
            done_ = stop + 1;
            return line;
        }
        seen = end_ - done_;
        if (fill()) {
            seen += done_;
            continue;
        }
        if (done_ == end_) return std::nullopt;
        const std::string_view line(buffer_.data() + done_, end_ - done_);
        done_ = end_;
        return line;
    }
}

std::string Lines::rest() {
    while (fill()) {}
    std::string out = buffer_.substr(done_, end_ - done_);
    done_ = end_;
    return out;
}

bool Output::flush() {
    size_t done = 0;
    while (!broken_ && done < text_.size()) {
        const ssize_t wrote = ::write(fd_, text_.data() + done, text_.size() - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) broken_ = true;
        else done += static_cast<size_t>(wrote);
    }
    text_.clear();
    return !broken_;
}

void Output::maybe_flush() {
    if (text_.size() >= block) flush();
}

void append_error(std::string& out, const Failure& failure) {
    std::string message = failure->message;
    if (!utf8_valid(message)) message = "the message is not valid UTF-8";
    JsonWriter(out).object().key("error").object().member("kind", name(failure->code)).member("message", message).end_object().end_object();
}

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

}  // namespace weir
