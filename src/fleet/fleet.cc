#include "fleet/fleet.h"

#include "base/assert.h"
#include "wire/url.h"

namespace weir {

LoadCell& LoadCells::at(size_t rank_slot) {
    ASSERT(rank_slot < ranks_max);
    auto& where = blocks_[rank_slot / block];
    LoadCell* cells = where.load(std::memory_order_acquire);
    if (!cells) {
        auto* made = new LoadCell[block];
        if (where.compare_exchange_strong(cells, made, std::memory_order_acq_rel)) cells = made;
        else delete[] made;
    }
    return cells[rank_slot % block];
}

uint64_t LoadCells::requests() const {
    uint64_t n = 0;
    for (auto& b : blocks_)
        if (LoadCell* cells = b.load(std::memory_order_acquire))
            for (size_t i = 0; i < block; i++) n += cells[i].requests.load(std::memory_order_relaxed);
    return n;
}

LoadCells::~LoadCells() {
    for (auto& b : blocks_) delete[] b.load();
}

const std::vector<uint64_t>* FleetView::serving(std::string_view model) const {
    auto it = serving_.find(std::string(model));
    if (it != serving_.end()) return &it->second;
    return any_model_ ? &any_ : nullptr;
}

Result<WorkerSlot> Registry::add(WorkerSpec spec) {
    for (auto& known : slots_)
        if (known && known->spec.url == spec.url) return Failure(Code::bad_field, "the worker " + spec.url + " is listed twice", "worker-urls");
    TRY(Target target, parse_target(spec.url, tls_, http2_));
    size_t slot = 0;
    while (slot < slots_.size() && slots_[slot]) slot++;
    if (slot == LoadCells::ranks_max) return Failure(Code::shed, "too many workers");
    if (slot == slots_.size()) slots_.emplace_back();
    target.slot = static_cast<uint32_t>(slot);
    slots_[slot] = std::make_unique<Known>(Known{std::move(spec), std::move(target)});
    rebuild();
    return static_cast<WorkerSlot>(slot);
}

void Registry::set_models(WorkerSlot slot, std::vector<std::string> models) {
    Known& known = *slots_.at(slot);
    if (known.spec.ready && known.spec.models == models) return;
    known.spec.models = std::move(models);
    known.spec.ready = true;
    rebuild();
}

bool Registry::remove(WorkerSlot slot) {
    if (slot >= slots_.size() || !slots_[slot]) return false;
    slots_[slot].reset();
    rebuild();
    return true;
}

size_t Registry::known() const {
    size_t n = 0;
    for (auto& known : slots_) n += known != nullptr;
    return n;
}

const WorkerSpec* Registry::spec(WorkerSlot slot) const { return slot < slots_.size() && slots_[slot] ? &slots_[slot]->spec : nullptr; }
const Target* Registry::target(WorkerSlot slot) const { return slot < slots_.size() && slots_[slot] ? &slots_[slot]->target : nullptr; }

void Registry::rebuild() {
    auto view = std::make_shared<FleetView>();
    view->version_ = ++version_;
    for (size_t slot = 0; slot < slots_.size(); slot++) {
        if (!slots_[slot]) continue;
        if (!slots_[slot]->spec.ready) {
            view->pending_++;
            continue;
        }
        auto entry = std::make_unique<FleetView::Entry>();
        entry->spec = slots_[slot]->spec;
        entry->target = slots_[slot]->target;
        for (auto& m : entry->spec.models) entry->models.push_back(m);
        WorkerView& v = entry->view;
        v.slot = static_cast<WorkerSlot>(slot);
        v.key = mix64(std::hash<std::string>{}(entry->spec.url));
        v.url = entry->spec.url;
        v.kind = entry->spec.kind;
        v.rank_first = static_cast<uint16_t>(view->ranks_.size());
        v.models = entry->models;
        view->ranks_.push_back({&v, 0, &cells_.at(slot), static_cast<uint32_t>(slot)});
        view->entries_.push_back(std::move(entry));
    }
    view->any_ever_ = view_->any_ever_ || !view->ranks_.empty();
    size_t words = (view->ranks_.size() + 63) / 64;
    view->any_.assign(words, 0);
    view->by_slot_.assign(slots_.size(), nullptr);
    view->targets_.assign(slots_.size(), nullptr);
    for (size_t i = 0; i < view->entries_.size(); i++) {
        auto& entry = *view->entries_[i];
        view->by_slot_[entry.view.slot] = &entry;
        view->targets_[entry.view.slot] = &entry.target;
        for (auto& model : entry.spec.models) {
            auto [it, fresh] = view->serving_.try_emplace(model, words, 0);
            if (fresh) view->models_.push_back(model);
            it->second[i / 64] |= 1ull << (i % 64);
        }
        if (entry.spec.models.empty()) {
            view->any_model_ = true;
            view->any_[i / 64] |= 1ull << (i % 64);
        }
    }
    for (auto& [model, bits] : view->serving_)
        for (size_t w = 0; w < words; w++) bits[w] |= view->any_[w];
    view_ = view;
    publish_(view_);
}

}  // namespace weir
