// Moves simulated engines on a core: they are advanced when their time has come.
#pragma once
#include <functional>

#include "net/core.h"
#include "sim/engine_model.h"

namespace weir::mocker {

class Pace {
public:
    // `advance(now)` runs steps that are due, at most some; `next()`: when it is to be called again, or sim::never.
    Pace(Core& core, std::function<void(Instant)> advance, std::function<Instant()> next);
    ~Pace();                     // on the core, or with the core entered
    void poke();                 // something may be due: advances, or arranges for it

private:
    struct Alarm : Timer { Pace* pace; };
    Task<void> spin();           // advances an engine that takes no time, between the turns of others
    Core& core_;
    const std::function<void(Instant)> advance_;
    const std::function<Instant()> next_;
    bool spinning_ = false;
    Alarm alarm_;
    Nursery nursery_;
};

// Whole milliseconds until then, rounded up; 0 when it has come.
inline uint64_t ms_until(Instant at, Instant now) { return at > now ? (at - now + ns_per_ms - 1) / ns_per_ms : 0; }

}  // namespace weir::mocker
