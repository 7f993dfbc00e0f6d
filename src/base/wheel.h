// Hashed timer wheel: 4 levels x 256 slots, 1 ms tick, intrusive nodes, O(1) arm and cancel. One core owns it.
#pragma once
#include <cstdint>

#include "base/list.h"

namespace weir {

// Fires once. Destroying an armed timer cancels it. `fire` runs from the loop; it may re-arm or arm others.
struct Timer : ListNode {
    uint64_t due_ms = 0;
    void (*fire)(Timer&) = nullptr;
    bool armed() const { return linked(); }
};

class Wheel {
public:
    explicit Wheel(uint64_t now_ms) : now_ms_(now_ms) {}
    void arm(Timer& timer, uint64_t due_ms);         // re-arms an armed one; a due time in the past fires at the next advance
    void cancel(Timer& timer) { timer.unlink(); }
    void advance(uint64_t now_ms);                   // fires everything due at or before now_ms, in order of its tick
    // Milliseconds until something may be due; exact within the lowest level, else a lower bound >= 1. -1: nothing armed.
    int64_t next_ms() const;
    uint64_t now_ms() const { return now_ms_; }

private:
    static constexpr int levels = 4, bits = 8, slots = 1 << bits;
    void place(Timer& timer);
    void cascade(int level);
    mutable List<Timer> wheel_[levels][slots];
    List<Timer> expired_;
    uint64_t now_ms_;
    mutable uint64_t hint_ms_ = 0;   // nothing is due, and no cascade needed, before this; <= now_ms_: unknown
};

}  // namespace weir
