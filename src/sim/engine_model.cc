#include "sim/engine_model.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "sim/text.h"

namespace weir::sim {

struct EngineModel::Sequence : ListNode {
    enum State : uint8_t { spare, waiting, running } state = spare;
    bool has_tokens = false;
    uint16_t choice = 0;
    uint64_t id = 0, seed = 0, hash_seed = 0;
    void* user = nullptr;
    Sequence* sibling = nullptr;
    Instant arrived = 0;
    uint32_t prompt = 0, max_tokens = 0, natural = 0, n_first = 0;
    uint32_t generated = 0, computed = 0;   // computed: tokens whose KV is, or in this step becomes, ready
    uint32_t step_tokens = 0;               // of them, in this step
    uint32_t cached = 0, named = 0;         // tokens; blocks
    uint32_t place = 0;                     // in running_
    bool admitted = false;
    std::vector<uint32_t> tokens, table;    // known token ids; KV blocks
    std::vector<uint64_t> local, chain;     // hashes of full blocks
    std::vector<uint32_t> avoid;

    uint32_t known() const { return prompt + generated; }
};

Result<void> EngineParams::check() const {
    auto bad = [](const char* member, const char* why) {
        return Failure(Code::bad_field, std::string(member) + " " + why, member);
    };
    if (max_num_seqs == 0) return bad("max_num_seqs", "must be at least 1");
    if (max_num_batched_tokens == 0) return bad("max_num_batched_tokens", "must be at least 1");
    if (block_size == 0) return bad("block_size", "must be at least 1");
    if (num_blocks == 0 || uint64_t{num_blocks} * block_size > 0x7fffffff)
        return bad("num_blocks", "must give a cache of 1 to 2^31-1 tokens");
    if (!(watermark >= 0 && watermark < 1)) return bad("watermark", "must be at least 0 and below 1");
    if (!(speedup_ratio >= 0)) return bad("speedup_ratio", "must not be negative");
    if (!(decode_speedup_ratio >= 0)) return bad("decode_speedup_ratio", "must not be negative");
    if (vocab != 0 && vocab <= 256) return bad("vocab", "must be 0 or above 256");
    if (ids && ids->empty()) return bad("ids", "must not be empty");
    return Nothing{};
}

EngineTotals& EngineTotals::operator+=(const EngineTotals& o) {
    steps += o.steps, requests += o.requests, finished_length += o.finished_length, finished_stop += o.finished_stop;
    cancelled += o.cancelled, refused += o.refused, prompt_tokens += o.prompt_tokens, computed_tokens += o.computed_tokens;
    generated_tokens += o.generated_tokens, preemptions += o.preemptions, cache_query_tokens += o.cache_query_tokens;
    cache_hit_tokens += o.cache_hit_tokens, evicted_blocks += o.evicted_blocks;
    return *this;
}

EngineModel::EngineModel(const EngineParams& params) : params_(params), pool_(params.num_blocks) {
    ASSERT(params.check());
    const uint32_t holds = params.num_blocks * params.block_size;
    context_max_ = params.max_model_len ? std::min(params.max_model_len, holds) : holds;
}
EngineModel::~EngineModel() = default;

EngineModel::Sequence& EngineModel::take_sequence() {
    if (spare_.empty()) {
        all_.push_back(std::make_unique<Sequence>());
        return *all_.back();
    }
    Sequence& s = *spare_.back();
    spare_.pop_back();
    return s;
}

Result<void> EngineModel::submit(RequestSpec spec, Instant now) {
    const bool has_tokens = spec.block_hashes.empty();
    const auto prompt = has_tokens ? static_cast<uint32_t>(spec.tokens.size()) : spec.prompt_tokens;
    if (spec.n == 0) return Failure(Code::bad_field, "n must be at least 1", "n");
    if (prompt == 0) return Failure(Code::bad_field, "the prompt is empty", "prompt");
    if (prompt + (spec.max_tokens ? 1u : 0u) > context_max_)
        return Failure(Code::too_large, "the prompt has " + std::to_string(prompt) + " tokens, the context holds " +
                                            std::to_string(context_max_));
    if (waiting_n_ + spec.n > params_.queue_len_max) {
        totals_.refused += spec.n;
        return Failure(Code::queue_full, "the engine's queue is full");
    }
    auto [chain, fresh] = by_id_.try_emplace(spec.id, nullptr);
    if (!fresh) return Failure(Code::bad_field, "a request of this id is running", "id");
    std::vector<uint64_t> local = std::move(spec.block_hashes);
    if (params_.prefix_caching && has_tokens) append_block_hashes(spec.tokens, params_.block_size, spec.hash_seed, local);
    for (uint32_t c = spec.n; c-- > 0;) {
        Sequence& s = take_sequence();
        s.state = Sequence::waiting;
        s.has_tokens = has_tokens;
        s.choice = static_cast<uint16_t>(spec.first_choice + c);
        s.id = spec.id, s.user = spec.user, s.arrived = now, s.prompt = prompt;
        s.seed = choice_seed(spec.seed, c), s.hash_seed = spec.hash_seed;
        s.max_tokens = spec.max_tokens, s.natural = spec.natural_tokens, s.n_first = spec.n_first;
        s.avoid = spec.avoid;
        s.generated = s.computed = s.step_tokens = s.cached = s.named = 0;
        s.admitted = false;
        if (c == 0) s.tokens = std::move(spec.tokens), s.local = std::move(local);
        else s.tokens = spec.tokens, s.local = local;
        s.chain.clear();
        extend_hashes(s, s.local.size());
        s.sibling = chain->second;
        chain->second = &s;
    }
    for (Sequence* s = chain->second; s; s = s->sibling) waiting_.push_back(*s);
    waiting_n_ += spec.n;
    totals_.requests += spec.n;
    totals_.prompt_tokens += prompt;
    return Nothing{};
}

void EngineModel::drop(Sequence& s) {
    auto at = by_id_.find(s.id);
    Sequence** link = &at->second;
    while (*link != &s) link = &(*link)->sibling;
    *link = s.sibling;
    if (at->second == nullptr) by_id_.erase(at);
    if (s.state == Sequence::waiting) {
        s.unlink();
        --waiting_n_;
    } else {
        running_[s.place] = nullptr;
        --running_n_;
    }
    free_blocks(s);
    s.state = Sequence::spare;
    constexpr size_t keep_max = 64 * 1024;   // a spare sequence does not hold on to the memory of a huge prompt
    if (s.tokens.capacity() > keep_max) s.tokens = {};
    s.tokens.clear(), s.local.clear(), s.chain.clear();
    spare_.push_back(&s);
}

bool EngineModel::cancel(uint64_t id) {
    auto at = by_id_.find(id);
    if (at == by_id_.end()) return false;
    for (Sequence *s = at->second, *next; s; s = next) {
        next = s->sibling;
        ++totals_.cancelled;
        drop(*s);
    }
    return true;
}

bool EngineModel::stop_choice(uint64_t id, uint16_t choice) {
    auto at = by_id_.find(id);
    if (at == by_id_.end()) return false;
    for (Sequence* s = at->second; s; s = s->sibling) {
        if (s->choice != choice) continue;
        ++totals_.finished_stop;
        drop(*s);
        return true;
    }
    return false;
}

Instant EngineModel::next_start() const {
    if (running_n_) return step_end_;
    if (!waiting_n_) return never;
    return std::max(step_end_, const_cast<List<Sequence>&>(waiting_).front()->arrived);
}

Instant EngineModel::next_event_time() const { return in_step_ ? step_end_ : next_start(); }

void EngineModel::advance(Instant now, EngineSink& sink, size_t steps_max) {
    sink_ = &sink;
    for (size_t steps = 0;;) {
        if (in_step_) {
            if (step_end_ > now) break;
            end_step();
        }
        const Instant at = next_start();
        if (at > now || steps++ == steps_max) break;
        begin_step(at);
    }
    sink_ = nullptr;
}

void EngineModel::begin_step(Instant at) {
    size_t kept = 0;
    for (Sequence* s : running_)
        if (s) s->place = static_cast<uint32_t>(kept), running_[kept++] = s;
    running_.resize(kept);
    preempted_in_step_ = false;
    uint32_t budget = params_.max_num_batched_tokens;
    schedule_running(budget);
    // Whoever was preempted stands first in the queue; letting anybody in now would take the blocks it waits for.
    while (!preempted_in_step_ && budget > 0 && running_n_ < params_.max_num_seqs && waiting_n_ > 0) {
        Sequence& s = *waiting_.front();
        if (s.arrived > at || !admit(s, budget)) break;
    }
    ASSERT(running_n_ > 0);
    ++totals_.steps;
    in_step_ = true;
    step_end_ = at + step_ns();
}

void EngineModel::schedule_running(uint32_t& budget) {
    for (size_t i = 0; i < running_.size() && budget > 0; ++i) {
        Sequence& s = *running_[i];
        const uint32_t tokens = std::min(s.known() - s.computed, budget);
        const uint32_t blocks = (s.computed + tokens + params_.block_size - 1) / params_.block_size;
        if (blocks > s.table.size() && !make_room(s, blocks - static_cast<uint32_t>(s.table.size()), budget)) break;
        compute(s, tokens);
        budget -= tokens;
    }
}

// Preempts from the end of the batch until `blocks` are free. False: `s` itself had to go.
bool EngineModel::make_room(const Sequence& s, uint32_t blocks, uint32_t& budget) {
    while (pool_.free() < blocks) {
        Sequence& victim = *running_.back();
        preempt(victim, budget);
        if (&victim == &s) return false;
    }
    return true;
}

void EngineModel::preempt(Sequence& s, uint32_t& budget) {
    budget += s.step_tokens;
    running_.pop_back();
    --running_n_;
    free_blocks(s);
    s.computed = s.step_tokens = 0;
    s.state = Sequence::waiting;
    waiting_.push_front(s);
    ++waiting_n_;
    ++totals_.preemptions;
    preempted_in_step_ = true;
}

uint32_t EngineModel::match_prefix(const Sequence& s) const {
    if (!params_.prefix_caching) return 0;
    // At least one token must be computed, or there would be nothing to sample from.
    const size_t most = std::min<size_t>((s.known() - 1) / params_.block_size, s.chain.size());
    uint32_t n = 0;
    while (n < most && pool_.find(s.chain[n]) != BlockPool::none) ++n;
    return n;
}

bool EngineModel::admit(Sequence& s, uint32_t& budget) {
    const uint32_t found = match_prefix(s), size = params_.block_size;
    uint32_t tokens = s.known() - found * size;
    const bool alone = budget == params_.max_num_batched_tokens;
    if (tokens > budget && (params_.chunked_prefill || !alone)) {
        if (!params_.chunked_prefill) return false;
        tokens = budget;
    }
    const uint32_t blocks = (found * size + tokens + size - 1) / size;
    uint32_t taken = blocks - found;   // free ones that stop being free
    for (uint32_t i = 0; i < found; ++i) taken += pool_.refs(pool_.find(s.chain[i])) == 0;
    if (pool_.free() < taken) return false;
    if (running_n_ > 0 && pool_.free() - taken < params_.watermark * pool_.total()) return false;

    s.unlink();
    --waiting_n_;
    s.state = Sequence::running;
    s.place = static_cast<uint32_t>(running_.size());
    running_.push_back(&s);
    ++running_n_;
    for (uint32_t i = 0; i < found; ++i) {
        s.table.push_back(pool_.find(s.chain[i]));
        pool_.hold(s.table.back());
    }
    s.named = found;
    s.computed = found * size;
    if (!s.admitted) s.cached = std::min(s.computed, s.prompt);
    s.admitted = true;
    totals_.cache_query_tokens += s.known();
    totals_.cache_hit_tokens += s.computed;
    compute(s, tokens);
    budget -= std::min(tokens, budget);
    return true;
}

// Room is there: takes the blocks, counts the tokens as computed, and shows full blocks to whoever is scheduled next.
void EngineModel::compute(Sequence& s, uint32_t tokens) {
    s.computed += tokens;
    s.step_tokens = tokens;
    totals_.computed_tokens += tokens;
    while (s.table.size() * params_.block_size < s.computed) {
        uint64_t evicted = 0;
        const uint32_t block = pool_.allocate(evicted);
        ASSERT(block != BlockPool::none);
        s.table.push_back(block);
        if (!evicted) continue;
        ++totals_.evicted_blocks;
        sink_->on_kv({KvEvent::removed, 0, {&evicted, 1}, {}, {}, 0});
    }
    if (params_.prefix_caching && s.named < s.computed / params_.block_size) name_blocks(s);
}

void EngineModel::extend_hashes(Sequence& s, size_t blocks) {
    const size_t size = params_.block_size;
    for (size_t i = s.chain.size(); i < blocks; ++i) {
        if (i == s.local.size())
            s.local.push_back(s.has_tokens ? block_hash({s.tokens.data() + i * size, size}, s.hash_seed) : draw(~s.seed, i));
        s.chain.push_back(i == 0 ? s.local[0] : chain_hash(s.chain[i - 1], s.local[i]));
    }
}

void EngineModel::name_blocks(Sequence& s) {
    const uint32_t full = s.computed / params_.block_size;
    extend_hashes(s, full);
    auto publish = [&](uint32_t from, uint32_t to) {
        if (from == to) return;
        std::span<const uint32_t> tokens(s.tokens);
        const size_t size = params_.block_size;
        const auto ids = s.has_tokens ? tokens.subspan(from * size, (to - from) * size) : tokens.first(0);
        const std::span<const uint64_t> chained(s.chain.data() + from, to - from), local(s.local.data() + from, to - from);
        sink_->on_kv({KvEvent::stored, from ? s.chain[from - 1] : 0, chained, local, ids, s.id});
    };
    uint32_t from = s.named;
    for (uint32_t i = s.named; i < full; ++i) {
        if (pool_.name(s.table[i], s.chain[i])) continue;
        publish(from, i);
        from = i + 1;
    }
    publish(from, full);
    s.named = full;
}

void EngineModel::free_blocks(Sequence& s) {
    // The end of a sequence is reused before its beginning: prefixes live longer.
    for (size_t i = s.table.size(); i-- > 0;) pool_.release(s.table[i]);
    s.table.clear();
    s.named = 0;
}

uint64_t EngineModel::step_ns() const {
    StepLoad load;
    for (const Sequence* s : running_) {
        if (!s || s->step_tokens == 0) continue;
        const uint32_t before = s->computed - s->step_tokens;
        if (before < s->prompt || before + 1 < s->known()) load.prefill_tokens += s->step_tokens;
        if (s->computed < s->known() || s->max_tokens == 0) continue;
        ++load.emitting;
        load.context_tokens += s->known();
    }
    load.kv_usage = static_cast<double>(pool_.in_use()) / pool_.total();
    auto ns = [](double ms, double ratio) { return ratio > 0 && std::isfinite(ratio) ? ms * 1e6 / ratio : 0.0; };
    double total = 0;
    if (params_.role != EngineParams::decode) total += ns(params_.timing.prefill_ms(load), params_.speedup_ratio);
    if (params_.role != EngineParams::prefill)
        total += ns(params_.timing.decode_ms(load), params_.speedup_ratio * params_.decode_speedup_ratio);
    return static_cast<uint64_t>(total);
}

void EngineModel::end_step() {
    in_step_ = false;
    for (size_t i = 0; i < running_.size(); ++i) {
        Sequence* s = running_[i];
        if (!s || s->step_tokens == 0) continue;
        s->step_tokens = 0;
        if (s->computed == s->known()) emit(*s);
    }
}

uint32_t EngineModel::make_token(const Sequence& s) const {
    const uint64_t n = uint64_t{s.n_first} + s.generated;
    if (!params_.ids) return params_.vocab ? vocab_token(s.seed, n, params_.vocab) : word_token(s.seed, n);
    const std::vector<uint32_t>& ids = *params_.ids;
    size_t i = draw(s.seed, n) % ids.size();
    // The next one that is allowed: the same whoever is asked, so that a continuation agrees.
    for (size_t tries = 0; tries < s.avoid.size() && std::find(s.avoid.begin(), s.avoid.end(), ids[i]) != s.avoid.end(); ++tries)
        i = (i + 1) % ids.size();
    return ids[i];
}

void EngineModel::emit(Sequence& s) {
    TokenEvent e{s.id, s.user, step_end_, 0, s.generated, s.prompt, s.cached, s.choice, s.max_tokens > 0, Finish::none};
    if (e.has_token) {
        e.token = make_token(s);
        ++s.generated;
        ++totals_.generated_tokens;
        if (s.has_tokens) s.tokens.push_back(e.token);
    }
    if (s.natural && s.generated >= s.natural) e.finish = Finish::stop;
    else if (s.generated >= s.max_tokens || s.known() >= context_max_) e.finish = Finish::length;
    sink_->on_token(e);
    if (e.finish == Finish::none) return;
    ++(e.finish == Finish::stop ? totals_.finished_stop : totals_.finished_length);
    drop(s);
}

bool EngineModel::flush_cache(EngineSink& sink) {
    if (running_n_ > 0) return false;
    pool_.forget_free([](uint64_t) {});
    sink.on_kv({KvEvent::cleared, 0, {}, {}, {}, 0});
    return true;
}

EngineLoad EngineModel::load() const {
    EngineLoad load{running_n_, waiting_n_, pool_.in_use(), pool_.total(), 0};
    for (const Sequence* s : running_)
        if (s) load.context_tokens += s->known();
    return load;
}

uint64_t EngineModel::waiting_tokens() const {
    uint64_t sum = 0;
    for (const auto& s : all_)
        if (s->state == Sequence::waiting) sum += s->known() - match_prefix(*s) * params_.block_size;
    return sum;
}

bool EngineModel::consistent() const {
    std::vector<uint32_t> refs(pool_.ever_used(), 0);
    uint32_t waiting = 0, running = 0, linked = 0, used = 0;
    for (const auto& s : all_) {
        waiting += s->state == Sequence::waiting;
        running += s->state == Sequence::running;
        if (s->state != Sequence::running && !s->table.empty()) return false;
        if (s->state == Sequence::running && (running_[s->place] != s.get() || s->computed > s->known())) return false;
        if (s->state == Sequence::running && s->table.size() * params_.block_size < s->computed) return false;
        for (uint32_t b : s->table) ++refs[b];
    }
    for (auto& [id, first] : by_id_)
        for (const Sequence* s = first; s; s = s->sibling) linked += s->id == id;
    for (uint32_t b = 0; b < refs.size(); ++b) {
        if (refs[b] != pool_.refs(b)) return false;
        used += refs[b] > 0;
    }
    return waiting == waiting_n_ && running == running_n_ && linked == waiting + running && used == pool_.in_use();
}

}  // namespace weir::sim
