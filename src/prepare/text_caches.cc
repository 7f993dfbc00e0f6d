#include "prepare/text_caches.h"

#include <algorithm>

#include "base/assert.h"
#include "base/clock.h"

namespace weir::prepare {
namespace {

constexpr size_t cut_stride = 512;               // between places where a text may be taken up again
constexpr size_t piece_bytes = 16 * 1024;        // of a text that nobody keeps
constexpr unsigned cuts_tried = 16;              // of a hit, before a shorter one does
// How far behind a place the text may still decide whether it can be cut there: far longer than any added token. Runs of blanks or
// digits may be longer, but where one begins does not depend on where it ends.
constexpr size_t lookahead = 1'024;

// The text up to `bytes` and what may matter behind it, ending between characters.
std::string_view window(std::string_view text, size_t bytes) {
    size_t end = std::min(text.size(), bytes + lookahead);
    while (end < text.size() && end > bytes && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) end--;
    return text.substr(0, end);
}

bool take_relaxed(std::atomic<uint64_t>& counter, uint64_t n) { return counter.fetch_add(n, std::memory_order_relaxed), true; }

}  // namespace

TextCaches::TextCaches(const TextCacheOptions& options) { make(options); }
TextCaches::TextCaches(const TextCacheOptions& options, uint64_t seed) : hash_(seed) { make(options); }

void TextCaches::make(const TextCacheOptions& options) {
    extend_ = options.extend;
    if (options.l0_bytes && options.l0_entries) exact_ = std::make_unique<ExactCache>(options.l0_bytes, options.l0_entries);
    if (options.prefix_bytes) prefix_ = std::make_unique<PrefixCache>(options.prefix_bytes);
}

EncodeJob::EncodeJob(TextCaches* caches, const Tokenizer& tokenizer, std::string_view text, const EncodeOptions& options, EncodeScratch& scratch)
    : caches_(caches), tokenizer_(tokenizer), text_(text), options_(options), scratch_(scratch),
      salt_(mix64(tokenizer.fingerprint() ^ (options.add_special_tokens ? 1 : 0) ^ (options.special_as_text ? 2 : 0) ^ (options.continues ? 4 : 0))),
      cuttable_(!options.add_special_tokens && !options.special_as_text) {}   // cuts are those of plain encoding

// Asks the caches; afterwards at_ says how much of the text is done.
void EncodeJob::look_up() {
    looked_up_ = true;
    if (!caches_) return;
    if (caches_->exact_) {
        whole_ = caches_->hash_.whole(text_, salt_);
        ready_ = caches_->exact_->find(whole_, text_);
        take_relaxed(ready_ ? caches_->counts_.l0_hits : caches_->counts_.l0_misses, 1);
        if (ready_) {
            at_ = reused_ = text_.size();
            take_relaxed(caches_->counts_.l0_bytes, text_.size());
            take_relaxed(caches_->counts_.cached_tokens, ready_->size());
            return;
        }
    }
    if (!caches_->prefix_ || !cuttable_) return;
    caches_->hash_.beginnings(text_, salt_, keys_);
    find_beginning();
    take_relaxed(parent_ ? caches_->counts_.prefix_hits : caches_->counts_.prefix_misses, 1);
    if (!parent_) return;
    at_ = reused_ = from_.bytes;
    ids_.reserve(from_.ids + (text_.size() - at_) / 2 + 16);
    PrefixCache::ids_before(*parent_, from_, ids_);
    take_relaxed(caches_->counts_.prefix_bytes, at_);
    take_relaxed(caches_->counts_.cached_tokens, from_.ids);
}

// The longest cut of a known text that is one of this text as well.
void EncodeJob::find_beginning() {
    PrefixCache& cache = *caches_->prefix_;
    PrefixCache::Hit hit = cache.find(keys_);
    if (!hit.node) return;
    // All that can matter for this one is the same in both texts.
    Cut anchor;
    PrefixCache::NodeRef at = hit.node;
    if (hit.common > lookahead && PrefixCache::next_cut(at, hit.common - lookahead, anchor)) {
        parent_ = at;
        from_ = anchor;
    }
    auto is_cut_here = [&](uint64_t bytes) {
        std::string_view rest = text_.substr(anchor.bytes);
        return tokenizer_.safe_cut(window(rest, bytes - anchor.bytes), bytes - anchor.bytes) == bytes - anchor.bytes;
    };
    auto take = [&](PrefixCache::NodeRef node, uint64_t bytes) {
        Cut cut;
        if (!node || !PrefixCache::next_cut(node, bytes, cut) || cut.bytes != bytes || !is_cut_here(bytes)) return false;
        parent_ = std::move(node);
        from_ = cut;
        return true;
    };
    // Both may go on alike for less than a block.
    uint64_t end = std::min<uint64_t>(hit.common + TextHash::block_bytes, text_.size());
    auto& own = hit.node->cuts;
    unsigned tried = 0;
    for (auto cut = std::ranges::lower_bound(own, end, {}, &Cut::bytes); cut != own.begin() && tried < cuts_tried; tried++) {
        --cut;
        if (cut->bytes <= hit.common) break;
        if (take(cache.find_cut(caches_->hash_.beginning(text_, keys_, cut->bytes)), cut->bytes)) return;
    }
    uint64_t limit = hit.common;
    for (Cut cut; tried < cuts_tried && PrefixCache::next_cut(at = hit.node, limit, cut) && cut.bytes > anchor.bytes; tried++) {
        if (take(hit.node, cut.bytes)) return;
        limit = cut.bytes - 1;
    }
}

size_t EncodeJob::next_bytes() {
    if (!looked_up_) look_up();
    if (piece_ || at_ >= text_.size()) return piece_;
    std::string_view rest = text_.substr(at_);
    piece_ = rest.size();
    if (!cuttable_) return piece_;
    size_t stride = keys_.empty() ? piece_bytes : cut_stride;
    // Where no cut is known nearby, one farther away will do.
    for (size_t limit = stride; limit < rest.size(); limit *= 4)
        if (size_t cut = tokenizer_.safe_cut(window(rest, limit), limit)) return piece_ = cut;
    if (!keys_.empty() && rest.size() > 1)       // near the end, so that the next turn finds it
        if (size_t cut = tokenizer_.safe_cut(rest, rest.size() - 1)) piece_ = cut;
    return piece_;
}

Result<bool> EncodeJob::step(size_t bytes) {
    for (size_t done = 0; next_bytes();) {
        if (done && done + piece_ > bytes) return false;
        EncodeOptions options = options_;
        options.continues |= at_ > 0;
        TRY_OK(tokenizer_.encode(text_.substr(at_, piece_), options, scratch_, ids_));
        at_ += piece_;
        done += piece_;
        piece_ = 0;
        if (!keys_.empty() && at_ < text_.size()) cuts_.push_back({at_, static_cast<uint32_t>(ids_.size())});
    }
    // An empty text still has the ids that a post-processor adds.
    if (text_.empty() && !ready_ && options_.add_special_tokens && ids_.empty()) TRY_OK(tokenizer_.encode(text_, options_, scratch_, ids_));
    if (!ready_) keep();
    return true;
}

void EncodeJob::keep() {
    if (caches_) {
        take_relaxed(caches_->counts_.uncached_tokens, ids_.size() - from_.ids);
        if (caches_->prefix_ && !keys_.empty() && (caches_->extend_ || from_.bytes == 0)) {
            std::vector<TextKey> cut_keys;
            for (auto& cut : cuts_)
                if (cut.bytes >= TextHash::block_bytes) cut_keys.push_back(caches_->hash_.beginning(text_, keys_, cut.bytes));
            caches_->prefix_->insert(keys_, cut_keys, parent_, from_, std::span(ids_).subspan(from_.ids), cuts_);
        }
    }
    ready_ = std::make_shared<const std::vector<uint32_t>>(std::move(ids_));
    if (caches_ && caches_->exact_) caches_->exact_->insert(whole_, text_, ready_);
}

TokenIds EncodeJob::take() {
    ASSERT(ready_);
    return std::move(ready_);
}

Result<TokenIds> encode_text(TextCaches* caches, const Tokenizer& tokenizer, std::string_view text, const EncodeOptions& options, EncodeScratch& scratch) {
    EncodeJob job(caches, tokenizer, text, options, scratch);
    TRY_OK(job.step(text.size() + 1));
    return job.take();
}

}  // namespace weir::prepare
