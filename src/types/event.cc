#include "types/event.h"

namespace weir {

const char* name(FinishReason reason) {
    static constexpr const char* names[] = {"stop", "length", "tool_calls", "content_filter", "function_call", "error", "abort", "stop"};
    return names[static_cast<size_t>(reason)];
}

}  // namespace weir
