#include "mocker/fleet.h"

namespace weir::mocker {

MockFleet::MockFleet(const FleetSettings& settings, Instant now, UnixMs wall) : settings_(settings) {
    for (uint32_t i = 0; i < settings.num_workers; ++i)
        engines_.push_back(std::make_unique<MockEngine>(settings.engine, i, now, wall));
}

}  // namespace weir::mocker
