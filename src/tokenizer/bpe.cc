#include "tokenizer/bpe.h"

#include <algorithm>

#include "tokenizer/unicode_utf8.h"

namespace weir::tok {
namespace {

constexpr size_t short_max = 40;            // symbols; above, a heap is faster
constexpr char32_t chars_kept = 0x3100;     // ids of characters below are found without hashing
constexpr uint32_t gone = ~0u;

}  // namespace

std::unique_ptr<Bpe> Bpe::build(const ModelSpec& spec, const Vocab& vocab) {
    if (vocab.size() >= BpePairs::ids_max || spec.merges.size() >= BpePairs::none) return nullptr;
    std::unique_ptr<Bpe> made(new Bpe(spec, vocab));
    if (!spec.merge_by_rank_of_token || !spec.merges.empty()) made->fill_from_list(spec);
    else if (!made->fill_from_ranks(spec)) return nullptr;
    return made;
}

Bpe::Bpe(const ModelSpec& spec, const Vocab& vocab)
    : vocab_(vocab), prefix_(spec.continuing_subword_prefix), suffix_(spec.end_of_word_suffix), unk_(spec.unk_token.value_or("")),
      has_unk_(spec.unk_token.has_value()), fuse_unk_(spec.fuse_unk), byte_fallback_(spec.byte_fallback), ignore_merges_(spec.ignore_merges) {
    if (has_unk_) unk_id_ = vocab.model_id(unk_);
    for (int b = 0; b < 256; b++) {
        constexpr char digits[] = "0123456789ABCDEF";
        const char name[] = {'<', '0', 'x', digits[b >> 4], digits[b & 15], '>'};
        byte_ids_[static_cast<size_t>(b)] = vocab.model_id({name, 6});
    }
    chars_.assign(chars_kept, Vocab::none);
    std::string text;
    for (char32_t c = 0; c < chars_kept; c++) {
        text.clear();
        unicode::append_point(text, c);
        chars_[c] = vocab.model_id(text);
    }
}

void Bpe::fill_from_list(const ModelSpec& spec) {
    pairs_.reserve(spec.merges.size());
    merged_ = spec.merged;
    order_ = spec.merge_ranks;
    std::string text;
    for (uint32_t rank = 0; rank < spec.merges.size(); rank++) {
        constexpr uint32_t ahead = 16;
        if (rank + ahead < spec.merges.size()) pairs_.prefetch(spec.merges[rank + ahead].first, spec.merges[rank + ahead].second);
        const auto [left, right] = spec.merges[rank];
        if (spec.merged.empty()) {
            text = vocab_.text(left);
            text += vocab_.text(right).substr(std::min(prefix_.size(), vocab_.text(right).size()));
            merged_.push_back(vocab_.model_id(text));
        }
        pairs_.put(left, right, rank);
    }
}

// tiktoken, SentencePiece: any two tokens whose concatenation is one.
bool Bpe::fill_from_ranks(const ModelSpec& spec) {
    struct Merge {
        uint32_t left, right, token, rank;
    };
    std::vector<Merge> found;
    for (uint32_t id = 0; id < vocab_.size(); id++) {
        const std::string_view text = vocab_.text(id);
        const uint32_t rank = spec.ranks.empty() ? id : id < spec.ranks.size() ? spec.ranks[id] : ModelSpec::no_rank;
        if (rank == ModelSpec::no_rank || text.empty() || vocab_.model_id(text) != id) continue;
        for (size_t cut = 1; cut < text.size(); cut++) {
            if ((static_cast<uint8_t>(text[cut]) & 0xC0) == 0x80) continue;
            const uint32_t left = vocab_.model_id(text.substr(0, cut));
            if (left == Vocab::none) continue;
            const uint32_t right = vocab_.model_id(text.substr(cut));
            if (right != Vocab::none) found.push_back({left, right, id, rank});
        }
    }
    if (found.size() >= BpePairs::none) return false;
    std::stable_sort(found.begin(), found.end(), [](const Merge& a, const Merge& b) { return a.rank < b.rank; });
    pairs_.reserve(found.size());
    for (uint32_t number = 0; number < found.size(); number++) {
        pairs_.put(found[number].left, found[number].right, number);
        merged_.push_back(found[number].token);
        order_.push_back(found[number].rank);
    }
    return true;
}

size_t Bpe::memory_bytes() const { return sizeof *this + pairs_.memory_bytes() + 4 * (merged_.capacity() + order_.capacity() + chars_.capacity()); }

bool Bpe::put_bytes(std::string_view text, BpeScratch& s) const {
    for (const char c : text) {
        if (byte_ids_[static_cast<uint8_t>(c)] == Vocab::none) return false;
    }
    for (const char c : text) s.ids.push_back(byte_ids_[static_cast<uint8_t>(c)]), s.lens.push_back(1);
    return true;
}

Result<void> Bpe::symbols(std::string_view piece, BpeScratch& s) const {
    s.ids.clear(), s.lens.clear();
    uint32_t unknown = 0;
    const auto flush = [&] {
        if (unknown > 0) s.ids.push_back(unk_id_), s.lens.push_back(unknown);
        unknown = 0;
    };
    std::string spelled;
    const bool decorated = !plain();
    const char *p = piece.data(), *end = p + piece.size();
    while (p < end) {
        const char* from = p;
        const char32_t c = unicode::next_point(p);
        const auto len = static_cast<uint32_t>(p - from);
        std::string_view text(from, len);
        if (decorated) {
            spelled.clear();
            if (from != piece.data()) spelled += prefix_;
            spelled += text;
            if (p == end) spelled += suffix_;
            text = spelled;
        }
        const uint32_t id = !decorated && c < chars_.size() ? chars_[c] : vocab_.model_id(text);
        if (id != Vocab::none) {
            flush();
            s.ids.push_back(id), s.lens.push_back(len);
            continue;
        }
        if (byte_fallback_ && put_bytes(text, s)) continue;
        if (!has_unk_) continue;    // the character is lost, as it is in the reference
        if (unk_id_ == Vocab::none) return Failure(Code::bad_field, "the unknown token '" + unk_ + "' is not in the vocabulary");
        if (!fuse_unk_) flush();
        unknown += len;
    }
    flush();
    return {};
}

Result<void> Bpe::encode(std::string_view piece, ModelScratch& scratch, std::vector<ModelToken>& out) const {
    if (ignore_merges_) {
        const uint32_t id = vocab_.model_id(piece);
        if (id != Vocab::none) {
            out.push_back({id, 0, static_cast<uint32_t>(piece.size()), true});
            return {};
        }
    }
    BpeScratch& s = scratch.bpe;
    TRY_OK(symbols(piece, s));
    merge(s);
    uint32_t at = 0;
    for (size_t i = 0; i < s.ids.size(); i++) {
        out.push_back({s.ids[i], at, at + s.lens[i], true});
        at += s.lens[i];
    }
    return {};
}

void Bpe::merge(BpeScratch& s) const {
    if (s.ids.size() <= short_max) merge_short(s);
    else merge_long(s);
}

void Bpe::merge_short(BpeScratch& s) const {
    size_t n = s.ids.size();
    uint32_t ranks[short_max + 1];
    uint32_t *ids = s.ids.data(), *lens = s.lens.data();
    for (size_t i = 0; i + 1 < n; i++) ranks[i] = order(pairs_.rank(ids[i], ids[i + 1]));
    while (n > 1) {
        size_t at = 0;
        for (size_t i = 1; i + 1 < n; i++) at = ranks[i] < ranks[at] ? i : at;
        if (ranks[at] == BpePairs::none) break;
        ids[at] = merged_[tied() ? pairs_.rank(ids[at], ids[at + 1]) : ranks[at]];
        lens[at] += lens[at + 1];
        n--;
        std::copy(ids + at + 2, ids + n + 1, ids + at + 1);
        std::copy(lens + at + 2, lens + n + 1, lens + at + 1);
        std::copy(ranks + at + 1, ranks + n, ranks + at);
        if (at + 1 < n) ranks[at] = order(pairs_.rank(ids[at], ids[at + 1]));
        if (at > 0) ranks[at - 1] = order(pairs_.rank(ids[at - 1], ids[at]));
    }
    s.ids.resize(n), s.lens.resize(n);
}

void Bpe::merge_long(BpeScratch& s) const {
    const auto n = static_cast<uint32_t>(s.ids.size());
    s.ranks.assign(n, BpePairs::none), s.before.resize(n), s.after.resize(n);
    s.heap.clear();
    for (uint32_t i = 0; i < n; i++) {
        s.before[i] = i - 1, s.after[i] = i + 1 < n ? i + 1 : gone;
        if (i + 1 == n) break;
        s.ranks[i] = order(pairs_.rank(s.ids[i], s.ids[i + 1]));
        if (s.ranks[i] != BpePairs::none) s.heap.push_back(uint64_t(s.ranks[i]) << 32 | i);
    }
    std::make_heap(s.heap.begin(), s.heap.end(), std::greater<>());
    const auto offer = [&](uint32_t at) {
        const uint32_t right = s.after[at];
        s.ranks[at] = right == gone ? BpePairs::none : order(pairs_.rank(s.ids[at], s.ids[right]));
        if (s.ranks[at] == BpePairs::none) return;
        s.heap.push_back(uint64_t(s.ranks[at]) << 32 | at);
        std::push_heap(s.heap.begin(), s.heap.end(), std::greater<>());
    };
    while (!s.heap.empty()) {
        std::pop_heap(s.heap.begin(), s.heap.end(), std::greater<>());
        const auto rank = static_cast<uint32_t>(s.heap.back() >> 32), at = static_cast<uint32_t>(s.heap.back());
        s.heap.pop_back();
        if (s.lens[at] == 0 || s.ranks[at] != rank) continue;    // a neighbour changed since
        const uint32_t right = s.after[at];
        s.ids[at] = merged_[tied() ? pairs_.rank(s.ids[at], s.ids[right]) : rank];
        s.lens[at] += s.lens[right];
        s.lens[right] = 0;
        s.after[at] = s.after[right];
        if (s.after[at] != gone) s.before[s.after[at]] = at;
        offer(at);
        if (at > 0) offer(s.before[at]);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i = s.after[i]) {
        s.ids[kept] = s.ids[i], s.lens[kept] = s.lens[i];
        kept++;
        if (s.after[i] == gone) break;
    }
    s.ids.resize(kept), s.lens.resize(kept);
}

}  // namespace weir::tok
