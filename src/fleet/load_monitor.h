// Asks engines behind HTTP for their load, again and again, and reports it to the load cells.
#pragma once
#include <functional>
#include <memory>
#include <unordered_map>

#include "fleet/fleet.h"
#include "fleet/load_pages.h"
#include "net/upstream.h"

namespace weir {

struct LoadMonitorOptions {
    uint64_t interval_ms = 10'000;       // between two polls of a worker, at least 1
    uint64_t poll_ms = 5'000;            // bound of one poll
    unsigned at_once = 32;               // polls under way, at least 1
};

// Each worker of the view is polled as soon as it is known, then every interval: GET /v1/loads, else /metrics, else /get_load; the one that
// worked is asked first from then on. A worker with one rank gets the sum over the engine's ranks, else each rank its own. A poll that fails
// takes what was known before away, so loads are never older than an interval and a poll. One core, where all of this is called.
class LoadMonitor {
public:
    static constexpr size_t page_bytes_max = 4 * 1024 * 1024;
    // Of each poll. The failure's message is for the log. Must not call back into the monitor.
    using Told = std::function<void(const FleetView::Entry&, const Result<RankLoads>&)>;
    LoadMonitor(Core& core, LoadCells& cells, ClientPool& pool, LoadMonitorOptions options, Told told)
        : core_(core), cells_(cells), pool_(pool), options_(options), told_(std::move(told)) {}
    ~LoadMonitor();
    LoadMonitor(const LoadMonitor&) = delete;
    void follow(const FleetViewRef& view);       // not from within a poll
    size_t watched() const { return watches_.size(); }
    unsigned under_way() const { return under_way_; }

private:
    using EntryRef = std::shared_ptr<const FleetView::Entry>;
    enum class Page : uint8_t { loads, metrics, get_load };
    struct Watch {
        EntryRef entry;
        Page page = Page::loads;                 // that worked last
        Nursery task;
    };
    struct Permit;
    struct Free;
    struct Alarm;
    Task<void> watch(Watch&);
    Task<Result<RankLoads>> poll(Page& page, EntryRef entry);
    Task<Result<RankLoads>> read(Page page, EntryRef entry);
    Task<Result<std::string>> get(Str path, EntryRef entry);
    void report(const FleetView::Entry&, const Result<RankLoads>&);
    void wake();

    Core& core_;
    LoadCells& cells_;
    ClientPool& pool_;
    LoadMonitorOptions options_;
    Told told_;
    unsigned under_way_ = 0;
    List<Waiter> waiting_;                       // for their turn to poll
    std::unordered_map<WorkerSlot, std::unique_ptr<Watch>> watches_;
};

}  // namespace weir
