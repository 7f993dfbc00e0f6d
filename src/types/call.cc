#include "types/call.h"

namespace weir {

const char* name(Role role) {
    static constexpr const char* names[] = {"system", "developer", "user", "assistant", "tool", "function"};
    return names[static_cast<size_t>(role)];
}

}  // namespace weir
