// The wire format of Protocol Buffers by hand: one message's fields in order as views into the bytes, and fields appended to a string.
// For messages of few fields (etcd, tokenizer files); no descriptors, no generated code.
#pragma once
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// for (ProtobufFields f(message); f.next();) switch (f.field()) { case 1: if (f.is_bytes()) use(f.bytes()); }  then check failed().
// Fields nobody asks for are skipped; so is one of another kind than expected, when the caller checks the kind.
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
    int64_t signed_number() const { return static_cast<int64_t>(number_); }             // of int32 and int64 (not of sint)
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

// Writing. Zero and empty are left out, as proto3 has it; members of a oneof need the _always form.
class ProtobufWriter {
public:
    explicit ProtobufWriter(std::string& out) : out_(out) {}
    ProtobufWriter& number(uint32_t field, uint64_t value) { return value ? number_always(field, value) : *this; }
    ProtobufWriter& bytes(uint32_t field, std::string_view value) { return value.empty() ? *this : bytes_always(field, value); }
    ProtobufWriter& number_always(uint32_t field, uint64_t value) { return varint(field << 3), varint(value), *this; }
    ProtobufWriter& bytes_always(uint32_t field, std::string_view value) {
        varint(field << 3 | 2), varint(value.size());
        out_.append(value);
        return *this;
    }

private:
    void varint(uint64_t value) {
        for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
        out_.push_back(static_cast<char>(value));
    }
    std::string& out_;
};

}  // namespace weir
