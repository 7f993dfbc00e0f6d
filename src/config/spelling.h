// How a command's flags and environment names map to rows.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/row.h"

namespace weir::config {

std::vector<Str> words(Str text, Str separators = " ");   // without empty ones
Str name(Command);                                        // "frontend"
std::string native_env(const Row&);                       // router.policy -> WEIR_ROUTER_POLICY
std::string_view choices(const Row&, Command);            // with the '|', as in the table

bool has_any(const Row&, Command);                        // are the flags of row.any this command's too?

struct FlagRef {
    const Row* row = nullptr;
    const Spelling* spelling = nullptr;
    bool inverted = false;   // sets a boolean to false
    bool old_name = false;   // warns
};
// Flags of one command as typed, with their dashes; "--no-x" for every boolean "--x".
class Flags {
public:
    explicit Flags(Command);
    static const Flags& of(Command);   // made once
    const FlagRef* find(Str flag) const;
    std::vector<Str> nearest(Str flag, size_t n) const;   // by edit distance, nearest first
    const std::unordered_map<std::string, FlagRef>& all() const { return flags_; }

private:
    std::unordered_map<std::string, FlagRef> flags_;
};

// The flag that help texts show for a row: of this command, else of any. Empty when it has none.
Str shown_flag(const Row&, Command);
inline constexpr size_t name_max = 64;   // bytes of a name that are compared
size_t edit_distance(Str, Str);          // insert, delete, replace, swap neighbours
// The text words that are nearest to `given` (at most n), nearest first.
std::vector<Str> nearest_words(Str given, std::vector<Str> candidates, size_t n);

}  // namespace weir::config
