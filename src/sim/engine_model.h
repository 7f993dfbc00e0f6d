// One simulated engine: requests in, tokens out, in scheduler steps like vLLM's. Pure: time is a number that callers pass in.
#pragma once
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/list.h"
#include "base/result.h"
#include "sim/block_hash.h"
#include "sim/block_pool.h"
#include "sim/timing.h"

namespace weir::sim {

inline constexpr Instant never = ~Instant{0};

struct EngineParams {                        // defaults are those of Dynamo's mocker
    uint32_t max_num_seqs = 256;             // sequences running at once
    uint32_t max_num_batched_tokens = 8'192; // computed in one step
    uint32_t block_size = 64;                // tokens
    uint32_t num_blocks = 16'384;            // of KV cache
    uint32_t max_model_len = 0;              // tokens of prompt and answer; 0, or too many: what the KV cache holds
    uint32_t queue_len_max = 65'536;         // sequences waiting; beyond: submit() refuses
    bool chunked_prefill = true;             // false: a prompt is computed in one step, alone if it exceeds the budget
    bool prefix_caching = true;
    double watermark = 0;                    // share of blocks kept free when a new sequence is let in beside others
    Timing timing;
    double speedup_ratio = 1.0;              // divides every duration; 0 or infinite: steps take no time
    double decode_speedup_ratio = 1.0;       // besides, of the decode part
    enum Role : uint8_t { whole, prefill, decode } role = whole;   // prefill: decode part free; decode: prefill part free
    uint32_t vocab = 0;                      // 0: tokens of words (text.h); else ids 256..vocab-1
    std::shared_ptr<const std::vector<uint32_t>> ids;   // not null: answers are made of these ids, whatever `vocab`; not empty
    Result<void> check() const;              // is it a possible engine? Code::bad_field, param = member name
};

enum class Finish : uint8_t { none, length, stop };

struct RequestSpec {
    uint64_t id = 0;                         // the caller's, unique among live requests
    std::vector<uint32_t> tokens;            // prompt; or
    std::vector<uint64_t> block_hashes;      // ... its full blocks (not chained) and its length: traces have no tokens
    uint32_t prompt_tokens = 0;              // with block_hashes only
    uint32_t max_tokens = 16;                // 0: compute the prompt only (embeddings)
    uint32_t natural_tokens = 0;             // the answer ends by itself (Finish::stop) after so many; 0: never
    uint64_t seed = 0;                       // the n-th token is a function of (seed, n)
    uint64_t hash_seed = plain_hash_seed;
    uint32_t n_first = 0;                    // the n of the first token: an answer that continues another goes on with its tokens
    std::vector<uint32_t> avoid;             // ids of EngineParams::ids that the answer must not have
    uint16_t n = 1, first_choice = 0;        // choices first_choice and on, sequences of their own;
                                             // the k-th of them has seed choice_seed(seed, k)
    void* user = nullptr;                    // given back in every event
};

struct TokenEvent {
    uint64_t id;
    void* user;
    Instant at;                              // when the step that made it ended
    uint32_t token, index;                   // index 0 is the first; meaningless without has_token
    uint32_t prompt_tokens, cached_tokens;   // cached: prompt tokens found in the KV cache at admission
    uint16_t choice;
    bool has_token;                          // false: max_tokens was 0, the prompt is computed
    Finish finish;                           // not none: the last event of this choice
};

struct KvEvent {                             // what the prefix cache gained or lost; views die with the call
    enum Kind : uint8_t { stored, removed, cleared } kind;
    uint64_t parent;                         // stored: chained hash of the block before; 0: none
    std::span<const uint64_t> chained;       // hashes; removed: these only
    std::span<const uint64_t> local;         // stored
    std::span<const uint32_t> tokens;        // stored, of all these blocks; empty when the request came as hashes
    uint64_t id;                             // stored: the request that computed them
};

class EngineSink {                           // called inside advance() and flush_cache(); must not call back into the engine
public:
    virtual ~EngineSink() = default;
    virtual void on_token(const TokenEvent&) = 0;
    virtual void on_kv(const KvEvent&) {}
};

struct EngineLoad {
    uint32_t running = 0, waiting = 0, blocks_in_use = 0, blocks_total = 0;
    uint64_t context_tokens = 0;             // of running sequences
    double kv_usage() const { return blocks_total ? static_cast<double>(blocks_in_use) / blocks_total : 0; }
};
struct EngineTotals {                        // since the start
    uint64_t steps = 0, requests = 0, finished_length = 0, finished_stop = 0, cancelled = 0, refused = 0;   // sequences
    uint64_t prompt_tokens = 0, computed_tokens = 0, generated_tokens = 0, preemptions = 0;
    uint64_t cache_query_tokens = 0, cache_hit_tokens = 0, evicted_blocks = 0;
    double hit_rate() const {                // of prompt tokens in the prefix cache
        return cache_query_tokens ? static_cast<double>(cache_hit_tokens) / static_cast<double>(cache_query_tokens) : 0;
    }
    EngineTotals& operator+=(const EngineTotals&);
};

// One thread. O(1) a token, O(prompt) a submit. A step begins when something can run and shows its tokens at its end; who is
// submitted in between waits for the next one.
class EngineModel {
public:
    explicit EngineModel(const EngineParams&);   // asserts check()
    ~EngineModel();
    EngineModel(const EngineModel&) = delete;

