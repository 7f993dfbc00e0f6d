// The pre-token patterns of the main families, by hand. Each rule gives the end of the pre-token that starts at a place of a chunk; every
// place of a text is in exactly one. How a rule follows from its pattern is said at each step; scan_test.cc compares them with the regex.
#pragma once
#include "tokenizer/scan_classes.h"
#include "tokenizer/unicode_utf8.h"

namespace weir::tok::scan {

// Flags; a rule's own meaning of the last three stands with it.
enum : uint8_t { letter = 1, number = 2, white = 4, newline = 8, other = 16, flag5 = 32, flag6 = 64, flag7 = 128 };
enum : int { letters = 0, numbers = 1, whites = 2, newlines = 3, others = 4, bits5 = 5, bits6 = 6, bits7 = 7 };

// A chunk, and whether the text ends where it does. A result that comes near the end of a chunk that goes on is not final: the caller
// (scan.cc) drops it and looks again with more text.
struct View {
    explicit View(const ScanChunk& chunk, bool last) : c(chunk), text(chunk.text), flags(chunk.flags()), len(chunk.len), at_end(last) {}
    size_t run(int flag, size_t p) const {                   // the end of the flag's run from p on
        const uint64_t* bits = c.bits(flag);
        size_t word = p >> 6;
        const uint64_t rest = ~bits[word] >> (p & 63);
        if (rest != 0) return p + static_cast<size_t>(__builtin_ctzll(rest));
        while (~bits[++word] == 0) {}
        return word * 64 + static_cast<size_t>(__builtin_ctzll(~bits[word]));
    }
    size_t after(size_t p) const { return p + static_cast<size_t>(unicode::point_len(text[p])); }
    size_t up_to(int flag, size_t p, int chars) const {      // the flag's run of at most so many characters
        do p = after(p);
        while (--chars > 0 && (flags[p] >> flag & 1));
        return p;
    }
    // 's 't 're 've 'm 'll 'd at p; 0: none. Any case: also U+017F, which folds to s.
    size_t contraction(size_t p, bool any_case) const {
        if (p + 1 >= len || text[p] != '\'') return 0;
        const uint8_t a = any_case ? text[p + 1] | 32 : text[p + 1];
        if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
        if (p + 2 >= len) return 0;
        const uint8_t b = any_case ? text[p + 2] | 32 : text[p + 2];
        if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return p + 3;
        return any_case && text[p + 1] == 0xC5 && text[p + 2] == 0xBF ? p + 3 : 0;
    }
    // \s*[\r\n]+ (when asked for), else \s+(?!\S), else \s+. `stop`: flags that end the text for this pattern.
    size_t white_run(size_t p, bool by_lines, uint8_t stop) const {
        const size_t end = run(whites, p);
        if (end >= len && !at_end) return len;
        if (by_lines) {
            for (size_t i = end; i > p; i--) {
                if (text[i - 1] == '\n' || text[i - 1] == '\r') return i;
            }
        }
        if (end >= len || (flags[end] & stop)) return end;
        size_t last = end - 1;
        while ((text[last] & 0xC0) == 0x80) last--;
        return last > p ? last : end;
    }
    size_t lines(size_t p) const {                           // [\r\n]*
        while (p < len && (text[p] == '\n' || text[p] == '\r')) p++;
        return p;
    }
    const ScanChunk& c;
    const uint8_t *text, *flags;
    size_t len;
    bool at_end;
};

// Sixty-four bytes at once: where pre-tokens start, by word operations on the bitmaps, from a place p where one starts. Only what is
// certain is told, `certain` being the lower bits: nothing at or after the first byte beyond ASCII (letters may be, where the rule says
// so), and nothing that depends on what comes after the window.
struct Window {
    Window(const View& v, size_t p, uint64_t newline_bits, uint64_t foreign) : v_(v), p_(p), nl(newline_bits) {
        l = take(letters), n = take(numbers), s = take(others), w = take(whites) & ~nl;
        odd = ~(l | n | s | w | nl) | (take(v.c.high(), p) & ~(l & foreign));
        certain = odd == 0 ? ~uint64_t(0) >> 1 : below(odd) >> 1;
    }
    static uint64_t take(const uint64_t* bits, size_t p) { return bits[p >> 6] >> (p & 63) | (bits[(p >> 6) + 1] << 1) << (63 - (p & 63)); }
    uint64_t take(int flag) const { return take(v_.c.bits(flag), p_); }
    uint64_t blanks() const { return take(v_.c.spaces(), p_); }
    static uint64_t first(uint64_t run) { return run & ~(run << 1); }
    static uint64_t last(uint64_t run) { return run & ~(run >> 1); }
    static uint64_t below(uint64_t bits) { return (bits & -bits) - 1; }    // its lowest; all when there is none
    uint64_t by_threes() const {
        uint64_t out = first(n);
        for (uint64_t more = out; more != 0; out |= more) more = more << 3 & n & n << 1 & n << 2;
        return out;
    }
    // Words that take one sign or blank before them, signs that take a space before and newlines behind them, digits as told, blanks that
    // end with their last newline: cl100k and its kin. `alone`: blanks before which the last one stays with the others (numbers, where a
    // pattern has been cut before). `slash`: signs take more behind their newlines.
    uint64_t starts(uint64_t words, uint64_t digits, uint64_t alone, bool slash) {
        const uint64_t space = blanks();
        const uint64_t sign = first(s), attached = sign & ~(s >> 1) & l >> 1 & ~(space << 1);
        uint64_t white = w | nl, behind = 0;
        if (nl != 0) {
            const uint64_t taken = ((nl + (s << 1 & nl)) ^ nl) & nl;          // the run's carry clears it
            if (slash) certain &= below(taken << 1 & s);
            white &= ~taken;
            behind = (nl & ~taken) << 1 & w;
            // Not when another newline comes behind those blanks, or what is not known.
            if (((w + behind) & (nl | odd)) != 0) certain &= below(behind);
            if (behind != 0 && w >> 63 != 0) certain &= ~(~uint64_t(0) << (64 - __builtin_clzll(~w)));
        }
        return (words & ~((w | attached) << 1)) | digits | (sign & ~(space << 1)) | first(white) | behind | (last(white) & w & ~alone);
    }
    // Apostrophes at a place of `starts` that begin a contraction, which is a pre-token; or, `joined`, belongs to the word before it.
    uint64_t contractions(uint64_t starts, bool any_case, bool joined) {
        uint64_t quotes = take(v_.c.quotes(), p_) & starts & certain;
        if (joined) quotes &= l << 1;
        for (; quotes != 0; quotes &= quotes - 1) {
            const auto at = static_cast<size_t>(__builtin_ctzll(quotes));
            if (at + 4 >= 63 || p_ + at + 4 > v_.len) {    // not seen whole
                certain &= below(uint64_t(1) << at);
                break;
            }
            const size_t end = v_.contraction(p_ + at, any_case), next = end - p_;
            if (end == 0) continue;
            starts &= ~((uint64_t(1) << next) - (uint64_t(1) << (joined ? at : at + 1)));
            starts |= uint64_t(1) << next;
            if (joined) quotes &= ~(uint64_t(1) << next);    // one contraction a word
        }
        return starts;
    }
    uint64_t sure(uint64_t starts) const { return starts & certain & ~uint64_t(1); }

private:
    const View& v_;
    size_t p_;

public:
    uint64_t l = 0, n = 0, s = 0, w = 0, nl = 0, odd = 0, certain = 0;
};

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,n}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// cl100k, Llama 3, Qwen. Marks may count as letters (Qwen 3.5); a mark as the optional first character is then part of the run anyway.
struct Cl100k {
    int digits = 3;
    uint64_t window(const View& v, size_t p) const {
        Window w(v, p, Window::take(v.c.bits(newlines), p), ~uint64_t(0));
        const uint64_t starts = w.starts(Window::first(w.l), digits == 1 ? w.n : w.by_threes(), 0, false);
        return w.sure(w.contractions(starts, true, false));
    }
    size_t operator()(const View& v, size_t p) const {
        const uint8_t c = v.flags[p];
        if (c & letter) return v.run(letters, p);
        if (c & number) return v.up_to(numbers, p, digits);
        const size_t q = v.after(p);
        const uint8_t next = v.flags[q];
        if (v.text[p] == '\'') {
            if (const size_t end = v.contraction(p, true)) return end;
        }
        if ((next & letter) && !(c & newline)) return v.run(letters, q);
        if (c & white) {
            if (v.text[p] == ' ' && (next & other)) return v.lines(v.run(others, q));
            return v.white_run(p, true, 0);
        }
        return v.lines(v.run(others, p));
    }
};

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+      GPT-2
// With Digits(individual) before it every number is a piece of its own, and ends the text for what is before it.
struct Gpt2 {
    bool single_digits = false;
    uint64_t window(const View& v, size_t p) const {
        Window w(v, p, 0, ~uint64_t(0));
        const uint64_t space = w.blanks() << 1, taken = Window::first(w.l) | Window::first(w.s) | (single_digits ? 0 : Window::first(w.n));
        const uint64_t alone = single_digits ? w.n >> 1 : 0;
        const uint64_t starts = (taken & ~space) | (single_digits ? w.n : 0) | Window::first(w.w) | (Window::last(w.w) & ~alone);
        return w.sure(w.contractions(starts, false, false));
    }
    size_t operator()(const View& v, size_t p) const {
        const uint8_t c = v.flags[p];
        if (single_digits && (c & number)) return v.after(p);
        if (v.text[p] == '\'') {
            if (const size_t end = v.contraction(p, false)) return end;
        }
        const size_t q = v.text[p] == ' ' ? p + 1 : p;
        const uint8_t first = v.flags[q];
        if (first & letter) return v.run(letters, q);
        if ((first & number) && !(single_digits && q > p)) return v.run(numbers, q);
        if (first & other) return v.run(others, q);
        return v.white_run(p, false, single_digits ? number : 0);
    }
};

