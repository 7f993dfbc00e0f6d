#include "kv/text_index.h"

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <utility>

#include "kv/matcher.h"
#include "kv/text_blocks.h"

namespace weir::kv {
namespace {

// What a rank holds of a group of blocks, in a list by last use. A rank's parents are always used after their children, so the last of the
// list are ends.
struct Held {
    Rank rank;
    uint32_t group, age_of_rank;                 // another age: the rank was removed since, this is void
    uint32_t newer, older, next;                 // 0: none; next: in the bucket or the free list
    uint16_t places;
    std::array<uint8_t, group_blocks> chars;     // of each place
};

constexpr uint64_t group_bytes = 384;            // what a group takes in the index at most, with its share of tables and sets
constexpr uint64_t held_bytes = sizeof(Held) + 2 * sizeof(uint32_t);
constexpr uint32_t chunk = 1'024, tend_slices_max = 64;

class TextIndexOverBlocks final : public TextIndex {
public:
    TextIndexOverBlocks(TextIndexSettings settings, std::unique_ptr<KvIndex> index, uint32_t held_max)
        : settings_(settings), index_(std::move(index)), held_max_(held_max), buckets_(std::bit_ceil(held_max), 0) {}

    std::unique_ptr<Lookup> lookup() override { return std::make_unique<Reader>(*index_); }

    void insert(Rank rank, std::string_view text, Instant) override {
        thread_local TextBlocks blocks;
        thread_local std::vector<Touched> touched;
        blocks.cut(text, text_chars_max);
        if (blocks.hashes.empty()) return;
        touched.clear();
        std::lock_guard hold(mutex_);
        uint32_t at = 0;
        index_->hold_path(rank, blocks.hashes, [&](uint32_t group, uint32_t from, uint32_t to) {
            touched.push_back({group, from, to, at});
            at += to - from + 1;
        });
        if (rank >= ages_.size()) ages_.resize(rank + 1), chars_of_.resize(rank + 1);
        for (auto t = touched.rbegin(); t != touched.rend(); ++t) touch(rank, *t, blocks);
        inserted_++;
    }

    void remove_ranks(Rank first, uint32_t n) override {
        std::lock_guard hold(mutex_);
        index_->remove_ranks(first, n);
        for (Rank rank = first; rank < first + n && rank < ages_.size(); rank++) {
            ages_[rank]++;
            chars_ -= std::exchange(chars_of_[rank], 0);
        }
    }

    void tend(Instant now) override {
        for (uint32_t i = 0; i < tend_slices_max && index_->tend(); i++) {}
        if (evicted_at_ && now < evicted_at_ + settings_.evict_every_ms * ns_per_ms) return;
        bool first = !evicted_at_;
        evicted_at_ = std::max<Instant>(now, 1);
        if (first) return;
        for (bool more = true; more;) {          // in short holds
            std::lock_guard hold(mutex_);
            for (uint32_t i = 0; i < 16 && more; i++) {
                more = chars_ > settings_.chars_max && oldest_;
                if (more) drop(oldest_);
            }
        }
    }

    TextIndexStats stats() const override {
        std::lock_guard hold(mutex_);
        uint64_t own = chunks_.size() * chunk * sizeof(Held) + buckets_.size() * sizeof(uint32_t) + ages_.size() * 12;
        return {chars_, index_->stats().bytes + own, inserted_, evicted_};
    }

private:
    struct Touched { uint32_t group, from, to, first; };   // first: which block of the text `from` is

    class Reader final : public Lookup {
    public:
        explicit Reader(KvIndex& index) : matcher_(index) {}
        std::span<const Match> match(std::string_view text) override {
            blocks_.cut(text, text_chars_max);
            out_.clear();
            for (auto& found : matcher_.match(blocks_.hashes))
                if (found.predicted) out_.push_back({found.rank, blocks_.chars_until(found.predicted)});
            return out_;
        }

    private:
        Matcher matcher_;
        TextBlocks blocks_;
        std::vector<Match> out_;
    };

    Held& at(uint32_t i) { return chunks_[i / chunk][i % chunk]; }
    uint32_t& bucket(Rank rank, uint32_t group) { return buckets_[mix64(uint64_t{rank} << 32 | group) & (buckets_.size() - 1)]; }

