// Replays an operation stream through weir's KV index; prints one line of JSON with the fields of the peer's program.
//   index_replay --ops FILE --mode order|apply|load|match|mem [--threads T] [--no-reader] [--bytes-max N]
// order: everything in stream order, each answer checked.  apply: events only, one thread.
// load: T event threads (ranks dealt out), all events waiting at the start, a reader matching without pause; not checked.
// match: all events, then the stream's queries again and again, no writer; not checked.
// mem: resident bytes at the end.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <thread>

#include "bench/index/ops.h"
#include "kv/matcher.h"

namespace weir::bench {
namespace {

using Clock = std::chrono::steady_clock;
double seconds(Clock::time_point from) { return std::chrono::duration<double>(Clock::now() - from).count(); }

double cpu(int who) {
    rusage u;
    getrusage(who, &u);
    return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

uint64_t anonymous_rss() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("RssAnon:")) return std::strtoull(line.c_str() + 8, nullptr, 10) * 1024;
    return 0;
}

struct Args { std::string ops, mode = "order"; uint32_t threads = 1; bool reader = true; uint64_t bytes_max = uint64_t{1} << 30; };

void apply(kv::KvIndex& index, const Op& op, uint32_t dp_size) {
    switch (op.kind) {
        case Op::stored: return index.stored(op.rank, kv::Tier::device, op.has_parent ? &op.parent : nullptr, op.blocks);
        case Op::removed: return index.removed(op.rank, kv::Tier::device, op.hashes);
        case Op::cleared: return index.cleared(op.rank);
        case Op::remove_worker: return index.remove_ranks(op.rank, dp_size);
        case Op::match: break;
    }
}

bool right(const Stream& s, const Op& op, std::span<const kv::RankOverlap> got) {
    std::map<std::pair<uint64_t, uint32_t>, uint32_t> have;
    for (const auto& o : got)
        if (o.device) have[{s.workers[o.rank / s.dp_size], o.rank % s.dp_size}] = o.device;
    if (have.size() != op.answers.size()) return false;
    return std::all_of(op.answers.begin(), op.answers.end(), [&](const Answer& a) {
        const auto it = have.find({a.worker, a.dp_rank});
        return it != have.end() && it->second == a.overlap;
    });
}

void print_latency(std::vector<uint32_t>& ns) {
    std::sort(ns.begin(), ns.end());
    const auto at = [&](double p) { return ns.empty() ? 0u : ns[std::min(ns.size() - 1, static_cast<size_t>(p * static_cast<double>(ns.size())))]; };
    std::printf(",\"p50_ns\":%u,\"p90_ns\":%u,\"p99_ns\":%u,\"max_ns\":%u", at(.5), at(.9), at(.99), ns.empty() ? 0u : ns.back());
}

void order(const Stream& s, kv::KvIndex& index) {
    kv::Matcher matcher(index);
    double apply_s = 0, match_s = 0;
    uint64_t event_blocks = 0, wrong = 0, matched = 0;
    std::vector<uint32_t> ns;
    for (size_t i = 0; i < s.ops.size();) {
        auto from = Clock::now();
        for (; i < s.ops.size() && s.ops[i].kind != Op::match; ++i) {
            event_blocks += s.ops[i].events_blocks();
            apply(index, s.ops[i], s.dp_size);
        }
        apply_s += seconds(from);
        if (i == s.ops.size()) break;
        from = Clock::now();
        const auto got = matcher.match(s.ops[i].hashes);
        const double took = seconds(from);
        match_s += took;
        ns.push_back(static_cast<uint32_t>(took * 1e9));
        matched += s.ops[i].hashes.size();
        wrong += !right(s, s.ops[i], got);
        ++i;
    }
    std::printf("\"matches\":%zu,\"matched\":%lu,\"apply_s\":%.4f,\"match_s\":%.4f,\"event_block_ops_s\":%.0f,\"wrong\":%lu", ns.size(), matched,
                apply_s, match_s, static_cast<double>(event_blocks) / apply_s, wrong);
    print_latency(ns);
}

void apply_only(const Stream& s, kv::KvIndex& index) {
    uint64_t blocks = 0;
    for (const Op& op : s.ops) blocks += op.events_blocks();
    const double cpu_from = cpu(RUSAGE_THREAD);
    const auto from = Clock::now();
    for (const Op& op : s.ops) apply(index, op, s.dp_size);
    const double wall = seconds(from);
    std::printf("\"wall_s\":%.4f,\"cpu_s\":%.4f,\"event_block_ops_s\":%.0f", wall, cpu(RUSAGE_THREAD) - cpu_from, static_cast<double>(blocks) / wall);
}

void load(const Args& args, const Stream& s, kv::KvIndex& index) {
    std::vector<std::vector<const Op*>> queues(args.threads);
    std::vector<const Op*> queries;
    uint64_t blocks = 0;
    for (const Op& op : s.ops) {
        if (op.kind == Op::match) queries.push_back(&op);
        else queues[op.rank / s.dp_size % args.threads].push_back(&op);
        blocks += op.events_blocks();
    }
    std::atomic<uint32_t> ready{0};
    std::atomic<bool> go{false}, stop{false};
    std::vector<double> thread_cpu(args.threads);
    std::vector<std::thread> appliers;
    for (uint32_t t = 0; t < args.threads; ++t)
        appliers.emplace_back([&, t] {
            ready.fetch_add(1);
            while (!go.load()) {}
            const double from = cpu(RUSAGE_THREAD);
            for (const Op* op : queues[t]) apply(index, *op, s.dp_size);
            thread_cpu[t] = cpu(RUSAGE_THREAD) - from;
        });
    std::vector<uint32_t> ns;
    double reader_cpu = 0;
    std::thread reader;
    if (args.reader) reader = std::thread([&] {
        kv::Matcher matcher(index);
        ns.reserve(1 << 22);
        ready.fetch_add(1);
        while (!go.load()) {}
        const double cpu_from = cpu(RUSAGE_THREAD);
        for (size_t i = 0; !stop.load(std::memory_order_relaxed); i = (i + 1) % queries.size()) {
            const auto from = Clock::now();
            matcher.match(queries[i]->hashes);
            ns.push_back(static_cast<uint32_t>(seconds(from) * 1e9));
        }
        reader_cpu = cpu(RUSAGE_THREAD) - cpu_from;
    });
    while (ready.load() < args.threads + args.reader) {}
    const auto from = Clock::now();
    go = true;
    for (auto& t : appliers) t.join();
    const double wall = seconds(from);
    stop = true;
    if (args.reader) reader.join();
    double cpu_s = 0;
    for (double c : thread_cpu) cpu_s += c;
    std::printf("\"threads\":%u,\"reader\":%s,\"wall_s\":%.4f,\"event_block_ops_s\":%.0f,\"cpu_event_threads_s\":%.4f,"
                "\"cpu_reader_s\":%.4f,\"reader_matches_s\":%.0f",
                args.threads, args.reader ? "true" : "false", wall, static_cast<double>(blocks) / wall, cpu_s, reader_cpu,
                static_cast<double>(ns.size()) / wall);
    print_latency(ns);
}

void match_only(const Stream& s, kv::KvIndex& index) {
    for (const Op& op : s.ops) if (op.kind != Op::match) apply(index, op, s.dp_size);
    kv::Matcher matcher(index);
    std::vector<uint32_t> ns;
    uint64_t hit = 0;
    const auto start = Clock::now();
    for (int round = 0; round < 20; ++round)
        for (const Op& op : s.ops) {
            if (op.kind != Op::match) continue;
            const auto from = Clock::now();
            for (const auto& o : matcher.match(op.hashes)) hit += o.device;
            ns.push_back(static_cast<uint32_t>(seconds(from) * 1e9));
        }
    std::printf("\"matches\":%zu,\"matches_s\":%.0f,\"overlap_per_match\":%.1f", ns.size(), static_cast<double>(ns.size()) / seconds(start),
                static_cast<double>(hit) / static_cast<double>(ns.size()));
    print_latency(ns);
}

void memory(const Stream& s, uint64_t before, kv::KvIndex& index) {
    for (const Op& op : s.ops) apply(index, op, s.dp_size);
    while (index.tend()) {}
    const uint64_t rss = anonymous_rss() - before;
    const auto members = static_cast<double>(s.memberships);
    std::printf("\"memberships\":%lu,\"rss_bytes\":%lu,\"rss_per_membership\":%.1f,\"counted_per_membership\":%.1f", s.memberships, rss,
                static_cast<double>(rss) / members, static_cast<double>(index.stats().bytes) / members);
}

int run(const Args& args) {
    const Stream s = read_stream(args.ops, args.mode != "apply" && args.mode != "mem");
    const uint64_t before = anonymous_rss();
    auto made = kv::KvIndex::make({.bytes_max = args.bytes_max});
    if (!made) return std::fprintf(stderr, "%s\n", made.error()->message.c_str()), 1;
    kv::KvIndex& index = **made;
    std::printf("{\"index\":\"weir\",\"mode\":\"%s\",", args.mode.c_str());
    if (args.mode == "order") order(s, index);
    else if (args.mode == "apply") apply_only(s, index);
    else if (args.mode == "load") load(args, s, index);
    else if (args.mode == "match") match_only(s, index);
    else if (args.mode == "mem") memory(s, before, index);
    else return std::fprintf(stderr, "unknown mode %s\n", args.mode.c_str()), 2;
    const kv::IndexStats stats = index.stats();
    std::printf(",\"held\":%lu,\"groups\":%lu,\"sets\":%lu,\"bytes\":%lu,\"parked\":%lu,\"unknown_removed\":%lu,\"evicted\":%lu,\"refused\":%lu}\n",
                stats.memberships, stats.groups, stats.sets, stats.bytes, stats.parked, stats.unknown_removed, stats.evicted_budget, stats.refused);
    return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
    weir::bench::Args args;
    for (int i = 1; i < argc; ++i) {
        const std::string flag = argv[i];
        if (flag == "--no-reader") args.reader = false;
        else if (i + 1 == argc) return std::fprintf(stderr, "%s: unknown, or needs a value\n", flag.c_str()), 2;
        else if (flag == "--ops") args.ops = argv[++i];
        else if (flag == "--mode") args.mode = argv[++i];
        else if (flag == "--threads") args.threads = static_cast<uint32_t>(std::clamp(std::atoi(argv[++i]), 1, 64));
        else if (flag == "--bytes-max") args.bytes_max = std::strtoull(argv[++i], nullptr, 10);
        else return std::fprintf(stderr, "%s: unknown\n", flag.c_str()), 2;
    }
    return weir::bench::run(args);
}
