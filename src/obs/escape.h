// Text made safe for the formats we print: JSON strings, label values, one-line text. Bytes that are not UTF-8 become U+FFFD.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

void append_json(std::string& out, std::string_view text);     // with its quotes
void append_label(std::string& out, std::string_view text);    // a Prometheus label value, with its quotes
void append_word(std::string& out, std::string_view text);     // as is when it is one plain word, else as append_json()
void append_plain(std::string& out, std::string_view text);    // control characters escaped, so that it stays one line
void append_number(std::string& out, double value);            // shortest form that reads back equal; NaN, +Inf, -Inf
void append_number(std::string& out, uint64_t value);
void append_number(std::string& out, int64_t value);

// Length of the UTF-8 sequence that starts `text`; 0: not one.
size_t utf8_length(std::string_view text);

}  // namespace weir
