#include "wire/msgpack.h"

#include <bit>

namespace weir {
namespace {

using Kind = MsgpackReader::Kind;

Kind kind_of(uint8_t b) {
    if (b <= 0x7f || b >= 0xe0) return Kind::integer;
    if (b <= 0x8f) return Kind::map;
    if (b <= 0x9f) return Kind::array;
    if (b <= 0xbf) return Kind::text;
    switch (b) {
    case 0xc0: return Kind::nil;
    case 0xc1: return Kind::none;
    case 0xc2: case 0xc3: return Kind::boolean;
    case 0xc4: case 0xc5: case 0xc6: return Kind::binary;
    case 0xca: case 0xcb: return Kind::real;
    case 0xd9: case 0xda: case 0xdb: return Kind::text;
    case 0xdc: case 0xdd: return Kind::array;
    case 0xde: case 0xdf: return Kind::map;
    default: return b >= 0xcc && b <= 0xd3 ? Kind::integer : Kind::extension;
    }
}

}  // namespace

Kind MsgpackReader::kind() const { return ok_ && at_ < bytes_.size() ? kind_of(static_cast<uint8_t>(bytes_[at_])) : Kind::none; }

uint64_t MsgpackReader::big_endian(size_t n) {
    if (!ok_ || bytes_.size() - at_ < n) return fail(), 0;
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | static_cast<uint8_t>(bytes_[at_ + i]);
    at_ += n;
    return v;
}

Str MsgpackReader::take(uint64_t n) {
    if (!ok_ || bytes_.size() - at_ < n) return fail(), Str();
    const Str v = bytes_.substr(at_, n);
    at_ += n;
    return v;
}

bool MsgpackReader::head(Kind want, uint8_t& first) {
    if (kind() != want) return fail(), false;
    first = static_cast<uint8_t>(bytes_[at_++]);
    return true;
}

bool MsgpackReader::take_nil() {
    if (kind() != Kind::nil) return false;
    at_++;
    return true;
}

bool MsgpackReader::boolean() {
    uint8_t b;
    return head(Kind::boolean, b) && b == 0xc3;
}

bool MsgpackReader::negative() const {
    if (kind() != Kind::integer) return false;
    const auto b = static_cast<uint8_t>(bytes_[at_]);
    return b >= 0xe0 || (b >= 0xd0 && b <= 0xd3 && at_ + 1 < bytes_.size() && static_cast<uint8_t>(bytes_[at_ + 1]) >= 0x80);
}

bool MsgpackReader::single() const { return kind() == Kind::real && static_cast<uint8_t>(bytes_[at_]) == 0xca; }

int64_t MsgpackReader::signed_number() {
    uint8_t b;
    if (!head(Kind::integer, b)) return 0;
    if (b <= 0x7f || b >= 0xe0) return static_cast<int8_t>(b);
    const size_t bits = 8u << (b & 3);
    const uint64_t v = big_endian(bits / 8);
    if (b <= 0xcf) {
        if (v > INT64_MAX) fail();
        return ok_ ? static_cast<int64_t>(v) : 0;
    }
    return static_cast<int64_t>(v << (64 - bits)) >> (64 - bits);
}

uint64_t MsgpackReader::number() {
    uint8_t b;
    if (negative()) fail();
    if (!head(Kind::integer, b)) return 0;
    return b <= 0x7f ? b : big_endian(size_t{1} << (b & 3));
}

double MsgpackReader::real() {
    if (kind() == Kind::integer) return negative() ? static_cast<double>(signed_number()) : static_cast<double>(number());
    uint8_t b;
    if (!head(Kind::real, b)) return 0;
    if (b == 0xca) return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(big_endian(4))));
    return std::bit_cast<double>(big_endian(8));
}

uint64_t MsgpackReader::length(Kind want) {
    uint8_t b;
    if (!head(want, b)) return 0;
    if (b < 0xc0) return b & (want == Kind::text ? 31 : 15);
    switch (b) {
    case 0xc4: case 0xd9: return big_endian(1);
    case 0xc5: case 0xda: case 0xdc: case 0xde: return big_endian(2);
    default: return big_endian(4);
    }
}

Str MsgpackReader::text() { return take(length(Kind::text)); }
Str MsgpackReader::binary() { return take(length(Kind::binary)); }
Str MsgpackReader::blob() { return kind() == Kind::binary ? binary() : text(); }

uint32_t MsgpackReader::array() {
    const uint64_t n = length(Kind::array);
    if (n > bytes_.size() - at_) fail();
    return ok_ ? static_cast<uint32_t>(n) : 0;
}

uint32_t MsgpackReader::map() {
    const uint64_t n = length(Kind::map);
    if (2 * n > bytes_.size() - at_) fail();
    return ok_ ? static_cast<uint32_t>(n) : 0;
}

