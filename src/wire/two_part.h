// The two-part message of Dynamo's planes: u64 header length, u64 body length, u64 checksum (0: none), header, body; big-endian.
#pragma once
#include <string>

#include "types/doc.h"

namespace weir {

struct TwoPart { Str header, body; };

inline constexpr size_t two_part_prefix = 24;
void append_two_part_prefix(std::string& out, size_t header_bytes, size_t body_bytes);   // for who sends the parts as they lie
void append_two_part(std::string& out, Str header, Str body);

// Feed the reads of one stream in order:  while (reader.next(bytes, message)) use(message);
// Copies only a message that a read cut apart. A checksum is not looked at: release builds of the peer send none.
class TwoPartReader {
public:
    TwoPartReader(size_t header_max, size_t body_max) : header_max_(header_max), body_max_(body_max) {}
    // Takes bytes from the front of `bytes`. True: `out` holds a message, its views are good until the next call and as long as the
    // bytes given stay where they are. False: `bytes` is used up, or bad().
    bool next(Str& bytes, TwoPart& out);
    bool bad() const { return bad_; }                             // lengths beyond the bounds: the stream is lost
    bool mid_message() const { return !held_.empty() && !given_; }   // the stream must not end here
    size_t held_bytes() const { return held_.capacity() > 15 ? held_.capacity() : 0; }

private:
    bool lengths(Str prefix, size_t& header, size_t& body);
    const size_t header_max_, body_max_;
    std::string held_;               // a cut message's bytes so far
    bool given_ = false, bad_ = false;
};

// A whole buffer that is one message. False: it is not.
bool read_two_part(Str bytes, TwoPart& out);

}  // namespace weir
