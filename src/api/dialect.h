// How one process speaks to its clients: the dialect and the few options that change what a body may hold or how errors look.
#pragma once
#include <cstddef>
#include <cstdint>

#include "types/call.h"

namespace weir::api {

struct Options {                         // from config/, one per process, immutable
    Dialect dialect = Dialect::frontend;
    bool ignore_unsupported = false;     // frontend: unknown top-level fields pass (DYN_IGNORE_OPENAI_FE_UNSUPPORTED_FIELDS)
    bool force_include_usage = false;    // frontend: usage chunk even if not asked for (DYN_ENABLE_FORCE_INCLUDE_USAGE)
    int overload_status = 529;           // frontend: queue_full, shed (DYN_HTTP_OVERLOAD_STATUS_CODE)
    size_t body_max = 192u << 20;        // bytes; 192 MB frontend, 512 MB launch
    bool metrics_on_main_port = true;    // launch has a port of its own
};

}  // namespace weir::api
