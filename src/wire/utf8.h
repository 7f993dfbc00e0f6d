// Is this valid UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF)?
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

bool utf8_valid(std::string_view text);                    // several GB/s; ASCII faster still
size_t utf8_valid_prefix(std::string_view text);           // bytes of the longest valid prefix that ends between characters; byte-wise
void append_utf8(std::string& out, uint32_t code_point);   // code_point <= 0x10ffff and no surrogate; others become U+FFFD

}  // namespace weir
