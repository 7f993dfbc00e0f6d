// One value: from text to its canonical words (in the row's own unit), and from there into Config.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "config/row.h"

namespace weir::config {

using Words = std::vector<std::string>;   // one word for a scalar; empty: unset

struct Reading {
    const Row* row = nullptr;
    Command command = Command::frontend;
    double scale = 1;            // of the spelling
    bool lenient_bool = false;   // 1/true/yes/on, all else false (the peers' environment); otherwise nonsense is an error
    std::string from;            // flag, variable or file key, for messages
};
// Failure: bad_field with a line for the user that names where the value came from, the value and what is allowed.
Result<Words> read_value(const Reading&, const Words& given);
// `value` comes from read_value.
void store(Config&, const Field&, const Words& value);

// Text from the environment, a YAML scalar or the table: lists are split at blanks and commas.
Words words_of(const Row&, Str text);
bool is_bootstrap_port(Str word);   // a number or "none"
// What holds when nothing is given; `compat`: with --compat-defaults.
Words default_words(const Row&, Command, bool compat);

enum class Built : uint8_t { unknown, no, yes };
struct Chosen { Built built = Built::unknown; Str word; };   // word: as the table spells it
Chosen choose(Str choices, Str given);                       // '-' and '_' are alike
bool same_choice(Str a, Str b);

std::string printable(Str, size_t bytes_max = 80);           // for messages: control characters are '?', cut at bytes_max
std::string number_text(double);                             // shortest that reads back; integers plainly

}  // namespace weir::config
