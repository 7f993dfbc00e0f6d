#include "base/wheel.h"

#include <algorithm>

namespace weir {

void Wheel::arm(Timer& timer, uint64_t due_ms) {
    timer.unlink();
    timer.due_ms = std::max(due_ms, now_ms_ + 1);
    hint_ms_ = std::min(hint_ms_, std::min(timer.due_ms, (now_ms_ | (slots - 1)) + 1));
    place(timer);
}

void Wheel::place(Timer& timer) {
    uint64_t span = timer.due_ms - now_ms_;
    for (int level = 0; level < levels; level++) {
        uint64_t reach = 1ull << (bits * (level + 1));
        if (span < reach || level == levels - 1) {
            // Beyond the last level (49 days) the timer waits in its furthest slot and is placed anew there.
            uint64_t at = span < reach ? timer.due_ms : now_ms_ + reach - 1;
            wheel_[level][(at >> (bits * level)) & (slots - 1)].push_back(timer);
            return;
        }
    }
}

void Wheel::cascade(int level) {
    List<Timer> moved;
    moved.splice(wheel_[level][(now_ms_ >> (bits * level)) & (slots - 1)]);
    while (Timer* timer = moved.pop_front()) {
        if (timer->due_ms <= now_ms_) expired_.push_back(*timer);
        else place(*timer);
    }
}

void Wheel::advance(uint64_t now_ms) {
    while (now_ms_ < now_ms) {
        int64_t gap = next_ms();
        if (gap < 0) {
            now_ms_ = now_ms;
            return;
        }
        // Jump over empty ticks, but never over a cascade boundary (next_ms stops there).
        now_ms_ = std::min(now_ms, now_ms_ + static_cast<uint64_t>(std::max<int64_t>(gap, 1)));
        for (int level = levels - 1; level > 0; level--)
            if ((now_ms_ & ((1ull << (bits * level)) - 1)) == 0) cascade(level);
        expired_.splice(wheel_[0][now_ms_ & (slots - 1)]);
        while (Timer* timer = expired_.pop_front()) timer->fire(*timer);
    }
}

// Cancelled timers leave the hint early, never late: the cost is a wake-up that finds nothing.
int64_t Wheel::next_ms() const {
    if (hint_ms_ == ~0ull) return -1;
    if (hint_ms_ > now_ms_) return static_cast<int64_t>(hint_ms_ - now_ms_);
    uint64_t to_boundary = slots - (now_ms_ & (slots - 1));
    for (uint64_t d = 1; d <= to_boundary; d++)
        if (!wheel_[0][(now_ms_ + d) & (slots - 1)].empty()) {
            hint_ms_ = now_ms_ + d;
            return static_cast<int64_t>(d);
        }
    for (auto& level : wheel_)
        for (auto& slot : level)
            if (!slot.empty()) {
                hint_ms_ = now_ms_ + to_boundary;
                return static_cast<int64_t>(to_boundary);
            }
    hint_ms_ = ~0ull;
    return -1;
}

}  // namespace weir
