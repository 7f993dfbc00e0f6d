#include <gtest/gtest.h>

#include <type_traits>

#include "types/event.h"
#include "types/outcome.h"
#include "types/plan.h"
#include "types/prepared.h"
#include "types/tail.h"

namespace weir {
namespace {

// The relay keeps a Tail, not a Call, per stream; a token costs one Event. Growth of either is a decision, not an accident.
TEST(Types, StaySmall) {
    EXPECT_EQ(sizeof(Event), 40u);
    EXPECT_TRUE(std::is_trivially_copyable_v<Event>);
    EXPECT_EQ(sizeof(Member), 16u);
    EXPECT_LE(sizeof(Tail), 96u);
    EXPECT_LE(sizeof(Call), 1400u) << sizeof(Call);
    EXPECT_EQ(sizeof(LoadCell), 128u);
}

TEST(Types, TailCarriesWhatEncodersNeed) {
    Call c;
    c.model = "m";
    c.wants = wants::stream;
    c.sampling.max_tokens = 7;
    c.choices = 3;
    Tail t = tail_of(c);
    c.model = {};
    EXPECT_EQ(t.model, "m");
    EXPECT_EQ(t.max_out, 7u);
    EXPECT_EQ(t.choices, 3);
    EXPECT_EQ(t.wants, wants::stream);
}

TEST(Types, EditsAreBounded) {
    Edits e;
    for (size_t i = 0; i < 8; ++i) EXPECT_TRUE(e.add({{uint32_t(i), 0}, "x"}));
    EXPECT_FALSE(e.add({{9, 0}, "x"}));
}

TEST(Types, BatchIsReused) {
    Batch b;
    b.at = 5;
    b.add(Event::text, 2).data = b.arena.copy("abc");
    ASSERT_EQ(b.events.size(), 1u);
    EXPECT_EQ(b.events[0].at, 5u);
    EXPECT_EQ(b.events[0].choice, 2);
    b.clear();
    EXPECT_TRUE(b.events.empty());
}

TEST(Types, DocDropsItsViews) {
    Doc d;
    d.body = "{\"a\":1}";
    Member m{{2, 1}, {5, 1}};
    d.top = {&m, 1};
    EXPECT_EQ(d.at(d.top[0].key), "a");
    EXPECT_EQ(d.at(d.top[0].value), "1");
    d.drop();
    EXPECT_TRUE(d.body.empty() && d.top.empty());
}

}  // namespace
}  // namespace weir
