#include "policy/dp_min_tokens.h"

#include "policy/choose.h"

namespace weir {
namespace {
class DpMinTokens final : public Policy {
public:
    explicit DpMinTokens(std::unique_ptr<Policy> inner) : inner_(std::move(inner)) {}
    uint32_t needs() const override { return inner_->needs() | need::load; }
    bool follows() const override { return inner_->follows(); }
    uint64_t booked(const Prepared& request, RankRef rank, Instant now) override { return inner_->booked(request, rank, now); }
    void first_token(const Routed& routed, RankRef rank, Instant now) override { inner_->first_token(routed, rank, now); }
    void ended(const Routed& routed, RankRef rank, const Outcome& outcome) override { inner_->ended(routed, rank, outcome); }

    Pick pick(const Prepared& request, const Slate& slate, Random& random) const override {
        Pick pick = inner_->pick(request, slate, random);
        if (pick.kind != Pick::chosen || slate.ranks[pick.index].worker->ranks < 2) return pick;
        const WorkerView* worker = slate.ranks[pick.index].worker;
        auto ranks = [&](auto&& visit) {
            each_eligible(slate, [&](uint32_t i) {
                if (slate.ranks[i].worker == worker) visit(i);
            });
        };
        bool reported = true;
        ranks([&](uint32_t i) { reported &= slate.load[i].reported(); });
        uint64_t best = UINT64_MAX;
        ranks([&](uint32_t i) {
            auto& load = slate.load[i];
            uint64_t held = uint64_t{load.kv_used} * std::max(worker->block, 1u) + load.waiting_tokens + load.since_tokens;
            uint64_t tokens = (reported ? held : load.context_tokens) * 65'536 + slate.ranks[i].rank;
            if (tokens < best) best = tokens, pick.index = i;
        });
        return pick;
    }

private:
    std::unique_ptr<Policy> inner_;
};
}  // namespace

std::unique_ptr<Policy> make_dp_min_tokens(std::unique_ptr<Policy> inner) { return std::make_unique<DpMinTokens>(std::move(inner)); }

}  // namespace weir
