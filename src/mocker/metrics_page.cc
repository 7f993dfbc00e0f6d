// /metrics under vLLM's and SGLang's names: a table of families, one line a rank.
#include "mocker/pages.h"
#include "wire/json_write.h"

namespace weir::mocker {
namespace {

using sim::EngineLoad;
using sim::EngineTotals;

uint32_t block_size(const MockEngine& e) { return e.settings().engine.block_size; }

struct Family {
    std::string_view name, help, type;
    double (*value)(const MockEngine&, const EngineLoad&, const EngineTotals&);
    std::string_view labels = {};   // besides those of every series
};
#define WEIR_OF(expr) [](const MockEngine& e, const EngineLoad& load, const EngineTotals& t) { \
    (void)e, (void)load, (void)t; return static_cast<double>(expr); }

constexpr Family vllm[] = {
    {"vllm:num_requests_running", "Requests in model execution batches.", "gauge", WEIR_OF(load.running)},
    {"vllm:num_requests_waiting", "Requests waiting to be processed.", "gauge", WEIR_OF(load.waiting)},
    {"vllm:kv_cache_usage_perc", "Share of the KV cache in use, 1 is all of it.", "gauge", WEIR_OF(load.kv_usage())},
    {"vllm:gpu_cache_usage_perc", "The same under its older name.", "gauge", WEIR_OF(load.kv_usage())},
    {"vllm:prefix_cache_queries_total", "Tokens looked up in the prefix cache.", "counter", WEIR_OF(t.cache_query_tokens)},
    {"vllm:prefix_cache_hits_total", "Tokens found in the prefix cache.", "counter", WEIR_OF(t.cache_hit_tokens)},
    {"vllm:num_preemptions_total", "Preemptions by the scheduler.", "counter", WEIR_OF(t.preemptions)},
    {"vllm:prompt_tokens_total", "Prefill tokens processed.", "counter", WEIR_OF(t.prompt_tokens)},
    {"vllm:generation_tokens_total", "Generation tokens processed.", "counter", WEIR_OF(t.generated_tokens)},
    {"vllm:request_success_total", "Requests by how they finished.", "counter", WEIR_OF(t.finished_stop), ",finished_reason=\"stop\""},
    {"vllm:request_success_total", "", "", WEIR_OF(t.finished_length), ",finished_reason=\"length\""},
    {"vllm:request_success_total", "", "", WEIR_OF(t.cancelled), ",finished_reason=\"abort\""},
};
constexpr Family sglang[] = {
    {"sglang:num_running_reqs", "Running requests.", "gauge", WEIR_OF(load.running)},
    {"sglang:num_queue_reqs", "Requests in the waiting queue.", "gauge", WEIR_OF(load.waiting)},
    {"sglang:num_used_tokens", "Tokens of the KV cache in use.", "gauge", WEIR_OF(double(load.blocks_in_use) * block_size(e))},
    {"sglang:token_usage", "Share of the KV cache in use, 1 is all of it.", "gauge", WEIR_OF(load.kv_usage())},
    {"sglang:max_total_num_tokens", "Tokens that the KV cache holds.", "gauge", WEIR_OF(double(load.blocks_total) * block_size(e))},
    {"sglang:cache_hit_rate", "Share of prompt tokens found in the prefix cache.", "gauge", WEIR_OF(t.hit_rate())},
    {"sglang:prompt_tokens_total", "Prefill tokens processed.", "counter", WEIR_OF(t.prompt_tokens)},
    {"sglang:generation_tokens_total", "Generation tokens processed.", "counter", WEIR_OF(t.generated_tokens)},
    {"sglang:cached_tokens_total", "Prompt tokens found in the prefix cache.", "counter", WEIR_OF(t.cache_hit_tokens)},
    {"sglang:num_requests_total", "Requests received.", "counter", WEIR_OF(t.requests)},
};
constexpr Family own[] = {
    {"weir_mocker_requests_total", "Generations begun.", "counter", WEIR_OF(e.counts().requests)},
    {"weir_mocker_cancelled_total", "Generations whose client left before their end.", "counter", WEIR_OF(e.counts().cancelled)},
    {"weir_mocker_refused_total", "Requests answered with an error instead.", "counter", WEIR_OF(e.counts().refused)},
};
#undef WEIR_OF

std::string label_text(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (c == '"' || c == '\\') out.push_back('\\');
        if (c == '\n') out.append("\\n");
        else out.push_back(c);
    }
    return out;
}

void append_number(std::string& out, double value) {
    if (value == static_cast<double>(static_cast<int64_t>(value))) append_json_number(out, static_cast<int64_t>(value));
    else append_json_number(out, value);
}

// `labels`: of each line, with '#' where the rank goes.
void append_families(std::string& out, const MockEngine& e, std::span<const Family> families, size_t lines,
                     std::string_view labels) {
    const size_t mark = labels.find('#');
    for (const Family& f : families) {
        if (!f.type.empty()) {
            out.append("# HELP ").append(f.name).append(" ").append(f.help).append("\n# TYPE ").append(f.name).append(" ");
            out.append(f.type).append("\n");
        }
        for (size_t i = 0; i < lines; ++i) {
            std::string shown(labels);
            if (mark != labels.npos) shown.replace(mark, 1, std::to_string(i));
            out.append(f.name).append("{").append(shown).append(f.labels).append("} ");
            append_number(out, f.value(e, e.rank(i).load(), e.rank(i).totals()));
            out.push_back('\n');
        }
    }
}

}  // namespace

MockReply metrics_page(const MockEngine& e) {
    const EngineSettings& s = e.settings();
    const std::string model = "model_name=\"" + label_text(s.model) + "\"";
    std::string out;
    if (!s.strict || s.kind == EngineKind::vllm) {
        append_families(out, e, vllm, e.ranks(), "engine=\"#\"," + model);
        out.append("# HELP vllm:cache_config_info Shape of the KV cache.\n# TYPE vllm:cache_config_info gauge\n");
        out.append("vllm:cache_config_info{block_size=\"" + std::to_string(s.engine.block_size) + "\",engine=\"0\",num_gpu_blocks=\"" +
                   std::to_string(s.engine.num_blocks) + "\"} 1\n");
    }
    if (!s.strict || s.kind == EngineKind::sglang)
        append_families(out, e, sglang, e.ranks(),
                        "dp_rank=\"#\",engine_type=\"unified\"," + model + ",pp_rank=\"0\",tp_rank=\"0\"");
    append_families(out, e, own, 1, model + ",worker=\"" + std::to_string(e.index()) + "\"");
    return text_reply(200, std::move(out), "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace weir::mocker