// o200k and those built like it: words by case.
//   [^\r\n\p{L}\p{N}]?[U]*[V]+(?i:'s|...)?|[^\r\n\p{L}\p{N}]?[U]+[V]*(?i:'s|...)?|\p{N}{1,n}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
//   U = \p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M} (flag5), V = \p{Ll}\p{Lm}\p{Lo}\p{M} (flag6); Kimi: [\p{Han}]+ before all (flag7), and not in U, V.
struct O200k {
    int digits = 3;
    bool contractions = true, slash = true, han = false;
    uint64_t window(const View& v, size_t p) const {
        // Letters of both cases and of none may go on a word in more than one way.
        const uint64_t upper = Window::take(v.c.bits(bits5), p), lower = Window::take(v.c.bits(bits6), p);
        Window w(v, p, Window::take(v.c.bits(newlines), p), upper ^ lower);
        const uint64_t starts = w.starts(Window::first(w.l) | (upper & (w.l & ~upper) << 1), digits == 1 ? w.n : w.by_threes(), 0, slash);
        return w.sure(contractions ? w.contractions(starts, true, true) : starts);
    }

    size_t operator()(const View& v, size_t p) const {
        const uint8_t c = v.flags[p];
        if (han && (c & flag7)) return v.run(bits7, p);
        const size_t q = v.after(p);
        const uint8_t next = v.flags[q];
        const bool prefix = !(c & (newline | letter | number));
        size_t end = 0;
        if (prefix && (next & (flag5 | flag6))) end = small(v, q);
        if (end == 0 && (c & (flag5 | flag6))) end = small(v, p);
        if (end == 0 && prefix && (next & flag5)) end = v.run(bits6, v.run(bits5, q));
        if (end == 0 && (c & flag5)) end = v.run(bits6, v.run(bits5, p));
        if (end != 0) {
            const size_t longer = contractions && v.text[end < v.len ? end : 0] == '\'' ? v.contraction(end, true) : 0;
            return longer ? longer : end;
        }
        if (c & number) return v.up_to(numbers, p, digits);
        if (c & white) {
            if (v.text[p] == ' ' && (next & other)) return tail(v, v.run(others, q));
            return v.white_run(p, true, 0);
        }
        return (c & other) ? tail(v, v.run(others, p)) : q;
    }
    // [U]*[V]+ at p; 0: no match. U gives back as much as it must: up to its last character that is in V too.
    static size_t small(const View& v, size_t p) {
        const size_t end = v.run(bits5, p);
        if (end >= v.len && !v.at_end) return v.len;
        if (v.flags[end] & flag6) return v.run(bits6, end);
        for (size_t i = end; i > p; i--) {
            if (v.flags[i - 1] & flag6) return i;
        }
        return 0;
    }
    size_t tail(const View& v, size_t p) const {
        while (p < v.len && ((v.flags[p] & newline) || (slash && v.text[p] == '/'))) p++;
        return p;
    }
};

