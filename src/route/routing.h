// What routes the requests of a model: policies for each leg, and the shared structures they are told from. Shared by all cores.
#pragma once
#include <atomic>
#include <memory>
#include <span>

#include "kv/active_blocks.h"
#include "kv/index.h"
#include "kv/text_index.h"
#include "policy/policy.h"

namespace weir::route {

class Affinity;
struct OverloadGuard;                            // route/overload.h
class QueueGate;
class QueueLine;

// Where predicted blocks go: straight to kv::Predictions in a simulation, to the thread that applies the ranks' events in service.
class PredictionSink {
public:
    virtual ~PredictionSink() = default;
    // `capacity`: KV blocks of the rank's cache; 0: not known. Any core; drops rather than waits.
    virtual void predict(kv::Rank rank, uint32_t capacity, std::span<const uint64_t> local, Instant now) = 0;
};

// A worker is passed over when every rank of it is beyond one of these (route/busy.h). Changed by /busy_threshold while requests run.
struct BusyLimits {
    static constexpr float off = -1;             // 0 is a limit: busy with the first block or token
    static constexpr uint32_t off_tokens = UINT32_MAX;
    std::atomic<float> decode_blocks_share{off}, prefill_batch_share{off};   // of the rank's KV blocks; of its batch token limit
    std::atomic<uint32_t> prefill_tokens{off_tokens};
};

struct Routing {
    std::shared_ptr<Policy> whole;               // aggregated workers; never null
    std::shared_ptr<Policy> prefill, decode;     // null: as `whole`
    const char* policy_name = "";                // static storage: of `whole`
    std::shared_ptr<kv::KvIndex> index;          // null: no policy asks for overlap
    std::shared_ptr<kv::TextIndex> text;         // null: no policy asks for text
    std::shared_ptr<kv::ActiveBlocks> active;    // null: blocks under way are not tracked
    std::shared_ptr<Affinity> affinity;          // null: sessions go anywhere
    QueueGate* queue = nullptr;                  // null: nobody waits for room
    const QueueLine* line = nullptr;             // ... what place() sees of it
    PredictionSink* predictions = nullptr;       // null: nothing is predicted
    BusyLimits busy;
    const OverloadGuard* overload = nullptr;     // null: overloaded workers are not left out
    bool assume_reuse = true;                    // shared prefixes under way count once
    bool track_prefill = true, track_output = false;
    double host_weight = 0.75, disk_weight = 0.25;   // what a block of a lower tier saves of computing it
};

// A policy and nothing beside it. `name`: static storage.
inline std::shared_ptr<Routing> only(std::shared_ptr<Policy> policy, const char* name) {
    auto routing = std::make_shared<Routing>();
    routing->whole = std::move(policy);
    routing->policy_name = name;
    return routing;
}

}  // namespace weir::route
