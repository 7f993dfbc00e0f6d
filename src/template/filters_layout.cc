#include <algorithm>

#include "template/text.h"
#include "template/unicode.h"

namespace weir::jinja {
namespace {

Value indent(Render& r, Value v, const Args& a) {
    const Bound b("do_indent", a, {"width", "first", "blank"});
    if (v.is_undefined()) r.fail_undefined(v);
    if (v.is(Kind::list)) raise(Error::attribute, "'list' object has no attribute 'splitlines'");
    if (!v.is_string())
        type_error(v.is_number() ? "unsupported operand type(s) for +=: " + named(v) + " and 'str'"
                                 : "can only concatenate " + std::string(type_name(v)));
    Str indention;
    const size_t mark = r.out.size();
    if (b.given(0) && b[0].is_string()) {
        indention = b[0].str();
    } else {
        const int64_t n = b.given(0) ? want_int(b[0], "can't multiply sequence by non-int") : 4;
        r.out.fill(" ", n > 0 ? static_cast<size_t>(n) : 0);
        indention = r.out.take(mark);
    }
    const bool blank = b.flag(2, false);
    const auto lines = split_lines(r, r.heap.concat(v.str(), "\n"), false);
    if (b.flag(1, false)) r.out.write(indention);
    for (size_t k = 0; k < lines.size(); ++k) {
        if (k) r.out.put('\n');
        if (k && (blank || lines[k].len)) r.out.write(indention);
        r.out.write(lines[k].str());
    }
    const Str text = r.out.take(mark);
    return v.is_safe() ? safe_string(text) : Value::string(text);
}

Value truncate(Render& r, Value v, const Args& a) {
    const Bound b("do_truncate", a, {"length", "killwords", "end", "leeway"});
    const int64_t length = b.given(0) ? want_int(b[0]) : 255;
    const Value end = b.or_else(2, Value::string("..."));
    const Value slack = b.or_else(3, Value::none());
    const int64_t leeway = slack.is(Kind::none) ? 5 : want_int(slack), tail = length_of(end);
    if (length < tail) raise(Error::assertion, "expected length >= " + std::to_string(tail) + ", got " + std::to_string(length));
    if (leeway < 0) raise(Error::assertion, "expected leeway >= 0, got " + std::to_string(leeway));
    if (length_of(v) <= length + leeway) return v;
    const Value cut = r.slice(v, Value::none(), Value::integer(length - tail), Value::none());
    if (b.flag(1, false)) return r.add(cut, end);
    if (!cut.is_string()) raise(Error::attribute, named(v) + " object has no attribute 'rsplit'");
    return r.add(Value::string(cut.str().substr(0, cut.str().rfind(' '))), end);
}

// textwrap: chunks are runs of white space, words, and parts of words up to a hyphen between letters.
std::vector<Str> wrap_chunks(Str s, bool on_hyphens) {
    std::vector<Str> chunks;
    auto blank = [](char c) { return c == ' ' || (c >= 9 && c <= 13); };
    auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80; };
    auto word = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
    for (size_t at = 0; at < s.size();) {
        const size_t from = at;
        const bool space = blank(s[at]);
        while (at < s.size() && blank(s[at]) == space) ++at;
        Str run = s.substr(from, at - from);
        while (on_hyphens && !space) {
            size_t cut = Str::npos;
            for (size_t k = 1; k + 1 < run.size() && cut == Str::npos; ++k) {
                if (run[k] != '-') continue;
                size_t dashes = k;
                while (dashes < run.size() && run[dashes] == '-') ++dashes;
                const bool after_word = word(run[k - 1]) || Str("!\"'&.,?").find(run[k - 1]) != Str::npos;
                if (dashes - k >= 2) {   // an em-dash stands alone between words
                    if (after_word && dashes < run.size() && word(run[dashes])) cut = k;
                    else k = dashes;
                    continue;
                }
                const bool before = letter(run[k - 1]) && (k >= 2 ? letter(run[k - 2]) || run[k - 2] == '-' : false);
                const bool behind = letter(run[k + 1]) && k + 2 < run.size() && (letter(run[k + 2]) || run[k + 2] == '-');
                if (before && behind) cut = k + 1;
            }
            if (cut == Str::npos) break;
            if (run[cut] == '-') {
                chunks.push_back(run.substr(0, cut));
                size_t dashes = cut;
                while (dashes < run.size() && run[dashes] == '-') ++dashes;
                chunks.push_back(run.substr(cut, dashes - cut));
                run.remove_prefix(dashes);
            } else {
                chunks.push_back(run.substr(0, cut));
                run.remove_prefix(cut);
            }
        }
        if (!run.empty()) chunks.push_back(run);
    }
    return chunks;
}
Value wordwrap(Render& r, Value v, const Args& a) {
    const Bound b("do_wordwrap", a, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
    if (v.is_undefined()) r.fail_undefined(v);
    if (!v.is_string()) raise(Error::attribute, named(v) + " object has no attribute 'splitlines'");
    const int64_t width = b.given(0) ? want_int(b[0]) : 79;
    const bool breaks = b.flag(1, true), hyphens = b.flag(3, true);
    const Value glue = b.or_else(2, Value::none());
    const Str wrap = glue.is(Kind::none) ? Str("\n") : want_text(glue, "sequence item: expected str instance");
    const auto lines = split_lines(r, v.str(), false);
    const size_t mark = r.out.size();
    bool first_line = true;
    for (const Value& line : lines) {
        if (!std::exchange(first_line, false)) r.out.write(wrap);
        if (width <= 0) raise(Error::value, "invalid width " + std::to_string(width) + " (must be > 0)");
        auto chunks = wrap_chunks(line.str(), hyphens);
        std::reverse(chunks.begin(), chunks.end());
        bool first_out = true;
        auto blank = [](Str s) { return unicode::strip(s, true, true).empty(); };
        auto size = [](Str s) { return static_cast<int64_t>(count_chars(s)); };
        while (!chunks.empty()) {
            std::vector<Str> row;
            int64_t used = 0;
            if (!first_out && blank(chunks.back())) chunks.pop_back();
            while (!chunks.empty() && used + size(chunks.back()) <= width) {
                used += size(chunks.back());
                row.push_back(chunks.back());
                chunks.pop_back();
            }
            if (!chunks.empty() && size(chunks.back()) > width) {
                const int64_t room = width < 1 ? 1 : width - used;
                if (breaks) {
                    auto end = static_cast<size_t>(room);
                    Str& chunk = chunks.back();
                    if (hyphens && size(chunk) > room) {   // behind a hyphen, when there is one
                        const Str head = chars(chunk, 0, end);
                        const size_t hyphen = head.rfind('-');
                        if (hyphen != Str::npos && hyphen > 0 && head.substr(0, hyphen).find_first_not_of('-') != Str::npos)
                            end = count_chars(head.substr(0, hyphen + 1));
                    }
                    const Str head = chars(chunk, 0, end);
                    row.push_back(head);
                    chunk.remove_prefix(head.size());
                } else if (row.empty()) {
                    row.push_back(chunks.back());
                    chunks.pop_back();
                }
            }
            if (!row.empty() && blank(row.back())) row.pop_back();
            if (row.empty()) continue;
            if (!std::exchange(first_out, false)) r.out.write(wrap);
            for (Str part : row) r.out.write(part);
            r.step();
        }
    }
    return r.text(mark);
}

Value pprint(Render& r, Value v, const Args& a) {
    const Bound none("do_pprint", a, {});
    const size_t mark = r.out.size();
    write_pretty(r, v);
    return r.text(mark);
}

Value xmlattr(Render& r, Value v, const Args& a) {
    const Bound b("do_xmlattr", a, {"autospace"});
    if (v.is_undefined()) r.fail_undefined(v);
    if (!v.is(Kind::dict)) raise(Error::attribute, named(v) + " object has no attribute 'items'");
    const size_t mark = r.out.size();
    bool any = false;
    for (const DictEntry& e : v.dict->all()) {
        if (e.value.is(Kind::none) || e.value.is_undefined()) continue;
        const Str key = want_text(e.key, "expected string or bytes-like object, got");
        if (key.find_first_of(" \t\n\r\f\v/>=") != Str::npos) raise(Error::value, "Invalid character in attribute name: " + repr_text(e.key));
        if (any || b.flag(0, true)) r.out.put(' ');
        any = true;
        r.out.write(r.escaped(e.key).str());
        r.out.write("=\"");
        r.out.write(r.escaped(e.value).str());
        r.out.put('"');
    }
    return r.autoescape ? safe_string(r.out.take(mark)) : r.text(mark);
}

Value urlize(Render&, Value, const Args&) { raise(Error::not_implemented, "the filter 'urlize' makes HTML and is not supported"); }

constexpr FilterRow rows[] = {{"indent", indent}, {"truncate", truncate}, {"wordwrap", wordwrap},
                              {"pprint", pprint}, {"xmlattr", xmlattr},   {"urlize", urlize}};

}  // namespace

std::span<const FilterRow> layout_filters() { return rows; }

}  // namespace weir::jinja