    void touch(Rank rank, const Touched& t, const TextBlocks& blocks) {
        uint32_t i = find(rank, t.group);
        if (!i) i = add(rank, t.group);
        else to_front(i);
        Held& h = at(i);
        uint64_t before = chars_;
        if (h.age_of_rank != ages_[rank]) h.age_of_rank = ages_[rank], h.places = 0, h.chars = {};
        for (uint32_t place = t.from, block = t.first; place <= t.to; place++, block++) {
            auto chars = static_cast<uint8_t>(blocks.chars_until(block + 1) - blocks.chars_until(block));
            chars_ += chars - h.chars[place];    // may wrap on the way
            h.chars[place] = chars;
            h.places = static_cast<uint16_t>(h.places | 1u << place);
        }
        chars_of_[rank] += chars_ - before;
    }

    uint32_t find(Rank rank, uint32_t group) {
        uint32_t i = bucket(rank, group);
        while (i && (at(i).rank != rank || at(i).group != group)) i = at(i).next;
        return i;
    }

    uint32_t add(Rank rank, uint32_t group) {
        if (size_ >= held_max_) drop(oldest_);
        uint32_t i = free_;
        if (i) {
            free_ = at(i).next;
        } else {
            i = ++made_;
            if (i / chunk >= chunks_.size()) chunks_.push_back(std::make_unique<Held[]>(chunk));
        }
        uint32_t& head = bucket(rank, group);
        at(i) = {.rank = rank, .group = group, .age_of_rank = ages_[rank], .newer = 0, .older = 0, .next = head, .places = 0, .chars = {}};
        head = i;
        size_++;
        push_front(i);
        return i;
    }

    void push_front(uint32_t i) {
        at(i).newer = 0, at(i).older = newest_;
        (newest_ ? at(newest_).newer : oldest_) = i;
        newest_ = i;
    }
    void unlink(uint32_t i) {
        Held& h = at(i);
        (h.newer ? at(h.newer).older : newest_) = h.older;
        (h.older ? at(h.older).newer : oldest_) = h.newer;
    }
    void to_front(uint32_t i) {
        if (newest_ == i) return;
        unlink(i);
        push_front(i);
    }

    void drop(uint32_t i) {
        Held& h = at(i);
        if (h.age_of_rank == ages_[h.rank]) {
            index_->release_places(h.rank, h.group, h.places);
            uint64_t chars = 0;
            for (uint8_t n : h.chars) chars += n;
            chars_ -= chars, chars_of_[h.rank] -= chars, evicted_ += chars;
        }
        unlink(i);
        uint32_t* link = &bucket(h.rank, h.group);
        while (*link != i) link = &at(*link).next;
        *link = h.next;
        h.next = free_;
        free_ = i;
        size_--;
    }

    TextIndexSettings settings_;
    std::unique_ptr<KvIndex> index_;
    mutable std::mutex mutex_;                   // around everything below
    uint32_t held_max_, size_ = 0, made_ = 0, free_ = 0, newest_ = 0, oldest_ = 0;
    std::vector<uint32_t> buckets_;
    std::vector<std::unique_ptr<Held[]>> chunks_;
    std::vector<uint32_t> ages_;                 // by rank: how often it was removed
    std::vector<uint64_t> chars_of_;             // by rank
    uint64_t chars_ = 0, inserted_ = 0, evicted_ = 0;
    Instant evicted_at_ = 0;                     // tend()'s own
};
}  // namespace

// No rank can hold more groups than there are entries, so the index always has room and never evicts by itself.
Result<std::unique_ptr<TextIndex>> TextIndex::make(TextIndexSettings settings) {
    if (settings.bytes_max < text_bytes_min) return Failure(Code::bad_field, "the text index needs at least 4 MB");
    uint64_t held_max = std::min<uint64_t>(settings.bytes_max / (group_bytes + held_bytes + sizeof(uint32_t)), UINT32_MAX / 4);
    uint64_t own = held_max * (held_bytes + sizeof(uint32_t));
    TRY(auto index, KvIndex::make({.bytes_max = settings.bytes_max - own}));
    return std::unique_ptr<TextIndex>(new TextIndexOverBlocks(settings, std::move(index), static_cast<uint32_t>(held_max)));
}

}  // namespace weir::kv
