#include "net/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/un.h>

#include <algorithm>
#include <thread>

#include "net/resolver.h"
#include "wire/http1.h"

namespace weir {
namespace {

// Answers at once, or on /hang never. Called on many cores.
struct SharedService final : HttpService {
    std::atomic<int> started{0}, alive{0};
    struct Alive {
        std::atomic<int>& n;
        explicit Alive(std::atomic<int>& n) : n(n) { n++; }
        ~Alive() { n--; }
    };
    Task<void> serve(HttpExchange& x) override {
        started++;
        Alive here(alive);
        if (x.head().path == "/hang") co_await sleep_ms(1'000'000'000);
        x.reply({}, std::to_string(Core::here().index()));
    }
    void refuse(int, std::string_view why, std::string&, std::string& body) override { body += why; }
};

// Cores on threads of their own, and blocking clients.
struct ServerTest : testing::Test {
    std::vector<std::unique_ptr<Core>> cores;
    std::vector<std::thread> threads;
    SharedService service;
    Budget bodies{"bodies", 1'000'000};
    ServerLimits limits;
    std::unique_ptr<Server> server;
    std::vector<int> clients;

    void make(unsigned n) {
        limits.bodies = &bodies;
        std::vector<Core*> list;
        for (unsigned i = 0; i < n; i++) {
            cores.push_back(std::make_unique<Core>(i, system_clock(), std::make_unique<EpollPoller>(), i));
            list.push_back(cores.back().get());
        }
        server = std::make_unique<Server>(list, service, limits, nullptr);
    }
    void run(const ListenAt& at) {
        auto listening = server->listen(at);
        ASSERT_TRUE(listening) << listening.error()->message;
        for (auto& core : cores) threads.emplace_back([c = core.get()] { c->run(); });
        server->start();
    }
    ~ServerTest() override {
        for (auto& core : cores) core->stop();
        for (auto& t : threads) t.join();
        server.reset();
        for (int fd : clients) ::close(fd);
        EXPECT_EQ(service.alive, 0);
    }
    static int connect_to(const Address& a) {
        int fd = ::socket(a.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&a.storage), a.length), 0) << strerror(errno);
        return fd;
    }
    int dial() {
        clients.push_back(connect_to(*parse_address("127.0.0.1", server->port())));
        return clients.back();
    }
    static void say(int fd, std::string_view path) {
        std::string request = "GET " + std::string(path) + " HTTP/1.1\r\nhost: h\r\n\r\n";
        EXPECT_EQ(::send(fd, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
    }
    static std::string hear(int fd) {   // one answer with a length, or what came before the end
        std::string got;
        char buffer[4096];
        for (;;) {
            ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
            if (n <= 0) return got + "<end>";
            got.append(buffer, static_cast<size_t>(n));
            size_t head = got.find("\r\n\r\n"), length = got.find("content-length: ");
            if (head != std::string::npos && length < head && got.size() >= head + 4 + std::stoul(got.substr(length + 16))) return got;
        }
    }
    template <class Done>
    static bool soon(Done done) {   // an event of another thread: looked for, not timed
        for (int i = 0; i < 100'000 && !done(); i++) std::this_thread::yield();
        for (int i = 0; i < 1'000 && !done(); i++) ::usleep(5'000);
        return done();
    }
};

TEST_F(ServerTest, ListensOnAPortOfTheKernelsChoice) {
    make(2);
    run({"127.0.0.1", 0, {}});
    EXPECT_GT(server->port(), 0);
    int fd = dial();
    for (int i = 0; i < 3; i++) {
        say(fd, "/");
        EXPECT_TRUE(hear(fd).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    EXPECT_EQ(server->connections(), 1u);
    ::shutdown(fd, SHUT_RDWR);
    EXPECT_TRUE(soon([&] { return server->connections() == 0; }));
}

TEST_F(ServerTest, SaysWhyItCannotListen) {
    make(1);
    EXPECT_FALSE(server->listen({"not an address", 0, {}}));
    auto elsewhere = server->listen({"192.0.2.1", 0, {}});
    ASSERT_FALSE(elsewhere);
    EXPECT_NE(elsewhere.error()->message.find("192.0.2.1"), std::string::npos);
    EXPECT_FALSE(server->listen({"", 0, std::string(200, 'x')}));
}

TEST_F(ServerTest, AFewLongStreamsSpreadOverTheCores) {
    make(4);
    run({"127.0.0.1", 0, {}});
    for (int i = 0; i < 80; i++) {
        say(dial(), "/hang");
        ASSERT_TRUE(soon([&] { return service.alive == i + 1; }));   // one after the other: each choice sees those before
    }
    uint32_t least = UINT32_MAX, most = 0, sum = 0;
    for (auto& core : cores) {
        uint32_t n = core->streams.load();
        least = std::min(least, n), most = std::max(most, n), sum += n;
    }
    EXPECT_EQ(sum, 80u);
    EXPECT_LE(most, least + least / 4 + 8 + 1) << "a core well above the emptiest gives connections away";
}

TEST_F(ServerTest, BeyondItsLimitItSaysSo) {
    make(1);
    server->set_connections_max(2);
    run({"127.0.0.1", 0, {}});
    for (int i = 0; i < 2; i++) {
        say(dial(), "/");
        EXPECT_TRUE(hear(clients.back()).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    std::string refusal = hear(dial());
    EXPECT_TRUE(refusal.starts_with("HTTP/1.1 503 ")) << refusal;
    EXPECT_NE(refusal.find("retry-after"), std::string::npos);
    EXPECT_EQ(server->refused(), 1u);
    ::shutdown(clients[0], SHUT_RDWR);
    EXPECT_TRUE(soon([&] { return server->connections() == 1; }));
    say(dial(), "/");
    EXPECT_TRUE(hear(clients.back()).starts_with("HTTP/1.1 200 OK\r\n")) << "there is room again";
}

TEST_F(ServerTest, StopsAcceptingAndServesWhoIsThere) {
    make(2);
    run({"127.0.0.1", 0, {}});
    int fd = dial();
    say(fd, "/");
    hear(fd);
    server->stop_accepting();
    Address a = *parse_address("127.0.0.1", server->port());
    EXPECT_TRUE(soon([&] {
        int late = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool refused = ::connect(late, reinterpret_cast<const sockaddr*>(&a.storage), a.length) != 0 && errno == ECONNREFUSED;
        ::close(late);
        return refused;
    }));
    say(fd, "/");
    EXPECT_TRUE(hear(fd).starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ServerTest, DrainingEndsKeepAlive) {
    make(1);
    run({"127.0.0.1", 0, {}});
    int fd = dial();
    say(fd, "/");
    EXPECT_EQ(hear(fd).find("connection: close"), std::string::npos);
    server->drain();
    say(fd, "/");
    EXPECT_NE(hear(fd).find("connection: close"), std::string::npos);
    EXPECT_EQ(hear(fd), "<end>");
}

TEST_F(ServerTest, CancelAllEndsEveryConnection) {
    make(3);
    run({"127.0.0.1", 0, {}});
    for (int i = 0; i < 12; i++) say(dial(), "/hang");
    EXPECT_TRUE(soon([&] { return service.alive == 12; }));
    server->cancel_all();
    EXPECT_TRUE(soon([&] { return service.alive == 0 && server->connections() == 0; }));
    for (int fd : clients) EXPECT_EQ(hear(fd), "<end>");
}

TEST_F(ServerTest, ConnectionsDieWithTheServer) {
    make(2);
    run({"127.0.0.1", 0, {}});
    for (int i = 0; i < 6; i++) say(dial(), "/hang");
    EXPECT_TRUE(soon([&] { return service.alive == 6; }));
    for (auto& core : cores) core->stop();
    for (auto& t : threads) t.join();
    threads.clear();
    server.reset();
    EXPECT_EQ(service.alive, 0);
}

TEST_F(ServerTest, UnixSocketsAreServedByAllCores) {
    make(2);
    char directory[] = "/tmp/weir_server_test_XXXXXX";
    ASSERT_NE(::mkdtemp(directory), nullptr);
    std::string path = std::string(directory) + "/s";
    int old = ::socket(AF_UNIX, SOCK_STREAM, 0);   // a dead one at the path is replaced
    Address a = *unix_address(path);
    ASSERT_EQ(::bind(old, reinterpret_cast<sockaddr*>(&a.storage), a.length), 0);
    ::close(old);
    run({{}, 0, path});
    for (int i = 0; i < 8; i++) {
        clients.push_back(connect_to(a));
        say(clients.back(), "/hang");
        ASSERT_TRUE(soon([&] { return service.alive == i + 1; }));
    }
    EXPECT_EQ(cores[0]->streams + cores[1]->streams, 8u);
    EXPECT_GE(cores[1]->streams, 3u) << "one core accepts, both serve";
    for (auto& core : cores) core->stop();
    for (auto& t : threads) t.join();
    threads.clear();
    server.reset();
    EXPECT_NE(::access(path.c_str(), F_OK), 0) << "the socket's file goes with the server";
    ::rmdir(directory);
}

TEST_F(ServerTest, ServesIpv6) {
    int probe = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Address any = *parse_address("::1", 0);
    bool there = probe >= 0 && ::bind(probe, reinterpret_cast<sockaddr*>(&any.storage), any.length) == 0;
    if (probe >= 0) ::close(probe);
    make(1);
    if (!there) GTEST_SKIP() << "no IPv6 on this machine";
    run({"::", 0, {}});
    clients.push_back(connect_to(*parse_address("::1", server->port())));
    say(clients.back(), "/");
    EXPECT_TRUE(hear(clients.back()).starts_with("HTTP/1.1 200 OK\r\n"));
    say(dial(), "/");   // IPv4 comes to the same socket
    EXPECT_TRUE(hear(clients.back()).starts_with("HTTP/1.1 200 OK\r\n"));
}

}  // namespace
}  // namespace weir
