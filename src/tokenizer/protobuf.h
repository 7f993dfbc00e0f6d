// The wire format of Protocol Buffers, as far as tokenizer files need it: one message's fields in order, views into the bytes.
#pragma once
#include <bit>
#include <cstdint>
#include <string_view>

namespace weir::tok {

class ProtobufFields {
public:
    explicit ProtobufFields(std::string_view message) : rest_(message) {}

    // The next field; false at the end, and for good once something is malformed (then failed()).
    bool next();
    bool failed() const { return failed_; }

    uint32_t field() const { return field_; }
    bool is_bytes() const { return wire_ == 2; }
    bool is_number() const { return wire_ == 0; }
    bool is_fixed32() const { return wire_ == 5; }
    uint64_t number() const { return number_; }                                         // a varint, or a fixed number's bits
    float real() const { return std::bit_cast<float>(static_cast<uint32_t>(number_)); }   // fixed32
    std::string_view bytes() const { return bytes_; }

private:
    bool varint(uint64_t& value);
    bool fixed(size_t size);
    bool fail() { return failed_ = true, false; }

    std::string_view rest_, bytes_;
    uint64_t number_ = 0;
    uint32_t field_ = 0;
    uint8_t wire_ = 0;
    bool failed_ = false;
};

}  // namespace weir::tok
