#include <charconv>

#include "fleet/fleet.h"
#include "kv/index.h"
#include "replay/replay.h"

namespace weir::replay {
namespace {

Failure bad(Str flag, const std::string& why) { return Failure(Code::bad_field, std::string(flag) + ": " + why); }

template <class T>
Result<T> number(Str flag, Str text, T least, T most) {
    T value{};
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || read.ec != std::errc{} || read.ptr != text.data() + text.size() || !(value >= least && value <= most)) {
        std::string range;
        if constexpr (std::is_integral_v<T>) range = " from " + std::to_string(least) + " to " + std::to_string(most);
        return bad(flag, "'" + std::string(text.substr(0, 40)) + "' is not a number" + range);
    }
    return value;
}

std::vector<std::string> pieces(Str text, char at) {
    std::vector<std::string> out;
    for (;;) {
        const size_t end = text.find(at);
        out.emplace_back(text.substr(0, end));
        if (end == Str::npos) return out;
        text.remove_prefix(end + 1);
    }
}

class Reader {
public:
    explicit Reader(const config::ToolCall& call) : call_(call) {}
    template <class T>
    Result<void> read(Str flag, T& into, T least, T most) {
        if (!call_.has(flag)) return Nothing{};
        TRY(into, number<T>(flag, call_.value(flag), least, most));
        return Nothing{};
    }

private:
    const config::ToolCall& call_;
};

// N[@SECOND[:DOWN]]
Result<void> read_kill(const std::string& text, Faults& faults) {
    const size_t at = text.find('@'), colon = text.find(':', at == std::string::npos ? 0 : at);
    TRY(faults.kill, number<uint32_t>("--kill", Str(text).substr(0, std::min(at, colon)), 1, 1'000'000));
    if (at != std::string::npos) {
        const size_t end = colon == std::string::npos ? std::string::npos : colon - at - 1;
        TRY(faults.kill_at_s, number<double>("--kill", Str(text).substr(at + 1, end), 0, 1e9));
    }
    if (colon != std::string::npos) {
        TRY(faults.down_s, number<double>("--kill", Str(text).substr(colon + 1), 0, 1e9));
    }
    return Nothing{};
}

Result<void> read_engine(Reader& r, sim::EngineParams& engine) {
    TRY_OK(r.read<uint32_t>("--block-size", engine.block_size, 1, 65'535));
    TRY_OK(r.read<uint32_t>("--num-gpu-blocks", engine.num_blocks, 1, 16'777'216));
    TRY_OK(r.read<uint32_t>("--max-num-seqs", engine.max_num_seqs, 1, 1'000'000));
    TRY_OK(r.read<uint32_t>("--max-num-batched-tokens", engine.max_num_batched_tokens, 1, 16'777'216));
    return engine.check();
}

Result<void> read_faults(const config::ToolCall& call, Reader& r, Setup& setup) {
    if (call.has("--kill")) TRY_OK(read_kill(call.value("--kill"), setup.faults));
    TRY_OK(r.read<double>("--event-lag-ms", setup.faults.event_lag_ms, 0, 1e9));
    TRY_OK(r.read<double>("--event-loss", setup.faults.event_loss, 0, 1));
    TRY_OK(r.read<double>("--stale-load-ms", setup.faults.stale_load_ms, 0, 1e9));
    return Nothing{};
}

}  // namespace

Result<Settings> settings_of(const config::ToolCall& call) {
    Settings s;
    Contest& contest = s.contest;
    Setup& setup = contest.setup;
    Reader r(call);
    s.trace = call.value("--trace"), s.synthetic = call.value("--synthetic"), s.decisions = call.value("--decisions");
    if (call.has("--trace") + call.has("--synthetic") + call.has("--decisions") != 1)
        return Failure(Code::bad_field, "give one of --trace, --synthetic and --decisions");
    s.json = call.value("--json"), s.html = call.value("--html");
    s.quiet = call.has("--quiet"), s.measured = !call.has("--no-cpu");
    if (call.has("--part")) {
        const auto ends = pieces(call.value("--part"), ':');
        if (ends.size() != 2) return bad("--part", "takes two fractions, FROM:TO");
        TRY(s.from, number<double>("--part", ends[0], 0, 1));
        TRY(s.to, number<double>("--part", ends[1], 0, 1));
        if (s.from >= s.to) return bad("--part", "begins after its end");
    }
    if (call.has("--load")) {
        contest.loads.clear();
        for (const std::string& text : pieces(call.value("--load"), ',')) {
            TRY(const double load, number<double>("--load", text, 0.001, 100));
            contest.loads.push_back(load);
        }
    }
    TRY_OK(r.read<double>("--rate", contest.rate, 1e-6, 1e9));
    if (call.has("--rate") && call.has("--load")) return Failure(Code::bad_field, "give --load or --rate, not both");
    std::string policies = call.value("--policies");
    if (policies.empty()) policies = "round_robin,power_of_two,kv,cache_aware,default";
    for (const std::string& name : pieces(policies, ',')) {
        TRY(Contestant one, parse_contestant(name));
        contest.policies.push_back(std::move(one));
    }
    TRY_OK(r.read<uint32_t>("--workers", setup.fleet.workers, 1, LoadCells::ranks_max));
    TRY_OK(r.read<uint32_t>("--decode-workers", setup.fleet.decode, 0, LoadCells::ranks_max));
    TRY_OK(r.read<uint32_t>("--copies", contest.copies, 1, 65'536));
    TRY_OK(r.read<uint32_t>("--repeat", contest.repeat, 1, 65'536));
    TRY_OK(r.read<uint64_t>("--seed", setup.seed, 0, UINT64_MAX));
    TRY_OK(r.read<double>("--transfer-ms", setup.fleet.transfer_ms, 0, 1e9));
    TRY_OK(r.read<double>("--report-ms", setup.fleet.report_ms, 0, 1e9));
    TRY_OK(r.read<uint64_t>("--index-max-bytes", setup.index.bytes_max, kv::index_bytes_min, uint64_t{1} << 40));
    TRY_OK(r.read<double>("--predicted-ttl-ms", setup.index.predicted_ttl_ms, 1, 1e9));
    setup.index.events = !call.has("--no-kv-events");
    TRY_OK(read_engine(r, setup.engine));
    TRY_OK(read_faults(call, r, setup));
    if (call.has("--router-queue-threshold")) {
        route::QueueClass& all = setup.queue.emplace().classes.front();
        TRY_OK(r.read<double>("--router-queue-threshold", all.threshold.batch_share, 0, 1e9));
        const std::string order = call.value("--router-queue-policy");
        if (order != "" && order != "fcfs" && order != "wspt" && order != "lcfs") return bad("--router-queue-policy", "fcfs, wspt or lcfs");
        all.order = order == "wspt" ? route::QueueOrder::wspt : order == "lcfs" ? route::QueueOrder::lcfs : route::QueueOrder::fcfs;
    } else if (call.has("--router-queue-policy")) {
        return bad("--router-queue-policy", "needs --router-queue-threshold");
    }
    if (setup.faults.kill > setup.fleet.workers) return bad("--kill", "more workers than there are");
    return s;
}

}  // namespace weir::replay
