// etcd's messages (its v3 API over gRPC) as far as records need them: written and read by hand, field numbers as in etcd's rpc.proto.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "types/doc.h"

namespace weir::etcd {

inline constexpr const char *range_path = "/etcdserverpb.KV/Range", *txn_path = "/etcdserverpb.KV/Txn", *watch_path = "/etcdserverpb.Watch/Watch",
                            *grant_path = "/etcdserverpb.Lease/LeaseGrant", *revoke_path = "/etcdserverpb.Lease/LeaseRevoke",
                            *keep_alive_path = "/etcdserverpb.Lease/LeaseKeepAlive", *authenticate_path = "/etcdserverpb.Auth/Authenticate";

struct KeyValue {
    Str key, value;                    // views into the message read
    int64_t mod_revision = 0, lease = 0;
};
std::string end_of_prefix(Str prefix);                     // the first key behind all that begin so

// Keys of [from, end) at `revision` (0: now), in their order, at most `limit`.
std::string range_request(Str from, Str end, int64_t limit, int64_t revision);
struct RangeAnswer {
    int64_t revision = 0;              // of the store
    std::vector<KeyValue> kvs;
    bool more = false;                 // the limit cut it
};
Result<RangeAnswer> read_range(Str message);               // Failure of all readers: engine_garbage

// Puts the key if it was last changed at `expected_revision` (0: if it is not there); else reads it.
std::string put_if_request(Str key, Str value, int64_t lease, int64_t expected_revision);
struct PutIfAnswer {
    bool done = false;
    int64_t mod_revision = 0, lease = 0;   // of what is there instead; 0: nothing
};
Result<PutIfAnswer> read_put_if(Str message);

std::string watch_request(Str from, Str end, int64_t from_revision);
std::string progress_request();        // asks for an answer on the watch's stream, to see that it lives
struct WatchEvent {
    bool gone = false;
    KeyValue kv;
};
struct WatchAnswer {
    bool created = false, canceled = false;
    int64_t compact_revision = 0;      // of a watch that was cancelled because it began too far back
    std::string why;
    std::vector<WatchEvent> events;
};
Result<WatchAnswer> read_watch(Str message);

std::string grant_request(int64_t ttl_s);
struct LeaseAnswer { int64_t id = 0, ttl_s = 0; };         // ttl 0: the lease is over
Result<LeaseAnswer> read_lease(Str message);               // of grants and keep-alives
std::string lease_request(int64_t id);                     // to keep it alive, to revoke it

std::string authenticate_request(Str user, Str password);
Result<std::string> read_token(Str message);

}  // namespace weir::etcd
