#include "mocker/kv_log.h"

#include <algorithm>
#include <unordered_set>

#include "wire/msgpack.h"

namespace weir::mocker {

void KvLog::append(const engine::KvEvent& e) {
    Kept& k = kept_.emplace_back();
    k.blocks = e.kind == engine::KvEvent::stored ? e.blocks.size() : e.names.size();
    engine::append_kv_event(k.bytes, e);
    kept_bytes_ += k.bytes.size();
    // What was not given out yet is never dropped: batches follow each step.
    while ((kept_.size() > kept_max || kept_bytes_ > kept_bytes_max) && last_ - kept_.size() + 1 <= told_) {
        kept_bytes_ -= kept_.front().bytes.size();
        kept_.pop_front();
    }
}

void KvLog::add(const sim::KvEvent& e) {
    engine::KvEvent out;
    out.worker_id = worker_id_;
    out.dp_rank = rank_;
    if (e.kind == sim::KvEvent::cleared) {
        held_.clear();
        out.kind = engine::KvEvent::cleared;
        out.event_id = ++last_;
        return append(out);
    }
    for (size_t at = 0; at < e.chained.size(); at += batch_blocks_max) {
        const size_t n = std::min(batch_blocks_max, e.chained.size() - at);
        out.event_id = ++last_;
        if (e.kind == sim::KvEvent::removed) {
            out.kind = engine::KvEvent::removed;
            out.names = e.chained.subspan(at, n);
            for (uint64_t name : out.names) held_.erase(name);
        } else {
            blocks_.clear();
            out.parent = at ? e.chained[at - 1] : e.parent;
            out.has_parent = out.parent != 0;
            uint64_t parent = out.parent;
            for (size_t i = at; i < at + n; parent = e.chained[i++]) {
                blocks_.push_back({e.chained[i], e.local[i]});
                held_[e.chained[i]] = {parent, e.local[i]};
            }
            out.blocks = blocks_;
        }
        append(out);
    }
}

bool KvLog::take(std::string& payload) {
    if (told_ == last_) return false;
    const size_t first = kept_.size() - static_cast<size_t>(last_ - told_);
    size_t end = first, blocks = 0;
    while (end < kept_.size() && end - first < batch_events_max && (end == first || blocks + kept_[end].blocks <= batch_blocks_max))
        blocks += kept_[end++].blocks;
    MsgpackWriter(payload).array(end - first);
    for (size_t i = first; i < end; ++i) payload.append(kept_[i].bytes);
    told_ += end - first;
    return true;
}

// Runs of blocks, each behind its parent. A block whose parent is gone cannot be placed, and is left out. Returns how many events.
size_t KvLog::dump_events(std::string& out) const {
    std::unordered_set<uint64_t> told;
    std::vector<uint64_t> path;
    std::vector<engine::KvBlock> run;
    engine::KvEvent e;
    e.worker_id = worker_id_;
    e.dp_rank = rank_;
    size_t n = 0;
    for (const auto& [name, held] : held_) {
        path.clear();
        uint64_t at = name;
        while (at && !told.contains(at)) {
            const auto found = held_.find(at);
            if (found == held_.end()) break;
            path.push_back(at);
            at = found->second.parent;
        }
        if (path.empty() || (at && !told.contains(at))) continue;
        std::reverse(path.begin(), path.end());
        for (size_t from = 0; from < path.size(); from += batch_blocks_max) {
            run.clear();
            e.parent = from ? path[from - 1] : at;
            e.has_parent = e.parent != 0;
            e.event_id = n++;
            for (size_t i = from; i < std::min(path.size(), from + batch_blocks_max); ++i) {
                run.push_back({path[i], held_.at(path[i]).local});
                told.insert(path[i]);
            }
            e.blocks = run;
            engine::append_kv_event(out, e);
        }
    }
    return n;
}

void KvLog::dump(std::string& out) const {
    std::string events;
    const size_t n = dump_events(events);
    MsgpackWriter w(out);
    if (events.size() > dump_bytes_max) {
        w.map(1).text("TreeDumpFailed").map(2).text("last_event_id").number(last_).text("message").text("too many blocks for one answer");
        return;
    }
    w.map(1).text("TreeDump").map(3).text("events").array(n).raw(events).text("last_event_id").number(last_).text("reset_scope").text("all");
}

void KvLog::answer(const engine::RecoveryQuestion& q, std::string& out) const {
    MsgpackWriter w(out);
    auto number = [&](const std::optional<uint64_t>& v) { v ? w.number(*v) : w.nil(); };
    if (q.worker_id != worker_id_ || q.dp_rank != rank_) {
        w.map(1).text("Error").text("no such worker and rank here");
        return;
    }
    if (!q.first) return dump(out);
    if (q.last && *q.last < *q.first) {
        w.map(1).text("InvalidRange").map(2).text("start_id").number(*q.first).text("end_id").number(*q.last);
        return;
    }
    if (*q.first > last_) {
        w.map(1).text("TooNew").map(3).text("requested_start").number(*q.first).text("requested_end");
        number(q.last);
        w.text("newest_available").number(last_);
        return;
    }
    const uint64_t oldest = last_ - kept_.size() + 1;
    if (*q.first < oldest) return dump(out);
    const uint64_t end = std::min(q.last.value_or(last_), last_);
    w.map(1).text("Events").map(2).text("events").array(static_cast<size_t>(end - *q.first + 1));
    for (uint64_t id = *q.first; id <= end; ++id) out.append(kept_[static_cast<size_t>(id - oldest)].bytes);
    w.text("last_event_id").number(end);
}

Result<engine::RecoveryQuestion> read_recovery_question(Str body) {
    MsgpackReader r(body);
    engine::RecoveryQuestion q;
    bool worker = false;
    for (uint32_t n = r.map(); n > 0 && r.ok(); n--) {
        const Str key = r.text();
        if (r.take_nil()) continue;
        if (key == "worker_id") q.worker_id = r.number(), worker = true;
        else if (key == "dp_rank") q.dp_rank = static_cast<uint32_t>(std::min<uint64_t>(r.number(), UINT32_MAX));
        else if (key == "start_event_id") q.first = r.number();
        else if (key == "end_event_id") q.last = r.number();
        else r.skip();
    }
    if (!r.done() || !worker) return Failure(Code::bad_field, "not a recovery question");
    return q;
}

}  // namespace weir::mocker
