// A byte budget: a limit, a gauge, and a named consequence at 100 % that the caller carries out. Any thread.
#pragma once
#include <atomic>
#include <cstdint>
#include <utility>

namespace weir {

class Budget {
public:
    Budget(const char* name, uint64_t limit) : name_(name), limit_(limit) {}
    Budget(const Budget&) = delete;
    bool take(uint64_t bytes) {
        if (fail_nth_.load(std::memory_order_relaxed) != 0 && fail_nth_.fetch_sub(1, std::memory_order_relaxed) == 1) return false;
        uint64_t now = used_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
        if (now <= limit_.load(std::memory_order_relaxed)) return true;
        used_.fetch_sub(bytes, std::memory_order_relaxed);
        refused_.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
    void give(uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
    uint64_t used() const { return used_.load(std::memory_order_relaxed); }
    uint64_t limit() const { return limit_.load(std::memory_order_relaxed); }
    uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
    const char* name() const { return name_; }
    void set_limit(uint64_t limit) { limit_.store(limit, std::memory_order_relaxed); }   // start-up and tests
    void fail_nth(uint32_t n) { fail_nth_.store(n, std::memory_order_relaxed); }         // tests: the n-th take from now is refused

private:
    const char* name_;
    std::atomic<uint64_t> limit_, used_{0}, refused_{0};
    std::atomic<uint32_t> fail_nth_{0};
};

// What somebody holds of a budget; given back on destruction.
class Charge {
public:
    Charge() = default;
    Charge(Charge&& o) noexcept : budget_(std::exchange(o.budget_, nullptr)), bytes_(std::exchange(o.bytes_, 0)) {}
    Charge& operator=(Charge&& o) noexcept {
        if (this != &o) {
            drop();
            budget_ = std::exchange(o.budget_, nullptr);
            bytes_ = std::exchange(o.bytes_, 0);
        }
        return *this;
    }
    ~Charge() { drop(); }
    bool grow(Budget& budget, uint64_t bytes) {   // always the same budget
        if (!budget.take(bytes)) return false;
        budget_ = &budget;
        bytes_ += bytes;
        return true;
    }
    void drop() {
        if (budget_) budget_->give(bytes_);
        budget_ = nullptr;
        bytes_ = 0;
    }
    uint64_t bytes() const { return bytes_; }

private:
    Budget* budget_ = nullptr;
    uint64_t bytes_ = 0;
};

}  // namespace weir
