// An engine's answer over HTTP, with the OpenAI API's bodies, as a stream of Events.
#pragma once
#include <memory>

#include "engine/stream.h"
#include "net/upstream.h"
#include "types/call.h"

namespace weir::dispatch {

// `upstream` has its response head read, and outlives the stream. `deadline`: of the whole answer, 0: none.
std::unique_ptr<EngineStream> http_events(Upstream& upstream, Api api, bool streaming, Instant deadline);

}  // namespace weir::dispatch
