// What the gateway knows of its workers: an immutable view that each core holds, and the load cells all cores write.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "net/upstream.h"
#include "types/worker.h"

namespace weir {

// Process-wide, one cell per rank; a slot stays with its worker for as long as anyone may hold a booking.
class LoadCells {
public:
    static constexpr size_t ranks_max = 16'384;
    LoadCell& at(size_t rank_slot);            // allocated in blocks of 256, never moved; rank_slot < ranks_max
    uint64_t requests() const;                 // of all ranks; any thread
    ~LoadCells();

private:
    static constexpr size_t block = 256;
    std::array<std::atomic<LoadCell*>, ranks_max / block> blocks_{};
};

// A worker as somebody described it. Models empty: any model name is taken there.
struct WorkerSpec {
    std::string url;
    std::vector<std::string> models;
    EngineKind kind = EngineKind::openai_http;
    bool ready = false;                        // registered: routable
};

// Parses a worker's URL into where to connect. http, https, unix:/path; grpc is refused until its engine exists.
Result<Target> parse_target(const std::string& url, const TlsClient* tls, bool http2);

// Immutable snapshot. Strings and arrays live as long as it does.
class FleetView {
public:
    struct Entry { WorkerSpec spec; WorkerView view; Target target; std::vector<std::string_view> models; };
    std::span<const RankRef> ranks() const { return ranks_; }
    const Target& target(WorkerSlot slot) const { return *targets_[slot]; }
    const Entry* entry(WorkerSlot slot) const { return slot < by_slot_.size() ? by_slot_[slot] : nullptr; }
    // Ranks that serve the model, as a bitmap over ranks(); null when no worker names it and none takes any name.
    const std::vector<uint64_t>* serving(std::string_view model) const;
    // Model names known, in the order first seen.
    const std::vector<std::string>& models() const { return models_; }
    bool any_model() const { return any_model_; }        // a worker takes whatever name
    size_t workers() const { return entries_.size(); }   // registered ones
    size_t pending() const { return pending_; }          // known, but they have not answered yet
    uint64_t version() const { return version_; }
    bool any_ever() const { return any_ever_; }          // a worker has been registered since the start
    std::span<const std::unique_ptr<Entry>> entries() const { return entries_; }

private:
    friend class Registry;
    std::vector<std::unique_ptr<Entry>> entries_;
    std::vector<const Entry*> by_slot_;
    std::vector<const Target*> targets_;
    std::vector<RankRef> ranks_;
    std::vector<std::string> models_;
    std::unordered_map<std::string, std::vector<uint64_t>> serving_;
    std::vector<uint64_t> any_;
    bool any_model_ = false, any_ever_ = false;
    size_t pending_ = 0;
    uint64_t version_ = 0;
};
using FleetViewRef = std::shared_ptr<const FleetView>;

// The list of workers, on ctl. Every change makes a new view and hands it to `publish`.
class Registry {
public:
    Registry(LoadCells& cells, const TlsClient* tls, bool upstream_http2, std::function<void(FleetViewRef)> publish)
        : cells_(cells), tls_(tls), http2_(upstream_http2), publish_(std::move(publish)) {}
    Result<WorkerSlot> add(WorkerSpec);                  // bad_field: the URL is not usable, or known already
    void set_models(WorkerSlot, std::vector<std::string> models);   // also makes it ready
    bool remove(WorkerSlot);
    size_t known() const;                                // ready or not
    FleetViewRef view() const { return view_; }
    const WorkerSpec* spec(WorkerSlot) const;
    const Target* target(WorkerSlot) const;

private:
    struct Known { WorkerSpec spec; Target target; };
    void rebuild();
    LoadCells& cells_;
    const TlsClient* tls_;
    bool http2_;
    std::function<void(FleetViewRef)> publish_;
    std::vector<std::unique_ptr<Known>> slots_;          // index = slot; null: free
    FleetViewRef view_ = std::make_shared<FleetView>();
    uint64_t version_ = 0;
};

}  // namespace weir
