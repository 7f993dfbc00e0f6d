// Character properties, as the reference library's engines see them. One Unicode version is the base (16.0, that of its regex
// engine); where another of its engines differs, the function says which. Immutable tables, decoded on first use; any thread.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace weir::tok::unicode {

enum class Category : uint8_t {
    Cn, Lu, Ll, Lt, Lm, Lo, Mn, Mc, Me, Nd, Nl, No, Pc, Pd, Ps, Pe, Pi, Pf, Po, Sm, Sc, Sk, So, Zs, Zl, Zp, Cc, Cf, Co, Cs,
};

// An inclusive range of code points.
struct Range {
    char32_t first = 0, last = 0;
};

// Unicode 16.0: Split and Replace regexes (Oniguruma).
Category category(char32_t c);
bool is_letter(char32_t c);              // L*
bool is_mark(char32_t c);                // M*
bool is_number(char32_t c);              // N*
bool is_white_space(char32_t c);         // White_Space: U+0085 in, U+001C..1F out; the same in all engines
bool is_han(char32_t c);                 // Script=Han
bool is_alphabetic(char32_t c);          // Alphabetic

// Unicode 17.0: Rust's char methods.
bool is_numeric(char32_t c);             // char::is_numeric, by which Digits splits
bool is_alphanumeric(char32_t c);        // char::is_alphanumeric
bool is_word(char32_t c);                // \w of Rust's regex crate (16.0): Whitespace pre-tokenizer, single_word
// char::to_lowercase; writes 1 to 3 code points, gives their number. No context: a final sigma is lowered like any other.
int to_lower(char32_t c, char32_t out[3]);

// Older tables, which the reference's BertNormalizer, StripAccents, Punctuation and UnicodeScripts use.
bool is_punctuation_legacy(char32_t c);  // Punctuation, BertPreTokenizer: P* of an old version, and ASCII punctuation
bool is_control_legacy(char32_t c);      // BertNormalizer.clean_text removes these; tab, LF and CR are not among them
bool is_nonspacing_legacy(char32_t c);   // BertNormalizer.strip_accents removes these after NFD
bool is_accent_legacy(char32_t c);       // StripAccents removes these
// The class by which UnicodeScripts splits: Han with Hiragana and Katakana is one; a space or an unassigned character is script_any, which joins either side.
uint8_t script_class_legacy(char32_t c);
inline constexpr uint8_t script_any = 255;

// The ranges of a property by the name a regex gives it: "L", "Lu", "Letter", "Han", "Alphabetic", "^Han" ...; case, space, '-' and '_' do not count.
// Empty when the name is unknown. Unicode 16.0.
std::vector<Range> property_ranges(std::string_view name);

// The code points, in order and from 0, at which any of the above but to_lower and script_class_legacy may change.
std::span<const char32_t> property_edges();

}  // namespace weir::tok::unicode
