// One answer on its call-home socket: frames pulled by whoever reads, stop and kill sent back.
#pragma once
#include <memory>
#include <string>

#include "planes/call_home.h"
#include "planes/request_plane.h"
#include "wire/two_part.h"

namespace weir {

inline constexpr size_t response_frame_max = 32 * 1024 * 1024;   // body of one frame

// while (true) { auto more = co_await stream.read(); if (!more || !*more) break; for (Str body; stream.take(body);) use(body); check failed() }
class ResponseStream {
public:
    ResponseStream(ExpectedCall::Called called, uint64_t idle_ms, Instant end = 0);
    ~ResponseStream();                       // tells the worker "kill" unless the answer is whole, and closes
    ResponseStream(const ResponseStream&) = delete;
    // The worker's first word. Failures: those of read_prologue, first_byte_timeout, reset_before_byte, engine_garbage.
    Task<Result<void>> prologue(uint64_t timeout_ms);
    // True: bytes came, take() what is in them before any other co_await. False: the stream ended with its sentinel. Failures:
    // lost_mid_stream (closed without it; silence beyond idle_ms, then reason is "response_timeout"), deadline (beyond `end`), engine_garbage.
    Task<Result<bool>> read();
    // The next data frame's body, a view into the bytes of the last read. False: no whole one is left, or failed().
    bool take(Str& body);
    bool garbage() const { return garbage_; }         // frames that no worker may send; the stream is lost
    bool ended() const { return sentinel_; }
    void whole() { whole_ = true; }          // the reader has all it wants: the end is no kill
    bool is_whole() const { return whole_; }
    // After whole(): waits shortly for the sentinel, so that the worker sees a clean close.
    Task<void> finish();
    void stop();                             // asks the worker to end gracefully; what it still says may be read

private:
    bool next(TwoPart& out) { return reader_.next(bytes_, out); }
    Task<Result<void>> receive(bool first);
    std::unique_ptr<SocketTransport> socket_;
    std::string early_;                      // came behind the handshake
    Str bytes_;                              // of the last read, not yet taken
    TwoPartReader reader_{control_header_max, response_frame_max};
    const uint64_t idle_ms_;
    const Instant end_;
    bool sentinel_ = false, whole_ = false, garbage_ = false, stopped_ = false, early_given_ = false;
};

// What a request says around its payload.
struct PlaneRequest {
    Str id;                                  // request id, in the control header and the frame's headers
    PayloadCodec codec = PayloadCodec::msgpack;
    Str body;                                // the payload
    std::span<const std::pair<std::string, std::string>> headers;    // of the frame: traceparent, tracestate, x-request-id
    std::span<const std::pair<std::string, std::string>> metadata;   // of the control header
    uint64_t instance_id = 0;                // whose pending calls end with it
};
struct PlaneTimes {
    uint64_t prologue_ms = 30'000, idle_ms = 0;   // 0: none
    Instant end = 0;                              // of the whole answer; 0: none
};

// Sends the request and waits until the worker's stream begins: acknowledged, called home, prologue read. Failures: those of
// RequestPlane::send, ExpectedCall::wait and ResponseStream::prologue; queue_full: too many calls are expected.
Task<Result<std::unique_ptr<ResponseStream>>> call_worker(RequestPlane&, CallHome&, const PlaneAddress&, const PlaneRequest&, PlaneTimes);

}  // namespace weir
