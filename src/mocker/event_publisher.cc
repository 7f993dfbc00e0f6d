#include "mocker/event_publisher.h"

#include <unistd.h>

#include <algorithm>

#include "engine/dynamo_events.h"
#include "wire/big_endian.h"
#include "wire/zmtp.h"

namespace weir::mocker {
namespace {

constexpr uint64_t hello_ms = 10'000;
constexpr size_t told_bytes_max = 64 * 1024;       // of one message that a subscriber sends

}  // namespace

struct EventPublisher::Subscriber {
    EventPublisher& of;
    SocketTransport socket;
    std::vector<std::string> topics;               // prefixes, as often as subscribed
    std::string held;                              // from held_at on: not yet sent
    size_t held_at = 0;
    bool flushing = false;
    Nursery flusher;
    Subscriber(EventPublisher& of, int fd) : of(of), socket(fd) { of.subscribers_.insert(this); }
    ~Subscriber() { of.subscribers_.erase(this); }
    bool wants() const {
        return std::any_of(topics.begin(), topics.end(), [&](const std::string& t) { return of.topic_.starts_with(t); });
    }
    bool told(const std::vector<std::string>& message) {   // a subscription, or its end. False: too much
        if (message.size() != 1 || message[0].empty()) return true;
        const Str topic = Str(message[0]).substr(1);
        const auto at = std::find(topics.begin(), topics.end(), topic);
        if (message[0][0] == 1 && topics.size() < topics_max) topics.emplace_back(topic);
        else if (message[0][0] == 0 && at != topics.end()) topics.erase(at);
        else return message[0][0] != 1;
        return true;
    }
};

EventPublisher::~EventPublisher() {
    Core::Enter enter(core_);
    accepting_.cancel();
    serving_.cancel();
    listener_.close();
}

void EventPublisher::start() {
    listener_.watch();
    accepting_.spawn(accept_loop());
}

size_t EventPublisher::subscribers() const {
    return static_cast<size_t>(std::count_if(subscribers_.begin(), subscribers_.end(), [](const Subscriber* s) { return s->wants(); }));
}

Task<void> EventPublisher::accept_loop() {
    for (;;) {
        const int fd = co_await listener_.accept();
        if (serving_.size() < subscribers_max) serving_.spawn(serve(fd));
        else ::close(fd);
    }
}

Task<void> EventPublisher::serve(int fd) {
    Subscriber self(*this, fd);
    std::string hello;
    append_zmtp_greeting(hello);
    append_zmtp_ready(hello, "PUB");
    self.socket.send(hello);
    self.socket.deadline_in(hello_ms);
    ZmtpReader reader(told_bytes_max);
    for (;;) {
        auto got = co_await self.socket.recv();
        if (got.n <= 0) co_return;
        Str bytes = got.view();
        while (reader.next(bytes))
            if (!self.told(reader.message())) co_return;
        if (reader.bad()) co_return;
        if (reader.ready()) self.socket.deadline_in(0);
    }
}

Task<void> EventPublisher::flush(Subscriber& to) {
    while (to.held_at < to.held.size()) {
        const bool on = co_await to.socket.drained();
        if (!on) break;
        const Str next = Str(to.held).substr(to.held_at, 256 * 1024);
        if (!to.socket.send(next)) break;
        to.held_at += next.size();
    }
    to.held.clear();
    to.held_at = 0;
    to.flushing = false;
}

void EventPublisher::publish(Str payload, UnixMs now) {
    const uint64_t sequence = sequence_++;
    counts.messages++;
    bytes_.clear();
    for (Subscriber* s : subscribers_) {
        if (!s->wants()) continue;
        if (bytes_.empty()) {
            std::string frame, number;
            envelope_.clear();
            engine::append_envelope(envelope_, {id_, sequence, now, topic_, payload});
            engine::append_event_frame(frame, envelope_);
            append_zmtp_frame(bytes_, topic_, true);
            append_big_endian(number, id_, 8);
            append_zmtp_frame(bytes_, number, true);
            number.clear();
            append_big_endian(number, sequence, 8);
            append_zmtp_frame(bytes_, number, true);
            append_zmtp_frame(bytes_, frame, false);
        }
        if (s->held.size() + bytes_.size() > held_bytes_max) {
            counts.dropped++;
            continue;
        }
        if (!s->flushing && !s->socket.blocked() && bytes_.size() < limits::write_rest_max) {
            s->socket.send(bytes_);
            continue;
        }
        s->held.append(bytes_);
        if (s->flushing) continue;
        s->flushing = true;
        s->flusher.spawn(flush(*s));
    }
}

}  // namespace weir::mocker
