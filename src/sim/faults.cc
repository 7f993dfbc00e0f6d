#include "sim/faults.h"

#include <charconv>
#include <limits>

namespace weir::sim {
namespace {

struct KindRow { std::string_view name; FaultRule::Kind kind; Fault::Wrong wrong; std::string_view keys; };
// `keys`: what the kind takes besides the conditions, each between blanks.
constexpr KindRow kinds[] = {
    {"status", FaultRule::status, Fault::none, " code "},
    {"stall", FaultRule::stall, Fault::none, " ms after "},
    {"drop", FaultRule::drop, Fault::none, " after with "},
    {"slow", FaultRule::slow, Fault::none, " factor "},
    {"nothing", FaultRule::wrong, Fault::nothing, " with "},
    {"garbage_head", FaultRule::wrong, Fault::garbage_head, ""},
    {"short_length", FaultRule::wrong, Fault::short_length, ""},
    {"long_length", FaultRule::wrong, Fault::long_length, ""},
    {"half_chunk", FaultRule::wrong, Fault::half_chunk, " after "},
    {"bad_json", FaultRule::wrong, Fault::bad_json, " after "},
    {"bad_utf8", FaultRule::wrong, Fault::bad_utf8, " after "},
    {"cut_sse", FaultRule::wrong, Fault::cut_sse, " after "},
    {"close_each", FaultRule::close_each, Fault::none, " announce "},
    {"close_idle", FaultRule::close_idle, Fault::none, " ms "},
    {"refuse", FaultRule::refuse, Fault::none, ""},
};
constexpr std::string_view conditions = " nth every times chance path engine from_ms for_ms ";

template <class T>
bool number(std::string_view text, T& out) {
    auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
    return ec == std::errc{} && end == text.data() + text.size();
}
template <class T>
bool number_in(std::string_view text, T low, T high, T& out) { return number(text, out) && out >= low && out <= high; }

bool milliseconds(std::string_view text, uint64_t& out) {
    if (text == "forever") return out = forever_ms, true;
    return number_in<uint64_t>(text, 1, 86'400'000, out);
}

bool set(FaultRule& rule, std::string_view key, std::string_view value) {
    constexpr auto count_max = std::numeric_limits<uint32_t>::max();
    Fault& f = rule.what;
    if (key == "code") return number_in(value, 400, 599, f.status);
    if (key == "ms") return milliseconds(value, rule.kind == FaultRule::stall ? f.stall_ms : f.idle_close_ms);
    if (key == "factor") return number_in(value, 0.001, 1e6, f.slow);
    if (key == "with") return (value == "fin" || value == "rst") && (f.drop = value == "fin" ? Fault::fin : Fault::reset, true);
    if (key == "announce") return (value == "yes" || value == "no") && (f.announce = value == "yes", true);
    if (key == "after") {
        uint32_t& after = rule.kind == FaultRule::stall  ? f.stall_after
                          : rule.kind == FaultRule::drop ? f.drop_after
                                                         : f.wrong_after;
        return number_in<uint32_t>(value, 0, count_max, after);
    }
    if (key == "nth") return number_in<uint64_t>(value, 1, count_max, rule.nth);
    if (key == "every") return number_in<uint64_t>(value, 1, count_max, rule.every);
    if (key == "times") return number_in<uint64_t>(value, 1, count_max, rule.times);
    if (key == "chance") return number_in(value, 0.0, 1.0, rule.chance);
    if (key == "engine") return number_in<int64_t>(value, 0, 65'535, rule.engine);
    if (key == "path") return value.starts_with('/') && (rule.path = value, true);
    if (key == "from_ms") return number_in<uint64_t>(value, 0, 86'400'000, rule.from_ms);
    return number_in<uint64_t>(value, 1, 86'400'000, rule.for_ms);   // for_ms
}

bool lists(std::string_view keys, std::string_view key) {
    return !key.empty() && keys.find(' ' + std::string(key) + ' ') != keys.npos;
}

Failure bad(std::string_view rule, std::string what) {
    return Failure(Code::bad_field, "fault '" + std::string(rule) + "': " + std::move(what), "fault");
}

// Members of `from` that its rule sets, laid over `onto`.
void lay_over(Fault& onto, const FaultRule& rule) {
    const Fault& from = rule.what;
    switch (rule.kind) {
        case FaultRule::status: onto.status = from.status; break;
        case FaultRule::stall: onto.stall_ms = from.stall_ms, onto.stall_after = from.stall_after; break;
        case FaultRule::drop: onto.drop = from.drop, onto.drop_after = from.drop_after; break;
        case FaultRule::slow: onto.slow = from.slow; break;
        case FaultRule::wrong:
            onto.wrong = from.wrong, onto.wrong_after = from.wrong_after;
            if (from.wrong == Fault::nothing) onto.drop = from.drop, onto.drop_after = 0;
            break;
        case FaultRule::close_each: onto.close_after = true, onto.announce = from.announce; break;
        case FaultRule::close_idle: onto.idle_close_ms = from.idle_close_ms; break;
        case FaultRule::refuse: break;
    }
}

}  // namespace

Result<FaultRule> parse_fault(std::string_view text) {
    const size_t colon = text.find(':');
    const std::string_view kind = text.substr(0, colon);
    const KindRow* row = nullptr;
    for (const KindRow& k : kinds)
        if (k.name == kind) row = &k;
    if (!row) return bad(text, "unknown kind '" + std::string(kind) + "'");
    FaultRule rule;
    rule.kind = row->kind;
    rule.what.wrong = row->wrong;
    if (rule.kind == FaultRule::status) rule.what.status = 500;
    rule.what.stall_ms = rule.kind == FaultRule::stall ? forever_ms : 0;
    rule.what.idle_close_ms = rule.kind == FaultRule::close_idle ? 50 : 0;
    if (rule.kind == FaultRule::drop) rule.what.drop = Fault::reset;
    if (rule.what.wrong == Fault::nothing) rule.what.drop = Fault::fin;
    if (rule.kind == FaultRule::slow) rule.what.slow = 10;
    std::string_view rest = colon == text.npos ? std::string_view{} : text.substr(colon + 1);
    while (!rest.empty()) {
        const std::string_view item = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), item.size() + 1));
        const size_t equals = item.find('=');
        const std::string_view key = item.substr(0, equals);
        if (!lists(row->keys, key) && !lists(conditions, key))
            return bad(text, "'" + std::string(key) + "' is no key of " + std::string(kind));
        if (rule.kind == FaultRule::refuse && !lists(" engine from_ms for_ms ", key))
            return bad(text, "refuse takes engine, from_ms and for_ms only");
        if (equals == item.npos || !set(rule, key, item.substr(equals + 1)))
            return bad(text, "bad value in '" + std::string(item) + "'");
    }
    return rule;
}

