// An engine's answer as a stream of Events: what dispatch pulls from and respond reads, whatever the engine speaks.
#pragma once
#include "base/result.h"
#include "base/task.h"
#include "types/event.h"

namespace weir {

// One core. Pull: nothing is read from the engine between two calls, so a slow reader slows its own engine stream and nobody else's.
class EngineStream {
public:
    virtual ~EngineStream() = default;                       // cancels at the engine; never blocks
    // Clears `out`, then adds at least one Event; 0 = clean end. After 0, or a failure: do not call again. What an engine reports as its
    // own error is an Event::failure. Failure codes: lost_mid_stream (the worker left), incomplete, deadline (silence), engine_garbage.
    virtual Task<Result<size_t>> next(Batch& out) = 0;
    // All Events were given: next() would return 0.
    virtual bool complete() const { return false; }
    // After the end, when nobody waits any more: lets the engine see a clean close. Short; may be left out.
    virtual Task<void> finish() { co_return; }
    // The reader will be a while, because whoever it reads for is slow.
    virtual void hold() {}
    // Enough seen (a stop string was hit): the engine is asked to stop; its last events may still be pulled.
    virtual void stop_now() = 0;
};

}  // namespace weir
