#include "gateway/event_appliers.h"

#include <algorithm>

namespace weir {
namespace {

constexpr uint64_t tick_ms = 100;
constexpr unsigned tend_slices = 64;             // of upkeep in one go, before others on that core have their turn

}  // namespace

EventAppliers::EventAppliers(std::vector<Core*> cores, std::shared_ptr<kv::KvIndex> index, std::shared_ptr<kv::TextIndex> text,
                             const kv::PredictionSettings* predictions, bool lru)
    : index_(std::move(index)), text_(std::move(text)) {
    for (Core* core : cores) {
        auto applier = std::make_unique<Applier>();
        applier->core = core;
        if (index_ && predictions) {
            kv::PredictionSettings share = *predictions;
            share.blocks_max = std::max<uint64_t>(1, share.blocks_max / cores.size());
            applier->predictions = std::make_unique<kv::Predictions>(*index_, share);
            if (lru) applier->lru = std::make_unique<kv::LruPredictions>(*index_, share.blocks_max);
        }
        appliers_.push_back(std::move(applier));
    }
}

void EventAppliers::predict(kv::Rank rank, uint32_t capacity, std::span<const uint64_t> local, Instant now) {
    Applier& applier = *appliers_[rank % appliers_.size()];
    if (!applier.predictions || local.empty()) return;
    auto apply = [&applier, rank, capacity, now, blocks = std::vector<uint64_t>(local.begin(), local.end())] {
        if (applier.lru && capacity) applier.lru->predict(rank, capacity, blocks);
        else applier.predictions->predict(rank, blocks, now);
        applier.count();
    };
    if (!applier.core->post(std::move(apply))) dropped_.fetch_add(1, std::memory_order_relaxed);
}

void EventAppliers::forget(kv::Rank first, uint32_t n) {
    for (auto& a : appliers_)
        if (Applier* applier = a.get(); applier->lru)
            (void)applier->core->post([applier, first, n] {
                applier->lru->forget(first, n);
                applier->count();
            });
}

void EventAppliers::Applier::count() {
    blocks.store(predictions->blocks() + (lru ? lru->blocks() : 0), std::memory_order_relaxed);
    evicted.store(lru ? lru->evicted() : 0, std::memory_order_relaxed);
    pruned.store(predictions->pruned(), std::memory_order_relaxed);
    expired.store(predictions->expired(), std::memory_order_relaxed);
}

EventAppliers::Predicted EventAppliers::predicted() const {
    Predicted sum;
    for (auto& a : appliers_) {
        sum.blocks += a->blocks.load(std::memory_order_relaxed);
        sum.pruned += a->pruned.load(std::memory_order_relaxed);
        sum.expired += a->expired.load(std::memory_order_relaxed);
        sum.evicted += a->evicted.load(std::memory_order_relaxed);
    }
    return sum;
}

Task<void> EventAppliers::look_after(Applier& applier, bool first) {
    for (;;) {
        co_await sleep_ms(tick_ms);
        Instant now = applier.core->now();
        if (applier.predictions) {
            applier.predictions->expire(now);
            applier.count();
        }
        if (!first) continue;
        if (text_) text_->tend(now);
        for (unsigned slice = 0; index_ && slice < tend_slices && index_->tend(); slice++) {}
    }
}

void EventAppliers::start() {
    for (auto& a : appliers_) {
        Applier* applier = a.get();
        bool first = applier == appliers_.front().get();
        (void)applier->core->post([this, applier, first] { applier->core->nursery().spawn(look_after(*applier, first)); });
    }
}

}  // namespace weir
