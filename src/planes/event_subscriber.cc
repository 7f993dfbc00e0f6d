#include "planes/event_subscriber.h"

#include <algorithm>
#include <charconv>

#include "net/transport.h"

namespace weir {
namespace {

// One connection: ends when it breaks. True: it had come to messages.
Task<bool> listen_once(Resolver& resolver, std::string host, uint16_t port, const std::string& topic, EventListener& listener, EventSubscriberTimes times) {
    auto addresses = co_await resolver.resolve(host, port, times.connect_ms);
    if (!addresses) co_return false;
    auto fd = co_await connect_any(*std::move(addresses), times.connect_ms);
    if (!fd) co_return false;
    SocketTransport socket(*fd);
    std::string hello, subscribe;
    append_zmtp_greeting(hello);
    append_zmtp_ready(hello, "SUB");
    append_zmtp_subscribe(subscribe, topic);
    socket.send(hello);
    socket.deadline_in(times.hello_ms);
    ZmtpReader reader(event_message_max);
    struct Told {
        EventListener& listener;
        bool connected = false;
        ~Told() {
            if (connected) listener.lost();
        }
    } told{listener};
    for (;;) {
        auto got = co_await socket.recv();
        if (got.n <= 0) co_return told.connected;
        Str bytes = got.view();
        // A subscription that comes before the publisher has said READY counts as a breach of protocol there.
        auto ready = [&] {
            if (told.connected || !reader.ready() || reader.bad()) return;
            socket.deadline_in(0);
            socket.send(subscribe);
            told.connected = true;
            listener.connected();
        };
        while (reader.next(bytes)) {
            ready();
            listener.message(reader.message());
        }
        ready();
        if (reader.bad()) co_return told.connected;
    }
}

}  // namespace

Result<std::pair<std::string, uint16_t>> read_event_endpoint(Str endpoint) {
    constexpr Str scheme = "tcp://";
    const Str rest = endpoint.starts_with(scheme) ? endpoint.substr(scheme.size()) : Str();
    const size_t colon = rest.rfind(':');
    uint16_t port = 0;
    const Str digits = colon == Str::npos ? Str() : rest.substr(colon + 1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    Str host = rest.substr(0, std::min(colon, rest.size()));
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    if (host.empty() || port == 0 || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size())
        return Failure(Code::bad_field, "not an endpoint of the form tcp://host:port: " + std::string(endpoint.substr(0, 300)));
    return std::pair(std::string(host), port);
}

Task<void> subscribe_events(Resolver& resolver, std::string endpoint, std::string topic, EventListener& listener, EventSubscriberTimes times) {
    auto where = read_event_endpoint(endpoint);
    if (!where) co_return;
    for (uint64_t wait_ms = times.retry_first_ms;;) {
        const bool was_up = co_await listen_once(resolver, where->first, where->second, topic, listener, times);
        if (was_up) wait_ms = times.retry_first_ms;
        co_await sleep_ms(wait_ms);
        wait_ms = std::min(wait_ms * 2, times.retry_max_ms);
    }
}

}  // namespace weir