// DeepSeek V3: three Splits, one after the other, so what the first two take ends the text for the third.
//   \p{N}{1,3}    [一-龥぀-ゟ゠-ヿ]+ (flag7)
//   [!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// The third cuts what the second took, too. Flags: letter: L and M; other: P and S; flag5: A-Za-z; flag6: may be the optional first character;
// flag7: letters that the second takes; kana (in the place of newline): other characters that it takes, with flag6 when unassigned.
struct DeepSeek {
    static constexpr uint8_t kana = newline;
    uint64_t window(const View& v, size_t p) const {
        // No letters beyond ASCII: a sign takes ASCII letters only. White space that cannot stand before a word is a newline.
        Window w(v, p, Window::take(v.c.bits(whites), p) & ~Window::take(v.c.bits(bits6), p), 0);
        return w.sure(w.starts(Window::first(w.l), w.by_threes(), w.n >> 1, false));
    }
    size_t operator()(const View& v, size_t p) const {
        const uint8_t c = v.flags[p];
        if (c & letter) return v.run(letters, p);
        if (c & number) return v.up_to(numbers, p, 3);
        if (c & flag7) return v.run(bits7, p);
        const size_t q = v.after(p);
        if (c & kana) return kana_run(v, c, q);
        const uint8_t next = v.flags[q];
        if ((next & flag5) && (c & other) && v.text[p] < 0x80) return v.run(bits5, q);
        if ((c & flag6) && (next & letter)) return v.run(letters, q);
        if (c & other) return v.lines(v.run(others, p));
        if (c & white) {
            if (v.text[p] == ' ' && (next & other)) return v.lines(v.run(others, q));
            return v.white_run(p, true, number | flag7 | kana);
        }
        return unmatched(v, q, flag6, letter);
    }
    static size_t kana_run(const View& v, uint8_t c, size_t q) {
        if ((c & flag6) && (v.flags[q] & flag7)) return v.run(bits7, q);
        if (c & flag6) return unmatched(v, q, kana | flag6, flag7);
        while (v.flags[q] == kana) q = v.after(q);
        return q;
    }
    // On to where something matches: these characters do only before a letter.
    static size_t unmatched(const View& v, size_t end, uint8_t like, uint8_t letter_flag) {
        while (end < v.len && v.flags[end] == like && !(v.flags[v.after(end)] & letter_flag)) end = v.after(end);
        return end;
    }
};

}  // namespace weir::tok::scan
