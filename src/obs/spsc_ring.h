// A bounded queue between one producing and one consuming thread. Never waits; a full ring refuses.
#pragma once
#include "base/assert.h"

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>

namespace weir {

template <class T>   // trivially copyable
class SpscRing {
public:
    explicit SpscRing(size_t slots) : mask_(slots - 1), bytes_(new unsigned char[slots * sizeof(T)]) {   // pages untouched until used
        static_assert(std::is_trivially_copyable_v<T>);
        ASSERT(std::has_single_bit(slots));
    }
    // Producer. False: full, nothing happened.
    bool push(const T& value) {
        const uint64_t head = head_.load(std::memory_order_relaxed);
        if (head - tail_seen_ > mask_) {
            tail_seen_ = tail_.load(std::memory_order_acquire);
            if (head - tail_seen_ > mask_) {
                dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
                return false;
            }
        }
        std::memcpy(slot(head), &value, sizeof(T));
        head_.store(head + 1, std::memory_order_release);
        return true;
    }
    // Consumer. Calls fn(const T&) for at most `n` values; how many there were.
    template <class F>
    size_t drain(size_t n, F&& fn) {
        const uint64_t tail = tail_.load(std::memory_order_relaxed);
        const uint64_t ready = head_.load(std::memory_order_acquire) - tail;
        if (n > ready) n = ready;
        for (size_t i = 0; i < n; ++i) {
            T value;
            std::memcpy(&value, slot(tail + i), sizeof(T));
            fn(static_cast<const T&>(value));
        }
        tail_.store(tail + n, std::memory_order_release);
        return n;
    }
    // Producer: at most this many wait, as of the last look at the consumer's side; refreshed when it seems half full.
    size_t pending_guess() {
        const uint64_t head = head_.load(std::memory_order_relaxed);
        if (head - tail_seen_ > mask_ / 2) tail_seen_ = tail_.load(std::memory_order_acquire);
        return head - tail_seen_;
    }
    size_t size() const { return head_.load(std::memory_order_acquire) - tail_.load(std::memory_order_acquire); }   // any thread, a guess
    size_t slots() const { return mask_ + 1; }
    uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }                                   // any thread

private:
    void* slot(uint64_t i) { return bytes_.get() + (i & mask_) * sizeof(T); }
    const uint64_t mask_;
    std::unique_ptr<unsigned char[]> bytes_;
    alignas(64) std::atomic<uint64_t> head_{0};
    uint64_t tail_seen_ = 0;             // producer's
    std::atomic<uint64_t> dropped_{0};
    alignas(64) std::atomic<uint64_t> tail_{0};
};

}  // namespace weir
