#include "engine/dynamo_codec.h"
#include "wire/json_top.h"
#include "wire/json_write.h"
#include "wire/msgpack.h"

namespace weir::engine {
namespace {

using Open = MsgpackWriter::Open;

class Body {
public:
    Body(const Call& call, const DynamoAsk& ask, PayloadCodec codec, std::string& out) : call_(call), ask_(ask), codec_(codec), w_(out) {}

    Result<void> run() {
        Open m = w_.open_map();
        w_.key(m, "model").text(ask_.model);
        w_.key(m, "token_ids").numbers(ask_.tokens);
        stop_conditions(m);
        if (auto ok = sampling(m); !ok) return ok;
        output_options(m);
        w_.key(m, "eos_token_ids").numbers(ask_.eos);
        if (!ask_.mdc_sum.empty()) w_.key(m, "mdc_sum").text(ask_.mdc_sum);
        w_.key(m, "annotations").array(ask_.annotations.size());
        for (Str a : ask_.annotations) w_.text(a);
        routing(m);
        w_.key(m, "router_config_override");
        if (ask_.decode_leg) override();
        else w_.nil();
        if (!ask_.prefill_result.empty()) {
            w_.key(m, "prefill_result");
            if (auto ok = json(ask_.prefill_result, "prefill_result"); !ok) return ok;
        }
        if (ask_.bootstrap) bootstrap(m, *ask_.bootstrap);
        w_.close(m);
        return {};
    }

private:
    Result<void> json(Str text, const char* what) {
        std::string packed;
        if (!check_json(text) || !json_to_msgpack(text, packed)) return Failure(Code::bad_field, std::string(what) + " is no valid JSON", what);
        w_.raw(packed);
        return {};
    }
    template <class T>
    void maybe(Open& m, Str name, const std::optional<T>& v) {
        w_.key(m, name);
        if (!v) w_.nil();
        else if constexpr (std::is_floating_point_v<T>) w_.real(*v);
        else if constexpr (std::is_signed_v<T>) w_.signed_number(*v);
        else w_.number(*v);
    }
    void flag(Open& m, Str name, bool set) {   // unset is null: the worker's own default
        w_.key(m, name);
        if (set) w_.boolean(true);
        else w_.nil();
    }
    void ids(Open& m, Str name, std::span<const uint32_t> v) {
        w_.key(m, name);
        if (v.empty()) w_.nil();
        else w_.numbers(v);
    }

    void stop_conditions(Open& all) {
        const Sampling& s = call_.sampling;
        auto own = [](std::optional<uint32_t> instead, std::optional<int32_t> sent) {
            return instead ? instead : sent && *sent >= 0 ? std::optional<uint32_t>(static_cast<uint32_t>(*sent)) : std::nullopt;
        };
        w_.key(all, "stop_conditions");
        Open m = w_.open_map();
        maybe(m, "max_tokens", own(ask_.max_tokens, s.max_tokens));
        w_.key(m, "stop");
        if (s.stop.empty()) w_.nil();
        else w_.array(s.stop.size());
        for (Str text : s.stop) w_.text(text);
        ids(m, "stop_token_ids", s.stop_ids);
        w_.key(m, "stop_token_ids_visible").nil();
        ids(m, "stop_token_ids_hidden", ask_.eos);
        maybe(m, "min_tokens", own(ask_.min_tokens, s.min_tokens));
        flag(m, "ignore_eos", s.ignore_eos);
        maybe(m, "max_thinking_tokens", s.max_thinking);
        w_.close(m);
    }

    Result<void> sampling(Open& all) {
        const Sampling& s = call_.sampling;
        w_.key(all, "sampling_options");
        Open m = w_.open_map();
        maybe(m, "n", s.n);
        maybe(m, "best_of", s.best_of);
        maybe(m, "presence_penalty", s.presence);
        maybe(m, "frequency_penalty", s.frequency);
        maybe(m, "repetition_penalty", s.repetition);
        maybe(m, "temperature", s.temperature);
        maybe(m, "top_p", s.top_p);
        maybe(m, "top_k", s.top_k);
        maybe(m, "min_p", s.min_p);
        w_.key(m, "use_beam_search").nil();
        maybe(m, "length_penalty", s.length_penalty);
        maybe(m, "seed", s.seed);
        flag(m, "include_stop_str_in_output", s.include_stop);
        if (auto ok = guided(m); !ok) return ok;
        w_.close(m);
        return {};
    }

