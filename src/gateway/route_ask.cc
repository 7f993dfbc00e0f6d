#include "gateway/route_ask.h"

#include <algorithm>
#include <charconv>

#include "wire/json_walk.h"

namespace weir {
namespace {

template <class T>
bool number(Str text, std::optional<T>& out) {
    T n = 0;
    auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec != std::errc{} || end != text.data() + text.size()) return false;
    out = n;
    return true;
}

enum class What : uint8_t {
    pin, prefill_pin, dp_rank, prefill_dp_rank, target, session, agent, claude, parent, final_, priority, strict, policy_class, forwarded,
    cookie, explain
};
struct HeaderRow { Str name; What what; };
constexpr HeaderRow rows[] = {           // of several that say the same, the first in this list counts
    {"x-dynamo-worker-instance-id", What::pin}, {"x-worker-instance-id", What::pin},
    {"x-dynamo-prefill-instance-id", What::prefill_pin}, {"x-prefill-instance-id", What::prefill_pin},
    {"x-dynamo-dp-rank", What::dp_rank}, {"x-dp-rank", What::dp_rank}, {"x-data-parallel-rank", What::dp_rank},
    {"x-dynamo-prefill-dp-rank", What::prefill_dp_rank}, {"x-prefill-dp-rank", What::prefill_dp_rank},
    {"x-smg-target-worker", What::target},
    {"x-dynamo-session-id", What::session}, {"x-claude-code-agent-id", What::agent}, {"x-claude-code-session-id", What::claude},
    {"thread-id", What::session}, {"x-session-id", What::session},
    {"x-codex-parent-thread-id", What::parent}, {"x-dynamo-session-final", What::final_},
    {"x-dynamo-request-priority", What::priority}, {"x-dynamo-request-strict-priority", What::strict},
    {"x-dynamo-meta-policy-class", What::policy_class},
    {"x-forwarded-for", What::forwarded}, {"cookie", What::cookie},
    {"x-weir-decision", What::explain},
};

bool same(Str sent, Str lower) {
    return sent.size() == lower.size() && std::ranges::equal(sent, lower, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

// Cheap enough for every header of every request: few begin with these letters and have these lengths.
const HeaderRow* find_row(Str name) {
    if (name.size() < 6) return nullptr;
    const char first = static_cast<char>(name[0] | 0x20);
    if (first != 'x' && first != 't' && first != 'c') return nullptr;
    for (auto& row : rows)
        if (same(name, row.name)) return &row;
    return nullptr;
}

bool is_true(Str v) { return !v.empty() && v != "0" && !same(v, "false") && !same(v, "no"); }

}  // namespace

void RouteAsk::fill(Prepared& out) const {
    out.hints = &hints;
    out.text = said.text;
    if (ids) out.tokens = *ids;
    else out.tokens = said.ids;
    out.prompt_tokens = static_cast<uint32_t>(out.tokens.size());
    out.local_hashes = hashes.local;
    out.seq_hashes = hashes.chained;
    out.block = block;
    if (hints.expected_out) out.expected_out = *hints.expected_out;
}

Result<void> read_header_hints(const HintRules& rules, const HeadersView& headers, Arena& arena, RouteAsk& out) {
    Str found[std::size(rows)];
    bool any = false;
    for (auto& h : headers)
        if (const HeaderRow* row = find_row(h.name); row && found[row - rows].empty()) found[row - rows] = h.value, any = true;
    Hints& hints = out.hints;
    for (auto& name : rules.key_headers) {
        if (!hints.routing_key.empty()) break;
        if (Str key = headers.get(name); !key.empty()) hints.routing_key = arena.copy(key);
    }
    if (!any) return {};
    Str implicit[2];
    bool agent = false;
    for (size_t i = 0; i < std::size(rows); i++) {
        Str value = found[i];
        if (value.empty()) continue;
        auto wrong = [&] { return Failure(Code::bad_field, std::string(rows[i].name) + " must be a number"); };
        auto rank = [&](std::optional<uint32_t>& to) {
            if (to) return true;
            if (!number(value, to)) return false;
            if (*to == UINT32_MAX) to.reset();   // says: none
            return true;
        };
        switch (rows[i].what) {
        case What::pin: if (!hints.pin && !number(value, hints.pin)) return wrong(); break;
        case What::prefill_pin: if (!hints.prefill_pin && !number(value, hints.prefill_pin)) return wrong(); break;
        case What::dp_rank: if (!rank(hints.dp_rank)) return wrong(); break;
        case What::prefill_dp_rank: if (!rank(hints.prefill_dp_rank)) return wrong(); break;
        case What::target: hints.target_worker = arena.copy(value); break;
        case What::session: if (hints.session.empty()) hints.session = arena.copy(value); break;
        case What::agent: if (hints.session.empty()) hints.session = arena.copy(value), agent = true; break;
        case What::claude:
            if (agent) hints.parent_session = arena.copy(value);   // whose agent it is
            else if (hints.session.empty()) hints.session = arena.copy(value);
            break;
        case What::parent: hints.parent_session = arena.copy(value); break;
        case What::final_: hints.session_final = is_true(value); break;
        case What::priority: {
            std::optional<int32_t> seconds;
            if (!number(value, seconds)) return wrong();
            hints.priority_jump_s = static_cast<float>(*seconds);
            break;
        }
        case What::strict: {
            std::optional<uint32_t> level;
            if (!number(value, level)) return wrong();
            hints.strict_priority = *level;
            break;
        }
        case What::policy_class: hints.policy_class = arena.copy(value); break;
        case What::forwarded: implicit[0] = value; break;
        case What::cookie: implicit[1] = value; break;
        case What::explain: out.explain = is_true(value); break;
        }
    }
    if (rules.implicit_key && hints.routing_key.empty()) hints.routing_key = arena.copy(implicit[0].empty() ? implicit[1] : implicit[0]);
    return {};
}

void read_body_hints(const HintRules& rules, const Call& call, Arena& arena, RouteAsk& out) {
    for (const Member& m : call.doc.top) {
        Str key = call.doc.at(m.key), value = call.doc.at(m.value);
        if (key == "rid" && rules.key_of_body && json_kind(value) == JsonKind::string) {
            if (Str id = json_text(value, arena); !id.empty()) out.hints.routing_key = arena.copy(id);
        } else if (key == "cache_salt" && json_kind(value) == JsonKind::string) {
            out.hints.cache_salt = arena.copy(json_text(value, arena));
        } else if (key == "lora_path" && json_kind(value) == JsonKind::string) {
            out.hints.lora = arena.copy(json_text(value, arena));
        } else if (key == "priority" && json_kind(value) == JsonKind::number) {
            out.hints.priority = static_cast<int32_t>(json_int(value).value_or(0));
        }
    }
}

}  // namespace weir
