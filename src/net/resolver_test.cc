#include "net/resolver.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/un.h>

#include <map>

#include "tests/support/net_loop.h"

namespace weir {
namespace {

using test::ListenSocket;
using test::NetLoop;

// A DNS server on a UDP socket of the same loop. Unknown names get NXDOMAIN, names in `silent` no answer.
struct FakeDns final : Watched {
    struct Record { std::string v4; uint32_t ttl_s; uint8_t v4_n = 1, v6_n = 0; };   // addresses counted up from v4, and from ::1
    Core& core;
    int fd;
    uint16_t port = 0;
    std::map<std::string, Record> names;
    std::string silent;
    size_t asked_a = 0;

    explicit FakeDns(Core& core) : core(core), fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        sockaddr_in a{};
        a.sin_family = AF_INET;
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t n = sizeof a;
        EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&a), n), 0);
        getsockname(fd, reinterpret_cast<sockaddr*>(&a), &n);
        port = ntohs(a.sin_port);
        core.epoll().watch_level(fd, EPOLLIN, *this);
    }
    ~FakeDns() override {
        core.epoll().forget(fd, *this);
        ::close(fd);
    }
    std::string servers() const { return "127.0.0.1:" + std::to_string(port); }

    void on_events(uint32_t) override {
        unsigned char in[512];
        sockaddr_in from{};
        socklen_t from_n = sizeof from;
        ssize_t n = ::recvfrom(fd, in, sizeof in, 0, reinterpret_cast<sockaddr*>(&from), &from_n);
        if (n < 17) return;
        std::string name;
        size_t at = 12;
        while (in[at]) {
            name += (name.empty() ? "" : ".") + std::string(reinterpret_cast<char*>(in) + at + 1, in[at]);
            at += in[at] + 1u;
        }
        bool a = in[at + 2] == 1;
        size_t question_end = at + 5;
        if (a) asked_a++;
        if (name == silent) return;
        auto found = names.find(name);
        std::string out(reinterpret_cast<char*>(in), question_end);
        out[2] = static_cast<char>(0x81);
        out[3] = static_cast<char>(found == names.end() ? 0x83 : 0x80);
        const int answers = found == names.end() ? 0 : a ? found->second.v4_n : found->second.v6_n;
        out[7] = static_cast<char>(answers);
        out[8] = out[9] = out[10] = out[11] = 0;
        if (answers) {
            uint32_t ttl = htonl(found->second.ttl_s);
            in_addr address{};
            inet_pton_or_die(found->second.v4, address);
            for (int i = 0; i < answers; i++, address.s_addr += htonl(1)) {
                out += std::string(a ? "\xc0\x0c\x00\x01\x00\x01" : "\xc0\x0c\x00\x1c\x00\x01", 6);
                out.append(reinterpret_cast<char*>(&ttl), 4);
                if (a) out.append(std::string("\x00\x04", 2)).append(reinterpret_cast<char*>(&address), 4);
                else out.append(std::string("\x00\x10", 2)).append(std::string(15, '\0')).push_back(static_cast<char>(i + 1));
            }
        }
        ::sendto(fd, out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&from), from_n);
    }
    static void inet_pton_or_die(const std::string& text, in_addr& to) {
        auto a = parse_address(text, 0);
        ASSERT_TRUE(a);
        to = reinterpret_cast<sockaddr_in&>(a->storage).sin_addr;
    }
};

struct Looked {
    bool done = false;
    std::vector<std::string> texts;
    std::string error;
};
Task<void> look(Resolver& r, std::string host, uint64_t timeout_ms, Looked& out) {
    auto found = co_await r.resolve(std::move(host), 80, timeout_ms);
    out.done = true;
    if (!found) {
        out.error = found.error()->detail;
        co_return;
    }
    for (auto& a : *found) out.texts.push_back(a.text());
}

struct ResolverTest : testing::Test {
    ManualClock clock;
    NetLoop loop{clock};
    FakeDns dns{loop.core};
    Resolver resolver{loop.core, dns.servers()};
    Looked find(const std::string& host, uint64_t timeout_ms = 0) {
        Looked out;
        loop.tasks.spawn(look(resolver, host, timeout_ms, out));
        EXPECT_TRUE(loop.settle());
        return out;
    }
    using Texts = std::vector<std::string>;
};

TEST_F(ResolverTest, LiteralsAndLocalhostNeedNoDns) {
    EXPECT_EQ(find("10.1.2.3").texts, Texts{"10.1.2.3:80"});
    EXPECT_EQ(find("::1").texts, Texts{"[::1]:80"});
    EXPECT_EQ(find("localhost").texts, (Texts{"127.0.0.1:80", "[::1]:80"}));
    EXPECT_EQ(find("LocalHost.").texts.size(), 2u);
    EXPECT_EQ(find("engine.localhost").texts.size(), 2u);
    EXPECT_EQ(resolver.queries(), 0u);
}

