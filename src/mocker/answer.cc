#include "mocker/answer.h"

#include "sim/text.h"
#include "wire/json_write.h"

namespace weir::mocker {

AnswerUsage usage_of(const std::vector<Choice>& choices, uint32_t choices_per_prompt) {
    AnswerUsage u;
    for (size_t i = 0; i < choices.size(); ++i) {
        u.completion += choices[i].ids.size();
        if (i % choices_per_prompt) continue;   // the prompt counts once, whatever its choices
        u.prompt += choices[i].prompt_tokens;
        u.cached += choices[i].cached_tokens;
    }
    return u;
}

void append_usage(std::string& out, const AnswerHead& head, const AnswerUsage& u) {
    out.append("{\"prompt_tokens\":");
    append_json_number(out, u.prompt);
    out.append(",\"total_tokens\":");
    append_json_number(out, u.prompt + u.completion);
    out.append(",\"completion_tokens\":");
    append_json_number(out, u.completion);
    if (head.cached_details) {
        out.append(",\"prompt_tokens_details\":{\"cached_tokens\":");
        append_json_number(out, u.cached);
        out.append("}");
    } else {
        out.append(",\"prompt_tokens_details\":null");
    }
    if (head.kind == EngineKind::sglang) out.append(",\"reasoning_tokens\":0");
    out.push_back('}');
}

double logprob(uint64_t seed, uint64_t n, uint32_t rank) {
    const double first = -0.01 - static_cast<double>(sim::draw(seed, n) >> 54) / 1024.0;   // two decimals or so are plenty
    return first - rank;
}

std::string_view finish_name(const Choice& c) {
    return c.finish == sim::Finish::none ? "" : c.finish == sim::Finish::stop ? "stop" : "length";
}

}  // namespace weir::mocker
