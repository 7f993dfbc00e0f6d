// What routing decided. Bookings are kept beside the Plan (route/booking.h), so that a Plan stays plain data.
#pragma once
#include <array>

#include "types/worker.h"

namespace weir {

struct Leg {
    enum Role : uint8_t { whole, prefill, decode, encode };
    RankRef at;
    Role role = whole;
    Overlap overlap;
};

struct Edit { Span at; Str with; };  // replace these body bytes; len 0 inserts
struct Edits {                       // the only way forward changes bytes; ascending, not overlapping
    std::array<Edit, 8> at{};
    uint8_t count = 0;
    bool add(Edit e) {               // false: full
        if (count == at.size()) return false;
        at[count++] = e;
        return true;
    }
};

struct RetryRule { uint8_t attempts_max = 1; uint32_t backoff_first_ms = 50, backoff_max_ms = 30'000; float backoff_factor = 1.5f, jitter = 0.2f; };

struct Plan {
    enum Kind : uint8_t { forward, single, pair_together, pair_in_turn, encode_first, fanout, tunnel, answer };
    Kind kind = forward;
    uint8_t legs_n = 0;
    std::array<Leg, 3> legs{};
    Edits edits;
    RetryRule retry;
};

}  // namespace weir
