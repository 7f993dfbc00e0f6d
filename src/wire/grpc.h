// gRPC over HTTP/2, the bytes: length-prefixed messages, statuses, time-outs. Calls are net/grpc_client.h.
#pragma once
#include <string>

#include "types/doc.h"

namespace weir {

enum class GrpcCode : uint8_t {        // as on the wire
    ok, cancelled, unknown, invalid_argument, deadline_exceeded, not_found, already_exists, permission_denied, resource_exhausted,
    failed_precondition, aborted, out_of_range, unimplemented, internal, unavailable, data_loss, unauthenticated,
};
const char* name(GrpcCode);            // "DEADLINE_EXCEEDED"

// u8 compressed (0), u32 length, message.
inline constexpr size_t grpc_prefix_bytes = 5;
void append_grpc_prefix(std::string& out, size_t message_bytes);
void append_grpc_message(std::string& out, Str message);

// Feed the reads of one stream in order:  while (reader.next(bytes, message)) use(message);
// Copies only a message that a read cut apart.
class GrpcReader {
public:
    explicit GrpcReader(size_t message_max) : message_max_(message_max) {}
    // Takes bytes from the front of `bytes`. True: `message` is one, a view that is good until the next call and as long as the bytes given
    // stay where they are. False: `bytes` is used up, or bad().
    bool next(Str& bytes, Str& message);
    bool bad() const { return too_large_ || compressed_; }
    bool too_large() const { return too_large_; }          // a message beyond the bound
    bool compressed() const { return compressed_; }        // nobody offered to read that
    bool mid_message() const { return !held_.empty() && !given_; }   // the stream must not end here

private:
    size_t length(Str prefix);
    const size_t message_max_;
    std::string held_;                 // a cut message's bytes so far
    bool given_ = false, too_large_ = false, compressed_ = false;
};

struct GrpcStatus {
    GrpcCode code = GrpcCode::unknown;
    std::string message;
};
GrpcCode grpc_code_of(Str digits);                         // unknown for what is no status
GrpcCode grpc_code_of_http(int status);                    // of an answer without a grpc-status
std::string grpc_message_text(Str percent_encoded);        // malformed escapes stay as they are
std::string grpc_message_encoded(Str text);
std::string grpc_timeout_text(uint64_t ms);                // "250m", "120S": at most 8 digits, rounded up; ms > 0

}  // namespace weir
