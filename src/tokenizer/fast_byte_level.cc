#include "tokenizer/fast_byte_level.h"

#include <algorithm>
#include <array>

#include "tokenizer/decoders.h"
#include "tokenizer/fast_reach.h"
#include "tokenizer/fast_tables.h"
#include "tokenizer/scan.h"
#include "tokenizer/unicode_utf8.h"

namespace weir::tok {
namespace {

constexpr size_t batch = 32;                     // pre-tokens whose look-ups are under way together
constexpr size_t match_max = 63;                 // bytes of a piece that is encoded by matching; its places fit one word

struct Scratch final : FastScratch {
    ScanScratch scan;
    PieceCache cache;
    BpeScratch bpe;
    std::vector<uint32_t> ids;
};

class ByteLevelEncoder final : public FastEncoder {
public:
    ByteLevelEncoder(std::unique_ptr<Scanner> scanner, const Bpe& bpe) : scanner_(std::move(scanner)), bpe_(bpe) {}
    bool fill(const TokenizerSpec&, const Vocab&);

    bool wants_normalized() const override { return true; }
    std::unique_ptr<FastScratch> scratch() const override { return std::make_unique<Scratch>(); }
    size_t encode_some(std::string_view text, size_t from, size_t budget, bool, FastScratch& scratch, std::vector<uint32_t>& ids) const override {
        auto& s = static_cast<Scratch&>(scratch);
        const size_t stop = budget < text.size() - from ? from + budget : text.size();
        while (from < stop) {
            const size_t end = scanner_->scan(text, from, s.scan);
            s.ids.resize(std::max(s.ids.size(), end - from + PieceCache::ids_max));
            uint32_t* out = s.ids.data();
            for (size_t i = 0; i < s.scan.ends.size(); i += batch) {
                out = encode_batch(text, from, s.scan.ends.data(), i, std::min(i + batch, s.scan.ends.size()), s, out);
            }
            ids.insert(ids.end(), s.ids.data(), out);
            from = end;
        }
        return from;
    }
    // Before a space that follows an ASCII letter: every rule starts a pre-token there, whatever follows, and none looks back.
    size_t safe_cut(std::string_view text, size_t limit) const override {
        for (size_t at = std::min(limit, text.size() - std::min<size_t>(text.size(), 1)); at > 0; at--) {
            const auto before = static_cast<uint8_t>(text[at - 1] | 32);
            if (text[at] == ' ' && before >= 'a' && before <= 'z') return at;
        }
        return 0;
    }
    size_t memory_bytes() const override { return sizeof *this + words_.memory_bytes() + cuts_.memory_bytes() + trees_.memory_bytes() + longest_.capacity() + scanner_->memory_bytes(); }

private:
    uint32_t* encode_batch(std::string_view text, size_t base, const uint32_t* ends, size_t first, size_t last, Scratch&, uint32_t* out) const;
    uint32_t* encode_other(const char* p, size_t len, size_t readable, Scratch&, uint32_t* out) const;
    uint32_t* encode_cut(const char* p, size_t len, size_t readable, Scratch&, uint32_t* out) const;
    uint32_t* encode_part(const char* p, size_t len, size_t readable, uint32_t flag, Scratch&, uint32_t* out) const;
    uint32_t* encode_long(const char* p, size_t len, size_t readable, uint32_t flag, uint64_t salt, Scratch&, uint32_t* out) const;
    uint32_t* encode_merged(const char* p, size_t len, size_t readable, ShortKey, uint64_t place, uint64_t salt, Scratch&, uint32_t* out) const;
    std::pair<uint32_t, uint32_t> match(const char* p, size_t len, size_t readable) const;
    uint32_t* match_all(const char* p, size_t len, size_t readable, uint32_t* out) const;
    uint32_t* merge(const char* p, size_t len, size_t readable, Scratch&, uint32_t* out) const;

