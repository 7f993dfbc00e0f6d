#include "wire/grpc.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "wire/big_endian.h"
#include "wire/chars.h"

namespace weir {
namespace {

constexpr std::array code_names = {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
                                   "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
                                   "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"};
constexpr uint64_t timeout_number_max = 99'999'999;

}  // namespace

const char* name(GrpcCode code) { return code_names[static_cast<size_t>(code)]; }

void append_grpc_prefix(std::string& out, size_t message_bytes) {
    out.push_back('\0');
    append_big_endian(out, message_bytes, 4);
}

void append_grpc_message(std::string& out, Str message) {
    append_grpc_prefix(out, message.size());
    out.append(message);
}

// Of the whole message; 0 when it is refused.
size_t GrpcReader::length(Str prefix) {
    const size_t n = read_big_endian(prefix.substr(1, 4));
    compressed_ = prefix[0] != 0;
    too_large_ = !compressed_ && n > message_max_;
    return bad() ? 0 : grpc_prefix_bytes + n;
}

bool GrpcReader::next(Str& bytes, Str& message) {
    if (given_) held_.clear(), given_ = false;
    if (bad()) return false;
    if (held_.empty()) {
        if (bytes.size() >= grpc_prefix_bytes) {
            const size_t whole = length(bytes);
            if (bad()) return false;
            if (bytes.size() >= whole) {
                message = bytes.substr(grpc_prefix_bytes, whole - grpc_prefix_bytes);
                bytes.remove_prefix(whole);
                return true;
            }
        }
        if (bytes.empty()) return false;
    }
    for (;;) {   // first the prefix, then the rest
        const size_t wanted = held_.size() < grpc_prefix_bytes ? grpc_prefix_bytes : length(held_);
        if (bad()) return false;
        if (held_.size() >= wanted) break;
        const size_t n = std::min(wanted - held_.size(), bytes.size());
        held_.append(bytes.substr(0, n));
        bytes.remove_prefix(n);
        if (held_.size() < wanted) return false;
    }
    message = Str(held_).substr(grpc_prefix_bytes);
    return given_ = true;
}

GrpcCode grpc_code_of(Str digits) {
    unsigned code = 99;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), code);
    const bool known = parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size() && code < code_names.size();
    return known ? static_cast<GrpcCode>(code) : GrpcCode::unknown;
}

GrpcCode grpc_code_of_http(int status) {
    switch (status) {
        case 400: return GrpcCode::internal;
        case 401: return GrpcCode::unauthenticated;
        case 403: return GrpcCode::permission_denied;
        case 404: return GrpcCode::unimplemented;
        case 429: case 502: case 503: case 504: return GrpcCode::unavailable;
        default: return GrpcCode::unknown;
    }
}

std::string grpc_message_text(Str encoded) {
    std::string text;
    for (size_t i = 0; i < encoded.size(); i++) {
        const int high = encoded[i] == '%' && i + 2 < encoded.size() ? chars::hex_value(encoded[i + 1]) : -1;
        const int low = high >= 0 ? chars::hex_value(encoded[i + 2]) : -1;
        if (low >= 0) i += 2;
        text.push_back(low >= 0 ? static_cast<char>(high << 4 | low) : encoded[i]);
    }
    return text;
}

std::string grpc_message_encoded(Str text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<uint8_t>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '%') out.push_back(c);
        else out.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
    return out;
}

std::string grpc_timeout_text(uint64_t ms) {
    if (ms <= timeout_number_max) return std::to_string(ms) + "m";
    return std::to_string(std::min((ms + 999) / 1'000, timeout_number_max)) + "S";
}

}  // namespace weir
