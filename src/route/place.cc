#include "route/place.h"

#include <algorithm>
#include <bit>

#include "route/affinity.h"
#include "route/busy.h"
#include "route/overload.h"
#include "route/queue.h"

namespace weir::route {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr uint32_t overlap_needs = need::device | need::lower_tiers | need::predicted;

uint32_t characters(Str text) {
    uint32_t n = 0;
    for (char c : text) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return n;
}

// All zero, as long as the fleet; memory is kept.
void clear(std::vector<uint32_t>& column, size_t n) { column.assign(n, 0); }

uint32_t count(std::span<const uint64_t> bits) {
    uint32_t n = 0;
    for (uint64_t word : bits) n += static_cast<uint32_t>(std::popcount(word));
    return n;
}

// A session's rank is the only one left, if there it may go.
void keep_session(const Question& q, std::span<uint64_t> eligible, Rejects& rejects) {
    const uint32_t before = count(eligible);
    if (q.routing.affinity->narrow(*q.request.hints, q.role, q.fleet, eligible, q.now) == Affinity::Found::bound)
        rejects[Reject::session] += before - 1;
}

// The router's queue: does it wait rather than be placed now?
bool must_wait(const Question& q, uint32_t cls, std::span<const uint64_t> eligible) {
    const QueueLine& queue = *q.routing.line;
    const QueueThreshold& threshold = queue.settings().classes[cls].threshold;
    if (!threshold.set()) return false;
    return (q.queue == Question::Queue::join && queue.waiting(cls)) || !any_room(q.fleet, threshold, eligible);
}

uint32_t at(std::span<const uint32_t> column, size_t i) { return i < column.size() ? column[i] : 0; }

}  // namespace

uint32_t needs_of(const Routing& routing) {
    uint32_t needs = routing.whole->needs();
    if (routing.prefill) needs |= routing.prefill->needs();
    if (routing.decode) needs |= routing.decode->needs();
    return needs;
}

// Writes where it will stay: a fleet of thousands is read for each request.
[[gnu::always_inline]] static inline void read_load(const LoadCell& cell, Instant now, LoadNow& out) {
    out.requests = cell.requests.load(relaxed);
    out.prefill_tokens = cell.prefill_tokens.load(relaxed);
    out.active_blocks = cell.active_blocks.load(relaxed);
    out.out_blocks = static_cast<float>(static_cast<int32_t>(cell.out_blocks_q8.load(relaxed))) / 256;
    out.context_tokens = cell.context_tokens.load(relaxed);
    out.prefill_tok_s = cell.prefill_tok_s.load(relaxed);
    out.itl_us = cell.itl_us.load(relaxed);
    uint32_t reported = cell.rep_at_ms.load(relaxed);
    if (reported == 0) {
        out.report_age_ms = UINT32_MAX;
        out.waiting = out.running = out.kv_used = out.waiting_tokens = out.tok_s = out.since_requests = out.since_tokens = 0;
        out.usage = 0;
        return;
    }
    out.report_age_ms = static_cast<uint32_t>(now / ns_per_ms) - reported;
    if (out.report_age_ms > UINT32_MAX / 2) out.report_age_ms = 0;   // reported since `now` was taken
    out.waiting = cell.rep_waiting.load(relaxed);
    out.running = cell.rep_running.load(relaxed);
    out.kv_used = cell.rep_kv_used.load(relaxed);
    out.waiting_tokens = cell.rep_waiting_tokens.load(relaxed);
    out.tok_s = cell.rep_tok_s.load(relaxed);
    out.since_requests = cell.since_requests.load(relaxed);
    out.since_tokens = cell.since_tokens.load(relaxed);
    out.usage = static_cast<float>(cell.rep_usage_q16.load(relaxed)) / 65'536;
}

LoadNow load_now(const LoadCell& cell, Instant now) {
    LoadNow out;
    read_load(cell, now, out);
    return out;
}

Scratch::Lookups& Scratch::lookups(const Routing& routing) {
    auto same = [&](const std::unique_ptr<Lookups>& l) { return l->index == routing.index && l->text == routing.text && l->active == routing.active; };
    auto found = std::ranges::find_if(lookups_, same);
    if (found == lookups_.end()) {
        if (lookups_.size() == lookups_max) lookups_.pop_back();
        auto made = std::make_unique<Lookups>();
        made->index = routing.index, made->text = routing.text, made->active = routing.active;
        if (made->index) made->matcher = std::make_unique<kv::Matcher>(*made->index);
        if (made->text) made->text_lookup = made->text->lookup();
        if (made->active) made->active_lookup = made->active->lookup();
        found = lookups_.insert(lookups_.end(), std::move(made));
    }
    std::rotate(lookups_.begin(), found, found + 1);
    return *lookups_.front();
}

