#include <algorithm>

#include "base/assert.h"
#include "fleet/fleet.h"

namespace weir {
namespace {

// A cell as new, for a rank that had nothing to do with the one before.
void wipe(LoadCell& c) {
    for (auto* what : {&c.requests, &c.prefill_tokens, &c.active_blocks, &c.out_blocks_q8, &c.out_expected_q8, &c.streams, &c.leased_remote, &c.state,
                       &c.context_tokens, &c.prefill_tok_s, &c.itl_us, &c.rep_waiting, &c.rep_running, &c.rep_kv_used, &c.rep_prefill_tokens,
                       &c.rep_at_ms, &c.fails, &c.rep_kv_total, &c.rep_usage_q16, &c.rep_waiting_tokens, &c.rep_tok_s, &c.since_requests,
                       &c.since_tokens, &c.learned_a, &c.learned_b})
        what->store(0, std::memory_order_relaxed);
}

}  // namespace

Result<WorkerSlot> Registry::add(WorkerSpec spec) {
    if (by_url_.contains(spec.url)) return Failure(Code::bad_field, "the worker " + spec.url + " is listed twice", "worker-urls");
    if (spec.ranks == 0 || spec.rank_first + spec.ranks > 65'536)
        return Failure(Code::bad_field, "the worker " + spec.url + " has no valid range of data parallel ranks");
    Target target;
    if (spec.kind != EngineKind::dynamo) {               // its address is its transport's business
        TRY(Target parsed, parse_target(spec.url, tls_, http2_));
        target = std::move(parsed);
    }
    reclaim();
    if (free_slots_.empty() && slots_.size() >= LoadCells::ranks_max) return Failure(Code::shed, "too many workers");
    TRY(uint32_t number, take_numbers(spec.ranks));
    if (free_slots_.empty()) {
        free_slots_.push_back(static_cast<WorkerSlot>(slots_.size()));
        slots_.emplace_back();
    }
    const WorkerSlot slot = free_slots_.back();
    free_slots_.pop_back();
    target.slot = slot;
    by_url_.emplace(spec.url, slot);
    slots_[slot] = std::make_unique<Known>(Known{std::move(spec), std::move(target), number, nullptr});
    rebuild();
    return slot;
}

void Registry::set_models(WorkerSlot slot, std::vector<std::string> models) {
    Known& known = *slots_.at(slot);
    if (known.spec.ready && known.spec.models == models) return;
    known.spec.models = std::move(models);
    known.spec.ready = true;
    known.entry = nullptr;
    rebuild();
}

Result<void> Registry::change(WorkerSlot slot, WorkerSpec spec) {
    Known* known = find(slot);
    if (!known || known->spec.url != spec.url) return Failure(Code::bad_field, "no worker " + spec.url + " to change");
    if (known->spec == spec) return {};
    if (spec.kind != known->spec.kind) return Failure(Code::bad_field, "the worker " + spec.url + " cannot become one of another kind");
    if (spec.ranks == 0 || spec.rank_first + spec.ranks > 65'536)
        return Failure(Code::bad_field, "the worker " + spec.url + " has no valid range of data parallel ranks");
    const uint32_t number = known->number;
    const auto ranks = known->spec.ranks;
    if (spec.ranks != ranks || spec.rank_first != known->spec.rank_first) {
        reclaim();
        TRY(uint32_t fresh, take_numbers(spec.ranks));
        known->number = fresh;
    }
    known->spec = std::move(spec);
    known->entry = nullptr;
    rebuild();
    if (known->number != number) retire(no_slot, number, ranks);
    return {};
}

bool Registry::remove(WorkerSlot slot) {
    Known* known = find(slot);
    if (!known) return false;
    const uint32_t number = known->number, ranks = known->spec.ranks;
    by_url_.erase(known->spec.url);
    slots_[slot].reset();
    rebuild();
    retire(slot, number, ranks);
    return true;
}

void Registry::together(const std::function<void()>& changes) {
    ++paused_;
    changes();
    if (--paused_ == 0 && std::exchange(changed_, false)) rebuild();
}

const WorkerSpec* Registry::spec(WorkerSlot slot) const {
    const Known* known = find(slot);
    return known ? &known->spec : nullptr;
}

const Target* Registry::target(WorkerSlot slot) const {
    const Known* known = find(slot);
    return known ? &known->target : nullptr;
}

WorkerSlot Registry::slot_of(const std::string& url) const {
    auto it = by_url_.find(url);
    return it == by_url_.end() ? no_slot : it->second;
}

Result<uint32_t> Registry::take_numbers(uint32_t n) {
    for (auto it = free_numbers_.begin(); it != free_numbers_.end(); ++it) {
        if (it->second < n) continue;
        const auto [first, have] = *it;
        free_numbers_.erase(it);
        if (have > n) free_numbers_.emplace(first + n, have - n);
        for (const auto& gone : gone_) gone(first, n);
        for (uint32_t i = 0; i < n; ++i) wipe(cells_.at(first + i));
        return first;
    }
    if (numbers_high_ + n > LoadCells::ranks_max) return Failure(Code::shed, "too many ranks");
    numbers_high_ += n;
    return numbers_high_ - n;
}

void Registry::retire(WorkerSlot slot, uint32_t number, uint32_t ranks) {
    retired_.push_back({slot, number, ranks, clock_.now()});
    for (const auto& gone : gone_) gone(number, ranks);
}

bool Registry::idle(const Retired& r) const {
    for (uint32_t i = 0; i < r.ranks; ++i) {
        const LoadCell& cell = cells_.at(r.number + i);
        if (cell.requests.load(std::memory_order_acquire) || cell.leased_remote.load(std::memory_order_acquire)) return false;
    }
    return true;
}

void Registry::reclaim() {
    const Instant now = clock_.now();
    std::erase_if(retired_, [&](const Retired& r) {
        if (now < r.at + reuse_after_ns || !idle(r)) return false;
        if (r.slot != no_slot) free_slots_.push_back(r.slot);
        free_numbers(r.number, r.ranks);
        return true;
    });
}

void Registry::free_numbers(uint32_t first, uint32_t n) {
    auto after = free_numbers_.upper_bound(first);
    if (after != free_numbers_.end() && after->first == first + n) {
        n += after->second;
        after = free_numbers_.erase(after);
    }
    if (after != free_numbers_.begin())
        if (auto before = std::prev(after); before->first + before->second == first) {
            before->second += n;
            return;
        }
    free_numbers_.emplace(first, n);
}

std::shared_ptr<const FleetView::Entry> Registry::make_entry(WorkerSlot slot, const Known& known) const {
    auto entry = std::make_shared<FleetView::Entry>();
    entry->spec = known.spec;
    entry->target = known.target;
    entry->number = known.number;
    const WorkerSpec& spec = entry->spec;
    entry->models.assign(spec.models.begin(), spec.models.end());
    entry->taints.assign(spec.taints.begin(), spec.taints.end());
    entry->loras.assign(spec.loras.begin(), spec.loras.end());
    WorkerView& v = entry->view;
    v.slot = slot;
    v.key = mix64(std::hash<std::string>{}(spec.url));
    v.instance_id = spec.instance_id;
    v.url = spec.url;
    v.kind = spec.kind;
    v.roles = spec.roles;
    v.rank_first = spec.rank_first, v.ranks = spec.ranks;
    v.models = entry->models;
    v.block = spec.block, v.kv_blocks = spec.kv_blocks, v.batch_tokens = spec.batch_tokens, v.max_seqs = spec.max_seqs, v.context = spec.context;
    v.bootstrap_host = spec.bootstrap_host;
    v.bootstrap_port = spec.bootstrap_port;
    v.taints = entry->taints, v.loras = entry->loras;
    v.priority = spec.priority, v.cost = spec.cost;
    v.cpu = spec.cpu;
    return entry;
}

void Registry::rebuild() {
    if (paused_) {
        changed_ = true;
        return;
    }
    auto view = std::make_shared<FleetView>();
    view->version_ = ++version_;
    view->by_slot_.assign(slots_.size(), nullptr);
    view->targets_.assign(slots_.size(), nullptr);
    view->index_of_.assign(numbers_high_, FleetView::nowhere);
    for (WorkerSlot slot = 0; slot < slots_.size(); slot++) {
        if (!slots_[slot]) continue;
        Known& known = *slots_[slot];
        if (!known.spec.ready) {
            view->pending_++;
            continue;
        }
        if (!known.entry) known.entry = make_entry(slot, known);
        const FleetView::Entry& entry = *known.entry;
        view->by_slot_[slot] = &entry;
        view->targets_[slot] = &entry.target;
        for (uint32_t i = 0; i < known.spec.ranks; ++i) {
            const uint32_t number = known.number + i;
            view->index_of_[number] = static_cast<uint32_t>(view->ranks_.size());
            view->ranks_.push_back({&entry.view, static_cast<uint16_t>(entry.view.rank_first + i), &cells_.at(number), number});
        }
        view->entries_.push_back(known.entry);
    }
    view->any_ever_ = view_->any_ever_ || !view->ranks_.empty();
    const size_t words = (view->ranks_.size() + 63) / 64;
    view->any_.assign(words, 0);
    for (auto& entry : view->entries_) {
        const size_t first = view->index_of_[entry->number];
        const auto mark = [&](std::vector<uint64_t>& bits) {
            for (size_t i = first; i < first + entry->view.ranks; ++i) bits[i / 64] |= 1ull << (i % 64);
        };
        for (auto& model : entry->spec.models) {
            auto [it, fresh] = view->serving_.try_emplace(model, words, 0);
            if (fresh) view->models_.push_back(model);
            mark(it->second);
        }
        if (entry->spec.models.empty()) {
            view->any_model_ = true;
            mark(view->any_);
        }
    }
    for (auto& [model, bits] : view->serving_)
        for (size_t w = 0; w < words; w++) bits[w] |= view->any_[w];
    view_ = view;
    publish_(view_);
}

}  // namespace weir
