#include "route/place.h"

namespace weir::route {
namespace {

void gather_load(const FleetView& fleet, std::vector<LoadNow>& out) {
    auto ranks = fleet.ranks();
    out.resize(ranks.size());
    for (size_t i = 0; i < ranks.size(); i++) {
        LoadNow& now = out[i];
        const LoadCell& cell = *ranks[i].cell;
        now.requests = cell.requests.load(std::memory_order_relaxed);
        now.waiting = cell.rep_waiting.load(std::memory_order_relaxed);
        now.running = cell.rep_running.load(std::memory_order_relaxed);
    }
}

}  // namespace

Result<Choice> place(const Prepared& request, const FleetView& fleet, const Policy& policy, std::span<const WorkerSlot> exclude,
                     Scratch& scratch, Random& random) {
    const std::vector<uint64_t>* serving = fleet.serving(request.model);
    if (!serving && fleet.pending())
        return Failure(Code::no_worker, "no worker serves the model yet; some have not answered so far");
    if (!serving) return Failure(Code::model_unknown, "No worker available for model '" + std::string(request.model) + "'", "model");
    scratch.eligible = *serving;
    auto ranks = fleet.ranks();
    if (!exclude.empty())
        for (size_t i = 0; i < ranks.size(); i++)
            for (WorkerSlot tried : exclude)
                if (ranks[i].worker->slot == tried) scratch.eligible[i / 64] &= ~(1ull << (i % 64));
    Slate slate;
    slate.ranks = ranks;
    slate.eligible = scratch.eligible.data();
    Choice choice;
    choice.candidates = eligible_count(slate);
    if (choice.candidates == 0) return Failure(Code::no_worker, "no worker for the model can take the request now");
    if (policy.needs() & need::load) {
        gather_load(fleet, scratch.load);
        slate.load = scratch.load;
    }
    choice.pick = policy.pick(request, slate, random);
    if (choice.pick.kind != Pick::chosen) return Failure(Code::no_worker, "no worker for the model can take the request now");
    choice.at = ranks[choice.pick.index];
    return choice;
}

}  // namespace weir::route
