// Server-sent events (WHATWG): an incremental reader that copies only what a read cut apart, and writers.
#pragma once
#include <string>
#include <string_view>

#include "base/limits.h"

namespace weir {

struct SseEvent {
    std::string_view data;    // lines joined by '\n'
    std::string_view event;   // empty: "message"
    std::string_view id;
};

// Feed the reads of one stream in order:  while (reader.next(bytes, event)) use(event);
// One object per stream; keeps nothing between reads unless an event is cut.
class SseReader {
public:
    // Takes bytes from the front of `bytes`. True: `out` holds an event, its views are good until the next call and as long as the
    // bytes given stay where they are. False: `bytes` is used up, or bad(). Events without a data line are skipped, comments too.
    bool next(std::string_view& bytes, SseEvent& out);

    bool bad() const { return bad_; }                 // an event larger than limits::sse_event_max; the stream is lost
    bool mid_event() const { return !held_.empty() && !given_; }   // the stream must not end here: the last event is incomplete
    size_t held_bytes() const { return held_.capacity() > small_ ? held_.capacity() : 0; }

private:
    size_t find_event_end(std::string_view bytes);    // bytes up to and with the blank line's end, or npos
    bool read_block(std::string_view block, SseEvent& out);

    static constexpr size_t small_ = 15;   // capacity of a std::string without heap memory
    std::string held_;                     // a cut event's bytes so far
    std::string joined_;                   // data of an event with several data lines
    bool given_ = false;                   // held_ was handed out: drop it at the next call
    bool line_empty_ = true;               // nothing yet in the line at hand
    bool after_cr_ = false;                // a LF now belongs to the CR before it
    bool first_ = true;                    // a byte order mark may come
    bool bad_ = false;
};

inline constexpr std::string_view sse_done = "data: [DONE]\n\n";
// "data: ...\n\n"; text with line breaks becomes several data lines. `event` may be empty.
void append_sse(std::string& out, std::string_view data, std::string_view event = {}, std::string_view id = {});
void append_sse_comment(std::string& out, std::string_view text);   // ": text\n\n", a keep-alive; no line breaks in text

}  // namespace weir
