// A NATS server of a test: what clients say is kept, what it says is the test's business. Same loop as the test.
#pragma once
#include <charconv>
#include <deque>

#include "tests/support/net_loop.h"

namespace weir::test {

class FakeNats {
public:
    struct Published { std::string subject, reply, headers, payload; };
    explicit FakeNats(NetLoop& loop) : loop(loop) { tasks.spawn(accept_loop()); }
    ~FakeNats() {
        tasks.cancel();
        if (acceptor.watched) loop.core.epoll().forget(listener.fd, acceptor);
    }
    std::string address() const { return "nats://127.0.0.1:" + std::to_string(listener.port); }
    void say(const std::string& text) {                  // on the newest connection
        const iovec piece{const_cast<char*>(text.data()), text.size()};
        connections.back()->send_large(&piece, 1);
    }
    void message(const std::string& subject, const std::string& sid, const std::string& payload) {
        say("MSG " + subject + " " + sid + " " + std::to_string(payload.size()) + "\r\n" + payload + "\r\n");
    }
    void answer(const Published& p, const std::string& payload) { message(p.reply, "1", payload); }
    void answer_with(const Published& p, const std::string& headers, const std::string& payload = "") {
        say("HMSG " + p.reply + " 1 " + std::to_string(headers.size()) + " " + std::to_string(headers.size() + payload.size()) + "\r\n" + headers + payload + "\r\n");
    }
    void drop() { ::shutdown(connections.back()->fd(), SHUT_RDWR); }
    size_t live() const { return connections.size() - ended; }

    NetLoop& loop;
    ListenSocket listener;
    std::string info = R"({"server_id":"x","headers":true,"max_payload":100000,"nonce":"abc"})";
    std::deque<std::string> connects, subscribed, unsubscribed;   // of all connections
    std::deque<Published> published;
    size_t pings = 0, pongs = 0, ended = 0;
    bool pong = true, read = true;
    std::deque<std::unique_ptr<SocketTransport>> connections;

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
            const int fd = ::accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) {
                co_await acceptor.ready.wait();
                continue;
            }
            connections.push_back(std::make_unique<SocketTransport>(fd));
            tasks.spawn(serve(*connections.back()));
        }
    }
    Task<void> serve(SocketTransport& socket) {
        socket.send("INFO " + info + " \r\n");
        std::string text;
        for (;;) {
            auto got = co_await socket.recv();
            if (got.n <= 0) break;
            if (!read) continue;
            text += got.view();
            while (take(text, socket)) {}
        }
        ended++;
    }
    bool take(std::string& text, SocketTransport& socket) {
        const size_t end = text.find("\r\n");
        if (end == std::string::npos) return false;
        std::vector<std::string> words;
        for (size_t at = 0; at < end;) {
            const size_t to = std::min(text.find(' ', at), end);
            words.push_back(text.substr(at, to - at));
            at = to + 1;
        }
        size_t body = 0, headers = 0, whole = end + 2;
        const bool pub = words[0] == "PUB", hpub = words[0] == "HPUB";
        if (pub || hpub) {
            body = std::stoul(words.back());
            headers = hpub ? std::stoul(words[words.size() - 2]) : 0;
            whole += body + 2;
            if (text.size() < whole) return false;
            EXPECT_EQ(text.substr(whole - 2, 2), "\r\n");
            published.push_back({words[1], words.size() > (hpub ? 4u : 3u) ? words[2] : "", text.substr(end + 2, headers), text.substr(end + 2 + headers, body - headers)});
        }
        if (words[0] == "CONNECT") connects.push_back(text.substr(0, end));
        if (words[0] == "SUB") subscribed.push_back(words[1] + " " + words[2]);
        if (words[0] == "UNSUB") unsubscribed.push_back(words[1]);
        if (words[0] == "PONG") pongs++;
        if (words[0] == "PING" && ++pings && pong) socket.send("PONG\r\n");
        text.erase(0, whole);
        return true;
    }
    Nursery tasks;
};

}  // namespace weir::test
