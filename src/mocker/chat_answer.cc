// Bodies of /v1/chat/completions in vLLM's and SGLang's shapes.
#include "mocker/answer.h"
#include "sim/text.h"
#include "wire/json_write.h"
#include "wire/sse.h"

namespace weir::mocker {
namespace {

// Members that these servers always write, null when there is nothing to say.
constexpr std::string_view sglang_nulls = ",\"reasoning_content\":null,\"tool_calls\":null}";
constexpr std::string_view sglang_unfinished = ",\"logprobs\":null,\"finish_reason\":null,\"matched_stop\":null}";
constexpr std::string_view vllm_nulls =
    ",\"refusal\":null,\"annotations\":null,\"audio\":null,\"function_call\":null,\"tool_calls\":[],\"reasoning_content\":null}";

void append_bytes(std::string& out, std::string_view text) {
    out.push_back('[');
    for (size_t i = 0; i < text.size(); ++i) {
        if (i) out.push_back(',');
        append_json_number(out, static_cast<uint64_t>(static_cast<unsigned char>(text[i])));
    }
    out.push_back(']');
}

void append_token_logprob(std::string& out, std::string_view text, double value) {
    out.append("\"token\":");
    append_json_string(out, text);
    out.append(",\"logprob\":");
    append_json_number(out, value);
    out.append(",\"bytes\":");
    append_bytes(out, text);
}

// Of tokens from..to of a choice.
void append_logprobs(std::string& out, const Ask& ask, const Choice& c, size_t from, size_t to) {
    if (ask.logprobs < 0) {
        out.append("null");
        return;
    }
    out.append("{\"content\":[");
    for (size_t n = from; n < to; ++n) {
        if (n > from) out.push_back(',');
        out.push_back('{');
        append_token_logprob(out, sim::word(c.seed, n), logprob(c.seed, n, 0));
        out.append(",\"top_logprobs\":[");
        for (int rank = 0; rank < ask.logprobs; ++rank) {
            if (rank) out.push_back(',');
            out.push_back('{');
            append_token_logprob(out, rank ? sim::word(~c.seed - static_cast<uint64_t>(rank), n) : sim::word(c.seed, n),
                                 logprob(c.seed, n, static_cast<uint32_t>(rank)));
            out.push_back('}');
        }
        out.append("]}");
    }
    out.append("]}");
}

// "finish_reason":...,"stop_reason":... (vLLM) or "matched_stop" (SGLang)
void append_finish(std::string& out, const AnswerHead& head, const Choice& c, bool always) {
    out.append("\"finish_reason\":");
    if (c.finish == sim::Finish::none) out.append("null");
    else append_json_string(out, finish_name(c));
    if (head.kind == EngineKind::vllm && c.finish == sim::Finish::none && !always) return;
    out.append(head.kind == EngineKind::vllm ? ",\"stop_reason\":" : ",\"matched_stop\":");
    if (c.matched_stop.empty()) out.append("null");
    else append_json_string(out, c.matched_stop);
}

class ChatAnswer final : public Answer {
public:
    ChatAnswer(const Ask& ask, const AnswerHead& head) : ask_(ask), head_(head) {
        event_.append("data: {\"id\":").append(id()).append(",\"object\":\"chat.completion.chunk\",\"created\":");
        append_json_number(event_, head.created);
        event_.append(",\"model\":");
        append_json_string(event_, head.model);
        event_.append(",\"choices\":[");
    }

    void piece(std::string& out, size_t index, const Choice& c, std::string_view delta) override {
        const bool vllm = head_.kind == EngineKind::vllm;
        if (!c.begun) {
            open(out, index);
            out.append("\"role\":\"assistant\",\"content\":\"\"");
            if (vllm) out.append("},\"logprobs\":null,\"finish_reason\":null}");
            else out.append(sglang_nulls).append(sglang_unfinished);
            close(out);
        }
        if (!delta.empty() || (vllm && c.finish != sim::Finish::none)) {
            open(out, index);
            out.append(vllm ? "\"content\":\"" : "\"role\":null,\"content\":\"");
            append_json_escaped(out, delta);
            if (vllm) out.append("\"},\"logprobs\":");
            else out.append("\"").append(sglang_nulls).append(",\"logprobs\":");
            append_logprobs(out, ask_, c, c.ids_sent, c.ids.size());
            out.push_back(',');
            if (vllm) append_finish(out, head_, c, false);
            else out.append("\"finish_reason\":null,\"matched_stop\":null");
            out.push_back('}');
            close(out);
        }
        if (vllm || c.finish == sim::Finish::none) return;
        open(out, index);
        out.append("\"role\":null,\"content\":null").append(sglang_nulls).append(",\"logprobs\":null,");
        append_finish(out, head_, c, true);
        out.push_back('}');
        close(out);
    }

    void tail(std::string& out, const AnswerUsage& usage) override {
        if (ask_.include_usage) {
            out.append(event_).append("],\"usage\":");
            append_usage(out, head_, usage);
            out.append("}\n\n");
        }
        out.append(sse_done);
    }

    void whole(std::string& out, const std::vector<Choice>& choices, uint64_t) override {
        const bool vllm = head_.kind == EngineKind::vllm;
        out.append("{\"id\":").append(id()).append(",\"object\":\"chat.completion\",\"created\":");
        append_json_number(out, head_.created);
        out.append(",\"model\":");
        append_json_string(out, head_.model);
        out.append(",\"choices\":[");
        for (size_t i = 0; i < choices.size(); ++i) {
            out.append(i ? ",{\"index\":" : "{\"index\":");
            append_json_number(out, static_cast<uint64_t>(i));
            out.append(",\"message\":{\"role\":\"assistant\",\"content\":");
            append_json_string(out, choices[i].text);
            out.append(vllm ? vllm_nulls : sglang_nulls);
            out.append(",\"logprobs\":");
            append_logprobs(out, ask_, choices[i], 0, choices[i].ids.size());
            out.push_back(',');
            append_finish(out, head_, choices[i], true);
            out.push_back('}');
        }
        out.append(vllm ? "],\"service_tier\":null,\"system_fingerprint\":null,\"usage\":" : "],\"usage\":");
        append_usage(out, head_, usage_of(choices, ask_.n));
        out.append(vllm ? ",\"prompt_logprobs\":null,\"kv_transfer_params\":null}"
                        : ",\"metadata\":{\"weight_version\":\"default\"}}");
    }

private:
    std::string id() const {
        return (head_.kind == EngineKind::vllm ? "\"chatcmpl-" : "\"") + head_.id + '"';
    }
    void open(std::string& out, size_t index) {
        out.append(event_).append("{\"index\":");
        append_json_number(out, static_cast<uint64_t>(index));
        out.append(",\"delta\":{");
    }
    void close(std::string& out) { out.append(head_.kind == EngineKind::vllm ? "]}\n\n" : "],\"usage\":null}\n\n"); }

    const Ask& ask_;
    const AnswerHead& head_;
    std::string event_;   // every event begins so
};

}  // namespace

std::unique_ptr<Answer> make_chat_answer(const Ask& ask, const AnswerHead& head) {
    return std::make_unique<ChatAnswer>(ask, head);
}

}  // namespace weir::mocker
