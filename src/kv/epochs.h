// When may memory that readers might still look at be used again? Readers announce themselves, the writer asks.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weir::kv {

// Readers never wait. All ordering comes from read-modify-writes of one slot, which thread sanitizer understands:
// if the writer looks at a slot before its reader enters, the reader sees everything unlinked before that look.
class Epochs {
public:
    static constexpr size_t readers_max = 1'024;
    struct alignas(64) Slot {
        std::atomic<uint64_t> at{0};       // epoch in which the reader entered; 0 = outside
        std::atomic<bool> taken{false};
    };

    Slot* join() {                          // null: readers_max threads have joined
        for (size_t i = 0; i < readers_max; ++i) {
            if (slots_[i].taken.exchange(true, std::memory_order_acq_rel)) continue;
            size_t high = high_.load(std::memory_order_relaxed);
            while (high < i + 1 && !high_.compare_exchange_weak(high, i + 1, std::memory_order_acq_rel)) {}
            return &slots_[i];
        }
        return nullptr;
    }
    static void leave(Slot* slot) { slot->taken.store(false, std::memory_order_release); }

    void enter(Slot& slot) const { slot.at.exchange(now_.load(std::memory_order_acquire), std::memory_order_acq_rel); }
    static void exit(Slot& slot) { slot.at.store(0, std::memory_order_release); }

    // Writer. What was unlinked before close() returned E may be used again once quiet() > E.
    uint64_t now() const { return now_.load(std::memory_order_relaxed); }
    void close() { now_.fetch_add(1, std::memory_order_acq_rel); }
    uint64_t quiet() {                      // the oldest epoch a reader is in, else the present one
        uint64_t oldest = now();
        for (size_t i = 0, n = high_.load(std::memory_order_acquire); i < n; ++i) {
            const uint64_t at = slots_[i].at.fetch_add(0, std::memory_order_acq_rel);
            if (at != 0 && at < oldest) oldest = at;
        }
        return oldest;
    }

private:
    std::atomic<uint64_t> now_{1};
    std::atomic<size_t> high_{0};
    std::array<Slot, readers_max> slots_;
};

}  // namespace weir::kv
