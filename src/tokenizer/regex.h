// Regular expressions as tokenizer files have them (Oniguruma's dialect), run by PCRE2 with a JIT. The one place that knows PCRE2.
#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace weir::tok {

// Immutable; any thread may search (each thread has its own match memory).
class Regex {
public:
    struct Match {
        size_t begin = 0, end = 0;    // bytes
    };
    // Translates Oniguruma's meaning (\h is a hex digit, && intersects classes, \s has U+0085, classes are Unicode 16.0 ...).
    static Result<Regex> compile(std::string_view onig_pattern);

    Regex(Regex&&) noexcept;
    Regex& operator=(Regex&&) noexcept;
    ~Regex();
    // The next match at or after `from` in `text` (valid UTF-8; look-behind sees what is before `from`). Work is bounded: a pattern that
    // backtracks without end gives a Failure, as does an error of the engine.
    Result<std::optional<Match>> find(std::string_view text, size_t from) const;

    // All matches in order, as find_iter of the reference does it (an empty match moves on by a character; one that touches the last
    // match's end is passed over). `each(begin, end)`.
    template <class Each>
    Result<void> each(std::string_view text, Each each) const;

private:
    struct Code;
    explicit Regex(std::unique_ptr<Code>);
    std::unique_ptr<Code> code_;
};

template <class Each>
Result<void> Regex::each(std::string_view text, Each each) const {
    size_t from = 0, last = size_t(-1);
    while (from <= text.size()) {
        TRY(auto match, find(text, from));
        if (!match) break;
        if (match->begin != match->end || match->begin != last) {
            each(match->begin, match->end);
            last = match->end;
        }
        if (match->begin == match->end) {
            from = match->end + 1;
            while (from < text.size() && (uint8_t(text[from]) & 0xC0) == 0x80) from++;
        } else {
            from = match->end;
        }
    }
    return {};
}

}  // namespace weir::tok
