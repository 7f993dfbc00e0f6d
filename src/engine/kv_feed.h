// The events of one rank in order: what is old is dropped, what follows goes on, a gap is asked about while later events wait.
#pragma once
#include <deque>
#include <optional>
#include <string>

#include "engine/dynamo_events.h"

namespace weir::engine {

inline constexpr size_t kv_held_max = 1'024;   // live events that wait for an answer; beyond it the oldest go and the answer must be whole

// One thread. `to` outlives it and hears each event once, in the order of ids. A `cleared` of our own (event id 0) is said before events
// that nothing can connect to what was known.
class KvFeed {
public:
    KvFeed(KvEventSink& to, bool recoverable) : to_(to), recoverable_(recoverable) {}
    void live(const KvEvent&);
    // Everything is to be asked for, whatever came so far: at the start, and when a connection was lost.
    void ask_all() { asking_ = lost_ = true; }

    // A question is due, from this id on; no id: everything is wanted. Ask once, then say answered_* or failed().
    bool asking() const { return asking_; }
    std::optional<uint64_t> ask_from() const { return started_ && !lost_ ? std::optional(last_ + 1) : std::nullopt; }
    // Answer `events`: each goes through here (old ones are dropped), then answered().
    void answered_event(const KvEvent&);
    // Answer `dump`: the caller has replaced all that is known of the rank, up to this id.
    void answered_dump(uint64_t last_event_id);
    void answered();                   // after events: what waited goes on; may leave asking() true again
    void failed();                     // nobody can tell: the rank begins anew with what waited

    uint64_t last() const { return last_; }
    struct Counts { uint64_t stale = 0, gaps = 0, resets = 0, dropped = 0; } counts;

private:
    void apply(const KvEvent&);
    void hold(const KvEvent&);
    void replay();
    KvEventSink& to_;
    const bool recoverable_;
    bool started_ = false, asking_ = false, lost_ = false;   // lost_: held events were dropped, only a dump helps
    uint64_t last_ = 0;
    std::deque<std::string> held_;
};

}  // namespace weir::engine
