// What choosing a worker costs: place() over fleets of several sizes for each policy, and a 100k-token prompt hashed and matched.
//   routing_bench [--policies a,b] [--workers 8,64,4000,10000] [--seconds S] [--index-blocks N] [--no-huge-pages] [--only select|match]
// One line of JSON per figure. Times are of one call each (clock included, about 25 ns), in nanoseconds.
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kv/block_hash.h"
#include "kv/matcher.h"
#include "route/booking.h"
#include "route/place.h"

namespace weir::bench {
namespace {

using Steady = std::chrono::steady_clock;
struct Args {
    std::string policies = "kv,power_of_two,least_loaded,least_load,cache_aware,round_robin", only;
    std::vector<uint32_t> workers{8, 64, 4'000, 10'000};
    double seconds = 1;
    uint64_t index_blocks = 4'000'000;
    bool huge_pages = true;
};

struct Times {
    std::vector<uint32_t> ns;
    template <class F>
    void take(F&& f) {
        const auto from = Steady::now();
        f();
        ns.push_back(static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(Steady::now() - from).count()));
    }
    void print(const std::string& what) {
        std::sort(ns.begin(), ns.end());
        const auto at = [&](double p) { return ns[std::min(ns.size() - 1, static_cast<size_t>(p * static_cast<double>(ns.size())))]; };
        std::printf("{%s,\"calls\":%zu,\"p10_ns\":%u,\"p50_ns\":%u,\"p90_ns\":%u,\"p99_ns\":%u}\n", what.c_str(), ns.size(), at(.1), at(.5), at(.9), at(.99));
        std::fflush(stdout);
    }
};

std::vector<uint32_t> tokens_of(uint64_t conversation, uint32_t n) {
    std::vector<uint32_t> t(n);
    for (uint32_t i = 0; i < n; ++i) t[i] = static_cast<uint32_t>(mix64(conversation << 32 | i) % 128'000);
    return t;
}

// Holds the sequence as an engine would report it.
void store(kv::KvIndex& index, kv::Rank rank, std::span<const uint64_t> local) {
    std::vector<kv::Block> blocks;
    uint64_t parent = 0;
    bool has_parent = false;
    for (size_t at = 0; at < local.size(); at += blocks.size()) {
        blocks.clear();
        uint64_t name = parent;
        for (size_t i = at; i < std::min(local.size(), at + 64); ++i) blocks.push_back({name = kv::chain_hash(name, local[i]), local[i]});
        index.stored(rank, kv::Tier::device, has_parent ? &parent : nullptr, blocks);
        parent = name, has_parent = true;
    }
}

struct Fleet {
    LoadCells cells;
    Registry registry{cells, nullptr, false, [](FleetViewRef) {}};
    route::Routing routing;
    std::vector<std::vector<uint64_t>> prompts;      // 400 blocks each: a system prompt of 64 and the rest of one conversation
    explicit Fleet(uint32_t workers) {
        registry.together([&] {
            for (uint32_t i = 0; i < workers; ++i) {
                WorkerSpec spec;
                spec.url = "http://10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ":8000";
                spec.models = {"m"};
                spec.ready = true, spec.block = 16, spec.kv_blocks = 10'000, spec.batch_tokens = 8'192;
                if (!registry.add(std::move(spec))) std::abort();
            }
        });
        routing.index = *kv::KvIndex::make({.bytes_max = uint64_t{2} << 30});
        routing.active = *kv::ActiveBlocks::make(64 << 20);
        Random random(1);
        const auto system = tokens_of(0, 64 * 16);
        for (uint32_t c = 0; c < 256; ++c) {
            auto tokens = system;
            const auto own = tokens_of(c + 1, 336 * 16);
            tokens.insert(tokens.end(), own.begin(), own.end());
            prompts.push_back(kv::hash_blocks(tokens, {}).local);
        }
        for (uint32_t i = 0; i < workers; ++i) {     // every worker holds the system prompt, and parts of a few conversations
            store(*routing.index, i, std::span(prompts[0]).first(64));
            for (uint32_t n = 0; n < 2 && i < 512; ++n) store(*routing.index, i, std::span(prompts[random.below(256)]).first(64 + random.below(337)));
            LoadCell& cell = cells.at(i);
            cell.requests = static_cast<uint32_t>(random.below(40)), cell.prefill_tokens = static_cast<uint32_t>(random.below(20'000));
            cell.active_blocks = static_cast<uint32_t>(random.below(8'000)), cell.context_tokens = cell.active_blocks * 16;
            uint32_t fresh = 0;
            routing.active->hold(i, std::span(prompts[random.below(256)]).first(64 + random.below(337)), fresh);
        }
    }
};

void select(const Args& args, uint32_t workers) {
    Fleet fleet(workers);
    const FleetViewRef view = fleet.registry.view();
    route::Scratch scratch;
    Random random(2);
    for (size_t at = 0, end; at <= args.policies.size(); at = end + 1) {
        end = std::min(args.policies.find(',', at), args.policies.size());
        const std::string name = args.policies.substr(at, end - at);
        const PolicyRow* row = find_policy(name);
        if (!row) continue;
        PolicyConfig config;
        config.name = row->name;
        fleet.routing.whole = row->make(config);
        for (const bool with_match : {false, true}) {
            Times times;
            const auto until = Steady::now() + std::chrono::duration<double>(args.seconds);
            for (size_t i = 0; i < 100 || Steady::now() < until; ++i) {
                Prepared request;
                request.model = "m";
                request.block = 16, request.prompt_tokens = 6'400;
                if (with_match) request.local_hashes = fleet.prompts[i * 37 % fleet.prompts.size()];
                times.take([&] {
                    auto choice = route::place({request, *view, fleet.routing, Leg::whole, {}, 1'000 * ns_per_s}, scratch, random);
                    if (!choice) std::abort();
                });
            }
            times.print("\"policy\":\"" + name + "\",\"workers\":" + std::to_string(workers) + ",\"match\":" + (with_match ? "400" : "0"));
        }
    }
}

// A prompt of 100,000 tokens among much else, held by 8 workers to different depths; memory and caches as cold as other prompts make them.
void match(const Args& args) {
    auto index = *kv::KvIndex::make({.bytes_max = uint64_t{2} << 30});
    auto active = *kv::ActiveBlocks::make(64 << 20);
    constexpr uint32_t prompts_n = 32, workers = 64;
    std::vector<std::vector<uint32_t>> prompts;
    for (uint32_t p = 0; p < prompts_n; ++p) prompts.push_back(tokens_of(1'000'000 + p, 100'000));
    Random random(3);
    std::vector<uint64_t> filler;
    for (uint64_t blocks = 0, p = 0; blocks < args.index_blocks || p < prompts_n; ++p) {   // long and short ones alternate as they come
        if (p < prompts_n) {
            const auto local = kv::hash_blocks(prompts[p], {}).local;
            for (uint32_t w = 0; w < 8; ++w) store(*index, (static_cast<uint32_t>(p) * 5 + w) % workers, std::span(local).first(local.size() - w * 700));
        }
        for (uint64_t until = blocks + args.index_blocks / prompts_n; blocks < until; blocks += filler.size()) {
            filler.resize(20 + random.below(300));
            for (auto& hash : filler) hash = random.next();
            store(*index, static_cast<uint32_t>(random.below(workers)), filler);
        }
    }
    kv::Matcher matcher(*index);
    Times hash, walk, both, hold, release;
    for (uint32_t round = 0; round < 20; ++round)
        for (const auto& tokens : prompts) {
            std::vector<uint64_t> local;
            hash.take([&] { kv::hash_local(tokens, {}, local); });
            uint32_t most = 0;
            walk.take([&] { for (const auto& o : matcher.match(local)) most = std::max(most, o.device); });
            if (most != 6'250) std::abort();
            both.ns.push_back(hash.ns.back() + walk.ns.back());
            uint32_t fresh = 0;
            kv::ActiveBlocks::Hold held;
            hold.take([&] { held = active->hold(1, local, fresh); });
            release.take([&] { active->release(1, held); });
        }
    const std::string where = "\"blocks\":6250,\"huge_pages\":" + std::string(args.huge_pages ? "true" : "false") + ",\"what\":";
    hash.print(where + "\"hash\"");
    walk.print(where + "\"match\"");
    both.print(where + "\"hash and match\"");
    hold.print(where + "\"active hold\"");
    release.print(where + "\"active release\"");
}

}  // namespace

int run(int argc, char** argv) {
    Args args;
    for (int i = 1; i < argc; ++i) {
        const std::string flag = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
        if (flag == "--no-huge-pages") {
            args.huge_pages = false;
            continue;
        }
        if (i + 1 == argc) return std::fprintf(stderr, "%s needs a value\n", argv[i]), 2;
        ++i;
        if (flag == "--policies") args.policies = value;
        else if (flag == "--only") args.only = value;
        else if (flag == "--seconds") args.seconds = std::atof(value.c_str());
        else if (flag == "--index-blocks") args.index_blocks = std::strtoull(value.c_str(), nullptr, 10);
        else if (flag == "--workers") {
            args.workers.clear();
            for (const char* p = value.c_str(); *p; p += *p == ',') {
                char* end;
                args.workers.push_back(static_cast<uint32_t>(std::strtoul(p, &end, 10)));
                if (end == p) return std::fprintf(stderr, "--workers takes numbers\n"), 2;
                p = end;
            }
        } else return std::fprintf(stderr, "unknown flag %s\n", argv[i - 1]), 2;
    }
    if (!args.huge_pages && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) return std::perror("prctl"), 1;
    if (args.only != "match")
        for (const uint32_t n : args.workers) select(args, n);
    if (args.only != "select") match(args);
    return 0;
}

}  // namespace weir::bench

int main(int argc, char** argv) { return weir::bench::run(argc, argv); }
