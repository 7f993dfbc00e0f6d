#include "prepare/prepare.h"

namespace weir::prepare {

Prepared run(const Call& call, bool forward) {
    Prepared out;
    out.call = &call;
    out.model = call.model;
    out.forward = forward;
    if (call.sampling.max_tokens && *call.sampling.max_tokens > 0) out.max_out = static_cast<uint32_t>(*call.sampling.max_tokens);
    return out;
}

}  // namespace weir::prepare
