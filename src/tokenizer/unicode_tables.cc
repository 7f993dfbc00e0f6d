#include "tokenizer/unicode_tables.h"

#include <cctype>
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/unicode_blocks.h"
#include "tokenizer/unicode_data.h"

namespace weir::tok::unicode {
namespace {

constexpr char32_t points = 0x110000;

// The members of a set as flags of one shared table: one look-up answers all of them.
enum Flag : uint16_t {
    alphabetic = 1, white = 2, onig_word = 4, rust_numeric = 8, rust_word = 16, punctuation = 32, control = 64, nonspacing = 128, accent = 256,
};

struct Tables {
    Blocks<uint8_t> category, script, script_class;
    Blocks<uint16_t> flags;
    std::vector<std::string> script_names;                   // two a script: its code, its name
    std::vector<std::pair<char32_t, std::array<char32_t, 3>>> lower;
    std::vector<char32_t> edges;

    Tables();

private:
    void add(Range r, uint16_t flag) {
        flags.update(r.first, r.last, [flag](uint16_t known) { return static_cast<uint16_t>(known | flag); });
    }
    void add(const char* ranges, Flag flag) {
        for_ranges(ranges, [&](Range r) { add(r, flag); });
    }
    void find_edges();
};

Tables::Tables() : category(read_runs(data::categories)), script(read_runs(data::scripts)), script_class(read_runs(data::legacy_scripts)) {
    add(data::alphabetic, alphabetic);
    add(data::onig_word, onig_word);
    add(data::rust_numeric, rust_numeric);
    add(data::rust_word, rust_word);
    add(data::legacy_punctuation, punctuation);
    add(data::legacy_control, control);
    add(data::legacy_nonspacing, nonspacing);
    add(data::legacy_accents, accent);
    for (const Range r : {Range{9, 13}, Range{0x85, 0x85}}) add(r, white);
    find_edges();
    for (const char32_t c : edges) {
        const auto kind = static_cast<Category>(category[c]);
        for (char32_t z = c; kind >= Category::Zs && kind <= Category::Zp && category[z] == category[c]; z++) add(Range{z, z}, white);
    }
    for_mapping(data::lowercase, [&](char32_t c, const std::vector<char32_t>& to) {
        std::array<char32_t, 3> out{};
        std::copy(to.begin(), to.end(), out.begin());
        lower.emplace_back(c, out);
    });
    for (std::string_view rest = data::script_names; !rest.empty();) {
        const size_t space = std::min(rest.find(' '), rest.size());
        script_names.emplace_back(rest.substr(0, space));
        rest.remove_prefix(std::min(space + 1, rest.size()));
    }
}

void Tables::find_edges() {
    constexpr char32_t block = Blocks<uint8_t>::block;
    for (char32_t c = 0; c < points; c++) {
        const bool even = category.even(c / block) && script.even(c / block) && flags.even(c / block);
        if (c == 0 || category[c] != category[c - 1] || script[c] != script[c - 1] || flags[c] != flags[c - 1]) edges.push_back(c);
        if (even) c |= block - 1;
    }
}

const Tables& tables() {
    static const Tables one;
    return one;
}

bool has(char32_t c, uint16_t flag) { return (tables().flags[c] & flag) != 0; }

constexpr std::string_view category_names[] = {"cn", "lu", "ll", "lt", "lm", "lo", "mn", "mc", "me", "nd", "nl", "no", "pc", "pd", "ps",
                                               "pe", "pi", "pf", "po", "sm", "sc", "sk", "so", "zs", "zl", "zp", "cc", "cf", "co", "cs"};
struct LongName {
    std::string_view name, category;
};
constexpr LongName long_names[] = {
    {"letter", "l"}, {"mark", "m"}, {"combiningmark", "m"}, {"number", "n"}, {"punctuation", "p"}, {"symbol", "s"}, {"separator", "z"}, {"other", "c"},
    {"uppercaseletter", "lu"}, {"lowercaseletter", "ll"}, {"titlecaseletter", "lt"}, {"modifierletter", "lm"}, {"otherletter", "lo"},
    {"nonspacingmark", "mn"}, {"spacingmark", "mc"}, {"enclosingmark", "me"}, {"decimalnumber", "nd"}, {"letternumber", "nl"}, {"othernumber", "no"},
    {"connectorpunctuation", "pc"}, {"dashpunctuation", "pd"}, {"openpunctuation", "ps"}, {"closepunctuation", "pe"}, {"initialpunctuation", "pi"},
    {"finalpunctuation", "pf"}, {"otherpunctuation", "po"}, {"mathsymbol", "sm"}, {"currencysymbol", "sc"}, {"modifiersymbol", "sk"},
    {"othersymbol", "so"}, {"spaceseparator", "zs"}, {"lineseparator", "zl"}, {"paragraphseparator", "zp"}, {"control", "cc"}, {"format", "cf"},
    {"privateuse", "co"}, {"surrogate", "cs"}, {"unassigned", "cn"},
};

template <class Holds>
std::vector<Range> ranges_where(Holds holds) {
    std::vector<Range> out;
    const std::vector<char32_t>& edges = tables().edges;
    for (size_t i = 0; i < edges.size(); i++) {
        if (!holds(edges[i])) continue;
        const char32_t last = (i + 1 < edges.size() ? edges[i + 1] : points) - 1;
        if (!out.empty() && out.back().last + 1 == edges[i]) out.back().last = last;
        else out.push_back({edges[i], last});
    }
    return out;
}

std::vector<Range> find_property(std::string name) {
    const Tables& t = tables();
    for (const LongName& known : long_names) {
        if (name == known.name) name = known.category;
    }
    if (name == "any") return {{0, points - 1}};
    if (name == "ascii") return {{0, 127}};
    if (name == "alphabetic" || name == "alpha") return ranges_where([](char32_t c) { return is_alphabetic(c); });
    if (name == "alnum") return ranges_where([](char32_t c) { return is_alphabetic(c) || category(c) == Category::Nd; });
    if (name == "whitespace" || name == "space") return ranges_where([](char32_t c) { return is_white_space(c); });
    if (name == "word") return ranges_where([](char32_t c) { return has(c, onig_word); });
    if (name == "digit") name = "nd";
    if (name == "cntrl") name = "cc";
    if (name == "punct") return ranges_where([](char32_t c) { return category(c) >= Category::Pc && category(c) <= Category::Po; });
    for (size_t i = 0; i < std::size(category_names); i++) {
        if (name == category_names[i]) return ranges_where([&](char32_t c) { return t.category[c] == i; });
    }
    if (name.size() == 1 && std::string_view("lmnpszc").find(name[0]) != std::string_view::npos) {
        return ranges_where([&](char32_t c) { return category_names[t.category[c]][0] == name[0]; });
    }
    for (size_t i = 0; i < t.script_names.size(); i++) {
        std::string low;
        for (char c : t.script_names[i]) low.push_back(static_cast<char>(std::tolower(static_cast<uint8_t>(c))));
        if (name == low) return ranges_where([&](char32_t c) { return t.script[c] == i / 2 + 1; });
    }
    return {};
}

}  // namespace

Category category(char32_t c) { return c < points ? static_cast<Category>(tables().category[c]) : Category::Cn; }
bool is_letter(char32_t c) { return category(c) >= Category::Lu && category(c) <= Category::Lo; }
bool is_mark(char32_t c) { return category(c) >= Category::Mn && category(c) <= Category::Me; }
bool is_number(char32_t c) { return category(c) >= Category::Nd && category(c) <= Category::No; }
bool is_white_space(char32_t c) { return has(c, white); }
bool is_alphabetic(char32_t c) { return has(c, alphabetic); }
bool is_han(char32_t c) {
    static const uint8_t han = [] {
        const auto& names = tables().script_names;
        size_t i = 0;
        while (names[i] != "Hani") i++;
        return static_cast<uint8_t>(i / 2 + 1);
    }();
    return tables().script[c] == han;
}
bool is_numeric(char32_t c) { return has(c, rust_numeric); }
bool is_alphanumeric(char32_t c) { return has(c, alphabetic | rust_numeric); }
bool is_word(char32_t c) { return has(c, rust_word); }
bool is_punctuation_legacy(char32_t c) { return has(c, punctuation); }
bool is_control_legacy(char32_t c) { return has(c, control); }
bool is_nonspacing_legacy(char32_t c) { return has(c, nonspacing); }
bool is_accent_legacy(char32_t c) { return has(c, accent); }
uint8_t script_class_legacy(char32_t c) { return tables().script_class[c]; }

int to_lower(char32_t c, char32_t out[3]) {
    if (c < 128) {
        out[0] = c >= 'A' && c <= 'Z' ? c + 32 : c;
        return 1;
    }
    const auto& lower = tables().lower;
    auto at = std::lower_bound(lower.begin(), lower.end(), c, [](const auto& entry, char32_t v) { return entry.first < v; });
    if (at == lower.end() || at->first != c) {
        out[0] = c;
        return 1;
    }
    int n = 0;
    while (n < 3 && at->second[n] != 0) out[n] = at->second[n], n++;
    return n;
}

std::span<const char32_t> property_edges() { return tables().edges; }

std::vector<Range> property_ranges(std::string_view name) {
    std::string key;
    for (char c : name) {
        if (c != ' ' && c != '-' && c != '_') key.push_back(static_cast<char>(std::tolower(static_cast<uint8_t>(c))));
    }
    const bool negated = !key.empty() && key[0] == '^';
    std::vector<Range> out = find_property(negated ? key.substr(1) : key), rest;
    if (!negated || out.empty()) return out;
    char32_t next = 0;
    for (const Range& r : out) {
        if (r.first > next) rest.push_back({next, r.first - 1});
        next = r.last + 1;
    }
    if (next < points) rest.push_back({next, points - 1});
    return rest;
}

}  // namespace weir::tok::unicode
