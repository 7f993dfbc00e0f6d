// NFC, NFD, NFKC and NFKD by Unicode 9.0, which is what the reference library's normalizers know: characters that came later do not
// decompose, compose or reorder. Any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tok::unicode {

enum class Form : uint8_t { nfc, nfd, nfkc, nfkd };

// One code point of normalized text. `change` is the reference's: 0 the character stands for one of the original, 1 it is new beside the
// one before it, -n it stands for one original and n more that vanished. Feed them to an alignment as its `transform` does.
struct Transformed {
    char32_t c = 0;
    int change = 0;
};

// Whether `text` (valid UTF-8) is in `form` already, told without work on the text; false may also mean "cannot tell". ASCII is always true.
bool quick_check(Form form, std::string_view text);

// Appends the normal form of `text` (valid UTF-8) to `out`.
void normalize(Form form, std::string_view text, std::string& out);

// The same with what became of each character.
void normalize(Form form, std::string_view text, std::vector<Transformed>& out);

}  // namespace weir::tok::unicode
