// `weir mocker --dynamo`: simulated workers of a Dynamo deployment, until a signal asks to stop.
#pragma once
#include <string>

#include "base/result.h"
#include "config/config.h"

namespace weir {

// Serves; SIGINT and SIGTERM (blocked in all threads) take the workers back from discovery and let running answers end, a second signal
// ends at once. `ready_file` is written when discovery knows the workers: {"workers": [{"id": ..., "port": ...}, ...]}. The exit code, or
// why it could not start.
Result<int> run_mock_workers(const MockerConfig&, const std::string& ready_file);

}  // namespace weir
