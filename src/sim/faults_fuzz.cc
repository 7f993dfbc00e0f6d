// Any text as fault rules: refused with a message, or rules whose answer to a request is within bounds.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sim/faults.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace weir::sim;
    auto rules = parse_faults({reinterpret_cast<const char*>(data), size});
    if (!rules) return rules.error()->message.empty() ? std::abort(), 0 : 0;
    FaultPlan plan(*rules, 0, 1, 0);
    for (weir::Instant now = 0; now < 5; ++now) {
        const Fault f = plan.on_request("/generate", true, now * 1'000'000'000);
        if ((f.status != 0 && (f.status < 400 || f.status > 599)) || !(f.slow > 0)) std::abort();
        const weir::Instant next = plan.refusing_changes(now);
        if (next != 0 && next <= now) std::abort();
    }
    return 0;
}
