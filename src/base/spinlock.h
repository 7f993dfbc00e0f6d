// A lock for work of about a microsecond. Holders do not wait for anything; longer work takes a mutex.
#pragma once
#include <atomic>
#include <thread>

namespace weir {

class Spinlock {
public:
    void lock() {
        for (unsigned spins = 0; busy_.test_and_set(std::memory_order_acquire);)
            while (busy_.test(std::memory_order_relaxed))
                if (++spins % 128 == 0) std::this_thread::yield();   // the holder may have lost its CPU
    }
    void unlock() { busy_.clear(std::memory_order_release); }

private:
    std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};

}  // namespace weir
