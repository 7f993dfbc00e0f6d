#include "wire/nats.h"

#include <gtest/gtest.h>

#include "tests/support/split.h"

namespace weir {
namespace {

std::string read(std::span<const std::string_view> pieces, size_t message_max = 1'000) {
    static constexpr const char* names[] = {"", "info", "message", "ping", "pong", "ok", "error"};
    NatsReader reader(message_max);
    std::string said;
    for (Str bytes : pieces) {
        for (NatsReader::Kind kind; (kind = reader.next(bytes)) != NatsReader::none;) {
            said += names[kind];
            const NatsMessage& m = reader.said();
            if (kind == NatsReader::message) said.append(" ").append(m.subject).append(" ").append(std::to_string(m.sid)).append(" [").append(m.reply)
                                                 .append("] [").append(m.headers).append("] [").append(m.payload).append("]");
            if (kind == NatsReader::info || kind == NatsReader::error) said.append(" ").append(reader.text());
            said += "\n";
        }
        EXPECT_TRUE(bytes.empty() || reader.bad());
    }
    return said + (reader.bad() ? "bad" : reader.mid_message() ? "cut" : "");
}

TEST(Nats, WhatAServerSays) {
    const std::string text =
        "INFO {\"server_id\":\"x\",\"headers\":true} \r\nPING\r\nPONG\r\n+OK\r\n-ERR 'Authorization Violation'\r\n"
        "MSG a.b 9 5\r\nhello\r\nMSG a.b 9 _INBOX.1  0\r\n\r\nHMSG a.b 10 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\nHMSG a 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"
        "MSG\ta.b\t9\t4\r\n\r\n\r\n\r\n";
    const split::Run run = [](auto pieces) { return read(pieces); };
    EXPECT_EQ(split::replay(run, text, {}),
              "info {\"server_id\":\"x\",\"headers\":true} \nping\npong\nok\nerror Authorization Violation\nmessage a.b 9 [] [] [hello]\n"
              "message a.b 9 [_INBOX.1] [] []\nmessage a.b 10 [r] [NATS/1.0\r\n\r\n] [hi]\nmessage a 1 [] [NATS/1.0 503\r\n\r\n] []\n"
              "message a.b 9 [] [] [\r\n\r\n]\n");
    EXPECT_EQ(split::difference(text, run), "");
}

TEST(Nats, WhatNoServerMaySay) {
    const split::Run run = [](auto pieces) { return read(pieces); };
    for (const char* bad : {"HELLO\r\n", "PING\n", "\r\n", "\n", "MSG a 1\r\n", "MSG a x 1\r\n1\r\n", "MSG a 1 r x 1\r\n1\r\n", "MSG a 1 1001\r\n", "MSG a 1 -1\r\n",
                            "MSG a 1 1\r\n123", "HMSG a 1 5 4\r\nabcd\r\n", "HMSG a 1 4 4\r\nabcd\r\n", "HMSG a 1 4\r\n", "HTTP/1.1 400 Bad Request\r\n"}) {
        EXPECT_EQ(split::replay(run, std::string("PONG\r\n") + bad, {}), "pong\nbad") << bad;
        EXPECT_EQ(split::difference(std::string("PONG\r\n") + bad, run), "") << bad;
    }
    const std::string endless = "INFO " + std::string(nats_line_max, 'x');
    EXPECT_EQ(split::replay(run, endless, {}), "bad");
    const size_t half = 100;
    EXPECT_EQ(split::replay(run, endless, std::span(&half, 1)), "bad");
    EXPECT_EQ(split::replay(run, "MSG a 1 1000\r\n", {}), "cut");
}

TEST(Nats, WhatIsSaid) {
    std::string out, headers(nats_headers_begin);
    append_nats_header(headers, "request-id", "r1");
    append_nats_header(headers, "bad", "a\r\nb: c");
    append_nats_header(headers, "b:d", "x");
    headers += "\r\n";
    EXPECT_EQ(headers, "NATS/1.0\r\nrequest-id: r1\r\n\r\n");
    append_nats_publish_head(out, "a.b", "", 0, 5);
    append_nats_publish_head(out, "a.b", "_INBOX.1", headers.size(), 5);
    append_nats_subscribe(out, "_INBOX.*", 7);
    append_nats_unsubscribe(out, 7);
    EXPECT_EQ(out, "PUB a.b 5\r\nHPUB a.b _INBOX.1 28 33\r\nSUB _INBOX.* 7\r\nUNSUB 7\r\n");
    for (const char* good : {"a", "a.b-c_d", "_INBOX.x.*", "a.>"}) EXPECT_TRUE(nats_subject(good)) << good;
    for (const char* bad : {"", ".a", "a.", "a..b", "a b", "a\r\nPUB x", "a\t"}) EXPECT_FALSE(nats_subject(bad)) << bad;
}

TEST(Nats, Headers) {
    const Str h = "NATS/1.0 503 No Responders\r\nNats-Service-Error: no such\r\nx:  y\r\nempty:\r\n\r\n";
    EXPECT_EQ(nats_status(h), 503u);
    EXPECT_EQ(nats_status("NATS/1.0\r\n\r\n"), 0u);
    EXPECT_EQ(nats_status(""), 0u);
    EXPECT_EQ(nats_header(h, "nats-service-error"), "no such");
    EXPECT_EQ(nats_header(h, "X"), "y");
    EXPECT_EQ(nats_header(h, "empty"), "");
    EXPECT_EQ(nats_header(h, "z"), "");
    EXPECT_EQ(nats_header("", "z"), "");
}

}  // namespace
}  // namespace weir
