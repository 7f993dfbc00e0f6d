// Bodies of /v1/completions and /v1/embeddings in vLLM's and SGLang's shapes.
#include <cstring>

#include "mocker/answer.h"
#include "sim/text.h"
#include "wire/json_write.h"
#include "wire/sse.h"

namespace weir::mocker {
namespace {

class CompletionsAnswer final : public Answer {
public:
    CompletionsAnswer(const Ask& ask, const AnswerHead& head) : ask_(ask), head_(head) {
        start_.append("{\"id\":\"").append(head.kind == EngineKind::vllm ? "cmpl-" : "").append(head.id);
        start_.append("\",\"object\":\"text_completion\",\"created\":");
        append_json_number(start_, head.created);
        start_.append(",\"model\":");
        append_json_string(start_, head.model);
        start_.append(",\"choices\":[");
    }

    void piece(std::string& out, size_t index, const Choice& c, std::string_view delta) override {
        out.append("data: ").append(start_);
        std::string_view before = c.begun ? std::string_view{} : echo(index);
        choice(out, index, c, before, delta, c.ids_sent, c.ids.size(), c.text_sent);
        out.append(head_.kind == EngineKind::vllm ? "]}\n\n" : "],\"usage\":null}\n\n");
    }

    void tail(std::string& out, const AnswerUsage& usage) override {
        if (ask_.include_usage) {
            out.append("data: ").append(start_).append("],\"usage\":");
            append_usage(out, head_, usage);
            out.append("}\n\n");
        }
        out.append(sse_done);
    }

    void whole(std::string& out, const std::vector<Choice>& choices, uint64_t) override {
        out.append(start_);
        for (size_t i = 0; i < choices.size(); ++i) {
            if (i) out.push_back(',');
            choice(out, i, choices[i], echo(i), choices[i].text, 0, choices[i].ids.size(), 0);
        }
        out.append("],\"usage\":");
        append_usage(out, head_, usage_of(choices, ask_.n));
        if (head_.kind == EngineKind::vllm)
            out.append(",\"service_tier\":null,\"system_fingerprint\":null,\"kv_transfer_params\":null}");
        else
            out.append(",\"metadata\":{\"weight_version\":\"default\"}}");
    }

private:
    std::string_view echo(size_t index) const {
        return ask_.echo ? std::string_view(ask_.texts[index / ask_.n]) : std::string_view{};
    }
    void choice(std::string& out, size_t index, const Choice& c, std::string_view before, std::string_view text, size_t from,
                size_t to, size_t offset) {
        out.append("{\"index\":");
        append_json_number(out, static_cast<uint64_t>(index));
        out.append(",\"text\":\"");
        append_json_escaped(out, before);
        append_json_escaped(out, text);
        out.append("\",\"logprobs\":");
        logprobs(out, c, from, to, offset + before.size());
        out.append(",\"finish_reason\":");
        if (c.finish == sim::Finish::none) out.append("null");
        else append_json_string(out, finish_name(c));
        out.append(head_.kind == EngineKind::vllm ? ",\"stop_reason\":" : ",\"matched_stop\":");
        if (c.matched_stop.empty()) out.append("null");
        else append_json_string(out, c.matched_stop);
        if (head_.kind == EngineKind::vllm) out.append(",\"prompt_logprobs\":null");
        out.push_back('}');
    }
    void logprobs(std::string& out, const Choice& c, size_t from, size_t to, size_t offset) const {
        if (ask_.logprobs < 0) {
            out.append("null");
            return;
        }
        std::string offsets, values, tokens, tops;
        for (size_t n = from; n < to; ++n) {
            if (n > from) offsets += ',', values += ',', tokens += ',', tops += ',';
            const std::string_view word = sim::word(c.seed, n);
            append_json_number(offsets, static_cast<uint64_t>(offset));
            append_json_number(values, logprob(c.seed, n, 0));
            append_json_string(tokens, word);
            offset += word.size();
            tops += '{';
            for (int rank = 0; rank < ask_.logprobs; ++rank) {
                if (rank) tops += ',';
                append_json_string(tops, rank ? sim::word(~c.seed - static_cast<uint64_t>(rank), n) : word);
                tops += ':';
                append_json_number(tops, logprob(c.seed, n, static_cast<uint32_t>(rank)));
            }
            tops += '}';
        }
        out.append("{\"text_offset\":[").append(offsets).append("],\"token_logprobs\":[").append(values);
        out.append("],\"tokens\":[").append(tokens).append("],\"top_logprobs\":[").append(tops).append("]}");
    }

    const Ask& ask_;
    const AnswerHead& head_;
    std::string start_;
};

void append_base64(std::string& out, std::string_view bytes) {
    static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size(); i += 3) {
        uint32_t v = 0;
        const size_t n = std::min<size_t>(3, bytes.size() - i);
        for (size_t k = 0; k < 3; ++k) v = v << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0);
        for (size_t k = 0; k < 4; ++k) out.push_back(k <= n ? digits[v >> (18 - 6 * k) & 63] : '=');
    }
}

class EmbeddingsAnswer final : public Answer {
public:
    EmbeddingsAnswer(const Ask& ask, const AnswerHead& head) : ask_(ask), head_(head) {}
    void piece(std::string&, size_t, const Choice&, std::string_view) override {}   // never a stream
    void tail(std::string&, const AnswerUsage&) override {}
    void whole(std::string& out, const std::vector<Choice>& choices, uint64_t) override {
        const bool vllm = head_.kind == EngineKind::vllm;
        if (vllm) {
            out.append("{\"id\":\"embd-").append(head_.id).append("\",\"object\":\"list\",\"created\":");
            append_json_number(out, head_.created);
            out.append(",\"model\":");
        } else {
            out.append("{\"object\":\"list\",\"model\":");
        }
        append_json_string(out, head_.model);
        out.append(",\"data\":[");
        std::vector<float> vector(ask_.dimensions ? ask_.dimensions : head_.dimensions);
        for (size_t i = 0; i < choices.size(); ++i) {
            out.append(i ? ",{\"index\":" : "{\"index\":");
            append_json_number(out, static_cast<uint64_t>(i));
            out.append(",\"object\":\"embedding\",\"embedding\":");
            sim::unit_vector(choices[i].seed, vector);
            append_vector(out, vector);
            out.push_back('}');
        }
        AnswerUsage usage = usage_of(choices, 1);
        out.append("],\"usage\":");
        append_usage(out, head_, usage);
        out.push_back('}');
    }

private:
    void append_vector(std::string& out, const std::vector<float>& vector) const {
        if (ask_.base64) {   // float32, little-endian
            out.push_back('"');
            append_base64(out, {reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)});
            out.push_back('"');
            return;
        }
        out.push_back('[');
        for (size_t i = 0; i < vector.size(); ++i) {
            if (i) out.push_back(',');
            append_json_number(out, vector[i]);
        }
        out.push_back(']');
    }
    const Ask& ask_;
    const AnswerHead& head_;
};

}  // namespace

std::unique_ptr<Answer> make_completions_answer(const Ask& ask, const AnswerHead& head) {
    return std::make_unique<CompletionsAnswer>(ask, head);
}
std::unique_ptr<Answer> make_embeddings_answer(const Ask& ask, const AnswerHead& head) {
    return std::make_unique<EmbeddingsAnswer>(ask, head);
}

}  // namespace weir::mocker
