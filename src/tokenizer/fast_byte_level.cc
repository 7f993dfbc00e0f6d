#include "tokenizer/fast_byte_level.h"

#include <algorithm>
#include <array>

#include "tokenizer/decoders.h"
#include "tokenizer/fast_cache.h"
#include "tokenizer/fast_reach.h"
#include "tokenizer/fast_scratch.h"
#include "tokenizer/fast_spaces.h"
#include "tokenizer/fast_tables.h"
#include "tokenizer/scan.h"
#include "tokenizer/unicode_utf8.h"

namespace weir::tok {
namespace {

using Scratch = TableScratch;
static_assert(PieceCache::memory_bytes() <= fast_cache_bytes);
constexpr size_t batch = PieceCache::Batch::size;    // pre-tokens whose look-ups are under way together
constexpr size_t match_short_max = 63;           // bytes of a piece whose places fit one word

class TableEncoder final : public FastEncoder {
public:
    TableEncoder(std::unique_ptr<Scanner> scanner, const Bpe& bpe) : scanner_(std::move(scanner)), bpe_(bpe) {}
    TableEncoder(const SpaceRule& rule, const Bpe& bpe) : bpe_(bpe), by_chars_(true), rule_(rule) {}
    bool fill(const TokenizerSpec&, const Vocab&);

    bool wants_normalized() const override { return !by_chars_; }
    std::unique_ptr<FastScratch> scratch() const override { return std::make_unique<Scratch>(); }
    size_t encode_some(std::string_view text, size_t from, size_t budget, Before before, FastScratch& scratch, std::vector<uint32_t>& ids) const override {
        auto& s = static_cast<Scratch&>(scratch);
        const size_t stop = budget < text.size() - from ? from + budget : text.size();
        if (by_chars_ && from == 0 && !text.empty() && before != Before::itself) from = encode_first(text, before, s, ids);
        while (from < stop) {
            s.cache.renew();
            const size_t end = scanner_->scan(text, from, s.scan);
            s.ids.resize(std::max(s.ids.size(), end - from + PieceCache::ids_slack));
            uint32_t* out = s.ids.data();
            for (size_t i = 0; i < s.scan.ends.size(); i += batch) {
                out = encode_batch(text, from, s.scan.ends.begin(), i, std::min(i + batch, s.scan.ends.size()), s, out);
            }
            ids.insert(ids.end(), s.ids.data(), out);
            from = end;
        }
        return from;
    }
    size_t safe_cut(std::string_view text, size_t limit) const override {
        for (size_t at = std::min(limit, text.size() - std::min<size_t>(text.size(), 1)); at > 0; at--) {
            if (by_chars_ ? cuts_words(text, at) : cuts_space(text, at) || cuts_run(text, at)) return at;
        }
        return 0;
    }
    size_t memory_bytes() const override {
        const size_t tables = words_.memory_bytes() + cuts_.memory_bytes() + trees_.memory_bytes() + longest_.capacity();
        return sizeof *this + tables + (scanner_ ? scanner_->memory_bytes() : 0);
    }

private:
    // Before a space that follows an ASCII letter: every rule starts a pre-token there, whatever follows, and none looks back.
    static bool cuts_space(std::string_view text, size_t at) {
        const auto before = static_cast<uint8_t>(text[at - 1] | 32);
        return text[at] == ' ' && before >= 'a' && before <= 'z';
    }
    // Where a piece starts at a space.
    bool cuts_words(std::string_view text, size_t at) const {
        return text[at] == ' ' && text[at - 1] != ' ' && !rule_.joins[static_cast<uint8_t>(text[at - 1])];
    }
    bool cuts_run(std::string_view text, size_t at) const;
    void note_alone(const std::string& bytes);
    void note_joins(std::string_view bytes);
    void spell_hidden(const TokenizerSpec&, std::vector<std::string>& raw);
    bool fill_words(const TokenizerSpec&, const Vocab&, const std::vector<std::string>& raw, const std::vector<uint32_t>& symbols);
    bool fill_bytes(const TokenizerSpec&, const Vocab&, std::vector<std::string>& raw, std::vector<uint32_t>& symbols);
    bool fill_chars(const TokenizerSpec&, const Vocab&, std::vector<std::string>& raw, std::vector<uint32_t>& symbols);
    size_t encode_first(std::string_view text, Before before, Scratch&, std::vector<uint32_t>& ids) const;
    void symbols_of(const char* p, size_t len, BpeScratch&) const;
    uint32_t* encode_batch(std::string_view text, size_t base, const uint32_t* ends, size_t first, size_t last, Scratch&, uint32_t* out) const;
    uint32_t* encode_other(const char* p, size_t len, size_t readable, uint64_t hash, Scratch&, uint32_t* out) const;
    uint32_t* encode_cut(const char* p, size_t len, size_t readable, Scratch&, uint32_t* out) const;
    uint32_t* encode_part(const char* p, size_t len, size_t readable, uint32_t flag, Scratch&, uint32_t* out) const;
    uint32_t* encode_long(std::string_view piece, size_t readable, uint32_t flag, uint32_t part, Scratch&, uint32_t* out) const;
    uint32_t* encode_merged(std::string_view piece, size_t readable, const ShortKey&, uint64_t hash, uint32_t part, Scratch&, uint32_t* out) const;
    static void keep(std::string_view piece, const ShortKey&, uint64_t hash, uint32_t part, const uint32_t* ids, size_t count, Scratch&);
    std::pair<uint32_t, uint32_t> match(const char* p, size_t len, size_t readable, uint64_t& work) const;
    uint32_t* match_all(std::string_view piece, size_t readable, auto dead, uint8_t* lens, Scratch&, uint32_t* out) const;
    uint32_t* merge(const char* p, size_t len, size_t readable, Scratch&, uint32_t* out) const;

