// NATS' client protocol, the bytes: what a server says, and what is said to it. The connection is planes/nats_client.h.
#pragma once
#include <string>

#include "types/doc.h"

namespace weir {

inline constexpr size_t nats_line_max = 64 * 1024;      // INFO names all servers of a cluster

struct NatsMessage {
    Str subject, reply;                // reply: empty when none is wanted
    uint64_t sid = 0;                  // of the subscription
    Str headers;                       // "NATS/1.0...\r\n...\r\n\r\n", or empty
    Str payload;
};

// Feed the reads in order:  while ((kind = reader.next(bytes)) != NatsReader::none) ...
// Copies only what a read cut apart.
class NatsReader {
public:
    enum Kind : uint8_t { none, info, message, ping, pong, ok, error };
    explicit NatsReader(size_t message_max) : message_max_(message_max) {}
    // Takes bytes from the front of `bytes`. Views into what it says are good until the next call and as long as the bytes given stay where
    // they are. none: `bytes` is used up, or bad().
    Kind next(Str& bytes);
    const NatsMessage& said() const { return message_; }   // message
    Str text() const { return text_; }                     // info: JSON; error: without its quotes
    bool bad() const { return bad_; }                      // no NATS, or beyond the bounds
    bool mid_message() const { return !held_.empty() && !given_; }

private:
    size_t whole(Str so_far);
    Kind line(Str text);
    Kind read_sizes(Str arguments, bool with_headers);
    Kind take(Str text);
    const size_t message_max_;
    std::string held_;
    NatsMessage message_;
    Str text_;
    size_t line_bytes_ = 0, headers_bytes_ = 0, total_bytes_ = 0;   // of what whole() measured
    Kind kind_ = none;
    bool given_ = false, bad_ = false;
};

bool nats_subject(Str text);           // may be published to, or with wildcards subscribed to: no blanks, no empty parts
// Behind each head: headers, payload, "\r\n".
void append_nats_publish_head(std::string& out, Str subject, Str reply, size_t headers_bytes, size_t payload_bytes);
void append_nats_subscribe(std::string& out, Str subject, uint64_t sid);
void append_nats_unsubscribe(std::string& out, uint64_t sid);

// A block of headers: begin, fields, end. A field with a line break or a colon in its name is left out.
inline constexpr Str nats_headers_begin = "NATS/1.0\r\n";
void append_nats_header(std::string& out, Str name, Str value);
Str nats_header(Str headers, Str name);                    // its value, the name in any case; empty: none
unsigned nats_status(Str headers);                         // "NATS/1.0 503...": 503; 0: none

}  // namespace weir
