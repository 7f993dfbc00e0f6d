#include "wire/msgpack.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/limits.h"
#include "tests/support/split.h"
#include "wire/json_top.h"

namespace weir {
namespace {

using Kind = MsgpackReader::Kind;

std::string bytes(std::initializer_list<int> v) {
    std::string s;
    for (int b : v) s.push_back(static_cast<char>(b));
    return s;
}
template <class F>
std::string written(F f) {
    std::string out;
    MsgpackWriter w(out);
    f(w);
    return out;
}
std::string json(Str value) {
    std::string out;
    return msgpack_to_json(value, out) ? out : "refused";
}
std::string back(Str text) {
    std::string out;
    EXPECT_TRUE(check_json(text)) << text;
    return json_to_msgpack(text, out) ? json(out) : "refused";
}

TEST(Msgpack, NumbersTakeTheSmallestForm) {
    auto n = [](uint64_t v) { return written([&](MsgpackWriter& w) { w.number(v); }); };
    auto s = [](int64_t v) { return written([&](MsgpackWriter& w) { w.signed_number(v); }); };
    EXPECT_EQ(n(0), bytes({0}));
    EXPECT_EQ(n(127), bytes({0x7f}));
    EXPECT_EQ(n(128), bytes({0xcc, 0x80}));
    EXPECT_EQ(n(256), bytes({0xcd, 1, 0}));
    EXPECT_EQ(n(65536), bytes({0xce, 0, 1, 0, 0}));
    EXPECT_EQ(n(0x7d7ba1fcfae9bc08), bytes({0xcf, 0x7d, 0x7b, 0xa1, 0xfc, 0xfa, 0xe9, 0xbc, 0x08}));
    EXPECT_EQ(s(-1), bytes({0xff}));
    EXPECT_EQ(s(-32), bytes({0xe0}));
    EXPECT_EQ(s(-33), bytes({0xd0, 0xdf}));
    EXPECT_EQ(s(-129), bytes({0xd1, 0xff, 0x7f}));
    EXPECT_EQ(s(-32769), bytes({0xd2, 0xff, 0xff, 0x7f, 0xff}));
    EXPECT_EQ(s(INT64_MIN), bytes({0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(Msgpack, IntegersReadBackFromEveryWidth) {
    for (uint64_t v : {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{255}, uint64_t{256}, uint64_t{65535}, uint64_t{65536},
                       uint64_t{1} << 32, (uint64_t{1} << 53) + 1, uint64_t{18446385850734466672u}, UINT64_MAX}) {
        const std::string text = written([&](MsgpackWriter& w) { w.number(v); });
        MsgpackReader r(text);
        EXPECT_EQ(r.number(), v);
        EXPECT_TRUE(r.done());
    }
    for (int64_t v : {int64_t{0}, int64_t{-1}, int64_t{-32}, int64_t{-33}, int64_t{-128}, int64_t{-129}, int64_t{-32768}, int64_t{-32769},
                      int64_t{INT32_MIN}, int64_t{INT32_MIN} - 1, INT64_MIN, INT64_MAX}) {
        const std::string text = written([&](MsgpackWriter& w) { w.signed_number(v); });
        MsgpackReader r(text);
        EXPECT_EQ(r.negative(), v < 0);
        EXPECT_EQ(r.signed_number(), v);
        EXPECT_TRUE(r.done());
    }
    const std::string wide = bytes({0xd3, 0, 0, 0, 0, 0, 0, 0, 5}), small = bytes({0xd0, 0xfe}), over = bytes({0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0});
    EXPECT_EQ(MsgpackReader(wide).number(), 5u);
    MsgpackReader minus(small), large(over);
    EXPECT_EQ(minus.number(), 0u);
    EXPECT_FALSE(minus.ok());
    EXPECT_EQ(large.signed_number(), 0);
    EXPECT_FALSE(large.ok());
}

TEST(Msgpack, ReadsAMap) {
    const std::string text = written([](MsgpackWriter& w) {
        w.map(4).text("token_ids").array(2).number(7).number(32000).text("text").nil().text("score").real(-0.5).text("bin").binary("\x01\x02");
    });
    MsgpackReader r(text);
    ASSERT_EQ(r.map(), 4u);
    EXPECT_EQ(r.text(), "token_ids");
    EXPECT_EQ(r.array(), 2u);
    EXPECT_EQ(r.number(), 7u);
    EXPECT_EQ(r.number(), 32000u);
    EXPECT_EQ(r.text(), "text");
    EXPECT_TRUE(r.take_nil());
    EXPECT_EQ(r.skip(), "\xa5score");
    EXPECT_EQ(r.real(), -0.5);
    EXPECT_EQ(r.text(), "bin");
    EXPECT_EQ(r.blob(), "\x01\x02");
    EXPECT_TRUE(r.done());
    EXPECT_EQ(json(text), R"({"token_ids":[7,32000],"text":null,"score":-0.5,"bin":[1,2]})");
}

TEST(Msgpack, AnErrorSticks) {
    const std::string text = written([](MsgpackWriter& w) { w.array(2).text("a").number(1); });
    MsgpackReader r(text);
    EXPECT_EQ(r.array(), 2u);
    EXPECT_EQ(r.number(), 0u);   // it is a text
    EXPECT_FALSE(r.ok());
    EXPECT_EQ(r.kind(), Kind::none);
    EXPECT_EQ(r.text(), "");
    EXPECT_EQ(r.skip(), "");
    EXPECT_FALSE(r.take_nil());
}

TEST(Msgpack, ACutValueIsAnErrorWhereverItIsCut) {
    const std::string text = written([](MsgpackWriter& w) {
        w.map(6).text("a").number(1u << 20).text("b").signed_number(-70'000).text("c").real(1.5).text("d").text(std::string(300, 'x'));
        w.text("e").binary(std::string(70'000, 'y')).text("f").array(20);
        for (int i = 0; i < 20; i++) w.boolean(i % 2);
    });
    MsgpackReader whole(text);
    EXPECT_EQ(whole.skip(), text);
    EXPECT_TRUE(whole.done());
    for (size_t n = 0; n < text.size(); n += n < 400 || n + 100 > text.size() ? 1 : 97) {
        const std::string cut = text.substr(0, n);
        MsgpackReader r(cut);
        EXPECT_EQ(r.skip(), "") << n;
        EXPECT_FALSE(r.ok()) << n;
        EXPECT_EQ(json(cut), "refused") << n;
    }
}

TEST(Msgpack, CountsAreHeldAgainstTheBytesLeft) {
    for (auto& text : {bytes({0xdd, 0xff, 0xff, 0xff, 0xff}), bytes({0xdf, 0x80, 0, 0, 0, 1, 1}), bytes({0x93, 1, 2})}) {
        MsgpackReader r(text);
        EXPECT_EQ(r.kind() == Kind::map ? r.map() : r.array(), 0u);
        EXPECT_FALSE(r.ok());
    }
}

TEST(Msgpack, SkipsEveryKind) {
    for (auto& text : {bytes({0xd4, 1, 2}), bytes({0xd8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), bytes({0xc7, 2, 5, 1, 1}),
                       bytes({0xc8, 0, 1, 5, 1}), bytes({0xc9, 0, 0, 0, 0, 5}), bytes({0xca, 0, 0, 0, 0}), bytes({0xc2}), bytes({0xdb, 0, 0, 0, 1, 65}),
                       bytes({0xda, 0, 1, 65}), bytes({0xc5, 0, 1, 65}), bytes({0xde, 0, 1, 1, 2}), bytes({0xe0})}) {
        MsgpackReader r(text);
        EXPECT_EQ(r.skip(), text);
        EXPECT_TRUE(r.done());
    }
    const std::string unused = bytes({0xc1});
    MsgpackReader never(unused);
    never.skip();
    EXPECT_FALSE(never.ok());
}

TEST(Msgpack, DepthIsBoundedInJsonAndNoMatterInSkip) {
    std::string deep(1'000'000, '\x91');
    deep += '\xc0';
    MsgpackReader r(deep);
    EXPECT_EQ(r.skip().size(), deep.size());
    EXPECT_EQ(json(deep), "refused");
    const std::string fits = std::string(limits::json_depth_max, '\x91') + "\xc0", over = "\x91" + fits;
    EXPECT_EQ(json(fits), std::string(limits::json_depth_max, '[') + "null" + std::string(limits::json_depth_max, ']'));
    EXPECT_EQ(json(over), "refused");
}

TEST(Msgpack, AnOpenMapGetsItsCountAtTheEnd) {
    const std::string text = written([](MsgpackWriter& w) {
        auto m = w.open_map();
        for (int i = 0; i < 300; i++) w.key(m, "k" + std::to_string(i)).number(static_cast<uint64_t>(i));
        w.close(m);
    });
    MsgpackReader r(text);
    EXPECT_EQ(r.map(), 300u);
    EXPECT_EQ(MsgpackReader(text).skip(), text);
}

TEST(Msgpack, ManyNumbersAtOnceAreTheSameBytes) {
    const std::vector<uint32_t> ids = {0, 127, 128, 255, 256, 65535, 65536, UINT32_MAX, 1};
    EXPECT_EQ(written([&](MsgpackWriter& w) { w.numbers(ids); }), written([&](MsgpackWriter& w) {
                  w.array(ids.size());
                  for (uint32_t id : ids) w.number(id);
              }));
}

TEST(MsgpackJson, BothWays) {
    for (const char* text : {"null", "true", "[]", "{}", "0", "-1", "18446385850734466672", "-9223372036854775808", "1.5", "\"\"",
                             R"({"a":[1,{"b":"ä\n\"x\""},[]],"c":-7,"d":null})"})
        EXPECT_EQ(back(text), text);
    EXPECT_EQ(back(R"( [ 1 , "A\/" ] )"), R"([1,"A/"])");
    EXPECT_EQ(back("1e3"), "1000.0");
    EXPECT_EQ(back("18446744073709551616"), "18446744073709551616.0");   // beyond integers: a float, as serde has it
    EXPECT_EQ(json(written([](MsgpackWriter& w) { w.array(2).real(0.7f).real(0.7); })), "[0.7,0.7]");
    EXPECT_EQ(json(written([](MsgpackWriter& w) { w.real(std::numeric_limits<double>::quiet_NaN()); })), "null");
    EXPECT_EQ(json(written([](MsgpackWriter& w) { w.map(1).number(5).nil(); })), R"({"5":null})");
    for (auto& bad : {bytes({0xa1, 0xff}), bytes({0x81, 0xc0, 0xc0}), bytes({0xd4, 1, 1}), bytes({0xc0, 0xc0}), std::string()}) EXPECT_EQ(json(bad), "refused");
}

}  // namespace
}  // namespace weir
