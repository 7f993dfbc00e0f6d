// The one thing of routing that must be exact: a request counts at its rank from booking to release, once, whatever happens.
#pragma once
#include <utility>

#include "types/outcome.h"
#include "types/worker.h"

namespace weir {

// Move-only guard; its destructor releases. The cells outlive every booking (fleet/fleet.h).
class Booking {
public:
    Booking() = default;
    explicit Booking(RankRef at) : cell_(at.cell) { cell_->requests.fetch_add(1, std::memory_order_relaxed); }
    Booking(Booking&& o) noexcept : cell_(std::exchange(o.cell_, nullptr)) {}
    Booking& operator=(Booking&& o) noexcept {
        if (this != &o) {
            release();
            cell_ = std::exchange(o.cell_, nullptr);
        }
        return *this;
    }
    ~Booking() { release(); }
    void release() {
        if (cell_) std::exchange(cell_, nullptr)->requests.fetch_sub(1, std::memory_order_relaxed);
    }
    explicit operator bool() const { return cell_ != nullptr; }

private:
    LoadCell* cell_ = nullptr;
};

}  // namespace weir
