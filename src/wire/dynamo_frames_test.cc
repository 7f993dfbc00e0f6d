#include "wire/dynamo_frames.h"

#include <gtest/gtest.h>

#include "tests/support/golden.h"
#include "tests/support/split.h"
#include "wire/two_part.h"

namespace weir {
namespace {

std::string request(Str path, Str headers, Str payload) {
    std::string out;
    EXPECT_TRUE(append_request_head(out, path, headers, payload.size()));
    return out.append(payload);
}
std::string requests(std::span<const Str> pieces) {
    RequestFrameReader reader(1'000);
    std::string said;
    for (Str bytes : pieces) {
        RequestFrame f;
        while (reader.next(bytes, f)) said += "[" + std::string(f.path) + "|" + std::string(f.headers) + "|" + std::string(f.payload) + "]";
    }
    return said + (reader.bad() ? "bad" : reader.mid_message() ? "cut" : "");
}
std::string acks(std::span<const Str> pieces) {
    AckReader reader;
    std::string said;
    for (Str bytes : pieces) {
        Str text;
        while (reader.next(bytes, text)) said += "[" + std::string(text) + "]";
    }
    return said + (reader.bad() ? "bad" : "");
}
template <class Run>
std::string whole(Run run, Str text) { return run(std::span(&text, 1)); }

TEST(RequestFrame, BytesAndBack) {
    const std::string text = request("ab/c", "{}", "xyz");
    EXPECT_EQ(text, std::string("\0\4ab/c\0\2{}\0\0\0\3xyz", 17));
    EXPECT_EQ(whole(requests, text), "[ab/c|{}|xyz]");
    const std::string three = request("", "", "") + request("p", R"({"request-id":"1"})", std::string(200, 'y')) + request("q", "{}", "z");
    EXPECT_EQ(split::difference(three, requests), "");
    EXPECT_EQ(whole(requests, text.substr(0, 9)), "cut");
}

TEST(RequestFrame, IsBounded) {
    std::string out;
    EXPECT_FALSE(append_request_head(out, std::string(65'536, 'p'), "{}", 1));
    EXPECT_FALSE(append_request_head(out, "p", std::string(65'536, 'h'), 1));
    EXPECT_FALSE(append_request_head(out, "p", "{}", request_message_max));
    EXPECT_EQ(out, "");
    EXPECT_TRUE(append_request_head(out, "p", "{}", request_message_max - 11));
    const std::string big = request("p", "{}", std::string(990, 'x'));
    EXPECT_EQ(split::difference(big, requests), "");
    EXPECT_EQ(whole(requests, big), "bad");
}

TEST(Ack, InOrderAndBounded) {
    std::string text;
    append_ack(text, "");
    append_ack(text, "Server unavailable: unknown endpoint deadbeef/x/y/z");
    append_ack(text, "");
    EXPECT_EQ(text.substr(0, 8), std::string("\0\0\0\0\0\0\0\x33", 8));
    EXPECT_EQ(whole(acks, text), "[][Server unavailable: unknown endpoint deadbeef/x/y/z][]");
    EXPECT_EQ(split::difference(text, acks), "");
    EXPECT_EQ(whole(acks, Str("\0\1\0\1", 4)), "bad");
}

TEST(Ack, Kinds) {
    EXPECT_EQ(ack_kind(""), AckKind::ok);
    EXPECT_EQ(ack_kind("Server overloaded: 40000 queued"), AckKind::overloaded);
    EXPECT_EQ(ack_kind("Server unavailable: worker pool channel closed"), AckKind::unavailable);
    EXPECT_EQ(ack_kind("anything else"), AckKind::ok);
}

std::string shown(const ControlHeader& h) {
    std::string s = h.id + "|" + h.address + "|" + h.subject + "|" + h.context + "|" + name(h.codec) + (h.many_in ? "|many" : "");
    for (auto& [k, v] : h.metadata) s += "|" + k + "=" + v;
    return s + (h.sent_at_ns ? "|" + std::to_string(h.sent_at_ns) : "");
}

TEST(ControlHeader, Golden) {   // as real peers wrote them, and what is refused
    golden::check("wire/control_headers.txt", [](const std::string& json) {
        auto h = read_control_header(json);
        return h ? shown(*h) : "refused: " + h.error()->message;
    });
}

TEST(ControlHeader, ReadsWhatItWrites) {
    ControlHeader h;
    h.id = "8ec66948-125d-43db-8c68-3a75699a9068";
    h.address = "192.0.2.2:35109";
    h.subject = "20eaf90a-bb98-46c3-a40d-0cca9b0e47f6";
    h.codec = PayloadCodec::msgpack;
    std::string text;
    append_control_header(text, h);   // byte for byte what the real frontend sends
    EXPECT_EQ(text,
              R"({"id":"8ec66948-125d-43db-8c68-3a75699a9068","request_type":"single_in","response_type":"many_out","payload_codec":"msgpack",)"
              R"("connection_info":{"transport":"tcp_server","info":"{\"address\":\"192.0.2.2:35109\",\"subject\":\"20eaf90a-bb98-46c3-a40d-0cca9b0e47f6\",)"
              R"(\"context\":\"8ec66948-125d-43db-8c68-3a75699a9068\",\"stream_type\":\"response\"}"}})");
    h.metadata = {{"x-a", "quote \" and ä"}, {"", ""}};
    h.sent_at_ns = 1795245546294844387;
    h.context = "other";
    text.clear();
    append_control_header(text, h);
    auto back = read_control_header(text);
    ASSERT_TRUE(back);
    EXPECT_EQ(shown(*back), shown(h));
    EXPECT_FALSE(read_control_header(std::string(control_header_max, ' ') + "{}"));
}

TwoPart only(const std::string& text) {
    TwoPart m;
    EXPECT_TRUE(read_two_part(text, m));
    return m;
}

TEST(CallHome, HandshakeAndProlog) {
    std::string text;
    append_handshake(text, "20eaf90a");
    EXPECT_EQ(only(text).header, R"({"subject":"20eaf90a","stream_type":"response"})");
    EXPECT_EQ(*read_handshake(only(text).header), "20eaf90a");
    for (const char* bad : {"", "{}", "[]", R"({"subject":"x"})", R"({"subject":"x","stream_type":"request"})", R"({"subject":1,"stream_type":"response"})"})
        EXPECT_FALSE(read_handshake(bad)) << bad;
    text.clear();
    append_prologue(text, "");
    EXPECT_EQ(only(text).header, R"({"error":null})");
    EXPECT_TRUE(read_prologue(only(text).header));
    EXPECT_TRUE(read_prologue("{}"));
}

TEST(CallHome, AProlog_MayRefuse) {
    std::string text;
    append_prologue(text, "no \"such\" model");
    auto plain = read_prologue(only(text).header);
    ASSERT_FALSE(plain);
    EXPECT_EQ(plain.error()->code, Code::engine_status);
    EXPECT_EQ(plain.error()->detail, "no \"such\" model");
    auto typed = read_prologue(R"({"error":"x","typed_error":{"error_type":"InvalidArgument","message":"too long"}})");
    ASSERT_FALSE(typed);
    EXPECT_EQ(typed.error()->detail, "too long");
    EXPECT_EQ(typed.error()->reason, "InvalidArgument");
    auto lost = read_prologue(R"({"error":"x","typed_error":{"error_type":"Disconnected","message":"gone"}})");
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error()->code, Code::reset_before_byte);
    for (const char* bad : {"", "[]", "null", "{"}) EXPECT_EQ(read_prologue(bad).error()->code, Code::engine_garbage) << bad;
}

TEST(CallHome, Words) {
    for (StreamWord w : {StreamWord::sentinel, StreamWord::stop, StreamWord::kill}) {
        std::string text;
        append_stream_word(text, w);
        EXPECT_EQ(stream_word(only(text).header), w);
        EXPECT_EQ(only(text).body, "");
    }
    EXPECT_EQ(stream_word("\"Stop\""), StreamWord::none);
    EXPECT_EQ(stream_word(""), StreamWord::none);
}

TEST(WorkerErrors, BothGenerations) {
    struct { const char *json, *kind, *message; bool retriable; } cases[] = {
        {R"({"error_type":"InvalidArgument","message":"m"})", "InvalidArgument", "m", false},
        {R"({"error_type":{"Backend":"StreamIncomplete"},"message":"m"})", "Backend.StreamIncomplete", "m", true},
        {R"({"error_type":"WorkerOverloaded","message":"m","cause":{}})", "WorkerOverloaded", "m", true},
        {R"({"class":"Unavailable","reason":"worker.unavailable","public":{"message":"shown"}})", "worker.unavailable", "shown", true},
        {R"({"class":"InvalidRequest","reason":"request.invalid_argument","public":{}})", "request.invalid_argument", "", false},
        {R"({"class":"Internal"})", "Internal", "", false},
        {R"("only \u00e4 text")", "", "only ä text", false},
        {"17", "", "", false},
    };
    for (auto& c : cases) {
        const WorkerError e = read_worker_error(c.json);
        EXPECT_EQ(e.kind, c.kind) << c.json;
        EXPECT_EQ(e.message, c.message) << c.json;
        EXPECT_EQ(e.retriable, c.retriable) << c.json;
    }
}

TEST(PlaneAddress, HostPortPath) {
    auto a = read_plane_address("192.0.2.2:44517/fffeba32b6d1d670/dynamo/backend/generate");
    ASSERT_TRUE(a);
    EXPECT_EQ(a->host, "192.0.2.2");
    EXPECT_EQ(a->port, 44517);
    EXPECT_EQ(a->path, "fffeba32b6d1d670/dynamo/backend/generate");
    EXPECT_EQ(read_plane_address("[2001:db8::1]:9/x")->host, "2001:db8::1");
    for (const char* bad : {"", "host", "host:1", "host:/x", "host:0/x", "host:70000/x", ":1/x", "h:1x/x", "h:1/", "h/x:1"}) EXPECT_FALSE(read_plane_address(bad)) << bad;
}

}  // namespace
}  // namespace weir
