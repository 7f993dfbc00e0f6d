#include "hub/hub_http.h"

#include <chrono>

namespace weir {

std::string_view HubResponse::field(std::string_view name) const {
    for (auto at = fields.rbegin(); at != fields.rend(); ++at)
        if (at->first == name) return at->second;
    return {};
}

void HubStop::stop() {
    std::lock_guard lock(mutex_);
    stopped_.store(true, std::memory_order_relaxed);
    changed_.notify_all();
}

bool HubStop::wait_ms(uint64_t ms) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stopped(); });
}

}  // namespace weir