void Scratch::know(const FleetView& fleet) {
    if (known_ == &fleet && known_version_ == fleet.version()) return;
    known_ = &fleet;
    known_version_ = fleet.version();
    roles_differ_ = std::ranges::any_of(fleet.ranks(), [](const RankRef& r) { return r.worker->roles != role::whole; });
}

// One walk of the index for all ranks and tiers. A rank that is not in the fleet's view (just gone, or not ready) is passed over.
void Scratch::gather_overlap(const Question& q, uint32_t needs) {
    Lookups& look = lookups(q.routing);
    const size_t n = slate_.ranks.size();
    const Prepared& request = q.request;
    if (needs & overlap_needs) {
        const bool apart = needs & need::predicted, lower = needs & need::lower_tiers;
        clear(device_, n);
        if (lower) clear(host_, n), clear(disk_, n), clear(shared_, n);
        if (apart) clear(predicted_, n);
        if (look.matcher)
            for (const kv::RankOverlap& o : look.matcher->match(request.local_hashes)) {
                uint32_t i = q.fleet.index_of(o.rank);
                if (i == FleetView::nowhere) continue;
                device_[i] = apart ? o.device : std::max(o.device, o.predicted);
                if (lower) host_[i] = o.host, disk_[i] = o.disk, shared_[i] = o.external;
                if (apart) predicted_[i] = o.predicted;
            }
        slate_.device = device_;
        if (lower) slate_.host = host_, slate_.disk = disk_, slate_.shared = shared_;
        if (apart) slate_.predicted = predicted_;
    }
    if (needs & need::active) {
        clear(active_, n);
        if (look.active_lookup)
            for (const auto& m : look.active_lookup->match(request.local_hashes))
                if (uint32_t i = q.fleet.index_of(m.rank); i != FleetView::nowhere) active_[i] = m.blocks;
        slate_.active_overlap = active_;
    }
    if (needs & need::matched) {
        clear(chars_, n);
        if (look.text_lookup && !request.text.empty())
            for (const auto& m : look.text_lookup->match(request.text))
                if (uint32_t i = q.fleet.index_of(m.rank); i != FleetView::nowhere) chars_[i] = m.chars;
        slate_.matched_chars = chars_;
    }
}

// Of those that may be chosen; what stands at other places is old.
void Scratch::gather_load(const Question& q) {
    const size_t n = slate_.ranks.size();
    load_.resize(n);
    for (size_t word = 0; word < eligible_.size(); word++)
        for (uint64_t bits = eligible_[word]; bits; bits &= bits - 1) {
            size_t i = word * 64 + static_cast<size_t>(std::countr_zero(bits));
            if (i + 8 < n) {                     // cells stand three lines apart: nobody else asks for them early
                const LoadCell* soon = slate_.ranks[i + 8].cell;
                __builtin_prefetch(soon);
                __builtin_prefetch(&soon->prefill_tok_s);
            }
            read_load(*slate_.ranks[i].cell, q.now, load_[i]);
        }
    slate_.load = load_;
}

void Scratch::gather(const Question& q, uint32_t needs) {
    const Prepared& request = q.request;
    slate_.block = request.block;
    slate_.prompt_tokens = request.prompt_tokens;
    slate_.request_blocks = request.block ? (request.prompt_tokens + request.block - 1) / request.block : 0;
    slate_.request_blocks = std::max(slate_.request_blocks, static_cast<uint32_t>(request.local_hashes.size()));
    if (needs & (need::text | need::tokens | need::matched)) slate_.prompt_chars = characters(request.text);
    if (needs & (overlap_needs | need::active | need::matched)) gather_overlap(q, needs);
    if (needs & need::load) gather_load(q);
}

void Scratch::describe(Choice& choice, const Question& q) const {
    const size_t i = choice.pick.index;
    choice.at = slate_.ranks[i];
    choice.overlap = {at(slate_.device, i), at(slate_.host, i), at(slate_.disk, i), at(slate_.shared, i), at(slate_.active_overlap, i)};
    choice.predicted = at(slate_.predicted, i);
    choice.matched_chars = at(slate_.matched_chars, i);
    choice.load = slate_.load.empty() ? load_now(*choice.at.cell, q.now) : slate_.load[i];
    const uint32_t prompt = slate_.prompt_tokens;
    double known = 0;
    if (slate_.block) {
        const double lower = q.routing.host_weight * choice.overlap.host + q.routing.disk_weight * choice.overlap.disk;
        known = (std::max<double>(choice.overlap.device + lower, choice.predicted)) * slate_.block;
    } else if (slate_.prompt_chars) {
        known = static_cast<double>(prompt) * choice.matched_chars / slate_.prompt_chars;
    }
    choice.cached_tokens = std::min(prompt, static_cast<uint32_t>(known + 0.5));
}