Result<std::vector<FaultRule>> parse_faults(std::string_view text) {
    std::vector<FaultRule> rules;
    while (!text.empty()) {
        std::string_view one = text.substr(0, text.find(';'));
        text.remove_prefix(std::min(text.size(), one.size() + 1));
        while (one.starts_with(' ')) one.remove_prefix(1);
        while (one.ends_with(' ')) one.remove_suffix(1);
        if (one.empty()) continue;
        if (rules.size() == fault_rules_max) return Failure(Code::bad_field, "more than 64 fault rules", "fault");
        TRY(FaultRule rule, parse_fault(one));
        rules.push_back(std::move(rule));
    }
    return rules;
}

FaultPlan::FaultPlan(std::vector<FaultRule> rules, uint32_t engine, uint64_t seed, Instant start) : random_(seed), start_(start) {
    for (FaultRule& r : rules)
        if (r.engine < 0 || r.engine == engine) rules_.push_back({std::move(r), 0, 0});
}

bool FaultPlan::in_window(const FaultRule& r, Instant now) const {
    const uint64_t ms = (now - start_) / ns_per_ms;
    return ms >= r.from_ms && (r.for_ms == forever_ms || ms < r.from_ms + r.for_ms);
}

Fault FaultPlan::on_request(std::string_view path, bool generating, Instant now) {
    Fault fault;
    for (Counted& c : rules_) {
        const FaultRule& r = c.rule;
        if (r.kind == FaultRule::refuse || !in_window(r, now)) continue;
        if (r.path.empty() ? !generating : !path.starts_with(r.path)) continue;
        ++c.seen;
        if (r.nth && c.seen != r.nth) continue;
        if (r.every && c.seen % r.every != 0) continue;
        if (r.times && c.hits >= r.times) continue;
        if (r.chance < 1 && random_.unit() >= r.chance) continue;
        ++c.hits;
        ++hits_;
        lay_over(fault, r);
    }
    return fault;
}

Fault FaultPlan::of_header(const std::vector<FaultRule>& rules) {
    Fault fault;
    for (const FaultRule& r : rules) lay_over(fault, r);
    return fault;
}

bool FaultPlan::refusing(Instant now) const {
    for (const Counted& c : rules_)
        if (c.rule.kind == FaultRule::refuse && in_window(c.rule, now)) return true;
    return false;
}

Instant FaultPlan::refusing_changes(Instant now) const {
    Instant next = 0;
    for (const Counted& c : rules_) {
        if (c.rule.kind != FaultRule::refuse) continue;
        const Instant from = start_ + c.rule.from_ms * ns_per_ms;
        for (Instant at : {from, c.rule.for_ms == forever_ms ? Instant{0} : from + c.rule.for_ms * ns_per_ms})
            if (at > now && (next == 0 || at < next)) next = at;
    }
    return next;
}

}  // namespace weir::sim
