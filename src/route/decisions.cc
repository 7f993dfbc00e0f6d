#include "route/decisions.h"

#include <algorithm>
#include <bit>

#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"

namespace weir::route {
namespace {

uint32_t at(std::span<const uint32_t> column, size_t i) { return i < column.size() ? column[i] : 0; }

constexpr const char* legs[] = {"whole", "prefill", "decode", "encode"};

// How well a rank looked: most of the prompt first, then least load.
uint64_t standing(const Slate& slate, size_t i) {
    const uint64_t held = std::max(at(slate.device, i) + at(slate.host, i) + at(slate.disk, i), at(slate.predicted, i));
    const uint64_t known = std::max<uint64_t>(held, at(slate.matched_chars, i));
    const uint32_t requests = slate.load.empty() ? slate.ranks[i].cell->requests.load(std::memory_order_relaxed) : slate.load[i].requests;
    return std::min<uint64_t>(known, UINT32_MAX) << 32 | (UINT32_MAX - requests);
}

Decision::Candidate candidate(const Slate& slate, size_t i) {
    const RankRef& r = slate.ranks[i];
    Decision::Candidate c;
    c.slot = r.worker->slot, c.key = r.worker->key, c.instance = r.worker->instance_id, c.rank = r.rank;
    c.device = at(slate.device, i), c.host = at(slate.host, i), c.disk = at(slate.disk, i), c.shared = at(slate.shared, i);
    c.predicted = at(slate.predicted, i), c.active = at(slate.active_overlap, i), c.matched_chars = at(slate.matched_chars, i);
    c.load = slate.load.empty() ? load_now(*r.cell, slate.now) : slate.load[i];
    return c;
}

// Members of a decision's JSON that are plain numbers: written and read by these, in this order.
template <class T>
struct Column { Str name; uint32_t T::* at; };

constexpr Column<LoadNow> load_columns[] = {{"requests", &LoadNow::requests}, {"prefill_tokens", &LoadNow::prefill_tokens},
                                            {"active_blocks", &LoadNow::active_blocks}, {"context_tokens", &LoadNow::context_tokens},
                                            {"prefill_tok_s", &LoadNow::prefill_tok_s}, {"itl_us", &LoadNow::itl_us}};
constexpr Column<LoadNow> reported_columns[] = {{"age_ms", &LoadNow::report_age_ms}, {"waiting", &LoadNow::waiting}, {"running", &LoadNow::running},
                                                {"kv_used", &LoadNow::kv_used}, {"waiting_tokens", &LoadNow::waiting_tokens}, {"tok_s", &LoadNow::tok_s},
                                                {"since_requests", &LoadNow::since_requests}, {"since_tokens", &LoadNow::since_tokens}};
template <class C>
constexpr Column<C> candidate_columns[] = {{"device", &C::device}, {"host", &C::host}, {"disk", &C::disk}, {"shared", &C::shared},
                                           {"predicted", &C::predicted}, {"active", &C::active}, {"matched_chars", &C::matched_chars}};
template <class D>
constexpr Column<D> decision_columns[] = {{"prompt_tokens", &D::prompt_tokens}, {"prompt_chars", &D::prompt_chars}, {"block", &D::block},
                                          {"blocks", &D::request_blocks}, {"cached_tokens", &D::cached_tokens}, {"eligible", &D::eligible}};

template <class T, size_t n>
void write_columns(JsonWriter& w, const Column<T> (&columns)[n], const T& from) {
    for (const auto& c : columns) w.member(c.name, from.*c.at);
}
template <class T, size_t n>
bool read_column(const Column<T> (&columns)[n], Str name, Str value, T& to) {
    for (const auto& c : columns)
        if (c.name == name) {
            to.*c.at = static_cast<uint32_t>(std::min<uint64_t>(json_uint(value).value_or(0), UINT32_MAX));
            return true;
        }
    return false;
}

void write_load(JsonWriter& w, const LoadNow& l) {
    write_columns(w, load_columns, l);
    w.member("out_blocks", l.out_blocks);
    if (!l.reported()) return;
    w.key("reported").object();
    write_columns(w, reported_columns, l);
    w.member("usage", l.usage).end_object();
}

void take(Str value, uint32_t& out) { out = static_cast<uint32_t>(std::min<uint64_t>(json_uint(value).value_or(0), UINT32_MAX)); }
void take(Str value, double& out) { out = json_double(value).value_or(0); }

void read_reported(Str object, LoadNow& l) {
    for (JsonMembers m(object); m.next();)
        if (!read_column(reported_columns, m.key, m.value, l) && m.key == "usage") l.usage = static_cast<float>(json_double(m.value).value_or(0));
}

void read_candidate(Str object, LoggedDecision::Candidate& c, Arena& arena) {
    for (JsonMembers m(object); m.next();) {
        const Str k = m.key, v = m.value;
        if (read_column(candidate_columns<LoggedDecision::Candidate>, k, v, c) || read_column(load_columns, k, v, c.load)) continue;
        const JsonKind kind = json_kind(v);
        if (k == "worker" && kind == JsonKind::string) c.worker = json_text(v, arena);
        if (k == "id" && kind == JsonKind::string) {
            c.instance = json_uint(json_inside(v)).value_or(0);
            if (c.worker.empty()) c.worker = json_inside(v);
        }
        if (k == "rank") take(v, c.rank);
        if (k == "out_blocks") c.load.out_blocks = static_cast<float>(json_double(v).value_or(0));
        if (k == "reported" && kind == JsonKind::object) read_reported(v, c.load);
    }
}

void read_ending(Str object, LoggedDecision& d) {
    d.ended = true;
    for (JsonMembers m(object); m.next();) {
        if (m.key == "ttft_ms") take(m.value, d.ttft_ms);
        else if (m.key == "prompt_tokens") take(m.value, d.observed_prompt_tokens);
        else if (m.key == "cached_tokens") take(m.value, d.observed_cached_tokens);
    }
}

}  // namespace

void describe(const Question& q, const Choice& choice, const Scratch& scratch, const char* policy, Decision& out) {
    const Slate& slate = scratch.slate();
    Str model = q.request.model.substr(0, Decision::model_max);
    std::ranges::copy(model, out.model.begin());
    out.model_len = static_cast<uint8_t>(model.size());
    out.leg = q.role;
    out.policy = policy, out.why = choice.pick.why, out.terms = choice.pick.terms;
    out.eligible = choice.candidates, out.cached_tokens = choice.cached_tokens, out.rejects = choice.rejects;
    out.prompt_tokens = slate.prompt_tokens, out.request_blocks = slate.request_blocks, out.block = slate.block, out.prompt_chars = slate.prompt_chars;
    std::array<std::pair<uint64_t, uint32_t>, Decision::candidates_max> best;
    size_t n = 0;
    for (size_t word = 0; word < scratch.eligible().size(); word++)
        for (uint64_t bits = scratch.eligible()[word]; bits; bits &= bits - 1) {
            const auto i = static_cast<uint32_t>(word * 64 + static_cast<size_t>(std::countr_zero(bits)));
            const std::pair<uint64_t, uint32_t> here{i == choice.pick.index ? UINT64_MAX : standing(slate, i), i};
            if (n == best.size() && here.first <= best[n - 1].first) continue;
            size_t place = n < best.size() ? n++ : n - 1;
            for (; place > 0 && best[place - 1].first < here.first; place--) best[place] = best[place - 1];
            best[place] = here;
        }
    out.candidates_n = static_cast<uint8_t>(n);
    for (size_t k = 0; k < n; k++) out.candidates[k] = candidate(slate, best[k].second);
}

void append_json(const Decision& d, const std::function<Str(const Decision::Candidate&)>& url, std::string& out) {
    JsonWriter w(out);
    w.object().member("id", d.request_id()).member("at_ms", d.at).member("model", d.model_name()).member("leg", legs[d.leg]);
    w.member("attempt", d.attempt).member("policy", d.policy).member("why", d.why);
    write_columns(w, decision_columns<Decision>, d);
    w.member("queue_ms", d.queue_us / 1e3).key("rejected").object();
    for (size_t i = 0; i < rejects_n; i++)
        if (d.rejects.counts[i]) w.member(name(static_cast<Reject>(i)), d.rejects.counts[i]);
    w.end_object().key("terms").array();
    for (float term : d.terms) w.number(term);
    w.end_array().member("chosen", 0).key("candidates").array();
    for (size_t i = 0; i < d.candidates_n; i++) {
        const Decision::Candidate& c = d.candidates[i];
        w.object();
        if (Str where = url(c); !where.empty()) w.member("worker", where);
        w.member("id", std::to_string(c.instance)).member("rank", c.rank);
        write_columns(w, candidate_columns<Decision::Candidate>, c);
        write_load(w, c.load);
        w.end_object();
    }
    w.end_array();
    if (d.ending.known) {
        const Decision::Ending& e = d.ending;
        w.key("outcome").object().member("status", e.status).member("ttft_ms", e.ttft_us / 1e3).member("total_ms", e.total_us / 1e3);
        w.member("prompt_tokens", e.prompt_tokens).member("cached_tokens", e.cached_tokens).member("output_tokens", e.out_tokens).end_object();
    }
    w.end_object();
}

Result<LoggedDecision> read_decision(Str line) {
    std::array<Member, 64> members;
    TRY(TopScan scan, scan_top(line, members));
    LoggedDecision d;
    Arena arena;
    for (uint32_t i = 0; i < scan.members; i++) {
        Str k = line.substr(members[i].key.off, members[i].key.len), v = line.substr(members[i].value.off, members[i].value.len);
        JsonKind kind = json_kind(v);
        for (const auto& [name, to] : {std::pair{Str("id"), &d.id}, {Str("model"), &d.model}, {Str("policy"), &d.policy}, {Str("why"), &d.why}})
            if (k == name && kind == JsonKind::string) *to = json_text(v, arena);
        if (read_column(decision_columns<LoggedDecision>, k, v, d)) continue;
        if (k == "at_ms") take(v, d.at_ms);
        else if (k == "chosen") take(v, d.chosen);
        else if (k == "outcome" && kind == JsonKind::object) read_ending(v, d);
        else if (k == "candidates" && kind == JsonKind::array)
            for (JsonItems items(v); items.next();) {
                if (json_kind(items.value) != JsonKind::object) return Failure(Code::bad_field, "candidates: items must be objects", "candidates");
                read_candidate(items.value, d.candidates.emplace_back(), arena);
            }
    }
    if (d.candidates.empty()) return Failure(Code::bad_field, "a decision without candidates", "candidates");
    if (d.chosen >= d.candidates.size()) return Failure(Code::bad_field, "chosen: there is no such candidate", "chosen");
    return d;
}

bool DecisionRing::wants(Instant now) {
    const uint64_t second = now / ns_per_s;
    if (second != second_) second_ = second, in_second_ = 0;
    return in_second_++ < all_per_s || in_second_ % sample_one_in == 0;
}

uint64_t DecisionRing::add(Decision decision) {
    const uint64_t number = added_.load(std::memory_order_relaxed) + 1;
    decision.number = number;
    std::lock_guard lock(mutex_);
    if (ring_.size() < size) ring_.push_back(decision);
    else ring_[(number - 1) % size] = decision;
    added_.store(number, std::memory_order_relaxed);
    return number;
}

void DecisionRing::end(uint64_t number, const Decision::Ending& ending) {
    std::lock_guard lock(mutex_);
    if (number == 0 || number + size <= added_.load(std::memory_order_relaxed)) return;
    Decision& d = ring_[(number - 1) % size];
    d.ending = ending;
    d.ending.known = true;
}

std::vector<Decision> DecisionRing::newest(size_t n) const {
    std::lock_guard lock(mutex_);
    std::vector<Decision> out;
    const uint64_t last = added_.load(std::memory_order_relaxed);
    for (uint64_t k = 0; k < std::min<uint64_t>(n, ring_.size()); k++) out.push_back(ring_[(last - 1 - k) % size]);
    return out;
}

std::vector<Decision> DecisionRing::of(Str request_id) const {
    std::vector<Decision> all = newest(size);
    Str cut = request_id.substr(0, Decision::id_max);
    std::erase_if(all, [&](const Decision& d) { return d.request_id() != cut; });
    return all;
}

}  // namespace weir::route
