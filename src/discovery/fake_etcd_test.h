// An etcd of a test: keys, leases, watches and faults, on the test's own loop.
#pragma once
#include <map>

#include "tests/support/grpc_peer.h"
#include "wire/protobuf.h"

namespace weir::test {

class FakeEtcd {
public:
    explicit FakeEtcd(NetLoop& loop) : peer(loop) {
        peer.on_message = [this](GrpcPeer::Call& call) { asked(call); };
    }
    std::string address() const { return "http://127.0.0.1:" + std::to_string(peer.listener.port); }

    void put(const std::string& key, const std::string& value, int64_t lease = 0) {
        Kv& kv = kvs[key];
        kv = {value, ++revision, lease};
        tell(key, &kv);
    }
    void remove(const std::string& key) {
        if (!kvs.erase(key)) return;
        revision++;
        tell(key, nullptr);
    }
    void revoke(int64_t lease) {
        leases.erase(lease);
        std::vector<std::string> over;
        for (auto& [key, kv] : kvs)
            if (kv.lease == lease) over.push_back(key);
        for (auto& key : over) remove(key);
    }
    void cancel_watches(int64_t compact_revision, const std::string& why) {
        for (auto* call : std::exchange(watches, {})) {
            std::string m;
            ProtobufWriter(m).number(4, 1).number(5, static_cast<uint64_t>(compact_revision)).bytes(6, why);
            peer.send(*call, m);
        }
    }

    struct Kv { std::string value; int64_t revision = 0, lease = 0; };
    std::map<std::string, Kv> kvs;
    std::map<int64_t, int64_t> leases;       // id: ttl
    int64_t revision = 10, next_lease = 100;
    std::vector<GrpcPeer::Call*> watches;
    std::vector<int64_t> watched_from;
    size_t ranges = 0, beats = 0, progress = 0, authentications = 0;
    std::string token;                       // not empty: wanted
    bool silent = false;                     // answers nothing
    int64_t page_max = 1'000'000;            // a larger limit is an error
    std::function<void()> after_page;
    GrpcPeer peer;

private:
    static uint64_t bits(int64_t v) { return static_cast<uint64_t>(v); }
    std::string header() const {
        std::string h;
        ProtobufWriter(h).number(3, bits(revision));
        return h;
    }
    static std::string written(const std::string& key, const Kv* kv) {
        std::string m;
        ProtobufWriter w(m);
        w.bytes(1, key);
        if (kv) w.number(3, bits(kv->revision)).bytes(5, kv->value).number(6, bits(kv->lease));
        return m;
    }
    void tell(const std::string& key, const Kv* kv) {
        std::string event, m;
        ProtobufWriter(event).number(1, kv ? 0 : 1).bytes(2, written(key, kv));
        ProtobufWriter(m).bytes(1, header()).bytes(11, event);
        for (auto* call : watches) peer.send(*call, m);
    }
    std::string range(std::string_view request) {
        std::string from, end, m;
        int64_t limit = 0;
        for (ProtobufFields f(request); f.next();) {
            if (f.field() == 1) from = f.bytes();
            if (f.field() == 2) end = f.bytes();
            if (f.field() == 3) limit = f.signed_number();
        }
        if (limit > page_max) return "too large";
        ProtobufWriter w(m);
        w.bytes(1, header());
        int64_t n = 0;
        for (auto at = kvs.lower_bound(from); at != kvs.end() && (end.empty() ? at->first == from : at->first < end); ++at) {
            if (limit && n++ == limit) {
                w.number(3, 1);
                break;
            }
            w.bytes(2, written(at->first, &at->second));
        }
        return m;
    }
    void txn(GrpcPeer::Call& call, std::string_view request) {
        std::string compare, put_op, range_op, key, value, m;
        int64_t lease = 0, wanted = 0, there = 0;
        for (ProtobufFields f(request); f.next();) (f.field() == 1 ? compare : f.field() == 2 ? put_op : range_op) = f.bytes();
        for (ProtobufFields f(compare); f.next();) {
            if (f.field() == 3) key = f.bytes();
            if (f.field() == 5 || f.field() == 6) wanted = f.signed_number();
        }
        for (ProtobufFields op(put_op); op.next();)
            for (ProtobufFields f(op.bytes()); f.next();) {
                if (f.field() == 2) value = f.bytes();
                if (f.field() == 3) lease = f.signed_number();
            }
        if (!leases.contains(lease)) return peer.finish(call, GrpcCode::not_found, "etcdserver: requested lease not found");
        if (kvs.contains(key)) there = kvs[key].revision;
        ProtobufWriter w(m);
        w.bytes(1, header()).number(2, there == wanted);
        if (there == wanted) {
            put(key, value, lease);
        } else {
            std::string answer;
            for (ProtobufFields op(range_op); op.next();) ProtobufWriter(answer).bytes(1, range(op.bytes()));
            w.bytes(3, answer);
        }
        answer(call, m);
    }
    void answer(GrpcPeer::Call& call, const std::string& m) {
        peer.send(call, m);
        peer.finish(call, GrpcCode::ok);
    }
    static int64_t first(std::string_view request) {
        ProtobufFields f(request);
        return f.next() ? f.signed_number() : 0;
    }
    void asked(GrpcPeer::Call& call) {
        if (silent) return;
        const std::string request = call.messages.back(), method = call.path.substr(call.path.rfind('/') + 1);
        std::string m;
        if (method == "Authenticate") {
            authentications++;
            if (token.empty()) return peer.finish(call, GrpcCode::failed_precondition, "etcdserver: authentication is not enabled");
            ProtobufWriter(m).bytes(1, header()).bytes(2, token);
            return answer(call, m);
        }
        if (!token.empty() && call.metadata.find("token: " + token + "\n") == std::string::npos)
            return peer.finish(call, GrpcCode::unauthenticated, "etcdserver: invalid auth token");
        if (method == "Range") {
            ranges++;
            m = range(request);
            if (m == "too large") return peer.finish(call, GrpcCode::resource_exhausted, "trying to send message larger than max");
            if (after_page) after_page();
            return answer(call, m);
        }
        if (method == "Txn") return txn(call, request);
        if (method == "LeaseGrant") {
            leases[next_lease] = first(request);
            ProtobufWriter(m).bytes(1, header()).number(2, bits(next_lease)).number(3, bits(first(request)));
            next_lease++;
            return answer(call, m);
        }
        if (method == "LeaseKeepAlive") {
            beats++;
            const int64_t id = first(request);
            ProtobufWriter(m).bytes(1, header()).number(2, bits(id)).number(3, leases.contains(id) ? bits(leases[id]) : 0);
            return answer(call, m);
        }
        if (method == "LeaseRevoke") {
            revoke(first(request));
            ProtobufWriter(m).bytes(1, header());
            return answer(call, m);
        }
        if (method == "Watch") watch(call, request);
    }
    void watch(GrpcPeer::Call& call, std::string_view request) {
        std::string m;
        for (ProtobufFields f(request); f.next();) {
            if (f.field() == 3) {
                progress++;
                ProtobufWriter(m).bytes(1, header()).number(2, UINT64_MAX);
                return peer.send(call, m);
            }
            for (ProtobufFields create(f.bytes()); create.next();)
                if (create.field() == 3) watched_from.push_back(create.signed_number());
        }
        ProtobufWriter(m).bytes(1, header()).number(3, 1);
        watches.push_back(&call);
        peer.send(call, m);
    }
};

}  // namespace weir::test
