// What prepare adds to a Call: everything routing and engines need that is not in the body itself.
#pragma once
#include "types/call.h"

namespace weir {

struct Prepared {
    const Call* call = nullptr;
    Str model;                       // the name the workers know
    std::span<const uint32_t> tokens;// empty until a tokenizer is part of the path
    Str text;                        // routing text, only if a policy asks for it
    std::span<const uint64_t> seq_hashes;
    uint16_t block = 0;
    uint32_t max_out = 0, min_out = 0, expected_out = 0;
    bool forward = false;            // bytes pass untouched; else decode-Event-encode
};

}  // namespace weir
