// The payloads of Dynamo's workers: a Call with its tokens to a request body, the items of an answer to Events. No sockets, no frames.
#pragma once
#include <array>
#include <string>

#include "types/call.h"
#include "types/event.h"
#include "types/token_scores.h"
#include "wire/dynamo_frames.h"

namespace weir::engine {

struct DynamoBootstrap {               // where prefill and decode meet
    Str host;
    uint16_t port = 0;
    uint64_t room = 0;
    std::array<uint8_t, 16> handoff{};
};

// What a worker is told beside the Call. Empty and unset members are left out or null, as the peer has it.
struct DynamoAsk {
    Str model;
    std::span<const uint32_t> tokens;
    std::optional<uint32_t> max_tokens, min_tokens;   // instead of the client's, which count for another prompt after a migration
    std::span<const uint32_t> eos;                    // end tokens of the model; also stops the text does not show
    Str mdc_sum;                                      // informational: workers do not look at it
    std::span<const Str> annotations;
    std::optional<uint32_t> dp_rank, prefill_dp_rank;
    std::optional<uint64_t> backend_id, prefill_id, decode_id;
    Str prefill_result;                               // JSON object {"disaggregated_params":..., ...} of the prefill leg
    const DynamoBootstrap* bootstrap = nullptr;
    bool decode_leg = false;                          // its overlap is not credited again: the peer's override for such legs
};
// Appends the body. The Call must be fully decoded. Failure: bad_field (a schema that is no JSON).
Result<void> write_dynamo_request(const Call&, const DynamoAsk&, PayloadCodec, std::string& out);

// Decodes the data frames of one call-home stream. Everything the Events point to lives in the Batch.
class DynamoDecoder {
public:
    explicit DynamoDecoder(PayloadCodec codec) : codec_(codec) {}
    // One frame's body; adds to `out`. Failure: engine_garbage, the stream cannot be used further. A worker's own error becomes an
    // Event::failure (Code::lost_mid_stream when another worker may go on, else engine_status) and ends the answer.
    Result<void> frame(Str body, Batch& out);
    bool complete() const { return complete_; }        // the last frame was seen
    bool failed() const { return failed_; }            // an error item was seen

private:
    friend class DynamoItem;
    const PayloadCodec codec_;
    bool complete_ = false, failed_ = false, begun_ = false;
    std::string converted_;                            // a JSON frame as MessagePack
    FailureBody status_;                               // what an error item said
};

}  // namespace weir::engine
