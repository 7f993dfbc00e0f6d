// One simulated engine behind its HTTP routes, without sockets: requests in, whole answers or generations out.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "mocker/generation.h"
#include "mocker/reply.h"

namespace weir::mocker {

struct EngineSettings {
    EngineKind kind = EngineKind::vllm;
    bool strict = false;                  // only the routes and metric names of `kind`; else both kinds' are served
    std::string model = "mock-model";
    std::vector<std::string> aliases;     // further names it answers to
    std::string version = "0.11.0";
    sim::EngineParams engine;             // of each rank
    uint32_t dp_size = 1;                 // data parallel ranks, each with a queue and a cache of its own
    std::string api_key;                  // not empty: requests show it as a bearer token, or get 401
    std::vector<sim::FaultRule> faults;
    uint64_t seed = 0;                    // answers, of all engines of a fleet alike
    uint32_t natural_min = 32, natural_max = 96;   // tokens of an answer whose length the client does not bound
    uint32_t dimensions = 256;            // of embedding vectors
    bool cached_details = true;           // usage tells cached_tokens (vLLM: --enable-prompt-tokens-details)
    uint64_t startup_ms = 0;              // /health and inference answer 503 so long
};

// What came of a request: `generation`, or else `reply`.
struct Outcome {
    sim::Fault fault;                     // what the socket layer must do wrong; see Generation for the rest
    MockReply reply;
    std::unique_ptr<Generation> generation;
};

class MockEngine {
public:
    MockEngine(EngineSettings settings, uint32_t index, Instant now, UnixMs wall);

    // Any route. Head requests are answered as GET; the caller leaves the body out.
    Outcome answer(const MockRequest&, Instant now, UnixMs wall);

    // The engine's time. After answer() and advance(), call advance() again at next_event_time().
    Instant next_event_time() const;
    void advance(Instant now, size_t steps_max = 64);   // steps of each rank
    // To be called for each generation before it is destroyed, so that its end is counted.
    void finished(const Generation&);

    sim::EngineSink* kv_sink = nullptr;   // sees KV events of rank 0 as well; may be null
    size_t ranks() const { return ranks_.size(); }
    const sim::EngineModel& rank(size_t i) const { return ranks_[i]->model; }
    sim::EngineLoad load() const;         // of all ranks
    sim::EngineTotals totals() const;
    uint32_t context_max() const { return ranks_[0]->model.context_max(); }
    const EngineSettings& settings() const { return settings_; }
    sim::FaultPlan& faults() { return faults_; }
    uint32_t index() const { return index_; }
    UnixMs started_wall() const { return started_wall_; }
    struct Counts { uint64_t requests = 0, cancelled = 0, refused = 0; };   // generations; refused: 4xx and 5xx instead of one
    const Counts& counts() const { return counts_; }
    std::string hex_id();                 // 32 digits, new each time, the same in every run

private:
    struct Rank final : sim::EngineSink {
        Rank(MockEngine& engine, const sim::EngineParams& params) : engine(engine), model(params) {}
        void on_token(const sim::TokenEvent& e) override { static_cast<Generation*>(e.user)->on_token(e); }
        void on_kv(const sim::KvEvent& e) override {
            if (engine.kv_sink && this == engine.ranks_[0].get()) engine.kv_sink->on_kv(e);
        }
        MockEngine& engine;
        sim::EngineModel model;
    };
    sim::EngineModel* choose_rank(const Ask&, std::string_view header);   // null: there is no such rank
    bool allowed(const MockRequest&) const;
    Outcome generate(Face face, const MockRequest&, const sim::Fault&, Instant now, UnixMs wall);
    Outcome refused(MockReply reply);
    MockReply flush();
    bool serves(std::string_view model) const;

    EngineSettings settings_;
    uint32_t index_;
    std::vector<std::unique_ptr<Rank>> ranks_;
    sim::FaultPlan faults_;
    Instant started_;
    UnixMs started_wall_;
    uint64_t next_id_ = 1, ids_given_ = 0;
    Counts counts_;
};

}  // namespace weir::mocker
