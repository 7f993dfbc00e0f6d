// What a simulated engine is asked and how it answers at once: requests, whole answers, errors in the engine's spelling.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::mocker {

enum class EngineKind : uint8_t { vllm, sglang };

struct MockRequest {                 // views live as long as answer() runs
    std::string_view method, path, query, body;
    std::string_view request_id;     // x-request-id; may be empty
    std::string_view authorization;
    std::string_view rank;           // x-data-parallel-rank; empty: the body's data_parallel_rank, or the rank with least to do
    std::string_view fault;          // x-weir-fault: fault rules for this request, see README.md
};

struct MockReply {
    int status = 200;
    std::string lines;               // "name: value\r\n" each
    std::string body;
};

MockReply text_reply(int status, std::string body, std::string_view content_type = "text/plain; charset=utf-8");
MockReply json_reply(int status, std::string body);
// vLLM nests under "error", SGLang answers flat with "object":"error". `param` may be empty.
MockReply error_reply(EngineKind, int status, std::string_view message, std::string_view param = {});
MockReply error_reply(EngineKind, const Failure&);
MockReply detail_reply(int status, std::string_view detail);   // what the web framework says itself: no route, wrong method

}  // namespace weir::mocker
