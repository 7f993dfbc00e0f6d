// Any bytes as a request body on each route: parsed or refused, and what was parsed can be answered to the end.
#include <cstdint>
#include <cstdlib>

#include "mocker/drive_test.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace weir::mocker;
    static constexpr std::string_view routes[] = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/generate"};
    if (size == 0) return 0;
    EngineSettings s = instant_engine(data[0] & 4 ? EngineKind::sglang : EngineKind::vllm);
    s.engine.num_blocks = 16;
    Bench bench(s);
    const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
    Driven d = bench.post(routes[data[0] & 3], body);
    if (d.hangs || d.then != Step::end || (d.status != 200 && d.status != 400 && d.status != 404 && d.status != 503)) std::abort();
    if (bench.engine.load().blocks_in_use != 0) std::abort();
    return 0;
}