    std::unique_ptr<Scanner> scanner_;
    const Bpe& bpe_;
    WordTable words_;
    TokenTrees trees_;
    std::vector<uint8_t> longest_;               // by its first two bytes, how long a token can be
    CutFilter cuts_;
    std::array<uint32_t, 256> byte_ids_{};       // none: no token for it
    std::vector<bool> alone_from_, alone_to_;    // by the lower half of a character: whether tokens that merging does not make begin, end with it
    bool by_chars_ = false;                      // SentencePiece's way: symbols are characters, U+2581 is a space, pieces start at spaces
    SpaceRule rule_;
    uint32_t space_id_ = Vocab::none;
};

bool TableEncoder::fill(const TokenizerSpec& spec, const Vocab& vocab) {
    byte_ids_.fill(Vocab::none);
    std::vector<std::string> raw(vocab.size());
    std::vector<uint32_t> symbols;
    const bool known = by_chars_ ? fill_chars(spec, vocab, raw, symbols) : fill_bytes(spec, vocab, raw, symbols);
    return known && fill_words(spec, vocab, raw, symbols);
}

bool TableEncoder::fill_bytes(const TokenizerSpec& spec, const Vocab& vocab, std::vector<std::string>& raw, std::vector<uint32_t>& symbols) {
    for (uint32_t id = 0; id < vocab.size(); id++) {
        const std::string_view text = vocab.text(id);
        if (text.empty() || !vocab.own(id)) continue;
        std::string bytes = byte_level_bytes(text);
        if (bytes == text && std::any_of(bytes.begin(), bytes.end(), [](char c) { return c <= ' ' || c == 127; })) continue;    // not of bytes
        if (bytes.size() == 1) byte_ids_[static_cast<uint8_t>(bytes[0])] = id, symbols.push_back(id);
        else cuts_.add(bytes);
        raw[id] = std::move(bytes);
    }
    spell_hidden(spec, raw);
    if (symbols.size() != 256 && bpe_.has_unk()) return false;    // a byte without a token would be the unknown one
    // It is lost else, and its neighbours may merge: no cut would be safe. Some bytes no text has.
    for (int b = 0; b < 256; b++)
        if (byte_ids_[static_cast<size_t>(b)] == Vocab::none && b != 0xC0 && b != 0xC1 && b < 0xF5) return false;
    return true;
}

// Every character must be a token or spelled by byte tokens, which never merge; then no piece depends on its neighbours but through merges.
bool TableEncoder::fill_chars(const TokenizerSpec& spec, const Vocab& vocab, std::vector<std::string>& raw, std::vector<uint32_t>& symbols) {
    constexpr std::string_view mark = "\xe2\x96\x81";
    if (bpe_.ignores_merges() || !bpe_.byte_fallback()) return false;
    std::vector<bool> is_byte(vocab.size()), is_merged(vocab.size());
    for (int b = 0; b < 256; b++) {
        byte_ids_[static_cast<size_t>(b)] = bpe_.byte_id(static_cast<uint8_t>(b));
        if (byte_ids_[static_cast<size_t>(b)] == Vocab::none) {    // not needed where the character itself is a token
            const char alone = static_cast<char>(b);
            if (b >= 0x80 || vocab.model_id({&alone, 1}) == Vocab::none) return false;
            continue;
        }
        is_byte[byte_ids_[static_cast<size_t>(b)]] = true;
    }
    for (uint32_t number = 0; number < spec.model.merges.size(); number++) {
        const auto [left, right] = spec.model.merges[number];
        if (is_byte[left] || is_byte[right]) return false;
        is_merged[bpe_.merged(number)] = true;
    }
    for (uint32_t id = 0; id < vocab.size(); id++) {
        const std::string_view text = vocab.text(id);
        if (text.empty() || !vocab.own(id) || text.find(' ') != text.npos) continue;
        const bool symbol = text.size() == static_cast<size_t>(unicode::point_len(static_cast<uint8_t>(text[0])));
        if (!symbol && !is_merged[id]) continue;
        std::string bytes;
        for (size_t at = 0; at < text.size();) {
            if (text.substr(at, 3) == mark) bytes += ' ', at += 3;
            else bytes += text[at++];
        }
        if (symbol) symbols.push_back(id);
        else cuts_.add(bytes);
        note_joins(bytes);
        raw[id] = std::move(bytes);
    }
    spell_hidden(spec, raw);
    space_id_ = vocab.model_id(mark);
    if (space_id_ == Vocab::none || spec.model.merges.empty()) return false;
    rule_.joins[0x81] = true;                    // U+2581 itself ends in it
    scanner_ = make_space_scanner(rule_);
    return true;
}

void TableEncoder::note_joins(std::string_view bytes) {
    for (size_t at = bytes.find(' ', 1); at != bytes.npos; at = bytes.find(' ', at + 1)) {
        if (bytes[at - 1] != ' ') rule_.joins[static_cast<uint8_t>(bytes[at - 1])] = true;
    }
}

// An added token may have taken the number of a token of the model, which merging makes all the same.
void TableEncoder::spell_hidden(const TokenizerSpec& spec, std::vector<std::string>& raw) {
    std::vector<bool> known(raw.size());
    for (size_t id = 0; id < raw.size(); id++) known[id] = !raw[id].empty();
    for (uint32_t number = 0; number < spec.model.merges.size(); number++) {
        const auto [left, right] = spec.model.merges[number];
        const uint32_t id = bpe_.merged(number);
        if (known[id] || !known[left] || !known[right]) continue;
        raw[id] = raw[left] + raw[right];
        known[id] = true;
        cuts_.add(raw[id]);
        if (by_chars_) note_joins(raw[id]);
    }
}

bool TableEncoder::fill_words(const TokenizerSpec& spec, const Vocab& vocab, const std::vector<std::string>& raw, const std::vector<uint32_t>& symbols) {
    size_t shorts = 0, longs = 0, long_bytes = 0;
    for (const std::string& bytes : raw) {
        if (bytes.size() <= ShortKey::bytes_max) shorts++;
        else longs++, long_bytes += bytes.size();
    }
    trees_.build(spec.model, bpe_, symbols, vocab.size());
    words_.reserve(shorts, longs, long_bytes);
    longest_.assign(1 << 16, 1);
    for (uint32_t id = 0; id < vocab.size(); id++) {
        constexpr uint32_t ahead = 16;
        if (id + ahead < vocab.size()) words_.prefetch(raw[id + ahead]);
        const std::string& bytes = raw[id];
        if (bytes.empty() || (!trees_.reached(id) && !bpe_.ignores_merges())) continue;
        if (!trees_.reached(id)) note_alone(bytes);
        words_.put(bytes, id, WordTable::alone | (trees_.reached(id) ? WordTable::inner : 0));
        if (bytes.size() < 2 || !trees_.reached(id)) continue;
        uint8_t& longest = longest_[static_cast<size_t>(static_cast<uint8_t>(bytes[0])) << 8 | static_cast<uint8_t>(bytes[1])];
        longest = std::max(longest, static_cast<uint8_t>(std::min<size_t>(bytes.size(), 255)));
    }
    return true;
}

void TableEncoder::note_alone(const std::string& bytes) {
    if (bytes.size() < 3) return;
    alone_from_.resize(1 << 16), alone_to_.resize(1 << 16);
    const char *front = bytes.data(), *back = bytes.data() + bytes.size() - 3;
    if (static_cast<uint8_t>(*front) >> 4 == 0xE) alone_from_[unicode::next_point(front) & 0xFFFF] = true;
    if (static_cast<uint8_t>(*back) >> 4 == 0xE) alone_to_[unicode::next_point(back) & 0xFFFF] = true;
}

// Within a run of letters of one script without case, where no token crosses: every rule takes such a run whole, unless a word goes on
// with other letters behind it, which the text must show not to be so.
bool TableEncoder::cuts_run(std::string_view text, size_t at) const {
    enum Script { none, han, kana, hangul };
    const auto script = [](char32_t c) {
        if (c >= 0x4E00 && c <= 0x9FA5) return han;
        if ((c >= 0x3041 && c <= 0x3096) || (c >= 0x30A1 && c <= 0x30FA)) return kana;
        return c >= 0xAC00 && c <= 0xD7A3 ? hangul : none;
    };
    if (at < 3 || at + 3 > text.size() || static_cast<uint8_t>(text[at]) < 0xE0 || static_cast<uint8_t>(text[at - 3]) < 0xE0) return false;
    const char *before = text.data() + at - 3, *p = text.data() + at, *const end = text.data() + text.size();
    const char32_t left = unicode::next_point(before), right = unicode::next_point(p);
    if (before != text.data() + at || script(left) == none || script(left) != script(right) || !cuts_.safe(left, right, text[at - 1], text[at])) return false;
    if (!alone_to_.empty() && (alone_to_[left] || alone_from_[right])) return false;    // a half could be such a token
    while (p < end) {
        const char32_t c = unicode::next_point(p);
        if (script(c) != none) continue;
        if (c < 0x80) return !((c | 32) >= 'a' && (c | 32) <= 'z');
        return (c >= 0x3001 && c <= 0x3003) || (c >= 0x3008 && c <= 0x3011) || c == 0xFF0C || c == 0xFF01 || c == 0xFF1A || c == 0xFF1B || c == 0xFF1F;
    }
    return false;
}

// The first piece of a text, with the space that the normalizer puts before it.
size_t TableEncoder::encode_first(std::string_view text, Before before, Scratch& s, std::vector<uint32_t>& ids) const {
    const bool starts = text[0] == ' ' || text.starts_with("\xe2\x96\x81");
    const bool wanted = rule_.prepend == SpaceRule::unless_there || (rule_.prepend == SpaceRule::first && before == Before::nothing);
    const bool prefix = rule_.prepend == SpaceRule::always || (wanted && !starts);
    if (!prefix) return 0;
    scanner_->scan(text, 0, s.scan);
    const size_t end = s.scan.ends[0];
    std::string piece = " ";
    piece += text.substr(0, end);
    s.ids.resize(std::max(s.ids.size(), piece.size() + PieceCache::ids_slack));
    ids.insert(ids.end(), s.ids.data(), encode_other(piece.data(), piece.size(), piece.size(), token_hash(piece), s, s.ids.data()));
    return end;
}

void TableEncoder::symbols_of(const char* p, size_t len, BpeScratch& s) const {
    s.ids.clear(), s.lens.clear();
    const auto put = [&s](uint32_t id, size_t bytes) { s.ids.push_back(id), s.lens.push_back(static_cast<uint32_t>(bytes)); };
    for (const char* end = p + len; p < end;) {
        const char* from = p;
        if (!by_chars_) {
            p++;
        } else if (const char32_t c = unicode::next_point(p); c == ' ' || c == 0x2581) {
            put(space_id_, static_cast<size_t>(p - from));
            continue;
        } else {
            const uint32_t found = words_.find_rare(ShortKey::of(from, static_cast<size_t>(p - from), static_cast<size_t>(end - from)));
            if (found != 0) {
                put(found & WordTable::id_mask, static_cast<size_t>(p - from));
                continue;
            }
        }
        for (; from < p; from++) {
            const uint32_t id = byte_ids_[static_cast<uint8_t>(*from)];
            if (id != Vocab::none) put(id, 1);    // else it is lost, as it is in the reference
        }
    }
}

// Keys of the whole batch first, then what the cache has for them, so that what is needed is on its way from memory meanwhile.
uint32_t* TableEncoder::encode_batch(std::string_view text, size_t base, const uint32_t* ends, size_t first, size_t last, Scratch& s,
                                     uint32_t* out) const {
    PieceCache::Batch b;
    const char* const start = text.data() + base;
    const char* const end = text.data() + text.size();
    const char* const begin = start + (first > 0 ? ends[first - 1] : 0);
    const size_t count = last - first;
    const bool room = static_cast<size_t>(end - start) >= ends[last - 1] + size_t{16};
    const char* p = begin;
    for (size_t i = 0; i < count; i++) {
        const char* next = start + ends[first + i];
        const auto len = static_cast<size_t>(next - p);
        if (len <= ShortKey::bytes_max) {
            b.keys[i] = room ? ShortKey::of(p, len) : ShortKey::of(p, len, static_cast<size_t>(end - p));
            b.hashes[i] = b.keys[i].hash();
        } else {
            b.keys[i].words = ShortKey::Words{};
            b.hashes[i] = len <= PieceCache::bytes_max ? token_hash({p, len}) : 0;
        }
        s.cache.prefetch(b.hashes[i]);
        p = next;
    }
    for (uint32_t missing = s.cache.find_all(b, count); missing != 0; missing &= missing - 1) {
        const int i = __builtin_ctz(missing);
        if (b.keys[i].tag() == 0) s.cache.prefetch_long(b.hashes[i]);
        else words_.prefetch(b.hashes[i]);
    }
    p = begin;
    for (size_t i = 0; i < count; i++) {
        const char* next = start + ends[first + i];
        if (b.values[i] & PieceCache::one) {
            *out++ = b.values[i] & PieceCache::id_mask;
        } else if (b.values[i] != 0) {
            std::memcpy(out, s.cache.list(b.values[i]), PieceCache::short_ids_max * 4);
            out += PieceCache::count(b.values[i]);
        } else {
            out = encode_other(p, static_cast<size_t>(next - p), static_cast<size_t>(end - p), b.hashes[i], s, out);
        }
        p = next;
    }
    return out;
}

// A piece that is not at hand as a short one.
uint32_t* TableEncoder::encode_other(const char* p, size_t len, size_t readable, uint64_t hash, Scratch& s, uint32_t* out) const {
    const bool keyed = len > ShortKey::bytes_max && len <= PieceCache::bytes_max;
    if (keyed) {
        if (const size_t known = s.cache.copy_long({p, len}, hash, 0, out)) return out + known;
    }
    const bool cut = by_chars_ ? len > 2 : len > 3 && (static_cast<uint8_t>(p[0]) >= 0xE0 || static_cast<uint8_t>(p[1]) >= 0xE0);
    uint32_t* const end = cut ? encode_cut(p, len, readable, s, out) : encode_part(p, len, readable, WordTable::alone, s, out);
    if (keyed) keep({p, len}, ShortKey(), hash, 0, out, static_cast<size_t>(end - out), s);
    return end;
}

void TableEncoder::keep(std::string_view piece, const ShortKey& key, uint64_t hash, uint32_t part, const uint32_t* ids, size_t count, Scratch& s) {
    if (piece.size() <= ShortKey::bytes_max && count - 1 < PieceCache::short_ids_max) s.cache.put(key, hash, ids, count);
    else if (piece.size() <= PieceCache::bytes_max && count - 1 < PieceCache::ids_max) s.cache.put_long(piece, hash, part, ids, count);
}

// Text without spaces between words: cut where no token crosses, so that the parts are short and come again.
uint32_t* TableEncoder::encode_cut(const char* p, size_t len, size_t readable, Scratch& s, uint32_t* out) const {
    const char *begin = p, *end = p + len, *at = p;
    char32_t left = unicode::next_point(at);
    if (by_chars_ && left == 0x2581) at = end;
    while (at < end) {
        const char* next = at;
        const char32_t right = unicode::next_point(next);
        if (by_chars_ && right == 0x2581) break;    // as rare as it is odd: no cuts from here on
        if (((left | right) >= 0x80 || by_chars_) && cuts_.safe(left, right, at[-1], *at)) {
            out = encode_part(begin, static_cast<size_t>(at - begin), readable - static_cast<size_t>(begin - p), WordTable::inner, s, out);
            begin = at;
        }
        left = right, at = next;
    }
    return encode_part(begin, static_cast<size_t>(end - begin), readable - static_cast<size_t>(begin - p),
                       begin == p ? WordTable::alone : WordTable::inner, s, out);
}

// A whole piece (`flag` alone) or a part of one (inner), from the tables or by merging. Where whole pieces may be tokens that merging
// would not make, the two are kept apart in the cache.
uint32_t* TableEncoder::encode_part(const char* p, size_t len, size_t readable, uint32_t flag, Scratch& s, uint32_t* out) const {
    const uint32_t part = flag == WordTable::inner && bpe_.ignores_merges() ? PieceCache::part : 0;
    if (len > ShortKey::bytes_max) return encode_long({p, len}, readable, flag, part, s, out);
    ShortKey key = ShortKey::of(p, len, readable);
    const uint64_t hash = key.hash();
    key = key.with(part);
    if (const uint32_t known = s.cache.find(key, hash); known & PieceCache::one) {
        *out = known & PieceCache::id_mask;
        return out + 1;
    } else if (known != 0) {
        std::memcpy(out, s.cache.list(known), PieceCache::short_ids_max * 4);
        return out + PieceCache::count(known);
    }
    if (const uint32_t found = words_.find(key, hash); found & flag) {
        *out = found & WordTable::id_mask;
        s.cache.put(key, hash, out, 1);
        return out + 1;
    }
    return encode_merged({p, len}, readable, key, hash, part, s, out);
}

uint32_t* TableEncoder::encode_long(std::string_view piece, size_t readable, uint32_t flag, uint32_t part, Scratch& s, uint32_t* out) const {
    const uint64_t hash = token_hash(piece);
    if (const uint32_t found = words_.find_long(piece, hash); found & flag) {
        *out++ = found & WordTable::id_mask;
        return out;
    }
    return encode_merged(piece, readable, ShortKey(), hash, part, s, out);
}

// What is no token as a whole.
uint32_t* TableEncoder::encode_merged(std::string_view piece, size_t readable, const ShortKey& key, uint64_t hash, uint32_t part, Scratch& s,
                                      uint32_t* out) const {
    if (piece.size() <= PieceCache::bytes_max) {
        if (const size_t known = s.cache.copy_long(piece, hash, part, out)) return out + known;
    }
    uint32_t* const end = merge(piece.data(), piece.size(), readable, s, out);
    keep(piece, key, hash, part, out, static_cast<size_t>(end - out), s);
    return end;
}

// The longest reached token that `p` starts with, of at most `len` bytes.
std::pair<uint32_t, uint32_t> TableEncoder::match(const char* p, size_t len, size_t readable, uint64_t& work) const {
    if (len > 1) len = std::min<size_t>(len, longest_[static_cast<size_t>(static_cast<uint8_t>(p[0])) << 8 | static_cast<uint8_t>(p[1])]);
    work += len;
    if (len > ShortKey::bytes_max && !words_.maybe_long(ShortKey::of(p, ShortKey::bytes_max, readable))) len = ShortKey::bytes_max;
    for (; len > ShortKey::bytes_max; len--) {
        const uint32_t found = words_.find_long({p, len}, token_hash({p, len}));
        if (found & WordTable::inner) return {found & WordTable::id_mask, static_cast<uint32_t>(len)};
    }
    for (; len > 1; len--) {
        const uint32_t found = words_.find_rare(ShortKey::of(p, len, readable));
        if (found & WordTable::inner) return {found & WordTable::id_mask, static_cast<uint32_t>(len)};
    }
    if (!by_chars_) return {byte_ids_[static_cast<uint8_t>(*p)], 1};
    if (*p == ' ') return {space_id_, 1};
    const uint32_t found = words_.find_rare(ShortKey::of(p, 1, readable));
    return {found & WordTable::inner ? found & WordTable::id_mask : Vocab::none, 1};
}

// Exact BPE without merging: the longest token, then the longest that may stand beside it, and so on; where none may, back to the token
// before and a shorter one there. The beginnings of an encoding are themselves encodings, so a place once found dead stays so.
// Null when the tokens known as reached do not suffice.
uint32_t* TableEncoder::match_all(std::string_view piece, size_t readable, auto dead, uint8_t* lens, Scratch& s, uint32_t* out) const {
    const char* const p = piece.data();
    const size_t len = piece.size();
    uint32_t* const from = out;
    size_t at = 0, most = len;
    while (at < len) {
        const auto [id, taken] = match(p + at, most, readable - at, s.work);
        if (id == Vocab::none) return nullptr;    // bytes of a character that is no token, or a shorter try ended within one
        if (!dead[at + taken] && (out == from || s.apart(trees_, bpe_, out[-1], id))) {
            lens[out - from] = static_cast<uint8_t>(taken);
            *out++ = id;
            at += taken;
            most = len - at;
            continue;
        }
        most = taken - 1;
        while (most == 0) {
            if (out == from) return nullptr;
            dead.set(at);
            most = lens[--out - from];
            at -= most;
            most--;
        }
    }
    return out;
}

uint32_t* TableEncoder::merge(const char* p, size_t len, size_t readable, Scratch& s, uint32_t* out) const {
    if (len <= match_short_max) {
        uint8_t lens[match_short_max];
        if (uint32_t* end = match_all({p, len}, readable, FewPlaces(), lens, s, out)) return end;
    } else {
        s.lens.resize(std::max(s.lens.size(), len));
        if (uint32_t* end = match_all({p, len}, readable, ManyPlaces(s.dead, len), s.lens.data(), s, out)) return end;
    }
    symbols_of(p, len, s.bpe);
    s.work += s.bpe.ids.size() * 8;              // a heap's worth
    bpe_.merge(s.bpe);
    return std::copy(s.bpe.ids.begin(), s.bpe.ids.end(), out);
}

}  // namespace

std::unique_ptr<FastEncoder> make_sentence_piece_encoder(const TokenizerSpec& spec, const Vocab& vocab, const Bpe& bpe) {
    const std::optional<SpaceRule> rule = recognise_spaces(spec);
    if (!rule || !bpe.plain()) return nullptr;
    auto made = std::make_unique<TableEncoder>(*rule, bpe);
    if (!made->fill(spec, vocab)) return nullptr;
    return made;
}

std::unique_ptr<FastEncoder> make_byte_level_encoder(const TokenizerSpec& spec, const Vocab& vocab, const Bpe& bpe) {
    if (!spec.pre_tokenizer || !bpe.plain()) return nullptr;
    std::unique_ptr<Scanner> scanner = recognise_scanner(*spec.pre_tokenizer);
    if (!scanner) return nullptr;
    auto made = std::make_unique<TableEncoder>(std::move(scanner), bpe);
    if (!made->fill(spec, vocab)) return nullptr;
    return made;
}

}  // namespace weir::tok
