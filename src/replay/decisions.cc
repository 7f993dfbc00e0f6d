#include "replay/decisions.h"

#include <algorithm>

#include "route/decisions.h"

namespace weir::replay {
namespace {

// A slate of what one line tells.
struct Scene {
    explicit Scene(const route::LoggedDecision& d) : views(d.candidates.size()), cells(d.candidates.size()), eligible((views.size() + 63) / 64) {
        for (size_t i = 0; i < views.size(); ++i) {
            const auto& c = d.candidates[i];
            views[i].slot = static_cast<WorkerSlot>(i);
            views[i].instance_id = c.instance;
            views[i].url = c.worker;
            ranks.push_back({&views[i], static_cast<uint16_t>(c.rank), &cells[i], static_cast<uint32_t>(i)});
            eligible[i / 64] |= uint64_t{1} << (i % 64);
            device.push_back(c.device), host.push_back(c.host), disk.push_back(c.disk), shared.push_back(c.shared);
            predicted.push_back(c.predicted), active.push_back(c.active), chars.push_back(c.matched_chars), load.push_back(c.load);
        }
        slate.ranks = ranks, slate.eligible = eligible.data();
        slate.device = device, slate.host = host, slate.disk = disk, slate.shared = shared, slate.predicted = predicted;
        slate.active_overlap = active, slate.matched_chars = chars, slate.load = load;
        slate.request_blocks = d.request_blocks, slate.prompt_tokens = d.prompt_tokens, slate.block = d.block, slate.prompt_chars = d.prompt_chars;
    }
    double cached(size_t i) const {
        return std::min<double>(slate.prompt_tokens, std::max(device[i] + host[i] + disk[i], predicted[i]) * double(slate.block));
    }
    std::string name(size_t i) const {
        return std::string(views[i].url) + (ranks[i].rank ? " rank " + std::to_string(ranks[i].rank) : std::string());
    }
    std::vector<WorkerView> views;
    std::vector<LoadCell> cells;
    std::vector<RankRef> ranks;
    std::vector<uint64_t> eligible;
    std::vector<uint32_t> device, host, disk, shared, predicted, active, chars;
    std::vector<LoadNow> load;
    Slate slate;
};

}  // namespace

Result<Second> decide_again(std::string_view log, const Contestant& contestant, const PolicyConfig& knobs, uint64_t seed) {
    PolicyConfig config = knobs;
    const PolicyRow* row = find_policy(contestant.whole);
    if (!row) return Failure(Code::bad_field, "there is no policy '" + contestant.whole + "'");
    config.name = row->name;
    const auto policy = row->make(config);
    Random random(seed);
    Second out;
    for (size_t n = 1; !log.empty(); ++n) {
        const size_t end = log.find('\n');
        const std::string_view line = log.substr(0, end);
        log = end == std::string_view::npos ? std::string_view{} : log.substr(end + 1);
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        auto read = route::read_decision(line);
        if (!read) return Failure(Code::bad_field, "line " + std::to_string(n) + ": " + read.error()->message);
        const route::LoggedDecision& d = *read;
        if (d.candidates.empty() || d.chosen >= d.candidates.size())
            return Failure(Code::bad_field, "line " + std::to_string(n) + ": names no candidate, or chose none of them");
        const Scene scene(d);
        Prepared request;
        request.prompt_tokens = d.prompt_tokens, request.block = static_cast<uint16_t>(d.block);
        const Pick pick = policy->pick(request, scene.slate, random);
        const size_t now = pick.kind == Pick::chosen ? pick.index : d.chosen;
        ++out.decisions;
        out.single += d.candidates.size() == 1;
        out.cached_then += scene.cached(d.chosen), out.cached_now += scene.cached(now);
        out.ahead_then += scene.load[d.chosen].prefill_tokens, out.ahead_now += scene.load[now].prefill_tokens;
        if (now == d.chosen) continue;
        if (++out.changed > changes_shown_max) continue;
        out.changes.push_back({d.id, scene.name(d.chosen), scene.name(now), pick.why, scene.cached(d.chosen), scene.cached(now)});
    }
    if (out.decisions == 0) return Failure(Code::bad_field, "the log holds no decision");
    return out;
}

std::string second_text(const Second& s, const Contestant& contestant) {
    auto mean = [&](double sum) { return std::to_string(static_cast<uint64_t>(sum / static_cast<double>(s.decisions) + 0.5)); };
    std::string out = std::to_string(s.decisions) + " decisions, " + std::to_string(s.changed) + " of them otherwise by " + contestant.name + "\n";
    if (s.single) out += std::to_string(s.single) + " had one candidate only\n";
    out += "cached tokens a request at the chosen worker: " + mean(s.cached_then) + " -> " + mean(s.cached_now) + "\n";
    out += "prompt tokens ahead of a request:             " + mean(s.ahead_then) + " -> " + mean(s.ahead_now) + "\n";
    for (const Second::Change& c : s.changes)
        out += c.id + ": " + c.from + " -> " + c.to + " (" + c.why + "; cached " + std::to_string(static_cast<uint64_t>(c.was)) + " -> " +
               std::to_string(static_cast<uint64_t>(c.now)) + " tokens)\n";
    if (s.changed > s.changes.size()) out += "and " + std::to_string(s.changed - s.changes.size()) + " more\n";
    return out;
}

}  // namespace weir::replay
