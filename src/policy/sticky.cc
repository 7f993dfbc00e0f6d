#include "policy/sticky.h"

#include <mutex>

#include "base/assert.h"
#include "policy/assign.h"
#include "policy/sticky_map.h"

namespace weir {
namespace {
// Numbers for what two policies want to keep of one request, while it is under way.
class KeyPairs {
public:
    struct Pair { uint64_t own = 0, inner = 0; };
    uint64_t keep(Pair pair) {                   // never 0
        std::lock_guard hold(lock_);
        if (free_.empty()) {
            free_.push_back(pairs_.size());
            pairs_.emplace_back();
        }
        uint64_t at = free_.back();
        free_.pop_back();
        pairs_[at] = pair;
        return at + 1;
    }
    Pair read(uint64_t number) {
        std::lock_guard hold(lock_);
        return pairs_[number - 1];
    }
    Pair take(uint64_t number) {
        std::lock_guard hold(lock_);
        free_.push_back(number - 1);
        return pairs_[number - 1];
    }

private:
    Spinlock lock_;
    std::vector<Pair> pairs_;                    // as many as requests were ever under way at once
    std::vector<uint64_t> free_;
};

// A key with `cap` requests of its own under way at its worker is placed anew; the pin follows only to a worker where it has fewer.
class Sticky final : public Policy {
public:
    static constexpr uint32_t cap = 2;
    Sticky(std::unique_ptr<Policy> inner, const PolicyConfig::Manual& c)
        : inner_(std::move(inner)), rule_(c.assignment == c.usual ? c.delegate : c.assignment), pins_(c.entries_max, c.idle_ms) {}
    uint32_t needs() const override { return inner_->needs() | need::key | need::load; }
    bool follows() const override { return true; }

    Pick pick(const Prepared& request, const Slate& slate, Random& random) const override {
        Str name = conversation_of(request.hints->routing_key);
        if (name.empty()) return inner_->pick(request, slate, random);
        auto key = StickyMap::key_of(name);
        auto pins = pins_.find(key, slate.now);
        for (int tries = 0; tries < 3; tries++) {    // somebody else may pin the key meanwhile
            uint32_t at = UINT32_MAX;
            for (auto& pin : pins)
                if (at == UINT32_MAX) at = StickyMap::place(pin, slate);
            bool full = at != UINT32_MAX && full_at(key, slate, at);
            if (at != UINT32_MAX && !full) return {at, Pick::chosen, "pinned", {}};
            Pick pick = anew(request, slate, random);
            if (pick.kind != Pick::chosen) return pick;
            StickyMap::Pin to{StickyMap::id_of(slate.ranks[pick.index]), pick.index};
            if (full) {
                if (pick.index != at && !full_at(key, slate, pick.index)) pins_.put(key, to, StickyMap::first, pins, slate.now);
                pick.why = "as many requests as may be at the pinned one: placed anew";
                return pick;
            }
            auto now = pins_.put(key, to, rule_ == PolicyConfig::Manual::delegate ? StickyMap::first : StickyMap::last, pins, slate.now);
            if (now[0] == to || now[1] == to) return pick;
            pins = now;
        }
        return anew(request, slate, random);
    }

    uint64_t booked(const Prepared& request, RankRef rank, Instant now) override {
        Str name = conversation_of(request.hints->routing_key);
        KeyPairs::Pair pair{name.empty() ? 0 : StickyMap::key_of(name).lo | 1, inner_->booked(request, rank, now)};
        if (pair.own) loads_.begin(pair.own, rank);
        return pair.own || pair.inner ? pairs_.keep(pair) : 0;
    }
    void first_token(const Routed& routed, RankRef rank, Instant now) override {
        if (!inner_->follows()) return;
        Routed theirs = routed;
        theirs.key = routed.key ? pairs_.read(routed.key).inner : 0;
        inner_->first_token(theirs, rank, now);
    }
    void ended(const Routed& routed, RankRef rank, const Outcome& outcome) override {
        auto pair = routed.key ? pairs_.take(routed.key) : KeyPairs::Pair{};
        if (pair.own) loads_.end(pair.own, rank);
        Routed theirs = routed;
        theirs.key = pair.inner;
        inner_->ended(theirs, rank, outcome);
    }

private:
    bool full_at(StickyMap::Key key, const Slate& slate, uint32_t i) const { return loads_.requests(key.lo | 1, slate.ranks[i]) >= cap; }
    Pick anew(const Prepared& request, const Slate& slate, Random& random) const {
        if (rule_ == PolicyConfig::Manual::delegate) return inner_->pick(request, slate, random);
        return {assign_worker(rule_, slate, &loads_, random), Pick::chosen, "assigned", {}};
    }

    std::unique_ptr<Policy> inner_;
    PolicyConfig::Manual::Assignment rule_;
    mutable StickyMap pins_;
    KeyLoads loads_;
    KeyPairs pairs_;
};

Str without_count(Str key, char letter) {
    size_t digits = 0;
    while (digits < key.size() && key[key.size() - 1 - digits] >= '0' && key[key.size() - 1 - digits] <= '9') digits++;
    size_t rest = key.size() - digits;
    return digits && rest >= 2 && key[rest - 1] == letter && key[rest - 2] == '_' ? key.substr(0, rest - 2) : key;
}
}  // namespace

Str conversation_of(Str key) {
    Str without = without_count(without_count(key, 'r'), 't');
    return without.empty() ? key : without;
}

std::unique_ptr<Policy> make_sticky(std::unique_ptr<Policy> inner, const PolicyConfig::Manual& config) {
    return std::make_unique<Sticky>(std::move(inner), config);
}

}  // namespace weir
