// Messages of one publisher's topic over ZeroMQ (tcp), on the core's own reactor: connects, subscribes, connects anew.
#pragma once
#include <functional>
#include <string>

#include "net/resolver.h"
#include "wire/zmtp.h"

namespace weir {

struct EventSubscriberTimes {
    uint64_t connect_ms = 5'000, hello_ms = 5'000;
    uint64_t retry_first_ms = 100, retry_max_ms = 5'000;
};
inline constexpr size_t event_message_max = 32 * 1024 * 1024;

class EventListener {                  // called on the core of the subscription
public:
    virtual ~EventListener() = default;
    virtual void connected() = 0;      // subscribed; what was published before is lost, and so may be what is on its way now: mind the numbers
    virtual void message(const std::vector<std::string>& frames) = 0;   // first frame: the topic
    virtual void lost() = 0;           // after connected(): the connection is gone, and is being made anew
};

// "tcp://host:port". Failure: bad_field.
Result<std::pair<std::string, uint16_t>> read_event_endpoint(Str endpoint);

// Runs until destroyed. `resolver` and `listener` outlive it.
Task<void> subscribe_events(Resolver& resolver, std::string endpoint, std::string topic, EventListener& listener, EventSubscriberTimes times = {});

}  // namespace weir