// Tokens of the prompt, at the eligible rank that holds most of it.
uint32_t Scratch::most_cached() const {
    uint32_t most = 0;
    for (size_t i = 0; i < slate_.device.size(); i++)
        if (slate_.may(i)) most = std::max({most, slate_.device[i], weir::route::at(slate_.predicted, i)});
    return std::min(slate_.prompt_tokens, most * slate_.block);
}

uint32_t Scratch::queue_class(const Question& q) const {
    const QueueSettings& settings = q.routing.line->settings();
    if (q.queue == Question::Queue::turn) return q.queue_class;
    return settings.classes.size() == 1 ? 0 : settings.class_of(q.request.hints->policy_class, slate_.prompt_tokens - most_cached());
}

Result<Choice> place(const Question& q, Scratch& scratch, Random& random) {
    const FleetView& fleet = q.fleet;
    const std::vector<uint64_t>* serving = fleet.serving(q.request.model);
    if (!serving && fleet.pending())
        return Failure(Code::no_worker, "no worker serves the model yet; some have not answered so far");
    if (!serving) return Failure(Code::model_unknown, "No worker available for model '" + std::string(q.request.model) + "'", "model");
    scratch.know(fleet);
    scratch.eligible_ = *serving;
    Policy& policy = *policy_of(q.routing, q.role);
    Choice choice;
    const FilterAsk ask{fleet, *q.request.hints, q.role, q.exclude, scratch.roles_differ_, !(policy.needs() & need::implicit_key)};
    TRY_OK(filter(ask, scratch.eligible_, choice.rejects));
    Slate& slate = scratch.slate_;
    slate = {};
    slate.ranks = fleet.ranks();
    slate.eligible = scratch.eligible_.data();
    slate.fleet_version = fleet.version();
    slate.now = q.now;
    const bool sessions = q.routing.affinity != nullptr;
    if (sessions && q.routing.affinity->hard()) keep_session(q, scratch.eligible_, choice.rejects);
    if (uint32_t busy = drop_busy(fleet, q.routing.busy, scratch.eligible_)) choice.rejects[Reject::busy] += busy;
    if (sessions && !q.routing.affinity->hard()) keep_session(q, scratch.eligible_, choice.rejects);
    bool all_overloaded = false;
    if (q.routing.overload) {
        TRY(all_overloaded, protect(*q.routing.overload, fleet, q.request.model, scratch.eligible_, choice.rejects));
    }
    choice.candidates = eligible_count(slate);
    if (choice.candidates == 0 && choice.rejects[Reject::busy])
        return Failure(Code::shed, "Service temporarily overloaded").detail(choice.rejects.text());
    auto nobody = [&] { return Failure(Code::no_worker, "no worker for the model can take the request now").detail(choice.rejects.text()); };
    if (choice.candidates == 0) return nobody();
    scratch.gather(q, policy.needs());
    const QueueLine* queue = q.queue == Question::Queue::never ? nullptr : q.routing.line;
    if (queue) choice.queue_class = scratch.queue_class(q);
    if (queue && must_wait(q, choice.queue_class, scratch.eligible_)) {
        choice.pick = {0, Pick::wait, "every rank is full", {}};
        choice.cached_tokens = scratch.most_cached();
        return choice;
    }
    const bool targeted = !q.request.hints->target_worker.empty();   // the policy's business where the filter left it alone
    choice.pick = all_overloaded && !targeted ? least_requests(slate, random) : policy.pick(q.request, slate, random);
    if (choice.pick.kind == Pick::none) return nobody();
    if (choice.pick.kind == Pick::chosen) scratch.describe(choice, q);
    return choice;
}

void remember(const Question& q, const Choice& choice) {
    const Prepared& request = q.request;
    if (!choice.at) return;
    if (q.routing.affinity) q.routing.affinity->served(*request.hints, q.role, q.fleet, choice.at, q.now);
    if (q.routing.predictions && !request.local_hashes.empty())
        q.routing.predictions->predict(choice.at.number, choice.at.worker->kv_blocks, request.local_hashes, q.now);
    if (q.routing.text && !request.text.empty() && policy_of(q.routing, q.role)->needs() & need::matched)
        q.routing.text->insert(choice.at.number, request.text, q.now);
}

}  // namespace weir::route
