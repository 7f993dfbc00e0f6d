// Several simulated engines of one process. Each has its own queue, cache, faults and port; what they answer does not depend on
// which of them is asked.
#pragma once
#include <memory>
#include <vector>

#include "mocker/engine.h"

namespace weir::mocker {

struct FleetSettings {
    EngineSettings engine;           // of each
    uint32_t num_workers = 1;
    std::string host = "127.0.0.1";
    uint16_t port = 0;               // of the first; the others follow. 0: the kernel chooses each
    std::vector<uint16_t> ports;     // not empty: one for each engine instead
};

class MockFleet {
public:
    MockFleet(const FleetSettings&, Instant now, UnixMs wall);
    size_t size() const { return engines_.size(); }
    MockEngine& engine(size_t i) { return *engines_[i]; }
    uint16_t port_of(size_t i) const {
        if (!settings_.ports.empty()) return settings_.ports[i];
        return settings_.port ? static_cast<uint16_t>(settings_.port + i) : uint16_t{0};
    }
    const FleetSettings& settings() const { return settings_; }

private:
    FleetSettings settings_;
    std::vector<std::unique_ptr<MockEngine>> engines_;
};

}  // namespace weir::mocker
