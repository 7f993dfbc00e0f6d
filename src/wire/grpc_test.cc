#include "wire/grpc.h"

#include <gtest/gtest.h>

#include "tests/support/split.h"
#include "wire/protobuf.h"

namespace weir {
namespace {

std::string read(std::span<const std::string_view> pieces, size_t message_max) {
    GrpcReader reader(message_max);
    std::string said;
    for (Str bytes : pieces) {
        for (Str m; reader.next(bytes, m);) said.append(std::to_string(m.size())).append(" ").append(m.substr(0, 5)).append(";");
        EXPECT_TRUE(bytes.empty() || reader.bad());
    }
    return said + (reader.too_large() ? "too large" : reader.compressed() ? "compressed" : reader.mid_message() ? "cut" : "");
}

TEST(Grpc, MessagesComeOutHoweverTheyAreCut) {
    std::string text;
    for (const Str m : {Str("hello"), Str(""), Str("x"), Str("a longer one, as these things go")}) append_grpc_message(text, m);
    const split::Run run = [](auto pieces) { return read(pieces, 100); };
    EXPECT_EQ(split::difference(text, run), "");
    EXPECT_EQ(split::replay(run, text, {}), "5 hello;0 ;1 x;32 a lon;");
    EXPECT_EQ(split::replay(run, text.substr(0, text.size() - 1), {}), "5 hello;0 ;1 x;cut");
}

TEST(Grpc, WhatMayNotBeIsBad) {
    std::string text;
    append_grpc_message(text, "1234");
    const size_t first = text.size();
    append_grpc_message(text, "12345");
    const split::Run bounded = [](auto pieces) { return read(pieces, 4); };
    EXPECT_EQ(split::replay(bounded, text, {}), "4 1234;too large");
    EXPECT_EQ(split::difference(text, bounded), "");
    text[first] = 1;
    const split::Run run = [](auto pieces) { return read(pieces, 100); };
    EXPECT_EQ(split::replay(run, text, {}), "4 1234;compressed");
    EXPECT_EQ(split::difference(text, run), "");
}

TEST(Grpc, StatusesAndTimes) {
    EXPECT_EQ(grpc_code_of("0"), GrpcCode::ok);
    EXPECT_EQ(grpc_code_of("16"), GrpcCode::unauthenticated);
    for (const Str odd : {Str("17"), Str(""), Str("-1"), Str("1 "), Str("99999999999")}) EXPECT_EQ(grpc_code_of(odd), GrpcCode::unknown) << odd;
    EXPECT_EQ(grpc_code_of_http(503), GrpcCode::unavailable);
    EXPECT_EQ(grpc_code_of_http(404), GrpcCode::unimplemented);
    EXPECT_STREQ(name(GrpcCode::out_of_range), "OUT_OF_RANGE");
    EXPECT_EQ(grpc_message_text("a%20b%C3%A9%zz%4"), "a b\xc3\xa9%zz%4");
    EXPECT_EQ(grpc_message_encoded("50% \xc3\xa9\n"), "50%25 %C3%A9%0A");
    EXPECT_EQ(grpc_message_text(grpc_message_encoded("50% \xc3\xa9\n")), "50% \xc3\xa9\n");
    EXPECT_EQ(grpc_timeout_text(250), "250m");
    EXPECT_EQ(grpc_timeout_text(99'999'999), "99999999m");
    EXPECT_EQ(grpc_timeout_text(100'000'001), "100001S");
}

TEST(Protobuf, WrittenFieldsAreReadBack) {
    std::string inner, text;
    ProtobufWriter(inner).number(1, 150).bytes(2, "");
    ProtobufWriter(text).number(1, 0).number(3, UINT64_MAX).bytes(4, "testing").bytes_always(5, inner).number_always(16, 0).bytes_always(2047, "");
    EXPECT_EQ(inner, "\x08\x96\x01");
    std::string said;
    ProtobufFields f(text);
    while (f.next()) said += std::to_string(f.field()) + (f.is_number() ? "=" + std::to_string(f.signed_number()) : "(" + std::string(f.bytes()) + ")") + ";";
    EXPECT_FALSE(f.failed());
    EXPECT_EQ(said, "3=-1;4(testing);5(\x08\x96\x01);16=0;2047();");
}

}  // namespace
}  // namespace weir
