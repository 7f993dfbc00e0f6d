// Workers from a list of URLs: each is asked for its models until it answers, then it is routable.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "net/upstream.h"

namespace weir {

struct StaticUrlsOptions {
    std::string api_key;               // sent as bearer token with each question; may be empty
    uint64_t question_ms = 5'000;      // bound of one question
    uint64_t retry_first_ms = 100, retry_max_ms = 5'000;   // between questions to a worker that does not answer
    uint64_t refresh_ms = 30'000;      // a worker that answered is asked again, so that a restart with another model is seen
    std::function<void(uint16_t ranks)> ranks;   // set: each time before `found`, how many data parallel ranks the worker says it has; else 1
};

// Runs until destroyed, on the control core. `found` hears of the worker's models, first and whenever it was asked again; none: it
// takes any model (a worker without /v1/models: 404, 405, 501).
using FoundModels = std::function<void(std::vector<std::string> models)>;
Task<void> watch_static_worker(std::string url, Target target, ClientPool& pool, FoundModels found, StaticUrlsOptions options);

// "dp_size" of SGLang's /server_info; 0: not said, or out of range.
uint16_t read_dp_size(std::string_view body);

// Model ids of an OpenAI model list. Failure: engine_garbage.
Result<std::vector<std::string>> read_model_list(std::string_view body);

}  // namespace weir
