#include "gateway/model_queue.h"

#include <bit>

namespace weir {
namespace {

template <class F>
void each_serving(const FleetView& fleet, const std::string& model, F&& f) {
    const std::vector<uint64_t>* serving = fleet.serving(model);
    if (!serving) return;
    for (size_t word = 0; word < serving->size(); word++)
        for (uint64_t bits = (*serving)[word]; bits; bits &= bits - 1) f(fleet.ranks()[word * 64 + static_cast<size_t>(std::countr_zero(bits))]);
}

}  // namespace

route::QueueSettings queue_settings(const Config& config) {
    route::QueueSettings out;
    out.classes.front().order = config.router.queue_policy == "wspt" ? route::QueueOrder::wspt : route::QueueOrder::fcfs;
    out.classes.front().threshold.batch_share = config.router.queue_threshold.value_or(-1);
    out.wait_max_ms = config.limits.request_ms;
    return out;
}

void ModelQueue::fleet_is(FleetViewRef view) {
    {
        std::lock_guard lock(mutex_);
        view_ = std::move(view);
    }
    gate_.freed();
}

FleetViewRef ModelQueue::view() const {
    std::lock_guard lock(mutex_);
    return view_;
}

bool ModelQueue::room(const route::Waiting& w) {
    const FleetViewRef fleet = view();
    if (w.pinned != route::Waiting::anywhere) {
        const uint32_t i = fleet->index_of(w.pinned);
        return i == FleetView::nowhere || !route::full(fleet->ranks()[i], threshold_);
    }
    const std::vector<uint64_t>* serving = fleet->serving(model_);
    return !serving || route::any_room(*fleet, threshold_, *serving);
}

uint32_t ModelQueue::workers() {
    const FleetViewRef fleet = view();
    uint32_t n = 0;
    const WorkerView* last = nullptr;
    each_serving(*fleet, model_, [&](const RankRef& r) {     // ranks of a worker stand together
        n += r.worker != last;
        last = r.worker;
    });
    return n;
}

uint32_t ModelQueue::open() {
    const FleetViewRef fleet = view();
    uint32_t ranks = 0, open = 0;
    each_serving(*fleet, model_, [&](const RankRef& r) {
        ranks++;
        open += !route::full(r, threshold_);
    });
    return ranks ? open : 1;
}

}  // namespace weir
