// A model's JSON file as Python reads it: NaN and Infinity stand for null, missing members are no error.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "types/doc.h"

namespace weir::hub {

class ConfigJson {
public:
    // Failure: bad_request with what is wrong and where. Keeps a copy.
    static Result<ConfigJson> parse(std::string_view text);
    Str object() const { return copy_; }
    Str member(Str key) const;                              // empty: absent or null
    std::optional<std::string> text(Str key) const;         // a string; nullopt: absent, null or of another kind
    std::optional<std::string> token(Str key) const;        // a string, or an AddedToken object's "content"
    std::optional<bool> boolean(Str key) const;
    std::optional<uint64_t> number(Str key) const;          // an integer in range; 32.0 counts
    std::string unescaped(Str string_value) const;

private:
    std::string copy_;
};

}  // namespace weir::hub
