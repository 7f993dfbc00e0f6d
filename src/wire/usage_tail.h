// Watches a relayed answer go by and remembers the last token usage in it, without parsing the rest.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "types/event.h"

namespace weir {

// Feed it the payload pieces (no chunk framing) of one JSON or SSE answer, in order. It looks for a "usage" member with an object:
// quotes inside JSON strings are escaped, so generated text cannot pose as one. Understands the OpenAI and Anthropic names.
// 4 KB at most are kept, and only while a usage object is cut by the end of a read.
class UsageTail {
public:
    void feed(std::string_view piece);
    bool found() const { return usage_.from_engine; }
    const Usage& usage() const { return usage_; }    // of the last complete usage object; zeros when none was found
    static constexpr size_t held_max = 4 * 1024;

private:
    size_t settle(std::string_view text);
    std::string_view hold_on(std::string_view piece);
    void scan(std::string_view piece);

    Usage usage_;
    std::unique_ptr<std::string> held_;   // a cut occurrence, from behind the needle; null while there is none
    uint8_t matched_ = 0;     // bytes of the needle that ended the last piece
};

// The numbers of one usage object (text from its '{'). False when the object is not complete or malformed.
bool read_usage(std::string_view object, Usage& out);

}  // namespace weir
