// MessagePack: every well-formed value read in place, and written by appending. No tree, no recursion, no allocation in reading.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "types/doc.h"

namespace weir {

// Pull reader over one buffer. Errors stick: after the first wrong kind, cut value or bad byte, ok() is false, every read gives 0 or
// empty and kind() is none, so callers check once at the end. A container's count never exceeds the bytes left, so loops are bounded.
class MsgpackReader {
public:
    enum class Kind : uint8_t { none, nil, boolean, integer, real, text, binary, array, map, extension };
    explicit MsgpackReader(Str bytes) : bytes_(bytes) {}
    Kind kind() const;                 // of the value ahead; none at the end and after an error
    bool ok() const { return ok_; }
    bool done() const { return ok_ && at_ == bytes_.size(); }
    size_t at() const { return at_; }
    void fail() { ok_ = false; }

    bool take_nil();                   // takes a nil if that is ahead; else nothing
    bool boolean();
    uint64_t number();                 // an integer that is not negative
    int64_t signed_number();           // an integer in i64's range
    double real();                     // float 32, float 64 or integer
    Str text();                        // str; not checked for UTF-8
    Str binary();                      // bin
    Str blob();                        // str or bin
    uint32_t array();                  // items that follow
    uint32_t map();                    // pairs that follow
    Str skip();                        // any whole value; its bytes
    bool negative() const;             // the integer ahead is; then number() would fail
    bool single() const;               // the real ahead has 32 bits

private:
    uint64_t big_endian(size_t n);
    Str take(uint64_t n);
    bool head(Kind, uint8_t& first);
    uint64_t length(Kind);             // of the text, binary, array or map ahead, head taken
    Str bytes_;
    size_t at_ = 0;
    bool ok_ = true;
};

// Smallest form for every value, as rmp writes them.
class MsgpackWriter {
public:
    explicit MsgpackWriter(std::string& out) : out_(out) {}
    MsgpackWriter& nil() { return byte(0xc0); }
    MsgpackWriter& boolean(bool v) { return byte(v ? 0xc3 : 0xc2); }
    MsgpackWriter& number(uint64_t v);
    MsgpackWriter& signed_number(int64_t v);
    MsgpackWriter& real(double v);                 // float 64
    MsgpackWriter& real(float v);                  // float 32
    MsgpackWriter& text(Str v);
    MsgpackWriter& binary(Str v);
    MsgpackWriter& array(size_t n);                // n values follow
    MsgpackWriter& map(size_t n);                  // n times key and value follow
    MsgpackWriter& numbers(std::span<const uint32_t> v);   // an array of them
    MsgpackWriter& raw(Str v) { out_.append(v); return *this; }   // whole values
    // A map whose count is known only at the end (at most 65,535): key() counts, close() writes it.
    struct Open { size_t at; uint16_t n = 0; };
    Open open_map();
    MsgpackWriter& key(Open& map, Str name) { map.n++; return text(name); }
    MsgpackWriter& close(const Open& map);

private:
    MsgpackWriter& byte(unsigned v) { out_.push_back(static_cast<char>(v)); return *this; }
    MsgpackWriter& tail(uint64_t v, size_t n);
    MsgpackWriter& sized(size_t n, unsigned fix, size_t fix_max, unsigned one, unsigned two, unsigned four);
    std::string& out_;
};

// One value to JSON text. False, and `out` unspecified: malformed, deeper than limits::json_depth_max, an extension, text that is no
// UTF-8, a key that is neither text nor integer. Binary becomes a list of numbers, NaN and infinity null (both as serde_json has it).
bool msgpack_to_json(Str value, std::string& out);
// `json` is one valid value (check_json). False: a number out of range or a string that cannot be unescaped.
bool json_to_msgpack(Str json, std::string& out);

}  // namespace weir
