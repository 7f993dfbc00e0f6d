#include "wire/protobuf.h"

namespace weir {

bool ProtobufFields::varint(uint64_t& value) {
    value = 0;
    for (size_t i = 0; i < 10 && i < rest_.size(); ++i) {
        const auto byte = static_cast<uint8_t>(rest_[i]);
        if (i == 9 && byte > 1) return false;
        value |= static_cast<uint64_t>(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            rest_.remove_prefix(i + 1);
            return true;
        }
    }
    return false;
}

bool ProtobufFields::fixed(size_t size) {
    if (rest_.size() < size) return false;
    number_ = 0;
    for (size_t i = 0; i < size; ++i) number_ |= static_cast<uint64_t>(static_cast<uint8_t>(rest_[i])) << (8 * i);
    rest_.remove_prefix(size);
    return true;
}

bool ProtobufFields::next() {
    if (failed_ || rest_.empty()) return false;
    uint64_t tag = 0;
    if (!varint(tag) || tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) return fail();
    field_ = static_cast<uint32_t>(tag >> 3);
    wire_ = static_cast<uint8_t>(tag & 7);
    bytes_ = {};
    switch (wire_) {
        case 0: return varint(number_) || fail();
        case 1: return fixed(8) || fail();
        case 5: return fixed(4) || fail();
        case 2: {
            uint64_t size = 0;
            if (!varint(size) || size > rest_.size()) return fail();
            bytes_ = rest_.substr(0, size);
            rest_.remove_prefix(size);
            return true;
        }
        default: return fail();   // groups are not written any more
    }
}

}  // namespace weir
