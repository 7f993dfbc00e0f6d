#include "wire/zmtp.h"

#include <gtest/gtest.h>

#include "tests/support/split.h"

namespace weir {
namespace {

std::string read(std::span<const Str> pieces) {
    ZmtpReader reader(1'000);
    std::string said;
    for (Str bytes : pieces)
        while (reader.next(bytes)) {
            said += "[";
            for (auto& frame : reader.message()) said += frame + "|";
            said += "]";
        }
    return said + (reader.bad() ? "bad" : reader.mid_message() ? "cut" : "") + (reader.ready() ? " " + reader.socket_type() : "");
}
std::string read(Str text) { return read(std::span(&text, 1)); }
std::string hello(Str type = "PUB") {
    std::string out;
    append_zmtp_greeting(out);
    append_zmtp_ready(out, type);
    return out;
}
std::string message(std::initializer_list<Str> frames) {
    std::string out;
    size_t left = frames.size();
    for (Str frame : frames) append_zmtp_frame(out, frame, --left > 0);
    return out;
}

TEST(Zmtp, TheGreetingIsTheDocumentedOne) {
    std::string text;
    append_zmtp_greeting(text);
    ASSERT_EQ(text.size(), zmtp_greeting_bytes);
    EXPECT_EQ(text[0], '\xff');
    EXPECT_EQ(text[9], '\x7f');
    EXPECT_EQ(text.substr(10, 6), std::string("\3\0NULL", 6));
    std::string ready;
    append_zmtp_ready(ready, "SUB");
    EXPECT_EQ(ready, std::string("\x04\x19\x05READY\x0bSocket-Type\0\0\0\3SUB", 27));
    std::string subscribe;
    append_zmtp_subscribe(subscribe, "kv-events");
    EXPECT_EQ(subscribe, std::string("\x00\x0a\x01kv-events", 12));
}

TEST(Zmtp, MessagesOfFrames) {
    EXPECT_EQ(read(hello()), " PUB");
    EXPECT_EQ(read(hello() + message({"kv-events", "", "seq", "x"}) + message({"one"})), "[kv-events||seq|x|][one|] PUB");
    EXPECT_EQ(read(hello() + message({"topic", std::string(300, 'b')})), "[topic|" + std::string(300, 'b') + "|] PUB");
    EXPECT_EQ(read(hello() + message({"a", "b"}).substr(0, 4)), "cut PUB");
}

TEST(Zmtp, SplitsDoNotMatter) {
    const std::string text = hello() + message({"kv-events", "id", "seq", std::string(400, 'b')}) + std::string("\x04\x05\x04PING", 7) + message({"x"}) + message({"y", "z"}).substr(0, 5);
    EXPECT_EQ(split::difference(text, [](auto pieces) { return read(pieces); }), "");
}

TEST(Zmtp, WhatIsNoZmtpIsBad) {
    EXPECT_EQ(read(std::string(64, 'x')), "bad");
    std::string plain = hello(), old = hello();
    plain.replace(12, 5, "PLAIN");
    EXPECT_EQ(read(plain), "bad");
    old[10] = 1;
    EXPECT_EQ(read(old), "bad");
    std::string greeting;
    append_zmtp_greeting(greeting);
    EXPECT_EQ(read(greeting + message({"early"})), "bad");
    EXPECT_EQ(read(greeting + std::string("\x04\x06\x05" "ERROR", 8)), "bad");
    EXPECT_EQ(read(hello() + std::string("\x08\x00", 2)), "bad PUB");
    EXPECT_EQ(read(greeting + std::string("\x04\x0c\x05READY\x0bSocke", 14)), "bad ");
    EXPECT_EQ(read(hello() + std::string("\x01\x00\x04\x00", 4)), "bad PUB") << "a command within a message";
}

TEST(Zmtp, MessagesAreBounded) {
    EXPECT_EQ(read(hello() + message({std::string(600, 'a'), std::string(400, 'b')})).size(), 1'000u + 8);
    EXPECT_EQ(read(hello() + message({std::string(600, 'a'), std::string(401, 'b')})), "bad PUB");
    std::string many = hello();
    for (size_t i = 0; i < zmtp_frames_max; i++) append_zmtp_frame(many, "", true);
    EXPECT_EQ(read(many), "cut PUB");
    append_zmtp_frame(many, "", false);
    EXPECT_EQ(read(many), "bad PUB");
}

}  // namespace
}  // namespace weir
