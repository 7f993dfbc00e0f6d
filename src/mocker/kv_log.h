// What one rank's KV cache went through, as a Dynamo worker tells it: numbered events in batches, the last of them again on demand, and
// all that is held now. No sockets, no time.
#pragma once
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/dynamo_events.h"
#include "sim/engine_model.h"

namespace weir::mocker {

class KvLog {
public:
    // Of one message, as real workers bound it; of the events kept for who asks again; bytes of a dump.
    static constexpr size_t batch_events_max = 128, batch_blocks_max = 8'192, kept_max = 4'096, kept_bytes_max = 16 * 1024 * 1024,
                            dump_bytes_max = 24 * 1024 * 1024;
    KvLog(uint64_t worker_id, uint32_t rank) : worker_id_(worker_id), rank_(rank) {}
    void add(const sim::KvEvent&);
    bool take(std::string& payload);         // the next message's payload: a MessagePack array of events. False: nothing is new
    uint64_t last() const { return last_; }  // number of the newest event; they count from 1
    size_t blocks() const { return held_.size(); }
    size_t kept() const { return kept_.size(); }

    // The answer to a recovery question, as MessagePack: the events asked for while they are kept, else everything that is held.
    void answer(const engine::RecoveryQuestion&, std::string& out) const;

private:
    struct Held { uint64_t parent, local; };
    struct Kept { std::string bytes; size_t blocks; };
    void append(const engine::KvEvent&);
    void dump(std::string& out) const;
    size_t dump_events(std::string& out) const;
    const uint64_t worker_id_;
    const uint32_t rank_;
    uint64_t last_ = 0, told_ = 0;           // told_: newest one given out by take()
    size_t kept_bytes_ = 0;
    std::deque<Kept> kept_;                  // the last events, the newest at the end
    std::unordered_map<uint64_t, Held> held_;
    std::vector<engine::KvBlock> blocks_;    // scratch
};

// Failure: bad_field. `body` as MessagePack.
Result<engine::RecoveryQuestion> read_recovery_question(Str body);

}  // namespace weir::mocker
