#include "mocker/pages.h"

#include "wire/json_write.h"

namespace weir::mocker {
namespace {

void model_entry(JsonWriter& w, const MockEngine& e, std::string_view id) {
    const EngineSettings& s = e.settings();
    w.object().member("id", id).member("object", "model").member("created", e.started_wall() / 1'000);
    w.member("owned_by", s.kind == EngineKind::vllm ? "vllm" : "sglang").member("root", s.model).member("parent", nullptr);
    w.member("max_model_len", e.context_max());
    if (s.kind == EngineKind::vllm) {
        w.key("permission").array().object().member("id", "modelperm-0").member("object", "model_permission");
        w.member("created", e.started_wall() / 1'000).member("allow_create_engine", false).member("allow_sampling", true);
        w.member("allow_logprobs", true).member("allow_search_indices", false).member("allow_view", true);
        w.member("allow_fine_tuning", false).member("organization", "*").member("group", nullptr).member("is_blocking", false);
        w.end_object().end_array();
    }
    w.end_object();
}

uint64_t tokens_in_use(const MockEngine& e, const sim::EngineLoad& load) {
    return uint64_t{load.blocks_in_use} * e.settings().engine.block_size;
}
uint64_t rank_tokens(const MockEngine& e) { return uint64_t{e.settings().engine.num_blocks} * e.settings().engine.block_size; }

std::string_view role_name(sim::EngineParams::Role role) {
    return role == sim::EngineParams::prefill ? "prefill" : role == sim::EngineParams::decode ? "decode" : "null";
}

}  // namespace

MockReply models_page(const MockEngine& e) {
    std::string body;
    JsonWriter w(body);
    w.object().member("object", "list").key("data").array();
    model_entry(w, e, e.settings().model);
    for (const std::string& alias : e.settings().aliases) model_entry(w, e, alias);
    w.end_array().end_object();
    return json_reply(200, std::move(body));
}

MockReply model_page(const MockEngine& e, std::string_view id) {
    const EngineSettings& s = e.settings();
    bool known = id == s.model;
    for (const std::string& alias : s.aliases) known = known || id == alias;
    if (!known) return error_reply(s.kind, 404, "The model `" + std::string(id) + "` does not exist.", "model");
    std::string body;
    JsonWriter w(body);
    model_entry(w, e, id);
    return json_reply(200, std::move(body));
}

MockReply version_page(const MockEngine& e) {
    std::string body;
    JsonWriter(body).object().member("version", e.settings().version).end_object();
    return json_reply(200, std::move(body));
}

MockReply model_info_page(const MockEngine& e) {
    std::string body;
    JsonWriter w(body);
    w.object().member("model_path", e.settings().model).member("tokenizer_path", e.settings().model);
    w.member("is_generation", true).member("preferred_sampling_params", nullptr).member("weight_version", "default").member("has_image_understanding", false);
    w.member("has_audio_understanding", false).member("model_type", "llama");
    w.key("architectures").array().text("LlamaForCausalLM").end_array().end_object();
    return json_reply(200, std::move(body));
}

MockReply server_info_page(const MockEngine& e) {
    const EngineSettings& s = e.settings();
    std::string body;
    JsonWriter w(body);
    w.object().member("model_path", s.model).member("served_model_name", s.model).member("tokenizer_path", s.model);
    w.member("is_embedding", false).member("context_length", e.context_max()).member("tp_size", 1).member("dp_size", e.ranks());
    w.member("pp_size", 1).member("load_balance_method", "round_robin").member("page_size", s.engine.block_size);
    w.member("disaggregation_mode", role_name(s.engine.role)).member("max_running_requests", s.engine.max_num_seqs);
    w.member("max_total_num_tokens", rank_tokens(e)).member("chunked_prefill_size", s.engine.max_num_batched_tokens);
    w.member("status", "ready").member("version", s.version).key("internal_states").array();
    for (size_t i = 0; i < e.ranks(); ++i) {
        const sim::EngineLoad load = e.rank(i).load();
        w.object().member("num_running_reqs", load.running).member("num_waiting_reqs", load.waiting);
        w.member("token_capacity", rank_tokens(e)).end_object();
    }
    w.end_array().end_object();
    return json_reply(200, std::move(body));
}

MockReply get_load_page(const MockEngine& e) {
    std::string body;
    JsonWriter w(body);
    w.array();
    for (size_t i = 0; i < e.ranks(); ++i) {
        const sim::EngineLoad load = e.rank(i).load();
        w.object().member("dp_rank", i).member("num_reqs", load.running + load.waiting).member("num_waiting_reqs", load.waiting);
        w.member("num_tokens", tokens_in_use(e, load)).end_object();
    }
    w.end_array();
    return json_reply(200, std::move(body));
}

MockReply loads_page(const MockEngine& e) {
    const double seqs = e.settings().engine.max_num_seqs;
    std::string body;
    JsonWriter w(body);
    w.object().member("version", e.settings().version).member("dp_rank_count", e.ranks()).key("loads").array();
    for (size_t i = 0; i < e.ranks(); ++i) {
        const sim::EngineLoad load = e.rank(i).load();
        w.object().member("dp_rank", i).member("num_running_reqs", load.running).member("num_waiting_reqs", load.waiting);
        w.member("num_waiting_uncached_tokens", e.rank(i).waiting_tokens());
        w.member("num_total_reqs", load.running + load.waiting).member("num_used_tokens", tokens_in_use(e, load));
        w.member("max_total_num_tokens", rank_tokens(e)).member("token_usage", load.kv_usage());
        w.member("cache_hit_rate", e.rank(i).totals().hit_rate()).member("utilization", load.running / seqs);
        w.member("max_running_requests", e.settings().engine.max_num_seqs).end_object();
    }
    const sim::EngineLoad sum = e.load();
    w.end_array().key("aggregate").object().member("total_running_reqs", sum.running).member("total_waiting_reqs", sum.waiting);
    w.member("total_reqs", sum.running + sum.waiting).member("avg_token_usage", sum.kv_usage());
    w.member("avg_utilization", sum.running / seqs / static_cast<double>(e.ranks())).end_object().end_object();
    return json_reply(200, std::move(body));
}

MockReply vllm_load_page(const MockEngine& e) {
    const sim::EngineLoad load = e.load();
    std::string body;
    JsonWriter(body).object().member("server_load", load.running + load.waiting).end_object();
    return json_reply(200, std::move(body));
}

}  // namespace weir::mocker
