// Text to ids through the caches: exact text, then the longest known beginning, then the tokenizer. Same ids as without, always.
#pragma once
#include <memory>
#include <string_view>

#include "prepare/exact_cache.h"
#include "prepare/prefix_cache.h"
#include "tokenizer/tokenizer.h"

namespace weir::prepare {

struct TextCacheOptions {
    uint64_t l0_bytes = 0, l0_entries = 0;       // 0: no exact cache
    uint64_t prefix_bytes = 0;                   // 0: no prefix cache, and so no turn reuse
    bool extend = true;                          // what follows a known beginning is kept behind it; else only texts with a new beginning are
};

// Shared by all cores, for all tokenizers of the process.
class TextCaches {
public:
    explicit TextCaches(const TextCacheOptions&);
    TextCaches(const TextCacheOptions&, uint64_t seed);   // tests
    struct Counts {                              // relaxed: statistics
        std::atomic<uint64_t> l0_hits{0}, l0_misses{0}, l0_bytes{0};              // bytes of text that needed no work
        std::atomic<uint64_t> prefix_hits{0}, prefix_misses{0}, prefix_bytes{0};
        std::atomic<uint64_t> cached_tokens{0}, uncached_tokens{0};
    };
    const Counts& counts() const { return counts_; }
    const ExactCache* exact() const { return exact_.get(); }
    const PrefixCache* prefix() const { return prefix_.get(); }

private:
    friend class EncodeJob;
    void make(const TextCacheOptions&);
    TextHash hash_;
    std::unique_ptr<ExactCache> exact_;
    std::unique_ptr<PrefixCache> prefix_;
    bool extend_ = true;
    Counts counts_;
};

// One text on its way to ids, in steps short enough for a core that others wait for. One thread at a time; text, tokenizer, scratch
// and caches outlive it.
class EncodeJob {
public:
    EncodeJob(TextCaches* caches, const Tokenizer& tokenizer, std::string_view text, const EncodeOptions& options, EncodeScratch& scratch);
    // Bytes that the next piece of text has; pieces cannot be interrupted. 0: done.
    size_t next_bytes();
    // Encodes pieces until at least `bytes` are done; true when the text is. Failure: as Tokenizer::encode.
    Result<bool> step(size_t bytes);
    TokenIds take();                             // once, after step() said true
    size_t reused_bytes() const { return reused_; }   // of the text: how much the caches knew

private:
    void look_up();
    void find_beginning();
    void keep();
    TextCaches* caches_;
    const Tokenizer& tokenizer_;
    std::string_view text_;
    EncodeOptions options_;
    EncodeScratch& scratch_;
    uint64_t salt_ = 0;
    bool looked_up_ = false, cuttable_ = false;
    TextKey whole_;
    std::vector<TextKey> keys_;
    PrefixCache::NodeRef parent_;
    Cut from_;                                   // what the caches gave
    std::vector<Cut> cuts_;                      // behind it
    std::vector<uint32_t> ids_;
    TokenIds ready_;
    size_t at_ = 0, piece_ = 0, reused_ = 0;
};

// All steps at once: tools, tests, pool threads.
Result<TokenIds> encode_text(TextCaches* caches, const Tokenizer&, std::string_view text, const EncodeOptions&, EncodeScratch&);

}  // namespace weir::prepare
