// Pages about an engine: models, info, load, metrics. Written from its state, nothing changes.
#pragma once
#include "mocker/engine.h"

namespace weir::mocker {

MockReply models_page(const MockEngine&);
MockReply model_page(const MockEngine&, std::string_view id);   // 404 for an unknown one
MockReply version_page(const MockEngine&);
MockReply model_info_page(const MockEngine&);      // SGLang: /get_model_info, /model_info
MockReply server_info_page(const MockEngine&);     // SGLang: /get_server_info, /server_info
MockReply get_load_page(const MockEngine&);        // SGLang: /get_load
MockReply loads_page(const MockEngine&);           // SGLang: /v1/loads
MockReply vllm_load_page(const MockEngine&);       // vLLM: /load
MockReply metrics_page(const MockEngine&);

}  // namespace weir::mocker
