// Threads that apply what is predicted, and look after the structures that routing goes by.
#pragma once
#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "kv/lru_predictions.h"
#include "kv/predictions.h"
#include "net/core.h"
#include "route/routing.h"

namespace weir {

// Applies what routing predicts, and looks after the shared structures, on cores of its own or on one that has time. A rank's
// predictions come from one thread.
class EventAppliers final : public route::PredictionSink {
public:
    // `cores`: not empty, outlive this. Any of the structures may be null. `lru`: of ranks whose capacity is known, as many blocks as
    // that are believed rather than those of the last ttl.
    EventAppliers(std::vector<Core*> cores, std::shared_ptr<kv::KvIndex> index, std::shared_ptr<kv::TextIndex> text,
                  const kv::PredictionSettings* predictions, bool lru = false);
    void predict(kv::Rank rank, uint32_t capacity, std::span<const uint64_t> local, Instant now) override;
    void forget(kv::Rank first, uint32_t n);             // ranks are gone
    void start();                                        // upkeep, from then on
    uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
    size_t threads() const { return appliers_.size(); }
    struct Predicted { uint64_t blocks = 0, pruned = 0, expired = 0, evicted = 0; };
    Predicted predicted() const;                         // any thread; lags by a tick

private:
    struct Applier {                                     // of one core; only its thread touches `predictions`
        Core* core = nullptr;
        std::unique_ptr<kv::Predictions> predictions;    // null: nothing is predicted
        std::unique_ptr<kv::LruPredictions> lru;
        std::atomic<uint64_t> blocks{0}, pruned{0}, expired{0}, evicted{0};
        void count();
    };
    Task<void> look_after(Applier& applier, bool first);
    std::shared_ptr<kv::KvIndex> index_;
    std::shared_ptr<kv::TextIndex> text_;
    std::vector<std::unique_ptr<Applier>> appliers_;
    std::atomic<uint64_t> dropped_{0};
};

}  // namespace weir
