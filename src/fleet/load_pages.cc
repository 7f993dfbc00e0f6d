#include "fleet/load_pages.h"

#include <algorithm>
#include <cmath>

#include "wire/json_top.h"
#include "wire/json_walk.h"

namespace weir {
namespace {

Failure garbage(const char* why) { return Failure(Code::engine_garbage, why); }

uint32_t whole(double n) { return n > 0 ? static_cast<uint32_t>(std::min(n, 4'294'967'295.0)) : 0; }   // NaN: 0

std::optional<double> number(Str object, Str key) {
    const Str value = json_member(object, key);
    if (value.empty() || json_kind(value) != JsonKind::number) return std::nullopt;
    const std::optional<double> n = json_double(value);
    return n && std::isfinite(*n) ? n : std::nullopt;
}
std::optional<uint32_t> count(std::optional<double> n) {
    if (!n) return std::nullopt;
    return whole(*n);
}

Result<RankLoads> sorted(RankLoads loads) {
    if (loads.empty()) return garbage("no rank is listed");
    std::ranges::sort(loads, {}, &RankLoad::rank);
    const auto twice = std::ranges::adjacent_find(loads, {}, &RankLoad::rank);
    if (twice != loads.end()) return garbage("a rank is listed twice");
    return loads;
}

// Calls read(object, load) for each object of the array; false from it, or anything else in the array, is garbage.
template <class Read>
Result<RankLoads> each_rank(Str array, Read read) {
    RankLoads loads;
    for (JsonItems items(array); items.next();) {
        if (json_kind(items.value) != JsonKind::object) return garbage("not a list of loads");
        if (loads.size() == load_ranks_max) return garbage("too many ranks");
        RankLoad load;
        load.rank = count(number(items.value, "dp_rank")).value_or(0);
        if (!read(items.value, load)) return garbage("a load without its numbers");
        loads.push_back(load);
    }
    return sorted(std::move(loads));
}

}  // namespace

Result<RankLoads> read_loads_page(std::string_view json) {
    if (!check_json(json)) return garbage("not JSON");
    const size_t at = json.find_first_not_of(" \t\r\n");
    if (json_kind(json.substr(at)) != JsonKind::object) return garbage("not a page of loads");
    const Str list = json_member(json.substr(at), "loads");
    if (list.empty() || json_kind(list) != JsonKind::array) return garbage("not a page of loads");
    return each_rank(list, [](Str one, RankLoad& load) {
        const auto running = number(one, "num_running_reqs"), waiting = number(one, "num_waiting_reqs");
        load.running = whole(running.value_or(0)), load.waiting = whole(waiting.value_or(0));
        load.usage = number(one, "token_usage");
        load.waiting_tokens = count(number(one, "num_waiting_uncached_tokens"));
        load.used_tokens = count(number(one, "num_used_tokens"));
        load.total_tokens = count(number(one, "max_total_num_tokens"));
        load.tok_s = number(one, "gen_throughput");
        load.hit_rate = number(one, "cache_hit_rate");
        return running && waiting;
    });
}

Result<RankLoads> read_get_load_page(std::string_view json) {
    if (!check_json(json)) return garbage("not JSON");
    const Str list = json.substr(json.find_first_not_of(" \t\r\n"));
    if (json_kind(list) != JsonKind::array) return garbage("not a list of loads");
    return each_rank(list, [](Str one, RankLoad& load) {
        const auto all = number(one, "num_reqs"), waiting = number(one, "num_waiting_reqs");
        load.waiting = whole(waiting.value_or(0));
        load.running = whole(all.value_or(0) - waiting.value_or(0));
        load.used_tokens = count(number(one, "num_tokens"));
        return all && waiting;
    });
}

RankLoad sum_of(const RankLoads& loads) {
    RankLoad sum;
    uint64_t running = 0, waiting = 0, waiting_tokens = 0, used = 0, total = 0;
    double usage = 0, tok_s = 0, hit_rate = 0;
    uint32_t usages = 0, hit_rates = 0;
    for (const RankLoad& l : loads) {
        running += l.running, waiting += l.waiting;
        if (l.waiting_tokens) sum.waiting_tokens = whole(static_cast<double>(waiting_tokens += *l.waiting_tokens));
        if (l.used_tokens) sum.used_tokens = whole(static_cast<double>(used += *l.used_tokens));
        if (l.total_tokens) sum.total_tokens = whole(static_cast<double>(total += *l.total_tokens));
        if (l.tok_s) sum.tok_s = tok_s += *l.tok_s;
        if (l.usage) sum.usage = (usage += *l.usage) / ++usages;
        if (l.hit_rate) sum.hit_rate = (hit_rate += *l.hit_rate) / ++hit_rates;
    }
    sum.running = whole(static_cast<double>(running)), sum.waiting = whole(static_cast<double>(waiting));
    return sum;
}

LoadReport report_of(const RankLoad& load, uint32_t block) {
    LoadReport r;
    r.running = load.running, r.waiting = load.waiting;
    if (load.usage) r.usage = static_cast<float>(*load.usage);
    r.waiting_tokens = load.waiting_tokens.value_or(0);
    if (load.used_tokens) r.kv_used = (*load.used_tokens + block - 1) / block;
    if (load.total_tokens) r.kv_total = *load.total_tokens / block;
    r.tok_s = load.tok_s ? whole(*load.tok_s + 0.5) : 0;
    return r;
}

}  // namespace weir
