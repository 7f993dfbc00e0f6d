// One publisher of Dynamo's event plane: a ZeroMQ PUB socket that others connect to, its messages numbered. Whoever is slow loses some.
#pragma once
#include <set>
#include <string>

#include "mocker/listener.h"
#include "net/transport.h"
#include "types/doc.h"

namespace weir::mocker {

class EventPublisher {
public:
    static constexpr size_t held_bytes_max = 32 * 1024 * 1024;   // of one subscriber, not yet taken by its socket; more is dropped
    static constexpr size_t subscribers_max = 1'024, topics_max = 64;   // connections; topics of one of them

    EventPublisher(Core& core, std::string topic, uint64_t id) : core_(core), listener_(core), topic_(std::move(topic)), id_(id) {}
    ~EventPublisher();
    Result<void> open(const std::string& host) { return listener_.open(host, 0); }
    void start();                                  // on the core
    void publish(Str payload, UnixMs now);         // MessagePack; on the core
    uint16_t port() const { return listener_.port(); }
    uint64_t id() const { return id_; }
    const std::string& topic() const { return topic_; }
    size_t subscribers() const;                    // that want the topic
    struct Counts { uint64_t messages = 0, dropped = 0; } counts;

private:
    struct Subscriber;
    Task<void> accept_loop();
    Task<void> serve(int fd);
    Task<void> flush(Subscriber& to);
    Core& core_;
    Listener listener_;
    const std::string topic_;
    const uint64_t id_;
    uint64_t sequence_ = 0;
    std::set<Subscriber*> subscribers_;
    std::string envelope_, bytes_;                 // scratch
    Nursery accepting_, serving_;
};

}  // namespace weir::mocker
