// The Dynamo deployment around the gateway, as discovery tells of it: workers into the fleet once their tokenizer is loaded, their KV events
// into the index, their instances for /health. Runs on the control core.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "discovery/card_files.h"
#include "discovery/dynamo_fleet.h"
#include "gateway/core_state.h"
#include "gateway/dynamo_kv.h"
#include "gateway/dynamo_peer.h"
#include "gateway/tokenizers.h"
#include "obs/metrics.h"

namespace weir {

class DynamoSite final : RecordSink, FoundSink {
public:
    struct Parts {                               // all outlive the site
        const Config& config;
        Core& ctl;
        Resolver& resolver;                      // of ctl
        Registry& registry;
        Tokenizers& tokenizers;
        Routings& routings;
        const std::vector<std::unique_ptr<CoreState>>& cores;
    };
    // Opens the listeners that workers call home to, each core's and ctl's. In ctl's name, before any core runs.
    static Result<std::unique_ptr<DynamoSite>> make(Parts parts);
    ~DynamoSite();                               // in ctl's name, after it ran
    void start();                                // posts itself to the cores
    using Instances = std::vector<DynamoInstance>;
    std::shared_ptr<const Instances> instances() const;   // all endpoints there are, in order of their keys; any thread

private:
    struct Text;                                 // tokenizer and template of a set of workers
    struct Card { FoundWorker found; std::shared_ptr<Text> text; };
    struct Worker { std::map<std::string, Card> cards; std::string url; WorkerSlot slot = Registry::no_slot; };
    explicit DynamoSite(Parts parts);
    Result<void> open_planes();
    Result<std::unique_ptr<Discovery>> make_discovery() const;
    Task<void> run();
    // RecordSink
    void put(const Record&) override;
    void gone(Bucket, const std::string& key) override;
    // FoundSink
    void put(const FoundWorker&) override;
    void gone(const FoundWorker&) override;
    void model(const std::string& name, bool ready) override;
    void channel(const EventChannel&, bool there) override;
    void source(const EventSource&, bool there) override;
    void synced() override;

    static std::string url_of(const FoundWorker&);
    std::string why_not(const FoundWorker&) const;
    std::shared_ptr<Text> text_for(const std::shared_ptr<const ModelCard>&);
    Task<void> load(std::shared_ptr<Text>);
    Task<Result<prepare::ModelRef>> load_once(std::shared_ptr<const ModelCard> card);
    void loaded(Text&);
    static bool uses(const Worker&, const Text&);
    bool wanted(const Text&) const;              // some worker is of that set
    void settle(Worker&);
    void leave(Worker&);
    void name_models();
    Result<WorkerSpec> spec_of(const Worker&) const;
    void publish_instances();

    Parts parts_;
    std::unique_ptr<DynamoCore> ctl_;
    std::unique_ptr<DynamoKv> kv_;               // null: no policy asks for blocks
    DynamoFleet fleet_;
    std::map<std::string, std::shared_ptr<Text>> texts_;   // by set
    std::map<std::string, Worker> workers_;      // by url
    std::set<std::string> ready_, named_;        // models; those whose tokenizer is listed
    std::map<std::string, DynamoInstance> seen_; // by key
    mutable std::mutex mutex_;
    std::shared_ptr<const Instances> instances_ = std::make_shared<Instances>();   // guarded by mutex_
    std::unique_ptr<Discovery> discovery_;
    Nursery tasks_;                              // last: its tasks use the rest
};

}  // namespace weir
