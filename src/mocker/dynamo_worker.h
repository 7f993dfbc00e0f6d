// One simulated worker of a Dynamo deployment on one core: its request port, its ranks, what it publishes.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "discovery/discovery.h"
#include "discovery/dynamo_records.h"
#include "mocker/dynamo_call.h"
#include "mocker/engine.h"
#include "mocker/event_publisher.h"
#include "mocker/kv_log.h"
#include "mocker/pace.h"

namespace weir::mocker {

struct WorkerSettings {
    EngineSettings engine;               // names, simulated engine of each rank, ranks, faults, seed; natural_min: mean length of answers
    DynamoEndpoint endpoint{"dynamo", "backend", "generate"};
    WorkerType role = WorkerType::aggregated;
    PayloadCodec codec = PayloadCodec::msgpack;
    std::string host = "127.0.0.1";      // address literal to listen on; one that means "any" is announced as this machine's own address
};

class DynamoWorker {
public:
    DynamoWorker(Core& core, Resolver& resolver, WorkerSettings settings, uint32_t index, uint64_t id);
    ~DynamoWorker();                     // ends everything; with the core entered or on it
    Result<void> listen();
    void start();                        // on the core
    void stop_accepting() { leaving_ = true; }   // on the core: further requests are told to go elsewhere, running answers go on

    uint64_t id() const { return id_; }
    uint16_t port() const { return listener_.port(); }
    std::string address() const { return address_of(settings_.endpoint.name); }   // "host:port/path"
    // Its instances and event records, after listen(). Its model card comes last: card_record().
    std::vector<Record> records() const;
    Record card_record(const std::string& card_json) const;
    size_t answering() const { return answering_.size(); }
    size_t ranks() const { return ranks_.size(); }
    const sim::EngineModel& rank(size_t i) const;
    struct Counts { uint64_t requests = 0, refused = 0, unknown = 0, recoveries = 0, ended_early = 0; } counts;

private:
    struct Rank;
    struct LoadAlarm : Timer { DynamoWorker* worker; };
    Task<void> accept_loop();
    Task<void> serve(int fd);
    // What the acknowledgement says; false: no acknowledgement, the connection ends.
    bool take(const RequestFrame&, std::string& ack);
    bool generate(ControlHeader control, Str body, std::string& ack);
    void start_taken();
    Task<void> answer(std::unique_ptr<DynamoCall> call);
    struct Question { ControlHeader control; size_t rank; std::string body; };
    Task<void> recover(Question question);
    void advance(Instant now);
    Instant next_event_time() const;
    void tell_load();
    Rank* choose_rank(const std::optional<uint32_t>& wanted);
    const ItemWriter& items(PayloadCodec codec) const { return codec == PayloadCodec::msgpack ? msgpack_ : json_; }
    DynamoInstance instance(const std::string& endpoint_name) const;
    std::string address_of(const std::string& endpoint_name) const;
    std::string announced_host() const;
    std::string query_name(const Rank&) const;

    Core& core_;
    Resolver& resolver_;
    const WorkerSettings settings_;
    const uint64_t id_;
    Listener listener_;
    EventPublisher load_;
    const ItemWriter msgpack_, json_;
    std::vector<std::unique_ptr<Rank>> ranks_;
    std::unordered_map<std::string, size_t> paths_;      // of endpoints: rank whose events are asked for; ranks(): generate
    sim::FaultPlan faults_;
    uint64_t next_id_ = 1;
    bool leaving_ = false;
    std::vector<std::unique_ptr<DynamoCall>> taken_;     // of the read under way; started once it is used up
    std::vector<Question> asked_;
    LoadAlarm load_alarm_;
    Instant load_told_ = 0;
    Pace pace_;
    Nursery accepting_, serving_, answering_;
};

}  // namespace weir::mocker
