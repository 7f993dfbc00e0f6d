#include "route/queue.h"

#include <algorithm>

#include "base/assert.h"

namespace weir::route {

uint32_t QueueSettings::class_of(std::string_view name, uint32_t uncached_tokens) const {
    for (uint32_t i = 0; i < classes.size() && !name.empty(); ++i)
        if (classes[i].by_name && classes[i].name == name) return i;
    const QueueFamily* family = &families.front();
    for (const auto& f : families)
        if (f.name == name) family = &f;
    const auto bucket = std::upper_bound(uncached_from.begin(), uncached_from.end(), uncached_tokens) - uncached_from.begin() - 1;
    return family->classes[static_cast<size_t>(bucket)];
}

bool QueueSettings::waits() const {
    return std::ranges::any_of(classes, [](const QueueClass& c) { return c.threshold.set(); });
}

const char* QueueRejection::name(Kind kind) {
    constexpr const char* names[kinds] = {"requests", "raw_isl_tokens", "cached_tokens", "waiting"};
    return names[kind];
}

Failure QueueRejection::failure() const {
    Failure f(Code::queue_full, "Service temporarily overloaded");
    std::string& d = (*f).detail;
    d = R"({"policy_class":")";
    d.append(cls).append(R"(","limit_kind":")").append(name(kind)).append(R"(","current":)").append(std::to_string(current));
    d.append(R"(,"limit":)").append(std::to_string(limit)).append("}");
    return f;
}

Waiting::~Waiting() {
    if (queue_) queue_->leave(*this);
}

bool Waiting::Order::operator()(const Waiting* a, const Waiting* b) const {
    if (a->strict_priority != b->strict_priority) return a->strict_priority > b->strict_priority;
    const Instant due_a = a->due ? a->due : UINT64_MAX, due_b = b->due ? b->due : UINT64_MAX;
    if (due_a != due_b) return due_a < due_b;
    if (a->score_ != b->score_) return a->score_ > b->score_;
    return a->seq_ < b->seq_;
}

RouterQueue::~RouterQueue() {
    for (auto& c : classes_) {
        for (Waiting* w : c.shared) w->queue_ = nullptr;
        for (auto& [number, lane] : c.lanes)
            for (Waiting* w : lane) w->queue_ = nullptr;
    }
}

uint64_t RouterQueue::cost(const Waiting& w) { return std::max(1u, w.prompt_tokens - std::min(w.prompt_tokens, w.cached_tokens)); }

std::optional<QueueRejection> RouterQueue::join(Waiting& w, uint32_t workers, Instant now) {
    ASSERT(!w.queue_ && w.cls < classes_.size());
    Class& c = classes_[w.cls];
    const QueueClass& rules = settings_.classes[w.cls];
    const auto reached = [&](QueueRejection::Kind kind, uint64_t current, const std::optional<uint32_t>& per_worker) -> std::optional<QueueRejection> {
        if (!per_worker || current < uint64_t{*per_worker} * workers) return {};
        return QueueRejection{rules.name, kind, current, uint64_t{*per_worker} * workers};
    };
    if (auto r = reached(QueueRejection::requests, c.stats.requests, rules.requests_per_worker)) return r;
    if (auto r = reached(QueueRejection::raw_isl_tokens, c.stats.raw_tokens, rules.tokens_per_worker)) return r;
    if (auto r = reached(QueueRejection::cached_tokens, c.stats.cached_tokens, rules.cached_per_worker)) return r;
    if (waiting_ >= settings_.waiting_max) return QueueRejection{rules.name, QueueRejection::waiting, waiting_, settings_.waiting_max};
    const double jump = std::max(w.jump_s, 0.0), arrived_s = static_cast<double>(w.arrived) / ns_per_s;
    switch (rules.order) {
        case QueueOrder::fcfs: w.score_ = jump - arrived_s; break;
        case QueueOrder::lcfs: w.score_ = jump + arrived_s; break;
        case QueueOrder::wspt: w.score_ = (1 + jump) / static_cast<double>(cost(w)); break;
    }
    w.seq_ = ++seq_;
    w.queue_ = this;
    w.end_ = settings_.wait_max_ms ? now + settings_.wait_max_ms * ns_per_ms : 0;
    if (w.due && (!w.end_ || w.due < w.end_)) w.end_ = w.due;
    if (w.end_) ends_.emplace(w.end_, &w);
    (w.pinned == Waiting::anywhere ? c.shared : c.lanes[w.pinned]).insert(&w);
    ++c.stats.requests;
    c.stats.raw_tokens += w.prompt_tokens;
    c.stats.cached_tokens += w.cached_tokens;
    ++waiting_;
    return {};
}

