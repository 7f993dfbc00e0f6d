// The gauges of engines on /metrics: one line a series, few of them of interest.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <span>

#include "fleet/load_pages.h"
#include "wire/chars.h"

namespace weir {
namespace {

enum class Gauge : uint8_t { running, waiting, usage, used, total, tok_s, hit_rate, shape };
struct Named { Str name; Gauge gauge; };
constexpr Named vllm[] = {
    {"num_requests_running", Gauge::running}, {"num_requests_waiting", Gauge::waiting}, {"kv_cache_usage_perc", Gauge::usage},
    {"gpu_cache_usage_perc", Gauge::usage}, {"gpu_prefix_cache_hit_rate", Gauge::hit_rate}, {"cache_config_info", Gauge::shape},
};
constexpr Named sglang[] = {
    {"num_running_reqs", Gauge::running}, {"num_queue_reqs", Gauge::waiting}, {"token_usage", Gauge::usage}, {"num_used_tokens", Gauge::used},
    {"max_total_num_tokens", Gauge::total}, {"gen_throughput", Gauge::tok_s}, {"cache_hit_rate", Gauge::hit_rate},
};
struct Family { Str prefix; std::span<const Named> names; Str rank; };
constexpr Family families[] = {{"vllm:", vllm, "engine"}, {"sglang:", sglang, "dp_rank"}, {"sglang_", sglang, "dp_rank"}};

// A sample's name, labels without braces, and value; nothing for other lines.
struct Sample { Str name, labels; double value; };
std::optional<Sample> sample_of(Str line) {
    const size_t end = line.find_first_of("{ \t");
    if (end == line.npos || line.starts_with('#')) return std::nullopt;
    Sample s{line.substr(0, end), {}, 0};
    Str rest = line.substr(end);
    if (rest.front() == '{') {
        size_t close = 1;
        for (bool quoted = false; close < rest.size() && (quoted || rest[close] != '}'); ++close) {
            if (quoted && rest[close] == '\\') ++close;
            else if (rest[close] == '"') quoted = !quoted;
        }
        if (close >= rest.size()) return std::nullopt;
        s.labels = rest.substr(1, close - 1);
        rest = rest.substr(close + 1);
    }
    rest = chars::trim_blanks(rest);             // a time may follow the value
    auto [at, ec] = std::from_chars(rest.data(), rest.data() + rest.size(), s.value);
    if (ec != std::errc{} || !std::isfinite(s.value)) return std::nullopt;
    return s;
}

// Value of a label, escapes in place; empty: not there.
Str label(Str labels, Str name) {
    while (!labels.empty()) {
        const size_t equals = labels.find("=\"");
        if (equals == labels.npos) return {};
        const Str key = chars::trim_blanks(labels.substr(0, equals));
        size_t end = equals + 2;
        while (end < labels.size() && labels[end] != '"') end += labels[end] == '\\' ? 2 : 1;
        if (end >= labels.size()) return {};
        if (key == name) return labels.substr(equals + 2, end - equals - 2);
        labels.remove_prefix(std::min(labels.size(), end + 1));
        if (labels.starts_with(',')) labels.remove_prefix(1);
    }
    return {};
}

uint32_t integer(Str text, uint32_t otherwise) {
    uint32_t n = otherwise;
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
}

struct Sums {                                    // of one rank; several models or adapters may have a series each
    double running = 0, waiting = 0, usage = 0, used = 0, total = 0, tok_s = 0, hit_rate = 0;
    uint32_t usages = 0, hit_rates = 0;
    bool has_used = false, has_total = false, has_tok_s = false;
    void take(Gauge gauge, double v) {
        v = std::max(v, 0.0);
        switch (gauge) {
        case Gauge::running: running += v; break;
        case Gauge::waiting: waiting += v; break;
        case Gauge::usage: usage += v, ++usages; break;
        case Gauge::used: used += v, has_used = true; break;
        case Gauge::total: total += v, has_total = true; break;
        case Gauge::tok_s: tok_s += v, has_tok_s = true; break;
        case Gauge::hit_rate: hit_rate += v, ++hit_rates; break;
        case Gauge::shape: break;
        }
    }
    RankLoad load(uint32_t rank, double tokens) const {   // tokens: of a rank's KV cache, 0: not said
        auto n = [](double v) { return static_cast<uint32_t>(std::min(v, 4'294'967'295.0)); };
        RankLoad l;
        l.rank = rank, l.running = n(running), l.waiting = n(waiting);
        const double share = usage / usages;
        l.usage = share;
        if (has_used) l.used_tokens = n(used);
        else if (tokens > 0) l.used_tokens = n(share * tokens);
        if (has_total) l.total_tokens = n(total);
        else if (tokens > 0) l.total_tokens = n(tokens);
        if (has_tok_s) l.tok_s = tok_s;
        if (hit_rates) l.hit_rate = hit_rate / hit_rates;
        return l;
    }
};

struct Page {
    std::map<uint32_t, Sums> ranks;
    double tokens = 0;
    bool too_many = false;
    void take(const Family& family, const Sample& s) {
        const Str name = s.name.substr(family.prefix.size());
        auto known = std::ranges::find(family.names, name, &Named::name);
        if (known == family.names.end()) return;
        for (Str parallel : {"tp_rank", "pp_rank"})   // each of a rank's processes may say the same
            if (const Str n = label(s.labels, parallel); !n.empty() && n != "0") return;
        if (known->gauge == Gauge::shape) {
            tokens = static_cast<double>(integer(label(s.labels, "num_gpu_blocks"), 0)) * integer(label(s.labels, "block_size"), 0);
            return;
        }
        const uint32_t rank = integer(label(s.labels, family.rank), 0);
        if (ranks.size() >= load_ranks_max && !ranks.contains(rank)) too_many = true;
        else ranks[rank].take(known->gauge, s.value);
    }
};

}  // namespace

Result<RankLoads> read_metrics_page(std::string_view text) {
    Page pages[std::size(families)];
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        const Str line = text.substr(0, end);
        text.remove_prefix(std::min(text.size(), end + 1));
        for (size_t i = 0; i < std::size(families); i++) {
            if (!line.starts_with(families[i].prefix)) continue;
            if (auto sample = sample_of(line)) pages[i].take(families[i], *sample);
        }
    }
    for (const Page& page : pages) {
        if (page.too_many) return Failure(Code::engine_garbage, "too many ranks");
        RankLoads loads;
        for (auto& [rank, sums] : page.ranks)
            if (sums.usages) loads.push_back(sums.load(rank, page.tokens));
        if (!loads.empty()) return loads;
    }
    return Failure(Code::engine_garbage, "no gauge of the KV cache is listed");
}

}  // namespace weir
