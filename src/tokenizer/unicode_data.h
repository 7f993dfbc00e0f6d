// The texts of unicode_data.cc, which tools/unicode_tables.py writes. Read by unicode_*.cc only.
#pragma once

namespace weir::tok::unicode::data {

extern const char* const categories;
extern const char* const scripts;
extern const char* const script_names;
extern const char* const alphabetic;
extern const char* const onig_word;
extern const char* const rust_numeric;
extern const char* const rust_word;
extern const char* const legacy_punctuation;
extern const char* const legacy_control;
extern const char* const legacy_nonspacing;
extern const char* const legacy_accents;
extern const char* const legacy_scripts;
extern const char* const lowercase;
extern const char* const canonical;
extern const char* const compatible;
extern const char* const composed;
extern const char* const combining;
extern const char* const graphemes;

}  // namespace weir::tok::unicode::data
