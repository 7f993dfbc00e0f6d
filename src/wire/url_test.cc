#include "wire/url.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

std::string show(std::string_view text) {
    auto url = parse_worker_url(text);
    if (!url) return url.error()->message.substr(url.error()->message.rfind("': ") + 3);
    return url->text() + " host=" + url->host + " port=" + std::to_string(url->port) + " path=" + url->path + (url->tls() ? " tls" : "") + (url->scheme_given ? "" : " bare");
}

TEST(WorkerUrl, ReadsEveryForm) {
    EXPECT_EQ(show("http://10.0.0.1:8001"), "http://10.0.0.1:8001 host=10.0.0.1 port=8001 path=");
    EXPECT_EQ(show("http://Worker-1.Svc_x.local"), "http://worker-1.svc_x.local host=worker-1.svc_x.local port=80 path=");
    EXPECT_EQ(show("https://w/base/"), "https://w/base host=w port=443 path=/base tls");
    EXPECT_EQ(show("https://w:8443/"), "https://w:8443 host=w port=8443 path= tls");
    EXPECT_EQ(show("http://[2001:DB8::1]:9000/v1"), "http://[2001:db8::1]:9000/v1 host=2001:db8::1 port=9000 path=/v1");
    EXPECT_EQ(show("http://[::1]"), "http://[::1] host=::1 port=80 path=");
    EXPECT_EQ(show("GRPC://w:20000"), "grpc://w:20000 host=w port=20000 path=");
    EXPECT_EQ(show("grpcs://w"), "grpcs://w:50051 host=w port=50051 path= tls");
    EXPECT_EQ(show("worker:30001"), "http://worker:30001 host=worker port=30001 path= bare");
    EXPECT_EQ(show("unix:/run/engine.sock"), "unix:/run/engine.sock host= port=0 path=/run/engine.sock");
    EXPECT_EQ(show("unix:///run/engine.sock"), "unix:/run/engine.sock host= port=0 path=/run/engine.sock");
    EXPECT_EQ(parse_worker_url("http://[::1]:80")->authority(), "[::1]");
    EXPECT_EQ(parse_worker_url("http://h:8080")->authority(), "h:8080");
}

TEST(WorkerUrl, RefusesTheRest) {
    for (std::string_view bad : {"", "http://", "http://:80", "http:// a", "http://a b", "http://a\r\nb", "http://u:p@h", "http://u@h", "http://h:0", "http://h:65536", "http://h:", "http://h:8x",
                                 "http://h:-1", "http://h:+1", "ftp://h", "://h", "http://h?x", "http://h/p?x", "http://h/p#f", "http://1.2.3", "http://1.2.3.256", "http://01.2.3.4", "http://[::1",
                                 "http://[::1]x", "http://[::g]", "http://[1:2]", "http://::1:80", "http://h_%41", "http://-h", "http://.h", "http://a..b", "http://h\x7f", "http://h\xc3\xa4",
                                 "worker", "unix:", "unix:rel/x", "unix://host/x", "ipc:///tmp/x", "http://h/<>"})
        EXPECT_FALSE(parse_worker_url(bad)) << bad;
    EXPECT_EQ(show("http://h:99999"), "the port is not in 1..65535");
    EXPECT_EQ(show("ftp://h"), "unknown scheme, one of http, https, grpc, grpcs, unix");
    EXPECT_FALSE(parse_worker_url("unix:/" + std::string(107, 'x')));
    EXPECT_TRUE(parse_worker_url("unix:/" + std::string(106, 'x')));
}

TEST(Ip, TextForms) {
    for (std::string_view good : {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1::8", "::ffff:10.0.0.1", "fe80::1:2", "1:2:3:4:5:6:7::"}) EXPECT_TRUE(is_ipv6(good)) << good;
    for (std::string_view bad : {"", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "1:", "::1:", "1:2:3:4:5:6:7::8", "::1.2.3", "::%eth0", "g::"}) EXPECT_FALSE(is_ipv6(bad)) << bad;
    EXPECT_TRUE(is_ipv4("0.0.0.0") && is_ipv4("255.255.255.255"));
    EXPECT_FALSE(is_ipv4("1.2.3.4.") || is_ipv4("1.2.3.4.5") || is_ipv4("1..2.3") || is_ipv4(""));
}

TEST(Percent, Decodes) {
    std::string out;
    EXPECT_TRUE(percent_decode("a%20b+c%C3%a4", out));
    EXPECT_EQ(out, "a b+c\xc3\xa4");
    EXPECT_TRUE(percent_decode("a+b", out, true));
    EXPECT_EQ(out, "a b");
    for (std::string_view bad : {"%", "%4", "%4g", "%00", "x%0"}) EXPECT_FALSE(percent_decode(bad, out)) << bad;
}

TEST(Query, FindsParameters) {
    EXPECT_EQ(query_value("a=1&b=x%26y&c&a=2", "a"), "1");
    EXPECT_EQ(query_value("a=1&b=x%26y&c", "b"), "x&y");
    EXPECT_EQ(query_value("a=1&c", "c"), "");
    EXPECT_EQ(query_value("a=1=2", "a"), "1=2");
    EXPECT_EQ(query_value("%61=1", "a"), "1");
    EXPECT_EQ(query_value("a=%zz", "a"), std::nullopt);
    EXPECT_EQ(query_value("", "a"), std::nullopt);
    EXPECT_EQ(query_value("ab=1", "a"), std::nullopt);
}

}  // namespace
}  // namespace weir
