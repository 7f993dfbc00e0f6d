#include <algorithm>

#include "replay/workload.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"

namespace weir::replay {
namespace {

constexpr uint32_t trace_block = 512, tokens_max = 16'000'000;

Result<uint64_t> number(Str line, Str key, uint64_t most) {
    const Str value = json_member(line, key);
    const auto n = value.empty() || json_kind(value) != JsonKind::number ? std::nullopt : json_uint(value);
    if (!n || *n > most) return Failure(Code::bad_field, std::string(key) + " must be a number from 0 to " + std::to_string(most));
    return *n;
}

Result<void> read_line(Str line, Workload& out) {
    TRY_OK(check_json(line));
    if (json_kind(line) != JsonKind::object) return Failure(Code::bad_field, "not a JSON object");
    Request r;
    TRY(const uint64_t ms, number(line, "timestamp", 1ull << 40));
    TRY(const uint64_t in, number(line, "input_length", tokens_max));
    TRY(const uint64_t answer, number(line, "output_length", tokens_max));
    r.at = ms * ns_per_ms;
    if (!out.requests.empty() && r.at < out.requests.back().at) return Failure(Code::bad_field, "timestamp is before the line above it");
    r.prompt_tokens = std::max<uint32_t>(1, static_cast<uint32_t>(in));
    r.out_tokens = std::max<uint32_t>(1, static_cast<uint32_t>(answer));
    r.first_block = static_cast<uint32_t>(out.blocks.size());
    const Str ids = json_member(line, "hash_ids");
    if (ids.empty() || json_kind(ids) != JsonKind::array) return Failure(Code::bad_field, "hash_ids must be an array");
    for (JsonItems i(ids); i.next();) {
        const auto id = json_kind(i.value) == JsonKind::number ? json_uint(i.value) : std::nullopt;
        if (!id) return Failure(Code::bad_field, "hash_ids must hold numbers from 0");
        out.blocks.push_back(*id + 1);
    }
    r.blocks = static_cast<uint32_t>(out.blocks.size()) - r.first_block;
    if (r.blocks != (r.prompt_tokens + trace_block - 1) / trace_block)
        return Failure(Code::bad_field, "hash_ids must have one for each 512 tokens of input_length");
    // The first block is often a system prompt that all have; the second one tells conversations apart.
    r.session = r.blocks ? out.blocks[r.first_block + std::min(r.blocks - 1, 1u)] : 0;
    out.requests.push_back(r);
    return Nothing{};
}

void spread_ticks(Workload& w, uint64_t seed) {
    Random random(seed);
    auto& all = w.requests;
    Instant usual = ns_per_s;
    for (size_t i = 0; i < all.size();) {
        size_t end = i;
        while (end < all.size() && all[end].at == all[i].at) ++end;
        if (end < all.size()) usual = all[end].at - all[i].at;   // the last tick is as long as the one before it
        if (end - i > 1) {
            const Instant at = all[i].at;
            for (size_t k = i; k < end; ++k) all[k].at = at + random.below(usual);
            std::sort(all.begin() + static_cast<ptrdiff_t>(i), all.begin() + static_cast<ptrdiff_t>(end),
                      [](const Request& a, const Request& b) { return a.first_block < b.first_block; });
            std::vector<Instant> times;
            for (size_t k = i; k < end; ++k) times.push_back(all[k].at);
            std::sort(times.begin(), times.end());
            for (size_t k = i; k < end; ++k) all[k].at = times[k - i];
        }
        i = end;
    }
    w.span = all.empty() ? 0 : std::max(all.back().at + 1, all.back().at / ns_per_ms * ns_per_ms + usual);
}

}  // namespace

Result<Workload> read_trace(std::string_view text, uint64_t seed) {
    Workload out;
    size_t n = 0;
    while (!text.empty()) {
        const size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        ++n;
        const size_t from = line.find_first_not_of(" \t\r"), to = line.find_last_not_of(" \t\r");
        if (from == std::string_view::npos) continue;
        if (auto read = read_line(line.substr(from, to - from + 1), out); !read)
            return Failure(Code::bad_field, "line " + std::to_string(n) + ": " + read.error()->message);
    }
    if (out.requests.empty()) return Failure(Code::bad_field, "the trace has no requests");
    const Instant first = out.requests.front().at;
    for (Request& r : out.requests) r.at -= first;
    spread_ticks(out, seed);
    return out;
}

}  // namespace weir::replay
