// Counts what an HTTP/2 client sends, from frame headers alone, before anything is parsed: floods end the connection.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "base/limits.h"

namespace weir {

class H2Guard {
public:
    // `skip`: leading bytes that are no frames (the client's preface has 24).
    explicit H2Guard(uint32_t skip) : skip_(skip) {}
    // How many leading bytes may be parsed now. Fewer than given: either data_stream() is not 0, a DATA frame of that stream begins
    // there (look at it, then scan the rest), or a bound of limits::h2_* was passed, why() says which.
    size_t scan(std::string_view bytes, uint64_t now_ms);
    int32_t data_stream() const { return data_stream_; }
    // A stream was reset, by the client (scan counts those) or by us for a fault of the client's. False: too many.
    bool reset_stream(uint64_t now_ms);
    const char* why() const { return why_; }   // static text; "" while all is well

private:
    bool frame(uint64_t now_ms);
    bool count(uint16_t& counter, size_t most, const char* why);
    void second(uint64_t now_ms);

    uint64_t second_began_ms_ = 0;
    const char* why_ = "";
    uint32_t skip_;                            // bytes until the next frame header
    uint16_t resets_ = 0, settings_ = 0, controls_ = 0, empty_ = 0, continuations_ = 0;
    std::array<unsigned char, 9> header_{};
    uint8_t have_ = 0, ahead_ = 0;             // ahead: header bytes of the frame we stopped before that are still to be parsed
    int32_t data_stream_ = 0;
};

}  // namespace weir
