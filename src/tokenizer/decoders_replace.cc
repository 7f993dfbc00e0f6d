// Replace: a literal, or a regular expression run by PCRE2 in its Unicode mode.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <memory>

#include "tokenizer/decoders.h"

namespace weir::tok {
namespace {

using Code8 = std::shared_ptr<pcre2_code>;

std::string substitute(pcre2_code* code, std::string_view text, const std::string& by) {
    if (text.empty()) return {};   // the reference does not look at empty tokens
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> found(pcre2_match_data_create_from_pattern(code, nullptr),
                                                                                     pcre2_match_data_free);
    std::string out;
    size_t from = 0, kept = 0;
    uint32_t options = 0;
    while (from <= text.size()) {
        const int rc = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, options, found.get(), nullptr);
        if (rc < 0 && options == 0) break;
        const auto* at = pcre2_get_ovector_pointer(found.get());
        if (rc >= 0) {
            ((out += text.substr(kept, at[0] - kept)) += by);
            kept = from = at[1];
            options = at[0] == at[1] ? PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED : 0;
        } else {   // nothing longer where an empty match was: one character on
            ++from;
            while (from < text.size() && (static_cast<uint8_t>(text[from]) & 0xC0) == 0x80) ++from;
            options = 0;
        }
    }
    return out += text.substr(kept);
}

}  // namespace

Result<std::function<std::string(std::string_view)>> make_replacer(const Pattern& pattern, std::string by) {
    using Replacer = std::function<std::string(std::string_view)>;
    if (!pattern.regex) {
        return Replacer([what = pattern.text, by = std::move(by)](std::string_view text) {
            return text.empty() ? std::string() : replace_all(text, what, by);
        });
    }
    int error = 0;
    size_t at = 0;
    const Code8 code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.text.data()), pattern.text.size(), PCRE2_UTF | PCRE2_UCP, &error, &at, nullptr),
                     pcre2_code_free);
    if (!code) return Failure(Code::bad_field, "the Replace decoder's pattern does not compile: " + pattern.text, "decoder.pattern");
    return Replacer([code, by = std::move(by)](std::string_view text) { return substitute(code.get(), text, by); });
}

}  // namespace weir::tok
