// A worker of a test: takes requests on a tcp port, acknowledges them when told to, and calls home when told to. Same loop as the test.
#pragma once
#include <deque>

#include "planes/response_stream.h"
#include "tests/support/net_loop.h"
#include "wire/dynamo_frames.h"

namespace weir::test {

class ScriptedWorker {
public:
    struct Request {
        std::string path, headers, body;
        ControlHeader control;
        Transport* from = nullptr;
    };
    explicit ScriptedWorker(NetLoop& loop) : loop(loop) { tasks.spawn(accept_loop()); }
    ~ScriptedWorker() {
        tasks.cancel();
        if (acceptor.watched) loop.core.epoll().forget(listener.fd, acceptor);
    }
    PlaneAddress address(std::string path = "1f/dynamo/backend/generate") const { return {"127.0.0.1", listener.port, std::move(path)}; }

    void ack(size_t i, std::string_view text = {}) {   // FIFO is the test's to keep
        std::string bytes;
        append_ack(bytes, text);
        requests[i].from->send(bytes);
    }
    // Dials the address in the request's control header and says `bytes` (see hello); the socket is calls.back().
    void call_home(size_t i, std::string bytes) { tasks.spawn(dial(requests[i].control.address, std::move(bytes))); }
    static std::string hello(const std::string& subject) {
        std::string bytes;
        append_handshake(bytes, subject);
        append_prologue(bytes, "");
        return bytes;
    }
    static std::string frame(std::string_view body) {
        std::string bytes;
        append_two_part(bytes, {}, body);
        return bytes;
    }
    static std::string word(StreamWord w) {
        std::string bytes;
        append_stream_word(bytes, w);
        return bytes;
    }

    NetLoop& loop;
    ListenSocket listener;
    std::deque<Request> requests;
    size_t accepted = 0, left = 0;     // request connections
    struct Call { std::unique_ptr<SocketTransport> socket; std::string said; bool ended = false; };
    std::deque<Call> calls;            // said: what the gateway sent back
    bool read_requests = true;         // false: bytes stay in the socket

private:
    struct Acceptor final : Watched {
        bool watched = false;
        Signal ready;
        void on_events(uint32_t) override { ready.notify(); }
    } acceptor;
    Task<void> accept_loop() {
        loop.core.epoll().watch(listener.fd, acceptor);
        acceptor.watched = true;
        for (;;) {
            int fd = ::accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) co_await acceptor.ready.wait();
            else if (accepted++, read_requests) tasks.spawn(serve(std::make_unique<SocketTransport>(fd)));
            else unread.push_back(std::make_unique<SocketTransport>(fd));
        }
    }
    Task<void> serve(std::unique_ptr<SocketTransport> socket) {
        RequestFrameReader reader;
        Transport* raw = socket.get();
        connections.push_back(std::move(socket));
        for (;;) {
            auto got = co_await raw->recv();
            if (got.n <= 0) break;
            Str bytes = got.view();
            for (RequestFrame f; reader.next(bytes, f);) {
                TwoPart parts;
                EXPECT_TRUE(read_two_part(f.payload, parts));
                auto control = read_control_header(parts.header);
                EXPECT_TRUE(control);
                requests.push_back({std::string(f.path), std::string(f.headers), std::string(parts.body), control ? *control : ControlHeader(), raw});
            }
        }
        left++;
    }
    Task<void> dial(std::string where, std::string bytes) {
        auto at = parse_address("127.0.0.1", static_cast<uint16_t>(std::stoi(where.substr(where.rfind(':') + 1))));
        std::vector<Address> addresses{*at};
        auto fd = co_await connect_any(std::move(addresses), 5'000);
        EXPECT_TRUE(fd);
        Call& call = calls.emplace_back();
        call.socket = std::make_unique<SocketTransport>(*fd);
        call.socket->send(bytes);
        for (;;) {
            auto got = co_await call.socket->recv();
            if (got.n <= 0) break;
            call.said += got.view();
        }
        call.ended = true;
    }

public:
    std::deque<std::unique_ptr<SocketTransport>> connections, unread;   // request connections
    void drop(size_t i) {              // closes a request connection
        ::shutdown(connections[i]->fd(), SHUT_RDWR);
    }
    Nursery tasks;                     // ends before what it uses
};

}  // namespace weir::test
