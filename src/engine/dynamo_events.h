// What Dynamo's workers publish: envelopes, KV events in batches, load reports; and the question that fills gaps, with its answers.
#pragma once
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "types/doc.h"

namespace weir::engine {

struct EventEnvelope {                 // around every message; views into it
    uint64_t publisher_id = 0, sequence = 0, published_at_ms = 0;
    Str topic, payload;
};
Result<EventEnvelope> read_envelope(Str message);              // Failure: engine_garbage, as of all below
void append_envelope(std::string& out, const EventEnvelope&);
// The frame that carries an envelope over ZeroMQ: version 1, u32 length, envelope.
Result<Str> read_event_frame(Str frame);
void append_event_frame(std::string& out, Str envelope);

enum class KvTier : uint8_t { device, host, disk, external };  // as kv::Tier counts them
struct KvBlock { uint64_t name, local; };                      // as kv::Block: the engine's own hash, and the local one
struct KvEvent {                       // spans are good during the call
    uint64_t worker_id = 0, event_id = 0;
    uint32_t dp_rank = 0;
    KvTier tier = KvTier::device;
    enum Kind : uint8_t { stored, removed, cleared } kind = stored;
    bool has_parent = false;
    uint64_t parent = 0;
    std::span<const KvBlock> blocks;   // stored
    std::span<const uint64_t> names;   // removed
};
class KvEventSink {
public:
    virtual ~KvEventSink() = default;
    virtual void event(const KvEvent&) = 0;
};
// A batch (or, from old workers, one event). The payload is checked whole before the first event is given out. Returns how many.
Result<size_t> read_kv_events(Str payload, KvEventSink& sink);
void append_kv_event(std::string& out, const KvEvent&);        // one event; a batch is a MessagePack array of them

struct LoadReport {                    // topic kv_metrics; what is absent did not change
    uint64_t worker_id = 0;
    uint32_t dp_rank = 0;
    std::optional<uint64_t> decode_blocks, prefill_tokens, kv_used_blocks;
};
Result<LoadReport> read_load_report(Str payload);

// --- recovery, over the request plane ---
struct RecoveryQuestion {
    uint64_t worker_id = 0;
    uint32_t dp_rank = 0;
    std::optional<uint64_t> first, last;   // event ids; none: everything
};
void append_recovery_question(std::string& out, const RecoveryQuestion&);
struct RecoveryAnswer {
    enum Kind : uint8_t { dump, events, too_new, refused, end } kind = refused;   // end: the frame says only that the answer is whole
    uint64_t last_event_id = 0;
    std::string why;                   // refused: what the worker said
    size_t count = 0;                  // events given to the sink
};
// `body`: a data frame of the answer. dump: its events are the rank's whole content, parents first, ids of their own.
Result<RecoveryAnswer> read_recovery_answer(Str body, KvEventSink& sink);

}  // namespace weir::engine