Str MsgpackReader::skip() {
    const size_t from = at_;
    // Values still to come, of all open containers together: no stack, whatever the depth. Each takes at least a byte.
    for (uint64_t left = 1; left > 0 && ok_; left--) {
        switch (kind()) {
        case Kind::none: fail(); break;
        case Kind::nil: case Kind::boolean: at_++; break;
        case Kind::integer: case Kind::real: {
            const auto b = static_cast<uint8_t>(bytes_[at_++]);
            if (b >= 0xcc && b <= 0xd3) take(size_t{1} << (b & 3));
            else if (b == 0xca || b == 0xcb) take(b == 0xca ? 4 : 8);
            break;
        }
        case Kind::text: text(); break;
        case Kind::binary: binary(); break;
        case Kind::array: left += array(); break;
        case Kind::map: left += uint64_t{2} * map(); break;
        case Kind::extension: {
            const auto b = static_cast<uint8_t>(bytes_[at_++]);
            const uint64_t n = b >= 0xd4 ? uint64_t{1} << (b - 0xd4) : big_endian(size_t{1} << (b - 0xc7));
            take(n + 1);   // and its type
            break;
        }
        }
    }
    return ok_ ? bytes_.substr(from, at_ - from) : Str();
}

MsgpackWriter& MsgpackWriter::tail(uint64_t v, size_t n) {
    while (n > 0) byte(static_cast<unsigned>(v >> 8 * --n & 0xff));
    return *this;
}

MsgpackWriter& MsgpackWriter::sized(size_t n, unsigned fix, size_t fix_max, unsigned one, unsigned two, unsigned four) {
    if (n <= fix_max) return byte(fix | static_cast<unsigned>(n));
    if (one && n <= 0xff) return byte(one).tail(n, 1);
    if (n <= 0xffff) return byte(two).tail(n, 2);
    return byte(four).tail(n, 4);
}

MsgpackWriter& MsgpackWriter::number(uint64_t v) {
    if (v <= 0x7f) return byte(static_cast<unsigned>(v));
    if (v <= 0xff) return byte(0xcc).tail(v, 1);
    if (v <= 0xffff) return byte(0xcd).tail(v, 2);
    if (v <= 0xffffffff) return byte(0xce).tail(v, 4);
    return byte(0xcf).tail(v, 8);
}

MsgpackWriter& MsgpackWriter::signed_number(int64_t v) {
    if (v >= 0) return number(static_cast<uint64_t>(v));
    const auto u = static_cast<uint64_t>(v);
    if (v >= -32) return byte(static_cast<unsigned>(u & 0xff));
    if (v >= INT8_MIN) return byte(0xd0).tail(u, 1);
    if (v >= INT16_MIN) return byte(0xd1).tail(u, 2);
    if (v >= INT32_MIN) return byte(0xd2).tail(u, 4);
    return byte(0xd3).tail(u, 8);
}

MsgpackWriter& MsgpackWriter::real(double v) { return byte(0xcb).tail(std::bit_cast<uint64_t>(v), 8); }
MsgpackWriter& MsgpackWriter::real(float v) { return byte(0xca).tail(std::bit_cast<uint32_t>(v), 4); }
MsgpackWriter& MsgpackWriter::text(Str v) { return sized(v.size(), 0xa0, 31, 0xd9, 0xda, 0xdb).raw(v); }

MsgpackWriter& MsgpackWriter::binary(Str v) {
    if (v.size() <= 0xff) return byte(0xc4).tail(v.size(), 1).raw(v);
    if (v.size() <= 0xffff) return byte(0xc5).tail(v.size(), 2).raw(v);
    return byte(0xc6).tail(v.size(), 4).raw(v);
}

MsgpackWriter& MsgpackWriter::array(size_t n) { return sized(n, 0x90, 15, 0, 0xdc, 0xdd); }
MsgpackWriter& MsgpackWriter::map(size_t n) { return sized(n, 0x80, 15, 0, 0xde, 0xdf); }

MsgpackWriter& MsgpackWriter::numbers(std::span<const uint32_t> v) {
    array(v.size());
    // Room for the widest form, then shrunk: one pass without a growth check per number.
    const size_t at = out_.size();
    out_.resize(at + 5 * v.size());
    char* p = out_.data() + at;
    for (uint32_t n : v) {
        const size_t width = n <= 0x7f ? 0 : n <= 0xff ? 1 : n <= 0xffff ? 2 : 4;
        if (width) *p++ = static_cast<char>(width == 1 ? 0xcc : width == 2 ? 0xcd : 0xce);
        else *p++ = static_cast<char>(n);
        for (size_t i = width; i > 0; i--) *p++ = static_cast<char>(n >> 8 * (i - 1));
    }
    out_.resize(static_cast<size_t>(p - out_.data()));
    return *this;
}

MsgpackWriter::Open MsgpackWriter::open_map() {
    const Open map{out_.size(), 0};
    byte(0xde).tail(0, 2);
    return map;
}

MsgpackWriter& MsgpackWriter::close(const Open& map) {
    out_[map.at + 1] = static_cast<char>(map.n >> 8);
    out_[map.at + 2] = static_cast<char>(map.n & 0xff);
    return *this;
}

}  // namespace weir
