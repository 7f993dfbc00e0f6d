// How long one scheduler step takes. The defaults are the polynomials that Dynamo's mocker uses when it has no profile.
#pragma once
#include <algorithm>
#include <cstdint>

namespace weir::sim {

struct StepLoad {
    uint32_t prefill_tokens = 0;   // prompt tokens computed in the step, cached ones not counted
    uint32_t emitting = 0;         // sequences that give a token at its end
    uint64_t context_tokens = 0;   // sum of their lengths
    double kv_usage = 0;           // share of KV blocks in use, 0..1
};

struct Timing {                    // milliseconds; unit of each factor in its name
    double prefill_base_ms = 16.50142, prefill_ms_per_token = 1.518344e-2, prefill_ms_per_token2 = 4.209989e-7;
    double decode_base_ms = 5.74, decode_ms_per_usage = 54.01, decode_ms_per_usage2 = -25.74;
    double decode_ms_per_seq = 0, decode_ms_per_context_token = 0;
    double decode_min_ms = 1.0;    // tokens of one sequence never share an instant

    // Prefill at a constant speed, a constant time between tokens.
    static Timing flat(double prefill_tokens_per_s, double itl_ms) {
        Timing t;
        t.prefill_base_ms = t.prefill_ms_per_token2 = t.decode_ms_per_usage = t.decode_ms_per_usage2 = t.decode_min_ms = 0;
        t.prefill_ms_per_token = prefill_tokens_per_s > 0 ? 1000.0 / prefill_tokens_per_s : 0;
        t.decode_base_ms = itl_ms;
        return t;
    }
    double prefill_ms(const StepLoad& load) const {
        if (load.prefill_tokens == 0) return 0;
        const double n = load.prefill_tokens;
        return std::max(0.0, prefill_base_ms + n * prefill_ms_per_token + n * n * prefill_ms_per_token2);
    }
    double decode_ms(const StepLoad& load) const {
        if (load.emitting == 0) return 0;
        const double u = std::min(load.kv_usage, 1.0);
        return std::max(decode_min_ms, decode_base_ms + u * decode_ms_per_usage + u * u * decode_ms_per_usage2 +
                                           load.emitting * decode_ms_per_seq +
                                           static_cast<double>(load.context_tokens) * decode_ms_per_context_token);
    }
};

}  // namespace weir::sim
