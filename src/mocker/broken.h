// Answers that break HTTP on purpose, as raw bytes for the connection, which ends behind them.
#pragma once
#include <string>

#include "mocker/reply.h"
#include "sim/faults.h"

namespace weir::mocker {

bool breaks_http(sim::Fault::Wrong);   // such a fault needs broken_answer(); the others are in the body
bool needs_body(sim::Fault::Wrong);    // broken_answer() wants the body: wait for it
// bad_json, bad_utf8 and cut_sse of a JSON body; others leave it alone.
void spoil_body(sim::Fault::Wrong, std::string& body);
// For Wrong::half_chunk the body is what was due before the fault; half of its last 100 bytes are missing.
std::string broken_answer(sim::Fault::Wrong, int status, std::string_view lines, std::string_view body);

}  // namespace weir::mocker
