// One answer of a simulated Dynamo worker: calls the frontend, says its tokens as they become due, minds "stop" and "kill", applies faults.
#pragma once
#include <optional>
#include <vector>

#include "mocker/dynamo_ask.h"
#include "mocker/dynamo_items.h"
#include "net/resolver.h"
#include "net/transport.h"
#include "sim/engine_model.h"
#include "sim/faults.h"

namespace weir::mocker {

// What a worker says about itself to each of its answers.
struct CallSettings {
    uint64_t seed = 42;                  // of answers whose request has none
    uint32_t tokens_mean = 64;           // of answers that nothing bounds: after each token one in so many ends
    bool prefill = false;                // its answers say where the KV blocks are
};

// Faults of HTTP that have no like here. Failure: bad_field.
Result<void> check_faults(const std::vector<sim::FaultRule>&);

// A connected socket to "host:port"; connect_failed otherwise.
Task<Result<int>> dial_home(Resolver& resolver, std::string address);

class DynamoCall {
public:
    DynamoCall(ControlHeader control, const ItemWriter& items, sim::Fault fault, Instant now);
    ~DynamoCall();                       // cancels what still runs in the engine, which outlives it
    DynamoCall(const DynamoCall&) = delete;

    // Failure::too_large, bad_field: refuse() the call. queue_full: the worker is overloaded.
    Result<void> submit(sim::EngineModel&, TokenAsk, uint64_t id, const CallSettings&, Instant now);
    void refuse(std::string kind, std::string message);   // its prologue says so
    void on_token(const sim::TokenEvent&);                // from the engine's sink
    Task<void> run(Resolver&);                            // to the end of the stream
    bool ended_early() const { return running_ > 0; }     // the frontend left, or stopped it

private:
    enum Then : uint8_t { wait, more, end, close, abort };
    struct Alarm : Timer { DynamoCall* call; };
    Then next(Instant now, std::string& out);
    bool due(Instant now, const sim::TokenEvent&);
    Then take(const sim::TokenEvent&, std::string& out);
    void say(const sim::TokenEvent&, std::string& out);
    Then cut(std::string& out, size_t frame_at);
    void finish(const sim::TokenEvent&, std::string& out);
    Task<void> talk(std::string hello);
    Task<void> listen();

    const ControlHeader control_;
    const ItemWriter& items_;
    const sim::Fault fault_;
    const Instant start_;
    std::string refusal_kind_, refusal_;
    sim::EngineModel* model_ = nullptr;
    uint64_t id_ = 0, seed_ = 0;
    uint32_t prompt_ = 0, running_ = 0, tokens_out_ = 0, choices_ = 1;   // running_: choices that have not ended
    int logprobs_ = -1;
    bool prefill_ = false;
    std::vector<sim::TokenEvent> pending_;               // from at_ on: made by the engine, not yet said
    size_t at_ = 0;
    std::vector<bool> begun_;                            // by choice
    Instant stall_until_ = 0;
    bool stalled_ = false, stopped_ = false, left_ = false, stop_said_ = false;
    Signal news_;
    Alarm alarm_;
    std::optional<SocketTransport> socket_;
    Nursery listening_;                                  // after the socket it reads
};

}  // namespace weir::mocker
