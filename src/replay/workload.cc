#include "replay/workload.h"

#include <algorithm>
#include <cmath>
#include <charconv>

namespace weir::replay {

Workload part_of(const Workload& all, double from, double to) {
    Workload out;
    out.block_tokens = all.block_tokens;
    const double n = static_cast<double>(all.requests.size());
    const auto begin = static_cast<size_t>(n * from), end = static_cast<size_t>(n * to);
    if (begin >= end) return out;
    const Instant start = all.requests[begin].at;
    for (size_t i = begin; i < end; ++i) {
        Request r = all.requests[i];
        const auto at = all.blocks.begin() + r.first_block;
        r.at -= start;
        r.first_block = static_cast<uint32_t>(out.blocks.size());
        out.blocks.insert(out.blocks.end(), at, at + r.blocks);
        out.requests.push_back(r);
    }
    out.span = (end < all.requests.size() ? all.requests[end].at : all.span) - start;
    return out;
}

std::vector<Arrival> arrange(const Workload& w, double rate, uint32_t copies, uint32_t repeat) {
    std::vector<Arrival> out;
    out.reserve(w.requests.size() * copies * repeat);
    const double pace = w.rate() * copies / rate;   // how much longer everything takes
    for (uint32_t copy = 0; copy < copies; ++copy) {
        const Instant begun = w.span / copies * copy;
        for (uint32_t turn = 0; turn < repeat; ++turn)
            for (size_t i = 0; i < w.requests.size(); ++i) {
                const Instant at = (w.requests[i].at + begun) % w.span + w.span * turn;
                out.push_back({static_cast<Instant>(static_cast<double>(at) * pace), static_cast<uint32_t>(i), copy * repeat + turn});
            }
    }
    std::sort(out.begin(), out.end(), [](const Arrival& a, const Arrival& b) {
        return a.at != b.at ? a.at < b.at : a.copy != b.copy ? a.copy < b.copy : a.request < b.request;
    });
    return out;
}

void expand(const Workload& w, const Request& r, uint32_t copy, uint32_t engine_block, std::vector<uint64_t>& local) {
    const uint32_t full = r.prompt_tokens / engine_block;
    local.resize(full);
    for (uint32_t i = 0; i < full; ++i) {
        // An engine block that reaches into the next named block has the name of both: the latter names all before it.
        const uint64_t last_token = uint64_t{i} * engine_block + engine_block - 1;
        const uint64_t name = w.blocks[r.first_block + last_token / w.block_tokens];
        local[i] = mix64(mix64(name + (uint64_t{copy} << 40)) + i) | 1;
    }
}

Result<void> SyntheticLoad::check() const {
    auto bad = [](const char* member, const char* why) { return Failure(Code::bad_field, std::string(member) + " " + why, member); };
    if (requests == 0 || requests > 100'000'000) return bad("requests", "must be from 1 to 100000000");
    if (prompt == 0 || prompt > 1'000'000) return bad("prompt", "must be from 1 to 1000000");
    if (out == 0 || out > 1'000'000) return bad("out", "must be from 1 to 1000000");
    if (!(shared >= 0 && shared <= 1)) return bad("shared", "must be from 0 to 1");
    if (!(skew >= 0 && skew <= 10)) return bad("skew", "must be from 0 to 10");
    if (groups > 10'000'000) return bad("groups", "must be at most 10000000");
    if (turns == 0 || turns > 1'000) return bad("turns", "must be from 1 to 1000");
    if (burst == 0 || burst > 1'000'000) return bad("burst", "must be from 1 to 1000000");
    return Nothing{};
}

Result<SyntheticLoad> parse_synthetic(std::string_view text) {
    SyntheticLoad out;
    struct Known { std::string_view name; uint32_t* n; double* x; };
    const Known known[] = {{"requests", &out.requests, nullptr}, {"prompt", &out.prompt, nullptr}, {"out", &out.out, nullptr},
                           {"shared", nullptr, &out.shared},     {"groups", &out.groups, nullptr}, {"skew", nullptr, &out.skew},
                           {"turns", &out.turns, nullptr},       {"burst", &out.burst, nullptr}};
    while (!text.empty()) {
        const size_t comma = text.find(',');
        const std::string_view item = text.substr(0, comma);
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
        const size_t equals = item.find('=');
        const std::string_view name = item.substr(0, equals), value = equals == std::string_view::npos ? std::string_view{} : item.substr(equals + 1);
        const auto at = std::find_if(std::begin(known), std::end(known), [&](const Known& k) { return k.name == name; });
        if (at == std::end(known))
            return Failure(Code::bad_field, "'" + std::string(name) + "' is none of requests prompt out shared groups skew turns burst");
        const char *begin = value.data(), *end = begin + value.size();
        const auto read = at->n ? std::from_chars(begin, end, *at->n) : std::from_chars(begin, end, *at->x);
        if (value.empty() || read.ec != std::errc{} || read.ptr != end) return Failure(Code::bad_field, std::string(name) + " needs a number");
    }
    TRY_OK(out.check());
    return out;
}

namespace {

uint32_t length(Random& random, uint32_t mean) {
    const double x = -std::log(1 - random.unit()) * mean;
    return static_cast<uint32_t>(std::clamp(x, std::max(1.0, mean / 8.0), mean * 8.0));
}

class Groups {   // which group a conversation belongs to, by Zipf's law
public:
    Groups(uint32_t n, double skew) {
        double sum = 0;
        for (uint32_t i = 0; i < n; ++i) below_.push_back(sum += std::pow(i + 1.0, -skew));
    }
    uint32_t draw(Random& random) const {
        const double x = random.unit() * below_.back();
        return static_cast<uint32_t>(std::upper_bound(below_.begin(), below_.end(), x) - below_.begin());
    }

private:
    std::vector<double> below_;
};

}  // namespace

Workload synthetic(const SyntheticLoad& load, uint64_t seed) {
    Workload out;
    out.block_tokens = 64;
    Random random(seed);
    const Groups groups(std::max(1u, load.groups), load.skew);
    struct Talk { uint64_t id, group; uint32_t shared_blocks, tokens, turns_left; };
    std::vector<Talk> open;                       // conversations to be continued
    uint64_t next_id = 1;
    double at = 0;
    for (uint32_t i = 0; i < load.requests; ++i) {
        if (i % load.burst == 0) at += -std::log(1 - random.unit()) * load.burst * static_cast<double>(ns_per_s);
        const size_t chosen = open.size() > 8 * load.turns ? random.below(open.size()) : open.size();
        if (chosen == open.size()) {
            Talk talk{next_id++, groups.draw(random), 0, length(random, load.prompt), load.turns};
            if (load.groups) talk.shared_blocks = static_cast<uint32_t>(load.prompt * load.shared / out.block_tokens);
            talk.tokens = std::max(talk.tokens, talk.shared_blocks * out.block_tokens + 1);
            open.push_back(talk);
        }
        Talk& talk = open[chosen];
        Request r{static_cast<Instant>(at), talk.tokens, length(random, load.out), static_cast<uint32_t>(out.blocks.size()), 0, talk.id};
        r.blocks = (talk.tokens + out.block_tokens - 1) / out.block_tokens;
        for (uint32_t b = 0; b < r.blocks; ++b)
            out.blocks.push_back(b < talk.shared_blocks ? mix64(~talk.group) : mix64(talk.id * 2 + 1));
        out.requests.push_back(r);
        talk.tokens += r.out_tokens + length(random, std::max(1u, load.prompt / 4));
        if (--talk.turns_left) continue;
        talk = open.back();
        open.pop_back();
    }
    out.span = std::max<Instant>(static_cast<Instant>(at) + 1, uint64_t{load.requests} * ns_per_s);
    return out;
}

}  // namespace weir::replay
