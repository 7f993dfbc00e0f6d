// Replace: a literal, or a regular expression as the reference's engine reads it.
#include <memory>

#include "tokenizer/decoders.h"
#include "tokenizer/regex.h"

namespace weir::tok {

Result<std::function<std::string(std::string_view)>> make_replacer(const Pattern& pattern, std::string by) {
    using Replacer = std::function<std::string(std::string_view)>;
    if (!pattern.regex && !pattern.text.empty()) {
        return Replacer([what = pattern.text, by = std::move(by)](std::string_view text) {
            return text.empty() ? std::string() : replace_all(text, what, by);
        });
    }
    auto regex = Regex::compile(pattern.text);
    if (!regex) return Failure(Code::bad_field, "the Replace decoder's pattern does not compile: " + pattern.text, "decoder.pattern");
    const auto code = std::make_shared<const Regex>(*std::move(regex));
    return Replacer([code, by = std::move(by)](std::string_view text) {
        std::string out;
        size_t kept = 0;
        if (text.empty()) return out;                  // the reference does not look at empty tokens
        const auto searched = code->each(text, [&](size_t begin, size_t end) {
            ((out += text.substr(kept, begin - kept)) += by);
            kept = end;
        });
        return searched ? out += text.substr(kept) : std::string(text);
    });
}

}  // namespace weir::tok