    // Code::too_large: prompt and one token exceed the context. Code::queue_full. Code::bad_field: n is 0, or the id is alive.
    Result<void> submit(RequestSpec, Instant now);
    bool cancel(uint64_t id);                // all its choices, or the ones still alive; false: unknown. No event follows
    bool stop_choice(uint64_t id, uint16_t choice);   // a stop string was seen: counts as finished, no event follows

    Instant next_event_time() const;         // call advance() then; never: idle. May lie in the past
    // Runs steps that begin or end by `now`, at most `steps_max` of them, then next_event_time() may still be <= now.
    void advance(Instant now, EngineSink&, size_t steps_max = 64);
    bool flush_cache(EngineSink&);           // false: requests are running, nothing done

    EngineLoad load() const;                 // O(running)
    uint32_t running() const { return running_n_; }
    uint32_t waiting() const { return waiting_n_; }
    uint64_t waiting_tokens() const;         // to be computed for those who wait, less what is in the KV cache now; O(their blocks)
    const EngineTotals& totals() const { return totals_; }
    const EngineParams& params() const { return params_; }
    uint32_t context_max() const { return context_max_; }   // tokens of prompt and answer
    // Every block not free is referenced exactly as often as sequences say, queues and index agree. For tests.
    bool consistent() const;

private:
    struct Sequence;
    Sequence& take_sequence();
    void drop(Sequence&);
    void begin_step(Instant at);
    void end_step();
    void schedule_running(uint32_t& budget);
    bool admit(Sequence&, uint32_t& budget);
    bool make_room(const Sequence&, uint32_t blocks, uint32_t& budget);
    void preempt(Sequence&, uint32_t& budget);
    uint32_t match_prefix(const Sequence&) const;
    void compute(Sequence&, uint32_t tokens);
    void name_blocks(Sequence&);
    void extend_hashes(Sequence&, size_t blocks);
    void free_blocks(Sequence&);
    void emit(Sequence&);
    uint32_t make_token(const Sequence&) const;
    uint64_t step_ns() const;
    Instant next_start() const;

    EngineParams params_;
    uint32_t context_max_;
    BlockPool pool_;
    std::vector<std::unique_ptr<Sequence>> all_;
    std::vector<Sequence*> spare_;
    std::vector<Sequence*> running_;                 // in order of admission; null: dropped since the step began
    List<Sequence> waiting_;
    uint32_t waiting_n_ = 0, running_n_ = 0;
    std::unordered_map<uint64_t, Sequence*> by_id_;  // first of a chain through Sequence::sibling
    EngineTotals totals_;
    EngineSink* sink_ = nullptr;
    Instant step_end_ = 0;
    bool in_step_ = false, preempted_in_step_ = false;
};

}  // namespace weir::sim
