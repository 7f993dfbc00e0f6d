// Simulated workers of a Dynamo deployment in one process: made, announced, taken back.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "config/config.h"
#include "mocker/dynamo_worker.h"

namespace weir::mocker {

// What the options of `weir mocker --dynamo` describe. Code::bad_field for what the option table cannot see.
Result<WorkerSettings> worker_settings_of(const MockerConfig&);

// One core. Made before it runs; the rest on the core, or with it entered.
class DynamoWorkers {
public:
    DynamoWorkers(Core& core, const WorkerSettings& settings, std::string card_json, std::unique_ptr<Discovery> discovery, uint32_t workers);
    ~DynamoWorkers();
    Result<void> listen();
    // Serves and announces, after `startup_ms`; `announced(failure)` when discovery knows all workers, or refused one.
    void start(uint64_t startup_ms, std::function<void(Result<void>)> announced);
    // Takes everything back from discovery, lets running answers end for at most grace_ms, then calls `done`.
    void leave(uint64_t grace_ms, std::function<void()> done);
    size_t size() const { return workers_.size(); }
    DynamoWorker& worker(size_t i) { return *workers_[i]; }
    size_t answering() const;

private:
    struct Ignored final : RecordSink {    // what others announce is none of a worker's business
        void put(const Record&) override {}
        void gone(Bucket, const std::string&) override {}
        void synced() override {}
    } ignored_;
    Task<void> announce(uint64_t startup_ms, std::function<void(Result<void>)> announced);
    Task<Result<void>> publish_all();
    Task<void> wait_and_leave(uint64_t grace_ms, std::function<void()> done);
    Core& core_;
    const std::string card_json_;
    std::unique_ptr<Discovery> discovery_;
    Resolver resolver_;
    std::vector<std::unique_ptr<DynamoWorker>> workers_;
    Nursery tasks_;
};

}  // namespace weir::mocker
