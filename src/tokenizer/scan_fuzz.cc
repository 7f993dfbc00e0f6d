// The hand-written scanners beside the regular expressions that they stand for, on the engine: the same pieces at every width of vectors.
// Input: a byte that chooses the pattern, then a text; what is no UTF-8 in it becomes characters that patterns tell apart.
#include <cstdlib>

#include "tokenizer/regex.h"
#include "tokenizer/scan.cc"
#include "tokenizer/unicode_utf8.h"

namespace {

using namespace weir::tok;

struct Pair {
    std::unique_ptr<Scanner> scanner;
    Regex regex;
};

const std::vector<Pair>& pairs() {
    static const std::vector<Pair> all = [] {
        std::vector<Pair> out;
        const auto add = [&out](std::unique_ptr<Scanner> scanner, std::string_view pattern) {
            auto regex = Regex::compile(pattern);
            if (!regex) std::abort();
            out.push_back({std::move(scanner), *std::move(regex)});
        };
        for (const Known& k : known) add(k.make(), k.pattern);
        add(make(scan::Gpt2{false}, plain_flags), R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)");
        return out;
    }();
    return all;
}

// One character for each byte: ASCII is itself, the rest are one of each kind that the patterns know.
std::string text_of(const uint8_t* data, size_t size) {
    constexpr char32_t others[] = {0xE9, 0xC9, 0x1C5, 0x2B0, 0x5D0, 0x301, 0x903, 0x20DD, 0x664, 0x2167, 0xBD, 0x85, 0xA0, 0x2003, 0x2028, 0x3000,
                                   0x4E2D, 0x3042, 0x30A2, 0xAC00, 0x1F30A, 0x200D, 0xFEFF, 0x2019, 0x20AC, 0xAB, 0x378, 0xE000, 0x10FFFF, 0x17F, 0x1D7D8, 0x212A};
    std::string out;
    for (size_t i = 0; i < size; i++) unicode::append_point(out, data[i] < 0x80 ? data[i] : others[data[i] % std::size(others)]);
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2 || size > 6'000) return 0;
    const Pair& pair = pairs()[data[0] % pairs().size()];
    const std::string text = text_of(data + 1, size - 1);
    std::vector<size_t> wanted;
    size_t covered = 0;
    const auto done = pair.regex.each(text, [&](size_t begin, size_t end) {
        if (begin != covered) std::abort();
        wanted.push_back(covered = end);
    });
    if (!done || covered != text.size()) std::abort();
    for (scan_level_max = 0; scan_level_max <= 2; scan_level_max++) {
        ScanScratch scratch;
        std::vector<size_t> got;
        for (size_t from = 0; from < text.size();) {
            const size_t next = pair.scanner->scan(text, from, scratch);
            if (next <= from || scratch.ends.size() == 0) std::abort();
            for (const uint32_t end : scratch.ends) got.push_back(from + end);
            from = next;
        }
        if (got != wanted) std::abort();
    }
    scan_level_max = 2;
    return 0;
}
