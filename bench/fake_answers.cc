#include "bench/fake_answers.h"

#include <cstdio>

namespace weir::bench {
namespace {

constexpr std::string_view id = R"("id":"chatcmpl-0123456789abcdef0123456789abcdef")";
constexpr std::string_view created = R"("created":1700000000)";

std::string chunk(std::string_view payload) {
    char size[24];
    std::snprintf(size, sizeof size, "%zx\r\n", payload.size());
    return std::string(size).append(payload).append("\r\n");
}

std::string quoted(std::string_view name, std::string_view value) {
    return std::string("\"").append(name).append("\":\"").append(value).append("\"");
}

std::string event(const std::string& model, std::string_view delta, std::string_view finish_reason) {
    return std::string("data: {").append(id).append(R"(,"object":"chat.completion.chunk",)").append(created).append(",")
        .append(quoted("model", model)).append(R"(,"choices":[{"index":0,"delta":)").append(delta)
        .append(R"(,"logprobs":null,"finish_reason":)").append(finish_reason).append("}]}\n\n");
}

std::string make_completion(const std::string& model, int bytes) {
    std::string before = std::string("{").append(id).append(R"(,"object":"chat.completion",)").append(created).append(",")
        .append(quoted("model", model)).append(R"(,"choices":[{"index":0,"message":{"role":"assistant","content":")");
    std::string after = R"("},"logprobs":null,"finish_reason":"stop"}],)"
                        R"("usage":{"prompt_tokens":200,"total_tokens":400,"completion_tokens":200}})";
    std::string content = "len=00000 ";
    while (before.size() + content.size() + after.size() < static_cast<size_t>(bytes)) content += "word ";
    char len[16];
    std::snprintf(len, sizeof len, "len=%05zu ", content.size());
    content.replace(0, 10, len);
    return before + content + after;
}

}  // namespace

std::string http_answer(int status, std::string_view type, std::string_view body) {
    char head[200];
    int n = std::snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\ncontent-type: %.*s\r\ncontent-length: %zu\r\n\r\n", status,
                          status == 200 ? "OK" : "Not Found", static_cast<int>(type.size()), type.data(), body.size());
    return std::string(head, static_cast<size_t>(n)).append(body);
}

FakeAnswers::FakeAnswers(const std::string& model, int completion_bytes) {
    constexpr std::string_view text = "text/plain", json = "application/json";
    stream_head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
                  "transfer-encoding: chunked\r\n\r\n";
    role = chunk(event(model, R"({"role":"assistant","content":""})", "null"));
    std::string token = chunk(event(model, R"({"content":"T0000000000000000000 "})", "null"));
    size_t digits = token.find("\"T0000") + 2;
    token_before = token.substr(0, digits);
    token_after = token.substr(digits + 19);
    tail = chunk(event(model, "{}", "\"stop\"")) + chunk("data: [DONE]\n\n") + "0\r\n\r\n";
    completion = http_answer(200, json, make_completion(model, completion_bytes));

    std::string paths = quoted("model_path", model) + "," + quoted("tokenizer_path", model);
    empty_ = http_answer(200, text, "");
    done_ = http_answer(200, text, "ok");
    models_ = http_answer(200, json, R"({"object":"list","data":[{"object":"model","owned_by":"fake",)" + std::string(created) + "," +
                          quoted("id", model) + "," + quoted("root", model) + R"(,"max_model_len":131072}]})");
    model_info_ = http_answer(200, json, "{" + paths + R"(,"is_generation":true,"preferred_sampling_params":null,)"
                              R"("weight_version":"default",)"
                              R"("has_image_understanding":false,"has_audio_understanding":false,"model_type":"llama",)"
                              R"("architectures":["LlamaForCausalLM"]})");
    server_info_ = http_answer(200, json, "{" + paths + "," + quoted("served_model_name", model) +
                               R"(,"tp_size":1,"dp_size":1,"load_balance_method":"round_robin","disaggregation_mode":"null",)"
                               R"("max_running_requests":4096,"max_total_num_tokens":1000000,"version":"0.5.5",)"
                               R"("internal_states":[{"waiting_queue":0,"running":0}]})");
    load_ = http_answer(200, json, R"([{"dp_rank":0,"num_reqs":0,"num_waiting_reqs":0,"num_tokens":0}])");
    std::string label = "{model_name=\"" + model + "\"} 0\n";
    for (std::string name : {"sglang:num_running_reqs", "sglang:num_queue_reqs", "sglang:token_usage"})
        metrics_ += "# TYPE " + name + " gauge\n" + name + label;
    metrics_ = http_answer(200, text, metrics_);
}

const std::string* FakeAnswers::probe(std::string_view path) const {
    path = path.substr(0, path.find('?'));
    if (path == "/health" || path == "/health_generate" || path == "/ping" || path == "/liveness") return &empty_;
    if (path == "/v1/models") return &models_;
    if (path == "/model_info" || path == "/get_model_info") return &model_info_;
    if (path == "/server_info" || path == "/get_server_info") return &server_info_;
    if (path == "/get_load" || path == "/v1/loads") return &load_;
    if (path == "/metrics") return &metrics_;
    if (path == "/flush_cache") return &done_;
    return nullptr;
}

}  // namespace weir::bench