TEST_F(ResolverTest, KeepsAnAnswerForItsTtl) {
    dns.names["w.test"] = {"10.0.0.1", 5};
    EXPECT_EQ(find("w.test").texts, Texts{"10.0.0.1:80"});
    clock.advance_ms(4'900);
    loop.core.turn(0);
    dns.names["w.test"] = {"10.0.0.2", 5};
    EXPECT_EQ(find("w.test").texts, Texts{"10.0.0.1:80"});
    EXPECT_EQ(resolver.queries(), 1u);
    clock.advance_ms(200);
    loop.core.turn(0);
    EXPECT_EQ(find("w.test").texts, Texts{"10.0.0.2:80"}) << "asked again before it is used";
    EXPECT_EQ(resolver.queries(), 2u);
}

TEST_F(ResolverTest, TtlHasBounds) {
    dns.names["short.test"] = {"10.0.0.1", 0};
    dns.names["long.test"] = {"10.0.0.1", 86'400};
    find("short.test");
    find("long.test");
    find("short.test");
    EXPECT_EQ(resolver.queries(), 2u);
    clock.advance_ms(1'001);
    loop.core.turn(0);
    find("short.test");
    find("long.test");
    EXPECT_EQ(resolver.queries(), 3u);
    clock.advance_ms(60'000);
    loop.core.turn(0);
    find("long.test");
    EXPECT_EQ(resolver.queries(), 4u);
}

TEST_F(ResolverTest, UnknownNamesAreRememberedForASecond) {
    Looked first = find("nowhere.test");
    EXPECT_TRUE(first.texts.empty());
    EXPECT_NE(first.error.find("nowhere.test"), std::string::npos);
    find("nowhere.test");
    EXPECT_EQ(resolver.queries(), 1u);
    clock.advance_ms(1'001);
    loop.core.turn(0);
    dns.names["nowhere.test"] = {"10.0.0.9", 5};
    EXPECT_EQ(find("nowhere.test").texts, Texts{"10.0.0.9:80"});
}

TEST_F(ResolverTest, EqualLookUpsShareOneQuery) {
    dns.names["w.test"] = {"10.0.0.1", 5};
    std::vector<Looked> out(50);
    for (auto& o : out) loop.tasks.spawn(look(resolver, "w.test", 0, o));
    ASSERT_TRUE(loop.settle());
    for (auto& o : out) EXPECT_EQ(o.texts, Texts{"10.0.0.1:80"});
    EXPECT_EQ(resolver.queries(), 1u);
    EXPECT_EQ(dns.asked_a, 1u);
}

TEST_F(ResolverTest, AWaiterMayDie) {
    dns.names["w.test"] = {"10.0.0.1", 5};
    Looked dead, alive;
    {
        Nursery n;
        n.spawn(look(resolver, "w.test", 0, dead));
    }
    loop.tasks.spawn(look(resolver, "w.test", 0, alive));
    ASSERT_TRUE(loop.settle());
    EXPECT_FALSE(dead.done);
    EXPECT_EQ(alive.texts.size(), 1u);
}

TEST_F(ResolverTest, SilenceEndsWithTheCallersTime) {
    dns.silent = "quiet.test";
    Looked out;
    loop.tasks.spawn(look(resolver, "quiet.test", 50, out));
    loop.core.turn(0);
    EXPECT_FALSE(out.done);
    clock.advance_ms(51);
    ASSERT_TRUE(loop.settle());
    EXPECT_NE(out.error.find("no answer in time"), std::string::npos);
}

TEST_F(ResolverTest, NamesKeptAreBounded) {
    for (size_t i = 0; i < limits::dns_names_max + 20; i++) {
        std::string name = "n" + std::to_string(i) + ".test";
        dns.names[name] = {"10.0.0.1", 30};
        ASSERT_EQ(find(name).texts.size(), 1u);
        clock.advance_ms(1);
        loop.core.turn(0);
    }
    EXPECT_EQ(resolver.cached(), limits::dns_names_max);
    uint64_t before = resolver.queries();
    find("n0.test");   // the one that would have expired first made room
    EXPECT_EQ(resolver.queries(), before + 1);
}

TEST_F(ResolverTest, AddressesOfOneNameAreBounded) {
    constexpr uint8_t half = limits::dns_addresses_max / 2;   // an answer of 512 bytes holds no more
    dns.names["many.test"] = {"10.0.0.1", 30, half, half - 1};
    EXPECT_EQ(find("many.test").texts.size(), limits::dns_addresses_max - 1);
    dns.names["more.test"] = {"10.0.0.1", 30, half + 5, half};
    EXPECT_EQ(find("more.test").texts.size(), limits::dns_addresses_max);
}

TEST_F(ResolverTest, TooManyUnderWayAreRefused) {
    std::vector<Looked> out(limits::dns_names_max);
    for (size_t i = 0; i < out.size(); i++) loop.tasks.spawn(look(resolver, "p" + std::to_string(i) + ".test", 0, out[i]));
    Looked refused;
    loop.tasks.spawn(look(resolver, "one-more.test", 0, refused));
    EXPECT_NE(refused.error.find("too many"), std::string::npos);
    loop.tasks.cancel();
}

TEST(Addresses, Parse) {
    EXPECT_EQ(parse_address("192.0.2.7", 81)->text(), "192.0.2.7:81");
    EXPECT_EQ(parse_address("2001:db8::1", 81)->text(), "[2001:db8::1]:81");
    EXPECT_EQ(parse_address("fe80::1%lo", 81)->text(), "[fe80::1]:81");
    for (const char* bad : {"", "localhost", "1.2.3", "[::1]", "1.2.3.4.5", "fe80::1%nosuchinterface"}) EXPECT_FALSE(parse_address(bad, 1)) << bad;
    EXPECT_FALSE(unix_address(""));
    EXPECT_FALSE(unix_address(std::string(200, 'x')));
    EXPECT_FALSE(unix_address(std::string("a\0b", 3)));
    EXPECT_EQ(unix_address("/run/x.sock")->text(), "unix:/run/x.sock");
}

struct Connected {
    int fd = -1;
    std::string error;
    Code code = Code::ok;
    ~Connected() { if (fd >= 0) ::close(fd); }
};
Task<void> connect_to(std::vector<Address> to, uint64_t timeout_ms, Connected& out) {
    auto r = co_await connect_any(std::move(to), timeout_ms);
    if (r) out.fd = *r;
    else out.error = r.error()->detail, out.code = r.error()->code;
}
uint16_t closed_port() {
    ListenSocket gone;
    return gone.port;
}

TEST(Connecting, TriesOneAfterTheOther) {
    NetLoop loop;
    ListenSocket listener;
    Connected out;
    std::vector<Address> to{*parse_address("127.0.0.1", closed_port()), *parse_address("127.0.0.1", listener.port)};
    loop.tasks.spawn(connect_to(to, 5'000, out));
    ASSERT_TRUE(loop.settle());
    ASSERT_GE(out.fd, 0) << out.error;
    int nodelay = 0;
    socklen_t n = sizeof nodelay;
    getsockopt(out.fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &n);
    EXPECT_EQ(nodelay, 1);
}

TEST(Connecting, NamesEveryAddressThatFailed) {
    NetLoop loop;
    Connected out;
    uint16_t a = closed_port();
    loop.tasks.spawn(connect_to({*parse_address("127.0.0.1", a), *parse_address("127.0.0.2", a)}, 0, out));
    ASSERT_TRUE(loop.settle());
    EXPECT_EQ(out.code, Code::connect_failed);
    EXPECT_NE(out.error.find("127.0.0.1:" + std::to_string(a) + ": Connection refused"), std::string::npos) << out.error;
    EXPECT_NE(out.error.find("127.0.0.2:"), std::string::npos);
    Connected none;
    loop.tasks.spawn(connect_to({}, 0, none));
    ASSERT_TRUE(loop.settle());
    EXPECT_EQ(none.error, "no address");
}

TEST(Connecting, FullBacklogTimesOut) {
    ManualClock clock;
    NetLoop loop{clock};
    ListenSocket listener;
    ::listen(listener.fd, 0);
    std::vector<Connected> fill(4);   // beyond a backlog of 0 SYNs are dropped
    for (auto& c : fill) loop.tasks.spawn(connect_to({*parse_address("127.0.0.1", listener.port)}, 300, c));
    for (int i = 0; i < 5; i++) loop.core.turn(1);
    clock.advance_ms(301);
    ASSERT_TRUE(loop.settle());
    EXPECT_EQ(fill.back().fd, -1);
    EXPECT_NE(fill.back().error.find("timed out"), std::string::npos) << fill.back().error;
}

TEST(Connecting, UnixSocketAndCancel) {
    NetLoop loop;
    char dir[] = "/tmp/weir_net_XXXXXX";
    ASSERT_NE(mkdtemp(dir), nullptr);
    std::string path = std::string(dir) + "/s";
    auto address = unix_address(path);
    ASSERT_TRUE(address);
    int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address->storage), address->length), 0);
    ASSERT_EQ(::listen(fd, 0), 0);
    Connected first;
    loop.tasks.spawn(connect_to({*address}, 5'000, first));
    ASSERT_TRUE(loop.settle());
    EXPECT_GE(first.fd, 0) << first.error;
    Connected waiting;   // the backlog is full: it polls, and dies while it does
    loop.tasks.spawn(connect_to({*address}, 60'000, waiting));
    loop.core.turn(1);
    size_t left = loop.tasks.size();
    loop.tasks.cancel();
    EXPECT_EQ(left + (waiting.fd >= 0), 1u);
    ::close(fd);
    ::unlink(path.c_str());
    ::rmdir(dir);
}

}  // namespace
}  // namespace weir
