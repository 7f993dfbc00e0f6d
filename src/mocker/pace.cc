#include "mocker/pace.h"

namespace weir::mocker {

Pace::Pace(Core& core, std::function<void(Instant)> advance, std::function<Instant()> next)
    : core_(core), advance_(std::move(advance)), next_(std::move(next)) {
    alarm_.pace = this;
    alarm_.fire = [](Timer& t) { static_cast<Alarm&>(t).pace->poke(); };
}

Pace::~Pace() { nursery_.cancel(); }

void Pace::poke() {
    if (spinning_) return;
    const Instant now = core_.now_exact();
    advance_(now);
    const Instant next = next_();
    if (next == sim::never) return core_.disarm(alarm_);
    if (next > now) return core_.arm(alarm_, ms_until(next, now));
    spinning_ = true;
    nursery_.spawn(spin());
}

Task<void> Pace::spin() {
    do {
        co_await yield();
        advance_(core_.now_exact());
    } while (next_() <= core_.now());
    spinning_ = false;
    poke();
}

}  // namespace weir::mocker
