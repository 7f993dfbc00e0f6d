#include "sim/faults.h"

#include <gtest/gtest.h>

namespace weir::sim {
namespace {

FaultPlan plan(std::string_view text, uint32_t engine = 0) {
    auto rules = parse_faults(text);
    EXPECT_TRUE(rules) << text;
    return FaultPlan(std::move(*rules), engine, 1, 0);
}
int status_of(FaultPlan& p, Instant now = 0) { return p.on_request("/v1/chat/completions", true, now).status; }

TEST(Faults, TheNthRequestFails) {
    auto p = plan("status:code=503,nth=3");
    EXPECT_EQ(status_of(p), 0);
    EXPECT_EQ(status_of(p), 0);
    EXPECT_EQ(status_of(p), 503);
    EXPECT_EQ(status_of(p), 0);
    EXPECT_EQ(p.hits(), 1u);
}

TEST(Faults, EveryNthAtMostSomeTimes) {
    auto p = plan("status:code=429,every=2,times=2");
    std::vector<int> got;
    for (int i = 0; i < 8; ++i) got.push_back(status_of(p));
    EXPECT_EQ(got, (std::vector<int>{0, 429, 0, 429, 0, 0, 0, 0}));
}

TEST(Faults, RulesAddUpAndTheLaterWins) {
    auto p = plan("stall:ms=20,after=4; drop:after=9,with=fin ;slow:factor=2.5;stall:ms=forever");
    Fault f = p.on_request("/generate", true, 0);
    EXPECT_EQ(f.stall_ms, forever_ms);
    EXPECT_EQ(f.stall_after, 0u);
    EXPECT_EQ(f.drop, Fault::fin);
    EXPECT_EQ(f.drop_after, 9u);
    EXPECT_EQ(f.slow, 2.5);
    EXPECT_FALSE(f.status);
}

TEST(Faults, EachKindSetsItsOwnThing) {
    auto what = [](std::string_view text) {
        auto rules = parse_faults(text);
        EXPECT_TRUE(rules) << text;
        return FaultPlan::of_header(*rules);
    };
    EXPECT_EQ(what("status").status, 500);
    EXPECT_EQ(what("drop").drop, Fault::reset);
    EXPECT_EQ(what("slow").slow, 10);
    EXPECT_EQ(what("nothing").wrong, Fault::nothing);
    EXPECT_EQ(what("nothing").drop, Fault::fin);
    EXPECT_EQ(what("nothing:with=rst").drop, Fault::reset);
    EXPECT_EQ(what("garbage_head").wrong, Fault::garbage_head);
    EXPECT_EQ(what("short_length").wrong, Fault::short_length);
    EXPECT_EQ(what("long_length").wrong, Fault::long_length);
    EXPECT_EQ(what("half_chunk:after=2").wrong_after, 2u);
    EXPECT_EQ(what("bad_json").wrong, Fault::bad_json);
    EXPECT_EQ(what("bad_utf8").wrong, Fault::bad_utf8);
    EXPECT_EQ(what("cut_sse:after=7").wrong, Fault::cut_sse);
    EXPECT_TRUE(what("close_each").close_after);
    EXPECT_FALSE(what("close_each:announce=no").announce);
    EXPECT_EQ(what("close_idle:ms=7").idle_close_ms, 7u);
    EXPECT_FALSE(what("").any());
    EXPECT_FALSE(what("refuse").any());
    for (auto text : {"status", "stall", "drop", "slow", "nothing", "close_each", "close_idle"}) EXPECT_TRUE(what(text).any()) << text;
}

TEST(Faults, ConditionsOnPathEngineAndTime) {
    auto p = plan("status:code=500,path=/health");
    EXPECT_EQ(status_of(p), 0);
    EXPECT_EQ(p.on_request("/health", false, 0).status, 500);
    auto generating = plan("status");
    EXPECT_EQ(generating.on_request("/health", false, 0).status, 0);
    EXPECT_EQ(generating.on_request("/generate", true, 0).status, 500);
    auto other = plan("status:engine=1", 0);
    EXPECT_TRUE(other.empty());
    auto mine = plan("status:engine=1", 1);
    EXPECT_EQ(status_of(mine), 500);
    auto late = plan("status:from_ms=100,for_ms=50");
    EXPECT_EQ(status_of(late, 99 * ns_per_ms), 0);
    EXPECT_EQ(status_of(late, 100 * ns_per_ms), 500);
    EXPECT_EQ(status_of(late, 150 * ns_per_ms), 0);
}

TEST(Faults, ChanceIsSeeded) {
    auto a = plan("status:chance=0.3"), b = plan("status:chance=0.3");
    int hits = 0;
    for (int i = 0; i < 1'000; ++i) {
        int got = status_of(a);
        ASSERT_EQ(got, status_of(b));
        hits += got == 500;
    }
    EXPECT_GT(hits, 230);
    EXPECT_LT(hits, 370);
}

TEST(Faults, RefusingHasAWindow) {
    auto p = plan("refuse:from_ms=10,for_ms=5");
    EXPECT_FALSE(p.refusing(9 * ns_per_ms));
    EXPECT_EQ(p.refusing_changes(0), 10 * ns_per_ms);
    EXPECT_TRUE(p.refusing(10 * ns_per_ms));
    EXPECT_EQ(p.refusing_changes(10 * ns_per_ms), 15 * ns_per_ms);
    EXPECT_FALSE(p.refusing(15 * ns_per_ms));
    EXPECT_EQ(p.refusing_changes(15 * ns_per_ms), 0u);
    EXPECT_EQ(plan("").refusing_changes(0), 0u);
}

TEST(Faults, BadRulesAreNamed) {
    struct Row { const char *text, *says; };
    for (Row r : {Row{"explode", "unknown kind 'explode'"}, Row{"status:code=200", "bad value in 'code=200'"}, Row{"status:code", "bad value in 'code'"},
                  Row{"status:ms=3", "'ms' is no key of status"}, Row{"stall:ms=-1", "bad value"}, Row{"stall:ms=0", "bad value"},
                  Row{"drop:with=axe", "bad value in 'with=axe'"}, Row{"slow:factor=0", "bad value"}, Row{"slow:factor=nan", "bad value"},
                  Row{"status:nth=0", "bad value"}, Row{"status:chance=1.5", "bad value"}, Row{"status:path=health", "bad value"},
                  Row{"refuse:nth=1", "refuse takes engine"}, Row{"status:,", "'' is no key"}, Row{"status:code=500 ", "bad value"},
                  Row{"status:nth=99999999999999999999", "bad value"}, Row{"close_each:announce=maybe", "bad value"}}) {
        auto got = parse_fault(r.text);
        ASSERT_FALSE(got) << r.text;
        EXPECT_EQ(got.error()->code, Code::bad_field);
        EXPECT_NE(got.error()->message.find(r.says), std::string::npos) << got.error()->message;
    }
    std::string many;
    for (size_t i = 0; i <= fault_rules_max; ++i) many += "status;";
    EXPECT_FALSE(parse_faults(many));
    EXPECT_TRUE(parse_faults(std::string_view(many).substr(7)));
}

}  // namespace
}  // namespace weir::sim
