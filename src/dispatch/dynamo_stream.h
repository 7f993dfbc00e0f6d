// A request to a Dynamo worker, its answer as a stream of Events.
#pragma once
#include "engine/dynamo_codec.h"
#include "engine/stream.h"
#include "planes/response_stream.h"

namespace weir::dispatch {

struct DynamoPlanes { RequestPlane& requests; CallHome& home; };   // of this core
struct DynamoWorker {
    PlaneAddress address;
    PayloadCodec codec = PayloadCodec::json;         // as its instance record says; none there means json
    uint64_t instance_id = 0;
};

// `ask.body` is written by engine::write_dynamo_request in the worker's codec; ask.codec and ask.instance_id are taken from `worker`.
// Ok: the worker's stream has begun (the commit). Failures of call_worker; before any of them but first_byte_timeout and
// reset_before_byte nothing was generated. All references outlive the call, not the stream.
Task<Result<std::unique_ptr<EngineStream>>> send_dynamo(DynamoPlanes, const DynamoWorker& worker, PlaneRequest ask, PlaneTimes times);

}  // namespace weir::dispatch
