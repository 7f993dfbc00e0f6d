// BPE the plain way: characters, then merges by rank from a heap.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "tokenizer/aligned.h"
#include "tokenizer/models.h"

namespace weir::tok {
namespace {

using Pair = ModelScratch::Pair;

bool later(const Pair& a, const Pair& b) { return a.rank != b.rank ? a.rank > b.rank : a.at > b.at; }

class PlainBpe final : public Model {
public:
    PlainBpe(const ModelSpec& spec, const Vocab& vocab)
        : vocab_(vocab), prefix_(spec.continuing_subword_prefix), suffix_(spec.end_of_word_suffix), unk_(spec.unk_token), fuse_unk_(spec.fuse_unk),
          byte_fallback_(spec.byte_fallback), ignore_merges_(spec.ignore_merges) {
        merges_.reserve(spec.merges.size());
        for (uint32_t rank = 0; rank < spec.merges.size(); rank++) merges_[key(spec.merges[rank].first, spec.merges[rank].second)] = {rank, spec.merged[rank]};
        if (unk_) unk_id_ = vocab.model_id(*unk_);
    }

    Result<void> encode(std::string_view piece, ModelScratch& scratch, std::vector<ModelToken>& out) const override {
        if (ignore_merges_) {
            const uint32_t id = vocab_.model_id(piece);
            if (id != Vocab::none) {
                out.push_back({id, 0, static_cast<uint32_t>(piece.size()), true});
                return {};
            }
        }
        TRY_OK(symbols(piece, scratch));
        merge(scratch);
        uint32_t at = 0;
        for (const auto& symbol : scratch.symbols) {
            if (symbol.len == 0) continue;
            out.push_back({symbol.id, at, at + symbol.len, true});
            at += symbol.len;
        }
        return {};
    }
    size_t memory_bytes() const override { return merges_.size() * 40; }

private:
    static uint64_t key(uint32_t left, uint32_t right) { return uint64_t(left) << 32 | right; }

    static void add(ModelScratch& scratch, uint32_t id, uint32_t len) {
        const auto at = static_cast<int32_t>(scratch.symbols.size());
        if (at > 0) scratch.symbols.back().after = at;
        scratch.symbols.push_back({id, len, at - 1, -1});
    }

    Result<void> symbols(std::string_view piece, ModelScratch& scratch) const {
        scratch.symbols.clear();
        uint32_t unknown = 0;
        for (size_t at = 0; at < piece.size();) {
            const uint32_t len = char_len(piece[at]);
            scratch.text.clear();
            if (at > 0) scratch.text += prefix_;
            scratch.text += piece.substr(at, len);
            if (at + len == piece.size()) scratch.text += suffix_;
            at += len;
            const uint32_t id = vocab_.model_id(scratch.text);
            if (id != Vocab::none) {
                if (unknown > 0) add(scratch, unk_id_, unknown);
                unknown = 0;
                add(scratch, id, len);
                continue;
            }
            if (byte_fallback_ && bytes(scratch)) continue;
            if (!unk_) continue;                                     // the character is lost
            if (unk_id_ == Vocab::none) return Failure(Code::bad_field, "the unknown token '" + *unk_ + "' is not in the vocabulary");
            if (unknown > 0 && !fuse_unk_) add(scratch, unk_id_, unknown), unknown = 0;
            unknown += len;
        }
        if (unknown > 0) add(scratch, unk_id_, unknown);
        return {};
    }
    bool bytes(ModelScratch& scratch) const {
        constexpr char digits[] = "0123456789ABCDEF";
        std::vector<uint32_t> ids;
        for (const char c : scratch.text) {
            const auto byte = static_cast<uint8_t>(c);
            const char name[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
            ids.push_back(vocab_.model_id({name, 6}));
            if (ids.back() == Vocab::none) return false;
        }
        for (const uint32_t id : ids) add(scratch, id, 1);
        return true;
    }

    void merge(ModelScratch& scratch) const {
        auto& symbols = scratch.symbols;
        auto& heap = scratch.heap;
        heap.clear();
        const auto offer = [&](uint32_t at) {
            const auto found = merges_.find(key(symbols[at].id, symbols[static_cast<size_t>(symbols[at].after)].id));
            if (found == merges_.end()) return;
            heap.push_back({found->second.first, at, found->second.second});
            std::push_heap(heap.begin(), heap.end(), later);
        };
        for (uint32_t i = 0; i + 1 < symbols.size(); i++) offer(i);
        while (!heap.empty()) {
            std::pop_heap(heap.begin(), heap.end(), later);
            const Pair top = heap.back();
            heap.pop_back();
            auto& left = symbols[top.at];
            if (left.len == 0 || left.after < 0) continue;
            auto& right = symbols[static_cast<size_t>(left.after)];
            const auto now = merges_.find(key(left.id, right.id));
            if (now == merges_.end() || now->second.second != top.merged) continue;
            left.id = top.merged, left.len += right.len, left.after = right.after;
            right.len = 0;
            if (right.after >= 0) symbols[static_cast<size_t>(right.after)].before = static_cast<int32_t>(top.at);
            if (left.before >= 0) offer(static_cast<uint32_t>(left.before));
            if (left.after >= 0) offer(top.at);
        }
    }

    const Vocab& vocab_;
    std::string prefix_, suffix_;
    std::optional<std::string> unk_;
    bool fuse_unk_, byte_fallback_, ignore_merges_;
    uint32_t unk_id_ = Vocab::none;
    std::unordered_map<uint64_t, std::pair<uint32_t, uint32_t>> merges_;
};

}  // namespace

std::unique_ptr<Model> make_plain_bpe(const ModelSpec& spec, const Vocab& vocab) { return std::make_unique<PlainBpe>(spec, vocab); }

}  // namespace weir::tok
