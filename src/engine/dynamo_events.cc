#include "engine/dynamo_events.h"

#include <vector>

#include "wire/big_endian.h"
#include "wire/msgpack.h"

namespace weir::engine {
namespace {

using Kind = MsgpackReader::Kind;

Failure garbage(const char* what) { return Failure(Code::engine_garbage, "a worker's event could not be understood").detail(what); }

constexpr char frame_version = 1;

// Calls f(key) for each member; f takes the value, or leaves it to be skipped by saying false. Nil values are left out.
template <class F>
void members(MsgpackReader& r, F f) {
    for (uint32_t n = r.map(); n > 0 && r.ok(); n--) {
        const Str key = r.text();
        if (!r.take_nil() && !f(key)) r.skip();
    }
}

// Events of one payload, gathered before any is given out.
class Events {
public:
    struct At { KvEvent event; size_t first = 0, count = 0; };
    std::vector<At> all;
    std::vector<KvBlock> blocks;
    std::vector<uint64_t> names;

    bool read_list(MsgpackReader& r) {
        if (r.kind() == Kind::map) return read(r);   // a single one
        for (uint32_t n = r.array(); n > 0 && r.ok(); n--)
            if (!read(r)) return false;
        return r.ok();
    }
    size_t give(KvEventSink& sink) {
        for (At& at : all) {
            if (at.event.kind == KvEvent::stored) at.event.blocks = std::span(blocks).subspan(at.first, at.count);
            if (at.event.kind == KvEvent::removed) at.event.names = std::span(names).subspan(at.first, at.count);
            sink.event(at.event);
        }
        return all.size();
    }

private:
    bool read(MsgpackReader& r) {
        At at;
        bool worker = false, data = false, tier_known = true;
        members(r, [&](Str key) {
            if (key == "worker_id") at.event.worker_id = r.number(), worker = true;
            else if (key == "storage_tier") tier_known = tier(r.text(), at.event.tier);
            else if (key == "event") data = inner(r, at);
            else return false;
            return true;
        });
        if (!r.ok() || !worker || !data) return false;
        if (tier_known) all.push_back(at);   // of a tier nobody here knows: no claim can be made of it
        return true;
    }
    static bool tier(Str word, KvTier& out) {
        constexpr Str words[] = {"device", "host_pinned", "disk", "external"};
        for (size_t i = 0; i < std::size(words); i++)
            if (word == words[i]) return out = static_cast<KvTier>(i), true;
        return false;
    }
    bool inner(MsgpackReader& r, At& at) {
        bool data = false;
        members(r, [&](Str key) {
            if (key == "event_id") at.event.event_id = r.number();
            else if (key == "dp_rank") at.event.dp_rank = static_cast<uint32_t>(r.number());
            else if (key == "data") data = change(r, at);
            else return false;
            return true;
        });
        return data && r.ok();
    }
    bool change(MsgpackReader& r, At& at) {
        if (r.kind() == Kind::text) {
            at.event.kind = KvEvent::cleared;
            return r.text() == "cleared";
        }
        if (r.map() != 1) return false;
        const Str kind = r.text();
        if (kind == "stored") return stored(r, at);
        if (kind != "removed") return false;
        at.event.kind = KvEvent::removed;
        at.first = names.size();
        members(r, [&](Str key) {
            if (key != "block_hashes") return false;
            for (uint32_t n = r.array(); n > 0 && r.ok(); n--) names.push_back(r.number());
            return true;
        });
        at.count = names.size() - at.first;
        return r.ok();
    }
    bool stored(MsgpackReader& r, At& at) {
        at.first = blocks.size();
        bool whole = true;
        members(r, [&](Str key) {
            if (key == "parent_hash") {
                at.event.has_parent = true;
                at.event.parent = r.number();
                return true;
            }
            if (key != "blocks") return false;
            for (uint32_t n = r.array(); n > 0 && r.ok(); n--) {
                KvBlock b{};
                int seen = 0;
                members(r, [&](Str name) {
                    if (name == "block_hash") b.name = r.number(), seen |= 1;
                    else if (name == "tokens_hash") b.local = r.number(), seen |= 2;
                    else return false;
                    return true;
                });
                whole &= seen == 3;
                blocks.push_back(b);
            }
            return true;
        });
        at.count = blocks.size() - at.first;
        return r.ok() && whole;
    }
};

}  // namespace

Result<EventEnvelope> read_envelope(Str message) {
    MsgpackReader r(message);
    EventEnvelope e;
    bool payload = false;
    members(r, [&](Str key) {
        if (key == "publisher_id") e.publisher_id = r.number();
        else if (key == "sequence") e.sequence = r.number();
        else if (key == "published_at") e.published_at_ms = r.number();
        else if (key == "topic") e.topic = r.text();
        else if (key == "payload") e.payload = r.blob(), payload = true;
        else return false;
        return true;
    });
    if (!r.done() || !payload) return garbage("no envelope");
    return e;
}

void append_envelope(std::string& out, const EventEnvelope& e) {
    MsgpackWriter w(out);
    w.map(5).text("publisher_id").number(e.publisher_id).text("sequence").number(e.sequence).text("published_at").number(e.published_at_ms);
    w.text("topic").text(e.topic).text("payload").binary(e.payload);
}

Result<Str> read_event_frame(Str frame) {
    if (frame.size() < 5 || frame[0] != frame_version || read_big_endian(frame.substr(1, 4)) != frame.size() - 5) return garbage("no event frame");
    return frame.substr(5);
}

void append_event_frame(std::string& out, Str envelope) {
    out.push_back(frame_version);
    append_big_endian(out, envelope.size(), 4);
    out.append(envelope);
}

Result<size_t> read_kv_events(Str payload, KvEventSink& sink) {
    MsgpackReader r(payload);
    Events events;
    if (!events.read_list(r) || !r.done()) return garbage("no KV events");
    return events.give(sink);
}

void append_kv_event(std::string& out, const KvEvent& e) {
    static constexpr Str tiers[] = {"device", "host_pinned", "disk", "external"};
    MsgpackWriter w(out);
    w.map(3).text("worker_id").number(e.worker_id).text("storage_tier").text(tiers[static_cast<size_t>(e.tier)]);
    w.text("event").map(3).text("event_id").number(e.event_id).text("data");
    if (e.kind == KvEvent::cleared) w.text("cleared");
    else if (e.kind == KvEvent::removed) {
        w.map(1).text("removed").map(1).text("block_hashes").array(e.names.size());
        for (uint64_t name : e.names) w.number(name);
    } else {
        w.map(1).text("stored").map(3).text("parent_hash");
        if (e.has_parent) w.number(e.parent);
        else w.nil();
        w.text("start_position").nil().text("blocks").array(e.blocks.size());
        for (const KvBlock& b : e.blocks) w.map(3).text("block_hash").number(b.name).text("tokens_hash").number(b.local).text("mm_extra_info").nil();
    }
    w.text("dp_rank").number(e.dp_rank);
}

Result<LoadReport> read_load_report(Str payload) {
    MsgpackReader r(payload);
    LoadReport load;
    bool worker = false;
    members(r, [&](Str key) {
        if (key == "worker_id") load.worker_id = r.number(), worker = true;
        else if (key == "dp_rank") load.dp_rank = static_cast<uint32_t>(r.number());
        else if (key == "active_decode_blocks") load.decode_blocks = r.number();
        else if (key == "active_prefill_tokens") load.prefill_tokens = r.number();
        else if (key == "kv_used_blocks") load.kv_used_blocks = r.number();
        else return false;
        return true;
    });
    if (!r.done() || !worker) return garbage("no load report");
    return load;
}

void append_recovery_question(std::string& out, const RecoveryQuestion& q) {
    MsgpackWriter w(out);
    auto id = [&](const std::optional<uint64_t>& v) { v ? w.number(*v) : w.nil(); };
    w.map(6).text("worker_id").number(q.worker_id).text("dp_rank").number(q.dp_rank).text("start_event_id");
    id(q.first);
    w.text("end_event_id");
    id(q.last);
    w.text("supports_tree_dump_failed").boolean(true).text("kind").text("recovery");
}

namespace {

// {"Kind": {...}}, the worker's own answer.
bool read_answer(MsgpackReader& r, RecoveryAnswer& a, Events& events) {
    if (r.map() != 1) return false;
    const Str kind = r.text();
    if (kind == "TreeDump") a.kind = RecoveryAnswer::dump;
    else if (kind == "Events") a.kind = RecoveryAnswer::events;
    else if (kind == "TooNew") a.kind = RecoveryAnswer::too_new;
    else a.why = kind;
    if (r.kind() != Kind::map) {   // {"Error": "text"}
        if (r.kind() == Kind::text) a.why.append(": ").append(r.text());
        else r.skip();
        return r.ok() && a.kind == RecoveryAnswer::refused;
    }
    bool list = false, good = true;
    members(r, [&](Str key) {
        if (key == "last_event_id" || key == "newest_available") a.last_event_id = r.number();
        else if (key == "events") list = true, good = events.read_list(r);
        else if (key == "message" && r.kind() == Kind::text) a.why.append(": ").append(r.text());
        else return false;
        return true;
    });
    return r.ok() && good && (list || a.kind > RecoveryAnswer::events);
}

}  // namespace

// The answer may stand alone, or in the wrappers that answers of models have: {"data": ..., "complete_final": ...}, {"data": ...}.
Result<RecoveryAnswer> read_recovery_answer(Str body, KvEventSink& sink) {
    RecoveryAnswer a;
    for (int wrappers = 0; wrappers < 2; wrappers++) {
        MsgpackReader r(body);
        Str data;
        bool last = false;
        members(r, [&](Str key) {
            if (key == "data") data = r.skip();
            else if (key == "complete_final") last = r.boolean();
            else return false;
            return true;
        });
        if (r.done() && last && data.empty()) return a.kind = RecoveryAnswer::end, a;
        if (!r.done() || data.empty()) break;
        body = data;
    }
    MsgpackReader r(body);
    Events events;
    if (!read_answer(r, a, events) || !r.done()) return garbage("no answer to a recovery question");
    a.count = events.give(sink);
    return a;
}

}  // namespace weir::engine
