// What Dynamo's workers say of their KV blocks, into the index: one subscription a publisher, events of each rank in order, gaps and
// beginnings filled by asking the worker. All on the control core.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "discovery/dynamo_records.h"
#include "engine/kv_feed.h"
#include "gateway/dynamo_peer.h"
#include "kv/index.h"
#include "planes/event_subscriber.h"
#include "planes/shared_events.h"

namespace weir {

class DynamoKv {
public:
    // References outlive this. `only`: transport that is listened to ("zmq", "nats"); empty: all.
    DynamoKv(Core& core, Resolver& resolver, DynamoCore& planes, std::shared_ptr<kv::KvIndex> index, std::string only);
    ~DynamoKv();
    void channel(const EventChannel&, bool there);
    void source(const EventSource&, bool there);
    // The worker has got ranks in the fleet: `number` for `rank_first`, and so on. Its blocks count from now on.
    void ranks(uint64_t worker, uint32_t rank_first, uint32_t n, kv::Rank number);
    void forget(uint64_t worker);
    struct Counts { uint64_t messages = 0, events = 0, bad = 0, unknown = 0, asked = 0, dumps = 0, failed = 0; } counts;

private:
    struct Channel;
    struct Rank;
    using Key = std::pair<uint64_t, uint32_t>;   // worker, dp rank
    Rank* find(uint64_t worker, uint32_t dp_rank);
    void tie(Rank&);
    void look_into(Rank&);
    Task<void> recover(Rank&);
    Task<bool> ask(Rank&);
    Core& core_;
    Resolver& resolver_;
    DynamoCore& planes_;
    const std::shared_ptr<kv::KvIndex> index_;
    const std::string only_;
    SharedEvents over_nats_{[this](const std::string& subject, EventListener& listener) {
        return subscribe_nats_events(*planes_.nats, subject, "kv-events", listener);
    }};
    std::map<uint64_t, EventSource> sources_;                     // by publisher
    std::map<Key, std::unique_ptr<Rank>> ranks_;
    std::map<std::string, std::unique_ptr<Channel>> channels_;    // by scope and publisher
    unsigned asking_ = 0;
};

}  // namespace weir
