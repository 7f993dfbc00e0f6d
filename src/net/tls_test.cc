#include "net/tls.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "tests/support/net_loop.h"
#include "tests/support/test_certificates.h"

namespace weir {
namespace {

using test::certificates;
using test::NetLoop;
namespace fs = std::filesystem;

struct Ends {
    std::unique_ptr<Transport> server, client;
    std::string server_error, client_error;
};

Task<void> accept_into(int fd, const TlsServer& tls, Ends& ends) {
    auto r = co_await tls_accept(fd, tls, 60'000);
    if (r) ends.server = *std::move(r);
    else ends.server_error = r.error()->detail;
}
Task<void> connect_into(int fd, const TlsClient& tls, std::string name, std::string alpn, Ends& ends) {
    auto r = co_await tls_connect(fd, tls, std::move(name), std::move(alpn), 60'000);
    if (r) ends.client = *std::move(r);
    else ends.client_error = r.error()->detail;
}

struct TlsTest : testing::Test {
    NetLoop loop;
    std::unique_ptr<TlsServer> server(std::string client_ca = {}) {
        auto s = TlsServer::load({certificates().cert("server"), certificates().key("server"), std::move(client_ca)});
        EXPECT_TRUE(s) << s.error()->message;
        return *std::move(s);
    }
    std::unique_ptr<TlsClient> client(std::string certificate = {}, bool verify = true) {
        TlsClientFiles files;
        files.ca = {certificates().cert("ca")};
        files.verify = verify;
        if (!certificate.empty()) files.cert = certificates().cert(certificate), files.key = certificates().key(certificate);
        auto c = TlsClient::load(files);
        EXPECT_TRUE(c) << c.error()->message;
        return *std::move(c);
    }
    Ends join(const TlsServer& s, const TlsClient& c, std::string name = "localhost", std::string alpn = "h2,http/1.1") {
        Ends ends;
        auto [sfd, cfd] = test::tcp_pair();
        loop.tasks.spawn(accept_into(sfd, s, ends));
        loop.tasks.spawn(connect_into(cfd, c, std::move(name), std::move(alpn), ends));
        EXPECT_TRUE(loop.settle());
        return ends;
    }
};

Task<void> read_all(Transport& t, std::string& to, ssize_t& last) {
    for (;;) {
        auto got = co_await t.recv();
        last = got.n;
        if (got.n <= 0) co_return;
        to.append(got.view());
    }
}
Task<void> read_some(Transport& t, std::string& to, size_t n) {
    while (to.size() < n) {
        auto got = co_await t.recv();
        if (got.n <= 0) co_return;
        to.append(got.view());
    }
}
Task<void> write_pieces(Transport& t, size_t pieces, size_t bytes, bool& ok) {
    for (size_t i = 0; i < pieces; i++) {
        std::string a(bytes / 3, static_cast<char>('a' + i % 26)), b(bytes - a.size(), static_cast<char>('A' + i % 26));
        iovec v[3] = {{a.data(), a.size()}, {nullptr, 0}, {b.data(), b.size()}};
        ok = t.send(v, 3);
        if (!ok) co_return;
        if (t.blocked()) ok = co_await t.drained();
        if (!ok) co_return;
    }
    t.finish_send();
}
std::string expected_pieces(size_t pieces, size_t bytes) {
    std::string out;
    for (size_t i = 0; i < pieces; i++) {
        size_t a = bytes / 3;
        out.append(a, static_cast<char>('a' + i % 26)).append(bytes - a, static_cast<char>('A' + i % 26));
    }
    return out;
}

TEST_F(TlsTest, ChoosesProtocolAndCarriesBytesBothWays) {
    auto s = server();
    auto c = client();
    Ends e = join(*s, *c);
    ASSERT_TRUE(e.server && e.client) << e.server_error << " | " << e.client_error;
    EXPECT_EQ(e.server->alpn(), "h2");
    EXPECT_EQ(e.client->alpn(), "h2");
    EXPECT_TRUE(e.server->secure());
    std::string at_server, at_client;
    loop.tasks.spawn(read_some(*e.server, at_server, 4));
    loop.tasks.spawn(read_some(*e.client, at_client, 5));
    EXPECT_TRUE(e.client->send("ping"));
    EXPECT_TRUE(e.server->send("pong!"));
    EXPECT_TRUE(loop.settle());
    EXPECT_EQ(at_server, "ping");
    EXPECT_EQ(at_client, "pong!");
    EXPECT_TRUE(e.client->bytes_accepted());
}

TEST_F(TlsTest, OldProtocolChosenWhenAlone) {
    auto s = server();
    auto c = client();
    Ends e = join(*s, *c, "127.0.0.1", "http/1.1");
    ASSERT_TRUE(e.server && e.client) << e.client_error;
    EXPECT_EQ(e.server->alpn(), "http/1.1");
    Ends none = join(*s, *c, "localhost", "");
    ASSERT_TRUE(none.server && none.client);
    EXPECT_EQ(none.server->alpn(), "");
    Ends wrong = join(*s, *c, "localhost", "spdy/3");
    EXPECT_FALSE(wrong.server);
}

// Far more than the socket takes at once, in pieces of awkward sizes: partial records, the socket full in the middle of a batch.
TEST_F(TlsTest, LargeTransfersSurviveFullSockets) {
    auto s = server();
    auto c = client();
    for (size_t bytes : {1u, 100u, 16'383u, 16'384u, 16'385u, 70'000u, 900'000u}) {
        Ends e = join(*s, *c);
        ASSERT_TRUE(e.server && e.client);
        size_t pieces = bytes < 1'000 ? 300 : 6;
        std::string got;
        ssize_t last = 1;
        bool ok = false;
        loop.tasks.spawn(write_pieces(*e.server, pieces, bytes, ok));
        for (int i = 0; i < 3; i++) loop.core.turn(0);   // the writer runs into the full socket first
        loop.tasks.spawn(read_all(*e.client, got, last));
        ASSERT_TRUE(loop.settle());
        EXPECT_TRUE(ok);
        EXPECT_EQ(last, 0) << "a proper end";
        EXPECT_TRUE(got == expected_pieces(pieces, bytes)) << bytes << " got " << got.size();
    }
}

TEST_F(TlsTest, SmallPiecesLeaveAsOneRecord) {
    auto s = server();
    auto c = client();
    auto [sfd, cfd] = test::tcp_pair();
    Ends e;
    loop.tasks.spawn(accept_into(sfd, *s, e));
    loop.tasks.spawn(connect_into(cfd, *c, "localhost", "http/1.1", e));
    ASSERT_TRUE(loop.settle());
    std::string head(200, 'h'), body(1'000, 'b');
    iovec v[2] = {{head.data(), head.size()}, {body.data(), body.size()}};
    ASSERT_TRUE(e.client->send(v, 2));
    char raw[4'096];
    ssize_t n = ::recv(sfd, raw, sizeof raw, MSG_PEEK);
    ASSERT_GT(n, 5);
    EXPECT_EQ(raw[0], 23);   // application data
    EXPECT_EQ(static_cast<size_t>(n), 5u + (static_cast<unsigned char>(raw[3]) << 8 | static_cast<unsigned char>(raw[4])));
}

TEST_F(TlsTest, CutConnectionIsNotAnEnd) {
    auto s = server();
    auto c = client();
    auto [sfd, cfd] = test::tcp_pair();
    Ends e;
    loop.tasks.spawn(accept_into(sfd, *s, e));
    loop.tasks.spawn(connect_into(cfd, *c, "localhost", "http/1.1", e));
    ASSERT_TRUE(loop.settle());
    std::string got;
    ssize_t last = 1;
    loop.tasks.spawn(read_all(*e.client, got, last));
    ASSERT_TRUE(e.server->send("part"));
    ::shutdown(sfd, SHUT_WR);   // no close_notify
    ASSERT_TRUE(loop.settle());
    EXPECT_EQ(got, "part");
    EXPECT_LT(last, 0);
}

TEST_F(TlsTest, HangUpIsSeenWhileNobodyReads) {
    auto s = server();
    auto c = client();
    Ends e = join(*s, *c);
    ASSERT_TRUE(e.server && e.client);
    EXPECT_FALSE(e.client->stale());   // the session ticket that waits does not count
    EXPECT_FALSE(e.server->hung_up());
    e.server.reset();
    EXPECT_TRUE(loop.until([&] { return e.client->hung_up(); }));
    EXPECT_TRUE(e.client->stale());
}

TEST_F(TlsTest, PooledConnectionWithBytesIsStale) {
    auto s = server();
    auto c = client();
    Ends e = join(*s, *c);
    ASSERT_TRUE(e.server && e.client);
    ASSERT_TRUE(e.server->send("unasked"));
    EXPECT_TRUE(e.client->stale());
}

TEST_F(TlsTest, IsStaleWhileMoreThanOneReadWaits) {
    auto s = server();
    auto c = client();
    Ends e;
    auto [sfd, cfd] = test::unix_pair();
    loop.tasks.spawn(accept_into(sfd, *s, e));
    loop.tasks.spawn(connect_into(cfd, *c, "localhost", "http/1.1", e));
    ASSERT_TRUE(loop.settle());
    ASSERT_TRUE(e.server && e.client);
    const size_t all = Core::read_buffer_bytes + 1'000;
    ASSERT_TRUE(e.server->send(std::string(all, 'x')));
    ASSERT_FALSE(e.server->blocked());
    Transport::Got got{};
    for (size_t have = 0; have < all;) {
        ASSERT_TRUE(loop.until([&] { return e.client->recv_now(got); }));
        ASSERT_GT(got.n, 0);
        have += static_cast<size_t>(got.n);
        EXPECT_EQ(e.client->stale_now(), have < all) << have;
    }
}

TEST_F(TlsTest, VerifiesNames) {
    auto s = server();
    auto c = client();
    Ends e = join(*s, *c, "example.test");
    EXPECT_FALSE(e.client);
    EXPECT_NE(e.client_error.find("mismatch"), std::string::npos) << e.client_error;
    EXPECT_FALSE(e.server);
    auto careless = client({}, false);
    Ends ok = join(*s, *careless, "example.test");
    EXPECT_TRUE(ok.client) << ok.client_error;
    TlsClientFiles system_roots;
    auto stranger = TlsClient::load(system_roots);
    ASSERT_TRUE(stranger);
    Ends unknown_ca = join(*s, **stranger);
    EXPECT_FALSE(unknown_ca.client);
}

TEST_F(TlsTest, ClientCertificates) {
    auto s = server(certificates().cert("ca"));
    Ends good = join(*s, *client("client"));
    ASSERT_TRUE(good.server) << good.server_error;
    EXPECT_TRUE(good.client);
    Ends none = join(*s, *client());
    EXPECT_FALSE(none.server);
    Ends stranger = join(*s, *client("stranger"));
    EXPECT_FALSE(stranger.server);
    // TLS 1.3 lets the client finish first: it learns with its first read, as a broken connection.
    if (none.client) {
        std::string got;
        ssize_t last = 1;
        loop.tasks.spawn(read_all(*none.client, got, last));
        ASSERT_TRUE(loop.settle());
        EXPECT_LE(last, 0);
        EXPECT_TRUE(got.empty());
    }
}

TEST_F(TlsTest, HandshakeEnds) {
    auto s = server();
    auto [sfd, cfd] = test::tcp_pair();
    Ends e;
    loop.tasks.spawn(accept_into(sfd, *s, e));
    const char garbage[] = "GET / HTTP/1.1\r\n\r\n";
    ASSERT_EQ(::send(cfd, garbage, sizeof garbage - 1, 0), static_cast<ssize_t>(sizeof garbage - 1));
    ASSERT_TRUE(loop.settle());
    EXPECT_FALSE(e.server);
    EXPECT_FALSE(e.server_error.empty());
    ::close(cfd);

    auto [sfd2, cfd2] = test::tcp_pair();
    Ends silent;
    loop.tasks.spawn(accept_into(sfd2, *s, silent));
    loop.core.turn(0);
    ::close(cfd2);
    ASSERT_TRUE(loop.settle());
    EXPECT_FALSE(silent.server);
}

Task<void> accept_within(int fd, const TlsServer& tls, uint64_t ms, std::string& error) {
    auto r = co_await tls_accept(fd, tls, ms);
    error = r ? "accepted" : r.error()->detail;
}

TEST_F(TlsTest, SilentClientTimesOut) {
    auto s = server();
    auto [sfd, cfd] = test::tcp_pair();
    std::string error;
    loop.tasks.spawn(accept_within(sfd, *s, 30, error));
    ASSERT_TRUE(loop.settle());
    EXPECT_EQ(error, "no answer in time");
    ::close(cfd);
}

TEST_F(TlsTest, OldestHandshakeMakesRoom) {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    auto s = server();
    std::vector<int> clients;
    std::vector<std::string> errors(limits::tls_handshakes_max + 3);
    for (auto& error : errors) {
        auto [sfd, cfd] = test::tcp_pair();
        clients.push_back(cfd);
        loop.tasks.spawn(accept_within(sfd, *s, 60'000, error));
    }
    ASSERT_TRUE(loop.until([&] { return loop.tasks.size() == limits::tls_handshakes_max; }));
    for (size_t i = 0; i < errors.size(); i++) EXPECT_EQ(errors[i], i < 3 ? "too many handshakes under way" : "") << i;
    loop.tasks.cancel();
    for (int fd : clients) ::close(fd);
    Ends e = join(*s, *client());
    EXPECT_TRUE(e.server);
}

TEST_F(TlsTest, ReloadsWhenFilesChange) {
    fs::path dir = certificates().dir / "live";
    fs::create_directories(dir);
    auto put = [&](const std::string& name) {   // as a deployment does it: a new file moved over the old one
        for (const char* part : {"pem", "key"}) {
            fs::copy_file(certificates().path(name) + "." + part, dir / "fresh", fs::copy_options::overwrite_existing);
            fs::rename(dir / "fresh", dir / (std::string("live.") + part));
        }
    };
    put("server");
    auto loaded = TlsServer::load({(dir / "live.pem").string(), (dir / "live.key").string(), {}});
    ASSERT_TRUE(loaded);
    TlsServer& s = **loaded;
    auto unchanged = s.reload_if_changed();
    ASSERT_TRUE(unchanged);
    EXPECT_FALSE(*unchanged);
    auto c = client();
    Ends before = join(s, *c);
    ASSERT_TRUE(before.client);

    put("other");
    auto changed = s.reload_if_changed();
    ASSERT_TRUE(changed) << changed.error()->message;
    EXPECT_TRUE(*changed);
    EXPECT_TRUE(join(s, *c, "other.test").client);
    EXPECT_FALSE(join(s, *c, "localhost").client);
    std::string got;   // the open connection goes on
    loop.tasks.spawn(read_some(*before.client, got, 5));
    ASSERT_TRUE(before.server->send("still"));
    ASSERT_TRUE(loop.settle());
    EXPECT_EQ(got, "still");

    std::ofstream(dir / "live.pem") << "not a certificate";
    EXPECT_FALSE(s.reload_if_changed());          // told once
    auto again = s.reload_if_changed();
    ASSERT_TRUE(again);
    EXPECT_FALSE(*again);
    EXPECT_TRUE(join(s, *c, "other.test").client) << "the old certificate stays in use";
    put("server");
    auto back = s.reload_if_changed();
    ASSERT_TRUE(back);
    EXPECT_TRUE(*back);
    EXPECT_TRUE(join(s, *c, "localhost").client);
}

TEST_F(TlsTest, LoadErrorsNameTheFile) {
    auto missing = TlsServer::load({"/nonexistent/a.pem", "/nonexistent/a.key", {}});
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error()->message.find("/nonexistent/a.pem"), std::string::npos);
    auto crossed = TlsServer::load({certificates().cert("server"), certificates().key("client"), {}});
    ASSERT_FALSE(crossed);
    auto no_ca = TlsServer::load({certificates().cert("server"), certificates().key("server"), "/nonexistent/ca.pem"});
    ASSERT_FALSE(no_ca);
    TlsClientFiles bad;
    bad.ca = {"/nonexistent/ca.pem"};
    EXPECT_FALSE(TlsClient::load(bad));
}

TEST_F(TlsTest, DestroyedAtAnyMomentOfTheHandshake) {
    auto s = server();
    auto c = client();
    for (int turns = 0; turns < 12; turns++) {
        auto [sfd, cfd] = test::tcp_pair();
        Ends e;
        {
            Nursery both;
            both.spawn(accept_into(sfd, *s, e));
            both.spawn(connect_into(cfd, *c, "localhost", "h2", e));
            for (int i = 0; i < turns; i++) loop.core.turn(1);
        }
        e = {};
        loop.core.turn(0);
    }
    EXPECT_TRUE(join(*s, *c).client);
}

}  // namespace
}  // namespace weir
