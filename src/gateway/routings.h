// What routes the requests of this process: policies for each model over shared structures, and the threads that apply events.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "config/router_policy.h"
#include "fleet/fleet.h"
#include "gateway/event_appliers.h"
#include "gateway/policy_settings.h"
#include "obs/metrics.h"
#include "route/affinity.h"
#include "route/overload.h"
#include "route/routing.h"

namespace weir {

// Models to what routes them; immutable, swapped on each core with the fleet's view. The empty name: whatever other model.
struct RoutingMap {
    struct Hash {
        using is_transparent = void;
        size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
    };
    std::unordered_map<std::string, std::shared_ptr<route::Routing>, Hash, std::equal_to<>> models;
    std::shared_ptr<route::Routing> others;
    route::Routing* of(std::string_view model) const {
        auto found = models.find(model);
        return found == models.end() ? others.get() : found->second.get();
    }
};

class ModelQueue;

class Routings {
public:
    static constexpr size_t models_max = 4'096;          // beyond: they share one
    // `spare`: a core without data traffic, for machines without hardware threads to give away.
    static Result<std::unique_ptr<Routings>> make(const Config&, uint64_t memory, Core& spare);
    ~Routings();

    std::shared_ptr<const RoutingMap> map() const;       // any thread
    std::shared_ptr<const RoutingMap> follow(const FleetViewRef& now);   // ctl: models may have come
    void forget(kv::Rank first, uint32_t n);             // ranks are gone; ctl
    uint32_t needs() const { return needs_; }            // bits of namespace need
    route::OverloadGuard* overload() { return overload_.get(); }   // null: overloaded workers are not left out
    const std::shared_ptr<kv::KvIndex>& index() const { return index_; }
    const EventAppliers* appliers() const { return appliers_.get(); }
    uint32_t block_of(const WorkerView&) const;          // tokens
    void start();                                        // the appliers' threads
    void stop();                                         // joins them; nothing is predicted any more
    void collect(Metrics&);

private:
    Routings() = default;
    Result<void> read_policy_file();
    Result<void> make_structures(uint64_t memory);
    void make_appliers(Core& spare);
    std::shared_ptr<route::Routing> make_routing(const std::string& model);
    bool predicting() const { return index_ && (!config_.kv.events || config_.kv.predicted_ttl_s); }
    bool may_queue() const;
    Config config_;
    std::optional<config::RouterPolicy> file_;           // --router-policy-config
    PolicyConfig policy_;
    const char* policy_name_ = "";
    uint32_t needs_ = 0;
    std::shared_ptr<kv::KvIndex> index_;
    std::shared_ptr<kv::TextIndex> text_;
    std::shared_ptr<kv::ActiveBlocks> active_;
    std::shared_ptr<route::Affinity> affinity_;
    std::unique_ptr<route::OverloadGuard> overload_;
    std::vector<std::unique_ptr<Core>> cores_;           // of the appliers
    std::vector<std::thread> threads_;
    std::unique_ptr<EventAppliers> appliers_;
    Core* home_ = nullptr;                               // of the queues
    std::vector<std::unique_ptr<ModelQueue>> queues_;    // grows only; guarded by mutex_
    mutable std::mutex mutex_;
    std::shared_ptr<const RoutingMap> map_;              // guarded by mutex_
};

}  // namespace weir
