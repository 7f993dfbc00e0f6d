// How a request ended: what metrics, the access line, the breaker and the policies learn from it.
#pragma once
#include "base/clock.h"
#include "base/result.h"

namespace weir {

struct Outcome {
    enum By : uint8_t { engine, client, gateway, worker_lost, external };   // external: only headers or the served endpoint were seen
    Code code = Code::ok;
    By ended_by = engine;
    uint8_t attempt = 1;             // which attempt answered, from 1
    bool first_byte = false;         // the client got at least one byte of the answer
    bool finished = false;           // a finish reason or a whole body was seen
    int status = 0;                  // HTTP status towards the client; 0: none was sent
    uint32_t prompt_tokens = 0, out_tokens = 0, cached_tokens = 0;
    Instant ttft = 0, end = 0;       // steady ns; 0 = never
};

}  // namespace weir
