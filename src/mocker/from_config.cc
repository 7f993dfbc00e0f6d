#include "mocker/from_config.h"

namespace weir::mocker {
namespace {

sim::Timing timing_of(const MockerConfig& c) {
    sim::Timing timing;
    const sim::Timing flat = sim::Timing::flat(c.prefill_tokens_per_s.value_or(0), c.itl_ms.value_or(0));
    if (c.prefill_tokens_per_s) {
        timing.prefill_base_ms = timing.prefill_ms_per_token2 = 0;
        timing.prefill_ms_per_token = flat.prefill_ms_per_token;
    }
    if (c.itl_ms) {
        timing.decode_ms_per_usage = timing.decode_ms_per_usage2 = timing.decode_min_ms = 0;
        timing.decode_base_ms = flat.decode_base_ms;
    }
    return timing;
}

}  // namespace

Result<FleetSettings> settings_of(const MockerConfig& c, unsigned engines) {
    FleetSettings f;
    f.host = c.host;
    f.port = c.port;
    f.ports = c.ports;
    f.num_workers = engines;
    const std::string count = std::to_string(engines) + " engines";
    if (!c.ports.empty() && c.ports.size() != engines)
        return Failure(Code::bad_field, "--ports names " + std::to_string(c.ports.size()) + " ports for " + count, "ports");
    if (c.ports.empty() && c.port && c.port + engines - 1 > 65'535)
        return Failure(Code::bad_field, "--port leaves no room for " + count, "port");
    EngineSettings& e = f.engine;
    e.kind = c.engine == "sglang" ? EngineKind::sglang : EngineKind::vllm;
    if (c.model_names.empty()) return Failure(Code::bad_field, "--model-name names no model", "model_names");
    e.model = c.model_names.front();
    e.aliases.assign(c.model_names.begin() + 1, c.model_names.end());
    e.seed = c.seed;
    e.dp_size = c.dp_size;
    e.api_key = c.api_key;
    e.natural_min = e.natural_max = c.tokens_default;
    e.startup_ms = static_cast<uint64_t>(c.startup_time_s * 1'000);
    e.engine.max_num_seqs = c.max_num_seqs;
    e.engine.max_num_batched_tokens = c.max_num_batched_tokens;
    e.engine.block_size = c.block_size;
    e.engine.num_blocks = c.num_gpu_blocks;
    e.engine.max_model_len = c.max_model_len;
    e.engine.chunked_prefill = c.chunked_prefill;
    e.engine.prefix_caching = c.prefix_caching;
    e.engine.speedup_ratio = c.speedup_ratio;
    e.engine.decode_speedup_ratio = c.decode_speedup_ratio;
    e.engine.timing = timing_of(c);
    auto possible = e.engine.check();
    if (!possible) return std::move(possible).error();
    for (const std::string& text : c.faults) {
        TRY(std::vector<sim::FaultRule> rules, sim::parse_faults(text));
        e.faults.insert(e.faults.end(), rules.begin(), rules.end());
    }
    return f;
}

}  // namespace weir::mocker