void RouterQueue::leave(Waiting& w) {
    if (!w.queue_) return;
    Class& c = classes_[w.cls];
    if (w.pinned == Waiting::anywhere) {
        c.shared.erase(&w);
    } else {
        auto lane = c.lanes.find(w.pinned);
        lane->second.erase(&w);
        if (lane->second.empty()) {
            c.blocked.erase(w.pinned);
            c.lanes.erase(lane);
        }
    }
    if (w.end_) ends_.erase({w.end_, &w});
    --c.stats.requests;
    c.stats.raw_tokens -= w.prompt_tokens;
    c.stats.cached_tokens -= w.cached_tokens;
    --waiting_;
    w.queue_ = nullptr;
    if (c.empty()) c.deficit = 0;
}

void RouterQueue::freed(uint32_t number) {
    for (auto& c : classes_) c.blocked.erase(number);
}

// The first of those in front of their lanes that may go.
Waiting* RouterQueue::candidate(Class& c, QueueRoom& room) {
    Waiting* best = nullptr;
    if (!c.shared.empty() && room.room(**c.shared.begin())) best = *c.shared.begin();
    const Waiting::Order before;
    for (auto& [number, lane] : c.lanes) {
        Waiting* head = *lane.begin();
        if (c.blocked.contains(number) || (best && before(best, head))) continue;
        if (room.room(*head)) best = head;
        else c.blocked.insert(number);
    }
    return best;
}

Waiting* RouterQueue::take(uint32_t cls, Waiting& w) {
    Class& c = classes_[cls];
    cursor_ = (cls + 1) % static_cast<uint32_t>(classes_.size());
    c.deficit -= std::min(c.deficit, cost(w));
    leave(w);
    if (c.deficit > 0) carry_ = cls;
    return &w;
}

Waiting* RouterQueue::next(QueueRoom& room) {
    if (std::exchange(recheck_, false))
        for (auto& c : classes_) c.blocked.clear();
    const auto carried = std::exchange(carry_, std::nullopt);
    if (waiting_ == 0) return nullptr;
    const auto n = static_cast<uint32_t>(classes_.size());
    std::vector<Waiting*> heads(n, nullptr);
    if (carried) {                               // it spends what it was given before the round goes on
        heads[*carried] = candidate(classes_[*carried], room);
        if (heads[*carried] && cost(*heads[*carried]) <= classes_[*carried].deficit) return take(*carried, *heads[*carried]);
    }
    for (uint32_t i = 0; i < n; ++i) {
        const uint32_t at = (cursor_ + i) % n;
        Class& c = classes_[at];
        if (carried != at) heads[at] = candidate(c, room);
        if (!heads[at]) continue;
        if (cost(*heads[at]) <= c.deficit) return take(at, *heads[at]);
        c.deficit += settings_.classes[at].quantum;
        if (cost(*heads[at]) <= c.deficit) return take(at, *heads[at]);
    }
    uint64_t rounds = UINT64_MAX;                // until the first of them can pay, all at once
    for (uint32_t at = 0; at < n; ++at)
        if (heads[at]) {
            const uint64_t quantum = settings_.classes[at].quantum, missing = cost(*heads[at]) - std::min(cost(*heads[at]), classes_[at].deficit);
            rounds = std::min(rounds, (missing + quantum - 1) / quantum);
        }
    if (rounds == UINT64_MAX) return nullptr;
    for (uint32_t at = 0; at < n; ++at)
        if (heads[at]) classes_[at].deficit += settings_.classes[at].quantum * rounds;
    for (uint32_t i = 0; i < n; ++i)
        if (const uint32_t at = (cursor_ + i) % n; heads[at] && cost(*heads[at]) <= classes_[at].deficit) return take(at, *heads[at]);
    return nullptr;
}

RouterQueue::Expired RouterQueue::expire(Instant now) {
    if (ends_.empty() || ends_.begin()->first > now) return {};
    Waiting* w = ends_.begin()->second;
    leave(*w);
    return {w, w->due != 0 && w->due <= now};
}

}  // namespace weir::route