    std::unique_ptr<Scanner> scanner_;
    const Bpe& bpe_;
    WordTable words_;
    TokenTrees trees_;
    std::vector<uint8_t> longest_;               // by its first two bytes, how long a token can be
    CutFilter cuts_;
    std::array<uint32_t, 256> byte_ids_{};
};

bool ByteLevelEncoder::fill(const TokenizerSpec& spec, const Vocab& vocab) {
    std::array<bool, 256> found{};
    std::vector<std::string> raw(vocab.size());
    size_t shorts = 0, longs = 0, long_bytes = 0;
    for (uint32_t id = 0; id < vocab.size(); id++) {
        const std::string_view text = vocab.text(id);
        if (text.empty() || vocab.model_id(text) != id) continue;
        std::string bytes = byte_level_bytes(text);
        if (bytes == text && std::any_of(bytes.begin(), bytes.end(), [](char c) { return c <= ' ' || c == 127; })) continue;    // not of bytes
        if (bytes.size() == 1) byte_ids_[static_cast<uint8_t>(bytes[0])] = id, found[static_cast<uint8_t>(bytes[0])] = true;
        else cuts_.add(bytes);
        if (bytes.size() <= ShortKey::bytes_max) shorts++;
        else longs++, long_bytes += bytes.size();
        raw[id] = std::move(bytes);
    }
    if (std::find(found.begin(), found.end(), false) != found.end()) return false;
    const std::vector<uint32_t> symbols(byte_ids_.begin(), byte_ids_.end());
    trees_.build(spec.model, bpe_, symbols, vocab.size());
    words_.reserve(shorts, longs, long_bytes);
    longest_.assign(1 << 16, 1);
    for (uint32_t id = 0; id < vocab.size(); id++) {
        const std::string& bytes = raw[id];
        if (bytes.empty() || (!trees_.reached(id) && !bpe_.ignores_merges())) continue;
        words_.put(bytes, id, WordTable::alone | (trees_.reached(id) ? WordTable::inner : 0));
        if (bytes.size() < 2 || !trees_.reached(id)) continue;
        uint8_t& longest = longest_[static_cast<size_t>(static_cast<uint8_t>(bytes[0])) << 8 | static_cast<uint8_t>(bytes[1])];
        longest = std::max(longest, static_cast<uint8_t>(std::min<size_t>(bytes.size(), 255)));
    }
    return true;
}

// Keys of the whole batch first, so that their slots are on the way from memory while the others are computed.
uint32_t* ByteLevelEncoder::encode_batch(std::string_view text, size_t base, const uint32_t* ends, size_t first, size_t last, Scratch& s,
                                         uint32_t* out) const {
    ShortKey keys[batch];
    const PieceCache::Short* slots[batch];
    const char* p = text.data() + base + (first > 0 ? ends[first - 1] : 0);
    const char *begin = p, *start = text.data() + base, *end = text.data() + text.size();
    for (size_t i = first; i < last; i++) {
        const auto len = static_cast<size_t>(start + ends[i] - p);
        ShortKey& key = keys[i - first];
        key = ShortKey::of(p, std::min(len, ShortKey::bytes_max), static_cast<size_t>(end - p));
        slots[i - first] = s.cache.slot(key.hash());
        __builtin_prefetch(slots[i - first]);
        p += len;
    }
    p = begin;
    for (size_t i = first; i < last; i++) {
        const auto len = static_cast<size_t>(start + ends[i] - p);
        const ShortKey& key = keys[i - first];
        const PieceCache::Short& slot = *slots[i - first];
        if (len <= ShortKey::bytes_max && slot.is(key)) {
            std::memcpy(out, slot.ids, sizeof slot.ids);
            out += slot.count;
        } else if (const PieceCache::Short& other = (&slot)[1]; len <= ShortKey::bytes_max && other.is(key)) {
            std::memcpy(out, other.ids, sizeof other.ids);
            out += other.count;
        } else {
            out = encode_other(p, len, static_cast<size_t>(end - p), s, out);
        }
        p += len;
    }
    return out;
}

// A piece that was not met lately.
uint32_t* ByteLevelEncoder::encode_other(const char* p, size_t len, size_t readable, Scratch& s, uint32_t* out) const {
    if (len > 3 && (static_cast<uint8_t>(p[0]) >= 0xE0 || static_cast<uint8_t>(p[1]) >= 0xE0)) return encode_cut(p, len, readable, s, out);
    return encode_part(p, len, readable, WordTable::alone, s, out);
}

// Text without spaces between words: cut where no token crosses, so that the parts are short and come again.
uint32_t* ByteLevelEncoder::encode_cut(const char* p, size_t len, size_t readable, Scratch& s, uint32_t* out) const {
    const char *begin = p, *end = p + len, *last = p;
    auto left = static_cast<size_t>(unicode::point_len(static_cast<uint8_t>(*p)));
    for (const char* at = p + left; at < end;) {
        const auto right = static_cast<size_t>(unicode::point_len(static_cast<uint8_t>(*at)));
        if ((left > 1 || right > 1) && cuts_.safe(last, left, at, right)) {
            out = encode_part(begin, static_cast<size_t>(at - begin), readable - static_cast<size_t>(begin - p), WordTable::inner, s, out);
            begin = at;
        }
        last = at, left = right;
        at += right;
    }
    return encode_part(begin, static_cast<size_t>(end - begin), readable - static_cast<size_t>(begin - p),
                       begin == p ? WordTable::alone : WordTable::inner, s, out);
}

// A whole piece (`flag` alone) or a part of one (inner), from the tables or by merging. Where whole pieces may be tokens that merging
// would not make, the two are kept apart in the cache.
uint32_t* ByteLevelEncoder::encode_part(const char* p, size_t len, size_t readable, uint32_t flag, Scratch& s, uint32_t* out) const {
    const uint64_t salt = flag == WordTable::inner && bpe_.ignores_merges() ? 0x5851F42D4C957F2Du : 0;
    if (len > ShortKey::bytes_max) return encode_long(p, len, readable, flag, salt, s, out);
    ShortKey key = ShortKey::of(p, len, readable);
    const uint64_t hash = key.hash();
    const uint64_t place = hash ^ salt;
    if (salt) key.len += 16;
    for (const PieceCache::Short *slot = s.cache.slot(place), *end = slot + 2; slot < end; slot++) {
        if (!slot->is(key)) continue;
        std::memcpy(out, slot->ids, sizeof slot->ids);
        return out + slot->count;
    }
    key.len = static_cast<uint32_t>(len);
    const uint32_t found = words_.find(key, hash);
    if (!(found & flag)) return encode_merged(p, len, readable, key, place, salt, s, out);
    *out = found & WordTable::id_mask;
    if (salt) key.len += 16;
    s.cache.put(key, place, out, 1);
    return out + 1;
}

uint32_t* ByteLevelEncoder::encode_long(const char* p, size_t len, size_t readable, uint32_t flag, uint64_t salt, Scratch& s, uint32_t* out) const {
    const uint64_t hash = token_hash({p, len});
    if (const uint32_t found = words_.find_long({p, len}, hash); found & flag) {
        *out++ = found & WordTable::id_mask;
        return out;
    }
    return encode_merged(p, len, readable, ShortKey(), hash ^ salt, salt, s, out);
}

// What is no token as a whole.
uint32_t* ByteLevelEncoder::encode_merged(const char* p, size_t len, size_t readable, ShortKey key, uint64_t place, uint64_t salt, Scratch& s,
                                          uint32_t* out) const {
    const bool cached = len <= PieceCache::bytes_max;
    if (cached) {
        if (const PieceCache::Long* entry = s.cache.find(p, len, place, salt != 0)) {
            std::memcpy(out, entry->ids, sizeof entry->ids);
            return out + entry->count;
        }
    }
    uint32_t* const end = merge(p, len, readable, s, out);
    const auto count = static_cast<size_t>(end - out);
    if (len <= ShortKey::bytes_max && count <= PieceCache::short_ids_max) {
        if (salt) key.len += 16;
        s.cache.put(key, place, out, count);
    } else if (cached && count <= PieceCache::ids_max) {
        s.cache.put(p, len, place, salt != 0, out, count);
    }
    return end;
}

// The longest reached token that `p` starts with, of at most `len` bytes.
std::pair<uint32_t, uint32_t> ByteLevelEncoder::match(const char* p, size_t len, size_t readable) const {
    if (len > 1) len = std::min<size_t>(len, longest_[static_cast<size_t>(static_cast<uint8_t>(p[0])) << 8 | static_cast<uint8_t>(p[1])]);
    for (; len > ShortKey::bytes_max; len--) {
        const uint32_t found = words_.find_long({p, len}, token_hash({p, len}));
        if (found & WordTable::inner) return {found & WordTable::id_mask, static_cast<uint32_t>(len)};
    }
    for (; len > 1; len--) {
        const ShortKey key = ShortKey::of(p, len, readable);
        const uint32_t found = words_.find(key, key.hash());
        if (found & WordTable::inner) return {found & WordTable::id_mask, static_cast<uint32_t>(len)};
    }
    return {byte_ids_[static_cast<uint8_t>(*p)], 1};
}

// Exact BPE without merging: the longest token, then the longest that may stand beside it, and so on; where none may, back to the token
// before and a shorter one there. The beginnings of an encoding are themselves encodings, so a place once found dead stays so.
// Null when the tokens known as reached do not suffice.
uint32_t* ByteLevelEncoder::match_all(const char* p, size_t len, size_t readable, uint32_t* out) const {
    uint64_t dead = 0;
    uint8_t lens[match_max];
    uint32_t* const from = out;
    size_t at = 0, most = len;
    while (at < len) {
        const auto [id, taken] = match(p + at, most, readable - at);
        if (!(dead >> (at + taken) & 1) && (out == from || trees_.neighbours(bpe_, out[-1], id))) {
            lens[out - from] = static_cast<uint8_t>(taken);
            *out++ = id;
            at += taken;
            most = len - at;
            continue;
        }
        most = taken - 1;
        while (most == 0) {
            if (out == from) return nullptr;
            dead |= uint64_t(1) << at;
            most = lens[--out - from];
            at -= most;
            most--;
        }
    }
    return out;
}

uint32_t* ByteLevelEncoder::merge(const char* p, size_t len, size_t readable, Scratch& s, uint32_t* out) const {
    if (len <= match_max) {
        if (uint32_t* end = match_all(p, len, readable, out)) return end;
    }
    s.bpe.ids.resize(len), s.bpe.lens.assign(len, 1);
    for (size_t i = 0; i < len; i++) s.bpe.ids[i] = byte_ids_[static_cast<uint8_t>(p[i])];
    bpe_.merge(s.bpe);
    return std::copy(s.bpe.ids.begin(), s.bpe.ids.end(), out);
}

}  // namespace

std::unique_ptr<FastEncoder> make_byte_level_encoder(const TokenizerSpec& spec, const Vocab& vocab, const Bpe& bpe) {
    if (!spec.pre_tokenizer || !bpe.plain()) return nullptr;
    std::unique_ptr<Scanner> scanner = recognise_scanner(*spec.pre_tokenizer);
    if (!scanner) return nullptr;
    auto made = std::make_unique<ByteLevelEncoder>(std::move(scanner), bpe);
    if (!made->fill(spec, vocab)) return nullptr;
    return made;
}

}  // namespace weir::tok
