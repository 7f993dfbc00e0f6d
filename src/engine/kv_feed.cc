#include "engine/kv_feed.h"

namespace weir::engine {

void KvFeed::apply(const KvEvent& e) {
    started_ = true;
    last_ = e.event_id;
    to_.event(e);
}

void KvFeed::hold(const KvEvent& e) {
    if (held_.size() >= kv_held_max) {
        held_.pop_front();
        counts.dropped++;
        lost_ = true;
    }
    append_kv_event(held_.emplace_back(), e);
}

void KvFeed::live(const KvEvent& e) {
    if (started_ && e.event_id <= last_) return void(counts.stale++);
    if (asking_) return hold(e);
    if (started_ ? e.event_id == last_ + 1 : e.event_id == 1) return apply(e);
    counts.gaps += started_;           // one that joins late has missed nothing it was owed
    if (recoverable_) {
        asking_ = true;
        return hold(e);
    }
    if (started_) {
        counts.resets++;
        KvEvent reset;
        reset.worker_id = e.worker_id, reset.dp_rank = e.dp_rank, reset.kind = KvEvent::cleared;
        to_.event(reset);
    }
    apply(e);
}

void KvFeed::answered_event(const KvEvent& e) {
    if (started_ && e.event_id <= last_) return void(counts.stale++);
    apply(e);
}

void KvFeed::answered_dump(uint64_t last_event_id) {
    started_ = true;
    last_ = last_event_id;
    answered();
}

void KvFeed::answered() {
    asking_ = lost_ = false;           // what was dropped shows as a gap again
    replay();
}

void KvFeed::failed() {
    asking_ = lost_ = false;
    counts.resets++;
    bool first = true;
    for (auto& text : std::exchange(held_, {})) {
        struct Once final : KvEventSink {
            KvFeed& feed;
            bool first;
            Once(KvFeed& feed, bool first) : feed(feed), first(first) {}
            void event(const KvEvent& e) override {
                if (first) {
                    KvEvent reset;
                    reset.worker_id = e.worker_id, reset.dp_rank = e.dp_rank, reset.kind = KvEvent::cleared;
                    feed.to_.event(reset);
                }
                feed.apply(e);
            }
        } once(*this, first);
        (void)read_kv_events(text, once);
        first = false;
    }
}

// What waited is offered again: it may fit now, be old, or show the next gap (then the rest waits on).
void KvFeed::replay() {
    struct Again final : KvEventSink {
        KvFeed& feed;
        explicit Again(KvFeed& feed) : feed(feed) {}
        void event(const KvEvent& e) override { feed.live(e); }
    } again(*this);
    for (auto& text : std::exchange(held_, {})) (void)read_kv_events(text, again);
}

}  // namespace weir::engine
