// One change of the index at a time: a spinlock for work of microseconds, held by event appliers only.
#pragma once
#include <thread>

#include "kv/index.h"

namespace weir::kv {

class Turn {
public:
    explicit Turn(KvIndex& index) : busy_(index.busy_) {
        for (uint32_t spins = 0; busy_.test_and_set(std::memory_order_acquire);)
            while (busy_.test(std::memory_order_relaxed))
                if (++spins % 128 == 0) std::this_thread::yield();
    }
    ~Turn() { busy_.clear(std::memory_order_release); }
    Turn(const Turn&) = delete;

private:
    std::atomic_flag& busy_;
};

}  // namespace weir::kv
