// ZeroMQ's wire protocol (ZMTP 3.0, mechanism NULL) as far as publish and subscribe need it, both ends.
#pragma once
#include <string>
#include <vector>

#include "types/doc.h"

namespace weir {

inline constexpr size_t zmtp_greeting_bytes = 64;
inline constexpr size_t zmtp_frames_max = 16;        // of one message
void append_zmtp_greeting(std::string& out);
void append_zmtp_ready(std::string& out, Str socket_type);              // "SUB", "PUB": the first frame behind the greeting
void append_zmtp_frame(std::string& out, Str bytes, bool more);         // one frame of a message
inline void append_zmtp_subscribe(std::string& out, Str topic) { append_zmtp_frame(out, std::string(1, '\x01').append(topic), false); }

// Reads what the other end says. Feed the reads in order:  while (reader.next(bytes)) use(reader.message());
class ZmtpReader {
public:
    explicit ZmtpReader(size_t message_max) : message_max_(message_max) {}
    // Takes bytes from the front of `bytes`. True: message() holds one, good until the next call. Greeting and commands are taken in
    // silence. False: `bytes` is used up, or bad().
    bool next(Str& bytes);
    const std::vector<std::string>& message() const { return frames_; }
    bool ready() const { return ready_; }            // the other end's READY has been seen
    const std::string& socket_type() const { return socket_type_; }   // what it said there
    bool bad() const { return bad_; }                // another protocol, mechanism or version, an error command, or beyond the bounds
    bool mid_message() const { return (!held_.empty() && greeted_) || more_; }

private:
    bool gather(Str& bytes, size_t until);
    void greeting();
    void command(Str body);
    const size_t message_max_;
    std::string held_, socket_type_;
    std::vector<std::string> frames_;
    size_t size_ = 0;                                // bytes of the message so far
    bool greeted_ = false, ready_ = false, bad_ = false, more_ = false, given_ = false;
};

}  // namespace weir
