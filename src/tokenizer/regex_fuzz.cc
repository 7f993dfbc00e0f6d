// Patterns of tokenizer files: whatever they are, they are refused with a reason or find matches that lie within the text, in order and at
// characters' ends; and a character is in a class or in what the class negated is, never in both.
// Input: a pattern, then 0xFF, then a text.
#include <cstdlib>
#include <string>

#include "tokenizer/detokenizer_utf8.h"
#include "tokenizer/regex.h"
#include "tokenizer/regex_translate.cc"
#include "tokenizer/unicode_utf8.h"

namespace {

using weir::tok::Regex;

bool boundary(std::string_view text, size_t at) { return at == text.size() || (static_cast<uint8_t>(text[at]) & 0xC0) != 0x80; }

// Whether the pattern is one class and nothing else.
bool is_class(std::string_view pattern) {
    if (pattern.size() < 3 || pattern.front() != '[' || pattern.back() != ']') return false;
    return pattern.substr(1, pattern.size() - 2).find_first_of("[]\\&") == std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size > 200) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const size_t cut = std::min(input.find('\xFF'), input.size());
    const std::string_view pattern = input.substr(0, cut), text = input.substr(std::min(cut + 1, input.size())).substr(0, 40);
    if (!weir::tok::valid_utf8(pattern) || !weir::tok::valid_utf8(text)) return 0;
    auto regex = Regex::compile(pattern);
    if (!regex) {
        if (regex.error()->message.empty()) std::abort();
        return 0;
    }
    size_t last = 0;
    const auto done = regex->each(text, [&](size_t begin, size_t end) {
        if (begin < last || end < begin || end > text.size() || !boundary(text, begin) || !boundary(text, end)) std::abort();
        last = end;
    });
    if (!done && done.error()->message.empty()) std::abort();
    if (!is_class(pattern)) return 0;
    const bool negated = pattern[1] == '^';
    auto other = Regex::compile(negated ? "[" + std::string(pattern.substr(2)) : "[^" + std::string(pattern.substr(1)));
    if (!other) return 0;
    for (const char *p = text.data(), *end = p + text.size(); p < end;) {
        const char* from = p;
        weir::tok::unicode::next_point(p);
        const std::string_view one(from, static_cast<size_t>(p - from));
        const auto in = regex->find(one, 0), out = other->find(one, 0);
        if (!in || !out || in->has_value() == out->has_value()) std::abort();
    }
    return 0;
}
