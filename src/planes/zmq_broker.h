// Events through ZeroMQ brokers: every publisher sends to all of them, a subscriber hears all and takes each message once.
#pragma once
#include <array>
#include <bitset>
#include <string>
#include <vector>

#include "planes/event_subscriber.h"

namespace weir {

struct ZmqBroker { std::vector<std::string> xsub, xpub; };   // where publishers and subscribers connect
// "xsub=tcp://a;tcp://b , xpub=tcp://c;tcp://d". Failure: bad_field.
Result<ZmqBroker> read_zmq_broker(Str text);

// Which of a publisher's messages came already, of the last so many.
class SeenSequences {
public:
    static constexpr uint64_t window = 4'096;
    bool first_time(uint64_t sequence);    // false: it came already, or lies too far back. Far behind the last one: the publisher began anew

private:
    std::bitset<window> seen_;
    uint64_t next_ = 0;                    // behind the highest
};
inline constexpr size_t broker_publishers_max = 100'000;

// All publishers' messages of one subject ("namespace.x.component.y.endpoint.z.topic"). The listener gets the frames a publisher of its own
// would send, with the topic first. connected(): the first broker is; lost(): the last one is gone. Runs until destroyed.
Task<void> subscribe_broker_events(Resolver& resolver, std::vector<std::string> xpub, std::string subject, std::string topic, EventListener& listener,
                                   EventSubscriberTimes times = {});

}  // namespace weir
