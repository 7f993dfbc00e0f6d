// Several publishers on one subject (over NATS, through a ZeroMQ broker): the subject is heard once, each message goes to its publisher's
// listener.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "planes/event_subscriber.h"

namespace weir {

class SharedEvents {
public:
    // How a subject is heard until destroyed: subscribe_nats_events, subscribe_broker_events with their other arguments bound.
    using Hear = std::function<Task<void>(const std::string& subject, EventListener& listener)>;
    explicit SharedEvents(Hear hear);
    ~SharedEvents();                   // after its subscriptions
    // As subscribe_events, of one publisher's messages. Runs until destroyed; `listener` outlives it.
    Task<void> subscribe(std::string subject, uint64_t publisher, EventListener& listener);
    size_t subjects() const { return subjects_.size(); }

private:
    class Subject;
    struct Tap;
    const Hear hear_;
    std::map<std::string, std::unique_ptr<Subject>> subjects_;
};

}  // namespace weir
