// All that stays of a request while its answer streams; the decoded Call and the body are gone by then.
#pragma once
#include <memory>
#include <string>

#include "dispatch/relay.h"
#include "gateway/event_path.h"
#include "gateway/flow.h"
#include "gateway/passed_bytes.h"
#include "net/upstream.h"
#include "route/booking.h"

namespace weir {

struct Flow::Streaming {
    FleetViewRef fleet;                      // what `upstream` was picked from: its Target lives in here
    std::unique_ptr<Upstream> upstream;
    const WorkerView* worker = nullptr;      // in `fleet`
    uint16_t rank = 0;                       // of its data parallel ranks
    Booking booking;
    dispatch::Relay relay;
    std::unique_ptr<EventPath> events;       // decode-Event-encode; null: bytes pass untouched
    PassedBytes passed;
    Instant deadline = 0;
};

}  // namespace weir