    Result<void> guided(Open& all) {
        w_.key(all, "guided_decoding");
        const Format& f = call_.format;
        const char* member = nullptr;
        switch (f.kind) {
        case Format::free: break;
        case Format::json_object: case Format::json_schema: member = "json"; break;
        case Format::regex: member = "regex"; break;
        case Format::choice: member = "choice"; break;
        case Format::grammar: member = "grammar"; break;
        case Format::structural_tag: member = "structural_tag"; break;
        }
        if (!member) return w_.nil(), Result<void>();
        Open m = w_.open_map();
        w_.key(m, member);
        if (f.kind == Format::json_object) w_.map(1).text("type").text("object");
        else if (auto ok = json(call_.doc.at(f.body), "response_format"); !ok) return ok;
        w_.close(m);
        return {};
    }

    void output_options(Open& all) {
        const Sampling& s = call_.sampling;
        auto number = [](int8_t n) { return n < 0 ? std::nullopt : std::optional<uint32_t>(static_cast<uint32_t>(n)); };
        w_.key(all, "output_options");
        Open m = w_.open_map();
        maybe(m, "logprobs", number(s.logprobs));
        maybe(m, "prompt_logprobs", number(s.prompt_logprobs));
        w_.key(m, "skip_special_tokens");
        if (s.skip_special) w_.nil();
        else w_.boolean(false);
        w_.key(m, "formatted_prompt").nil();
        w_.key(m, "return_tokens_as_token_ids").nil();
        w_.close(m);
    }

    void routing(Open& all) {
        const Hints& h = call_.hints;
        Open m{0};
        auto key = [&](Str name) -> MsgpackWriter& {
            if (m.n == 0) w_.key(all, "routing"), m = w_.open_map();
            return w_.key(m, name);
        };
        auto number = [&](Str name, const auto& v) { if (v) key(name).number(*v); };
        number("backend_instance_id", ask_.backend_id);
        number("prefill_worker_id", ask_.prefill_id);
        number("decode_worker_id", ask_.decode_id);
        number("dp_rank", ask_.dp_rank);
        number("prefill_dp_rank", ask_.prefill_dp_rank);
        number("expected_output_tokens", h.expected_out);
        if (!h.lora.empty()) key("lora_name").text(h.lora);
        if (!h.cache_salt.empty()) key("cache_salt").text(h.cache_salt);
        if (h.priority_jump_s != 0) key("priority_jump").real(static_cast<double>(h.priority_jump_s));
        if (h.strict_priority) key("strict_priority").number(h.strict_priority);
        if (h.priority) key("priority").signed_number(h.priority);
        if (m.n) w_.close(m);
    }

    void override() {
        Open m = w_.open_map();
        w_.key(m, "overlap_score_credit").real(0.0);
        w_.key(m, "prefill_load_scale").nil();
        w_.key(m, "router_temperature").nil();
        w_.key(m, "assume_kv_reuse").boolean(false);
        w_.key(m, "track_prefill_tokens").boolean(false);
        w_.key(m, "shared_cache_multiplier").nil();
        w_.close(m);
    }

    void bootstrap(Open& all, const DynamoBootstrap& b) {
        w_.key(all, "bootstrap_info");
        Open m = w_.open_map();
        w_.key(m, "bootstrap_host").text(b.host);
        w_.key(m, "bootstrap_port").number(b.port);
        w_.key(m, "bootstrap_room").number(b.room);
        w_.key(m, "handoff_id");   // 16 bytes, in JSON the usual text of them
        if (codec_ == PayloadCodec::msgpack) w_.binary(Str(reinterpret_cast<const char*>(b.handoff.data()), b.handoff.size()));
        else w_.text(uuid_text(b.handoff));
        w_.close(m);
    }
    static std::string uuid_text(const std::array<uint8_t, 16>& bytes) {
        static constexpr char digits[] = "0123456789abcdef";
        std::string text;
        for (size_t i = 0; i < bytes.size(); i++) {
            if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
            text.append({digits[bytes[i] >> 4], digits[bytes[i] & 15]});
        }
        return text;
    }

    const Call& call_;
    const DynamoAsk& ask_;
    const PayloadCodec codec_;
    MsgpackWriter w_;
};

}  // namespace

Result<void> write_dynamo_request(const Call& call, const DynamoAsk& ask, PayloadCodec codec, std::string& out) {
    if (codec == PayloadCodec::msgpack) return Body(call, ask, codec, out).run();
    std::string packed;
    if (auto ok = Body(call, ask, codec, packed).run(); !ok) return ok;
    if (!msgpack_to_json(packed, out)) return Failure(Code::bad_field, "the request holds text that is no UTF-8");
    return {};
}

}  // namespace weir::engine
