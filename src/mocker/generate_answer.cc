// Bodies of SGLang's /generate: text so far and what is known about it, again in every event of a stream.
#include "mocker/answer.h"
#include "sim/text.h"
#include "wire/json_write.h"
#include "wire/sse.h"

namespace weir::mocker {
namespace {

class GenerateAnswer final : public Answer {
public:
    GenerateAnswer(const Ask& ask, const AnswerHead& head) : ask_(ask), head_(head) {}

    void piece(std::string& out, size_t index, const Choice& c, std::string_view delta) override {
        out.append("data: ");
        object(out, index, c, std::string_view(c.text).substr(0, c.text_sent + delta.size()), 0);
        out.append("\n\n");
    }
    void tail(std::string& out, const AnswerUsage&) override { out.append(sse_done); }
    void whole(std::string& out, const std::vector<Choice>& choices, uint64_t elapsed_ns) override {
        if (choices.size() > 1) out.push_back('[');
        for (size_t i = 0; i < choices.size(); ++i) {
            if (i) out.push_back(',');
            object(out, i, choices[i], choices[i].text, elapsed_ns);
        }
        if (choices.size() > 1) out.push_back(']');
    }

private:
    void object(std::string& out, size_t index, const Choice& c, std::string_view text, uint64_t elapsed_ns) const {
        out.append("{\"text\":");
        append_json_string(out, text);
        out.append(",\"output_ids\":[");
        for (size_t i = 0; i < c.ids.size(); ++i) {
            if (i) out.push_back(',');
            append_json_number(out, static_cast<uint64_t>(c.ids[i]));
        }
        out.append("],\"meta_info\":{\"id\":\"").append(head_.id);
        if (ask_.n > 1) out.append("-").append(std::to_string(index));
        out.append("\",\"finish_reason\":");
        finish(out, c);
        out.append(",\"prompt_tokens\":");
        append_json_number(out, static_cast<uint64_t>(c.prompt_tokens));
        out.append(",\"weight_version\":\"default\",\"completion_tokens\":");
        append_json_number(out, static_cast<uint64_t>(c.ids.size()));
        out.append(",\"cached_tokens\":");
        append_json_number(out, static_cast<uint64_t>(c.cached_tokens));
        if (ask_.logprobs >= 0) {
            out.append(",\"output_token_logprobs\":[");
            for (size_t n = 0; n < c.ids.size(); ++n) {
                out.append(n ? ",[" : "[");
                append_json_number(out, logprob(c.seed, n, 0));
                out.push_back(',');
                append_json_number(out, static_cast<uint64_t>(c.ids[n]));
                out.append(",null]");
            }
            out.push_back(']');
        }
        if (elapsed_ns) {
            out.append(",\"e2e_latency\":");
            append_json_number(out, static_cast<double>(elapsed_ns) / 1e9);
        }
        out.append("}}");
    }
    void finish(std::string& out, const Choice& c) const {
        if (c.finish == sim::Finish::none) {
            out.append("null");
            return;
        }
        out.append("{\"type\":\"").append(finish_name(c)).append("\"");
        if (c.finish == sim::Finish::length) {
            out.append(",\"length\":");
            append_json_number(out, static_cast<uint64_t>(c.ids.size()));
        } else if (!c.matched_stop.empty()) {
            out.append(",\"matched\":");
            append_json_string(out, c.matched_stop);
        }
        out.push_back('}');
    }
    const Ask& ask_;
    const AnswerHead& head_;
};

}  // namespace

std::unique_ptr<Answer> make_generate_answer(const Ask& ask, const AnswerHead& head) {
    return std::make_unique<GenerateAnswer>(ask, head);
}

}  // namespace weir::mocker
