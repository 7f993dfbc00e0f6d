#include "planes/shared_events.h"

#include <gtest/gtest.h>

#include "tests/support/net_loop.h"
#include "wire/big_endian.h"

namespace weir {
namespace {

struct Shared : testing::Test {
    test::NetLoop loop;
    std::map<std::string, EventListener*> heard;   // by subject: who is told
    SharedEvents events{[this](const std::string& subject, EventListener& listener) { return hear(*this, subject, listener); }};
    static Task<void> hear(Shared& test, std::string subject, EventListener& listener) {
        test.heard[subject] = &listener;
        struct End {
            Shared& test;
            const std::string& subject;
            ~End() { test.heard.erase(subject); }
        } end{test, subject};
        Signal never;
        co_await never.wait();
    }
    struct Ear final : EventListener {
        std::string name;
        std::string& said;
        Ear(std::string name, std::string& said) : name(std::move(name)), said(said) {}
        void connected() override { said += name + " up;"; }
        void lost() override { said += name + " down;"; }
        void message(const std::vector<std::string>& f) override { said += name + " " + f[3] + ";"; }
    };
    std::string said;
    Ear a{"a", said}, b{"b", said}, c{"c", said};
    void message(const std::string& subject, uint64_t publisher, const std::string& text) {
        std::string number;
        append_big_endian(number, publisher, 8);
        heard.at(subject)->message({"kv-events", number, number, text});
    }
};

TEST_F(Shared, ASubjectIsHeardOnceForAllItsPublishers) {
    Nursery first, second, other;
    first.spawn(events.subscribe("s", 1, a));
    heard.at("s")->connected();
    second.spawn(events.subscribe("s", 2, b));    // it is there already
    other.spawn(events.subscribe("t", 1, c));
    EXPECT_EQ(said, "a up;b up;");
    EXPECT_EQ(events.subjects(), 2u);
    message("s", 1, "x");
    message("s", 2, "y");
    message("s", 3, "nobody's");
    heard.at("s")->message({"cut"});
    message("t", 1, "z");
    EXPECT_EQ(said, "a up;b up;a x;b y;c z;");
    said.clear();
    heard.at("s")->lost();
    heard.at("s")->connected();
    EXPECT_EQ(said, "a down;b down;a up;b up;");
    said.clear();
    first.cancel();
    message("s", 1, "late");
    message("s", 2, "still");
    EXPECT_EQ(said, "a down;b still;");
    second.cancel();
    EXPECT_FALSE(heard.contains("s"));
    EXPECT_EQ(events.subjects(), 1u);
    other.cancel();
    EXPECT_EQ(said, "a down;b still;b down;");
}

}  // namespace
}  // namespace weir
