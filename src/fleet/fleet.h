// What the gateway knows of its workers: an immutable view that each core holds, and the load cells all cores write.
#pragma once
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/upstream.h"
#include "types/worker.h"

namespace weir {

struct DynamoPeer;   // gateway/dynamo_peer.h

// What an engine says of a rank. Absent: not said, the last word stands.
struct LoadReport {
    std::optional<uint32_t> waiting, running;            // requests
    std::optional<uint32_t> kv_used, kv_total;           // blocks
    std::optional<float> usage;                          // of the KV cache, 0..1; without it kv_used / kv_total
    std::optional<uint32_t> prefill_tokens, waiting_tokens, tok_s;
};

// Process-wide, one cell per rank; a cell stays with its rank for as long as anyone may hold a booking.
class LoadCells {
public:
    static constexpr size_t ranks_max = 65'536;
    LoadCell& at(size_t number);               // allocated in blocks of 256, never moved; number < ranks_max
    void report(uint32_t number, const LoadReport&, Instant now);   // any thread; since_requests and since_tokens begin anew
    void forget(uint32_t number);              // any thread: nothing is known of its engine's load any more
    uint64_t requests() const;                 // of all ranks; any thread
    ~LoadCells();

private:
    static constexpr size_t block = 256;
    std::array<std::atomic<LoadCell*>, ranks_max / block> blocks_{};
};

// A worker as somebody described it. 0 and empty: not known.
struct WorkerSpec {
    std::string url;                           // or whatever names it; one worker has one
    std::vector<std::string> models;           // empty: any model name is taken there
    EngineKind kind = EngineKind::openai_http;
    bool ready = false;                        // registered: routable
    uint64_t instance_id = 0;
    uint8_t roles = role::whole;               // bits of namespace role
    uint16_t rank_first = 0, ranks = 1;        // data parallel ranks [rank_first, rank_first + ranks); each is a rank to routing
    uint32_t block = 0, kv_blocks = 0, batch_tokens = 0, max_seqs = 0, context = 0;   // kv_blocks, batch_tokens, max_seqs: of one rank
    std::string bootstrap_host;
    int32_t bootstrap_port = -1;
    std::vector<std::string> taints, loras;
    std::vector<std::pair<std::string, std::string>> labels;
    float priority = 0, cost = 1;
    bool cpu = false;
    std::shared_ptr<const DynamoPeer> dynamo;  // of kind dynamo: how it is reached and what it serves. Opaque here
    bool operator==(const WorkerSpec&) const = default;
};

// Parses a worker's URL into where to connect. http, https, unix:/path; grpc is refused until its engine exists.
Result<Target> parse_target(const std::string& url, const TlsClient* tls, bool http2);

// Immutable snapshot. Strings and arrays live as long as it does.
class FleetView {
public:
    struct Entry {
        WorkerSpec spec;
        WorkerView view;
        Target target;
        uint32_t number = 0;                             // of its first rank; the others follow
        std::vector<std::string_view> models, taints, loras;
    };
    static constexpr uint32_t nowhere = UINT32_MAX;
    std::span<const RankRef> ranks() const { return ranks_; }   // those of one worker stand together
    uint32_t index_of(uint32_t number) const { return number < index_of_.size() ? index_of_[number] : nowhere; }   // RankRef::number -> ranks()
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
    std::span<const std::shared_ptr<const Entry>> entries() const { return entries_; }

private:
    friend class Registry;
    std::vector<std::shared_ptr<const Entry>> entries_;      // one that did not change is shared with the views before
    std::vector<const Entry*> by_slot_;
    std::vector<const Target*> targets_;
    std::vector<RankRef> ranks_;
    std::vector<uint32_t> index_of_;
    std::vector<std::string> models_;
    std::unordered_map<std::string, std::vector<uint64_t>> serving_;
    std::vector<uint64_t> any_;
    bool any_model_ = false, any_ever_ = false;
    size_t pending_ = 0;
    uint64_t version_ = 0;
};
using FleetViewRef = std::shared_ptr<const FleetView>;

// The list of workers, on ctl. Every change makes a new view and hands it to `publish`.
// A worker's slot and its ranks' numbers are its own until it is gone, 5 s have passed and no booking is left at its cells.
class Registry {
public:
    static constexpr uint64_t reuse_after_ns = 5 * ns_per_s;
    Registry(LoadCells& cells, const TlsClient* tls, bool upstream_http2, std::function<void(FleetViewRef)> publish, Clock& clock = system_clock())
        : cells_(cells), tls_(tls), http2_(upstream_http2), publish_(std::move(publish)), clock_(clock) {}
    // bad_field: the URL is not usable, or known already, or the ranks make no sense; shed: too many workers or ranks.
    Result<WorkerSlot> add(WorkerSpec);
    void set_models(WorkerSlot, std::vector<std::string> models);   // also makes it ready
    // The same worker, described anew; its URL stays. With another number of ranks all of them get new numbers.
    Result<void> change(WorkerSlot, WorkerSpec);
    bool remove(WorkerSlot);
    // Called with the numbers of ranks that are gone: `first` and the n - 1 after it. At once, when the view without them is published,
    // and again before a number gets a new rank, for what came late: events under way, bookings made from an older view.
    void on_ranks_gone(std::function<void(uint32_t first, uint32_t n)> what) { gone_.push_back(std::move(what)); }
    // Many changes, one view at the end.
    void together(const std::function<void()>& changes);
    size_t known() const { return by_url_.size(); }      // ready or not
    FleetViewRef view() const { return view_; }
    const WorkerSpec* spec(WorkerSlot) const;
    uint32_t number_of(WorkerSlot slot) const { return slots_.at(slot)->number; }   // of the first rank of a worker that is there
    const Target* target(WorkerSlot) const;
    WorkerSlot slot_of(const std::string& url) const;    // no_slot: not known
    static constexpr WorkerSlot no_slot = UINT32_MAX;

private:
    struct Known { WorkerSpec spec; Target target; uint32_t number; std::shared_ptr<const FleetView::Entry> entry; };
    struct Retired { WorkerSlot slot; uint32_t number, ranks; Instant at; };   // slot no_slot: only ranks
    Known* find(WorkerSlot slot) const { return slot < slots_.size() ? slots_[slot].get() : nullptr; }
    void rebuild();
    std::shared_ptr<const FleetView::Entry> make_entry(WorkerSlot, const Known&) const;
    Result<uint32_t> take_numbers(uint32_t n);
    void retire(WorkerSlot, uint32_t number, uint32_t ranks);
    void reclaim();
    bool idle(const Retired&) const;
    void free_numbers(uint32_t first, uint32_t n);

    LoadCells& cells_;
    const TlsClient* tls_;
    bool http2_;
    std::function<void(FleetViewRef)> publish_;
    Clock& clock_;
    std::vector<std::function<void(uint32_t, uint32_t)>> gone_;
    std::vector<std::unique_ptr<Known>> slots_;          // index = slot; null: free
    std::unordered_map<std::string, WorkerSlot> by_url_;
    std::vector<Retired> retired_;
    std::vector<WorkerSlot> free_slots_;
    std::map<uint32_t, uint32_t> free_numbers_;          // first -> how many; neighbours are joined
    uint32_t numbers_high_ = 0;                          // numbers ever used are below
    FleetViewRef view_ = std::make_shared<FleetView>();
    uint64_t version_ = 0;
    int paused_ = 0;
    bool changed_ = false;
};

}  // namespace weir
