// What prepare adds to a Call: everything routing and engines need that is not in the body itself.
#pragma once
#include "types/call.h"

namespace weir {

struct Prepared {
    const Call* call = nullptr;
    Str model;                       // the name the workers know
    std::span<const uint32_t> tokens;// of the prompt; empty: not known
    Str text;                        // routing text, only if a policy asks for it and there are no tokens
    std::span<const uint64_t> local_hashes, seq_hashes;   // of the prompt's full blocks (kv/block_hash.h); empty: not known
    uint16_t block = 0;              // tokens of such a block; 0 without hashes
    uint32_t prompt_tokens = 0;      // 0: not known. Traces know it without `tokens`
    const Hints* hints = &no_hints;  // never null
    inline static constexpr Hints no_hints{};
    uint32_t max_out = 0, min_out = 0, expected_out = 0;
    bool forward = false;            // bytes pass untouched; else decode-Event-encode
};

}  // namespace weir
