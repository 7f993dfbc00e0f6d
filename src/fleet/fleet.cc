#include "fleet/fleet.h"

#include <algorithm>

#include "base/assert.h"

namespace weir {

LoadCell& LoadCells::at(size_t number) {
    ASSERT(number < ranks_max);
    auto& where = blocks_[number / block];
    LoadCell* cells = where.load(std::memory_order_acquire);
    if (!cells) {
        auto* made = new LoadCell[block];
        if (where.compare_exchange_strong(cells, made, std::memory_order_acq_rel)) cells = made;
        else delete[] made;
    }
    return cells[number % block];
}

uint64_t LoadCells::requests() const {
    uint64_t n = 0;
    for (auto& b : blocks_)
        if (LoadCell* cells = b.load(std::memory_order_acquire))
            for (size_t i = 0; i < block; i++) n += cells[i].requests.load(std::memory_order_relaxed);
    return n;
}

void LoadCells::report(uint32_t number, const LoadReport& report, Instant now) {
    LoadCell& cell = at(number);
    const auto set = [](std::atomic<uint32_t>& to, const std::optional<uint32_t>& value) {
        if (value) to.store(*value, std::memory_order_relaxed);
    };
    set(cell.rep_waiting, report.waiting);
    set(cell.rep_running, report.running);
    set(cell.rep_kv_used, report.kv_used);
    set(cell.rep_kv_total, report.kv_total);
    set(cell.rep_prefill_tokens, report.prefill_tokens);
    set(cell.rep_waiting_tokens, report.waiting_tokens);
    set(cell.rep_tok_s, report.tok_s);
    std::optional<float> usage = report.usage;
    const uint32_t total = cell.rep_kv_total.load(std::memory_order_relaxed);
    if (!usage && report.kv_used && total) usage = static_cast<float>(*report.kv_used) / static_cast<float>(total);
    if (usage && *usage == *usage) set(cell.rep_usage_q16, static_cast<uint32_t>(std::clamp(*usage, 0.0f, 1.0f) * 65'536));
    cell.since_requests.store(0, std::memory_order_relaxed);
    cell.since_tokens.store(0, std::memory_order_relaxed);
    cell.rep_at_ms.store(std::max(1u, static_cast<uint32_t>(now / ns_per_ms)), std::memory_order_relaxed);   // 0 is never
}

void LoadCells::forget(uint32_t number) {
    LoadCell& cell = at(number);
    for (auto* what : {&cell.rep_at_ms, &cell.rep_waiting, &cell.rep_running, &cell.rep_kv_used, &cell.rep_kv_total, &cell.rep_usage_q16,
                       &cell.rep_prefill_tokens, &cell.rep_waiting_tokens, &cell.rep_tok_s})
        what->store(0, std::memory_order_relaxed);
}

LoadCells::~LoadCells() {
    for (auto& b : blocks_) delete[] b.load();
}

const std::vector<uint64_t>* FleetView::serving(std::string_view model) const {
    auto it = serving_.find(std::string(model));
    if (it != serving_.end()) return &it->second;
    return any_model_ ? &any_ : nullptr;
}

}  // namespace weir
