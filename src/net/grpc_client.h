// gRPC calls over the pool's HTTP/2 connections: unary, and streams either way. Messages are bytes; who calls knows what is in them.
#pragma once
#include <memory>
#include <string>

#include "net/upstream.h"
#include "wire/grpc.h"

namespace weir {

struct GrpcRequest {
    std::string path;                  // "/package.Service/Method"
    std::string metadata;              // "name: value\r\n" lines
    uint64_t deadline_ms = 0;          // of the whole call, told to the server; 0: none
    size_t message_max = 4 * 1024 * 1024;   // of one message received
};

// The status behind a Failure of the functions below. unavailable: the server was not reached, or was lost.
GrpcCode grpc_code(const Failure&);

// One call. Its destruction cancels it. `target` outlives it. Failures have Code connect_failed, reset_before_byte, first_byte_timeout
// (the deadline, or read_in's time), lost_mid_stream, engine_garbage or, with a status, engine_status; `reason` is the status' name,
// `detail` its text.
class GrpcCall {
public:
    // Connects when need be, and sends the head; the server's is not waited for.
    static Task<Result<std::unique_ptr<GrpcCall>>> open(ClientPool& pool, const Target& target, GrpcRequest request);
    explicit GrpcCall(std::unique_ptr<Upstream> up, const GrpcRequest& request);
    // False: the call is over (read() says how), or limits::write_rest_max bytes wait for the server already.
    bool send(Str message, bool last = false);
    bool finish() { return up_->write({}, true); }   // no more messages from us
    // True: message() is the next one, good until the next read(). False: the server ended the call with OK.
    Task<Result<bool>> read();
    Str message() const { return message_; }
    void read_in(uint64_t ms) { read_ms_ = ms; }     // how long the next reads wait each; 0: as long as the deadline lets them

private:
    friend Task<Result<std::string>> grpc_unary(ClientPool&, const Target&, GrpcRequest, std::string);
    Task<Result<void>> take_head();
    Result<bool> at_end();
    bool arm_deadline();
    std::unique_ptr<Upstream> up_;
    GrpcReader reader_;
    Str bytes_, message_;                            // of the last piece, not yet read; HTTP/2 streams keep their piece until the next
    std::string status_, status_text_;               // of a head that is the whole answer
    uint64_t read_ms_ = 0;
    Instant end_ = 0;                                // of the deadline; 0: none
    bool head_ = false, ended_ = false;
};

// One message there, one back.
Task<Result<std::string>> grpc_unary(ClientPool& pool, const Target& target, GrpcRequest request, std::string message);

}  // namespace weir
