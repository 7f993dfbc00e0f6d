#include "base/result.h"

#include <gtest/gtest.h>

#include <set>

namespace weir {
namespace {

Result<int> half(int n) {
    if (n % 2) return Failure(Code::bad_field, "odd", "n");
    return n / 2;
}
Result<void> positive(int n) {
    if (n <= 0) return Failure(Code::missing_field, "not positive");
    return Nothing{};
}
Result<int> quarter(int n) {
    TRY_OK(positive(n));
    TRY(int h, half(n));
    TRY(int q, half(h));
    return q;
}

TEST(Result, HoldsAValueOrAFailure) {
    Result<int> good = half(8), bad = half(7);
    ASSERT_TRUE(good);
    EXPECT_EQ(*good, 4);
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error()->code, Code::bad_field);
    EXPECT_EQ(bad.error()->message, "odd");
    EXPECT_EQ(bad.error()->param, "n");
}

TEST(Result, TryLeavesWithTheFirstFailure) {
    EXPECT_EQ(*quarter(12), 3);
    EXPECT_EQ(quarter(-4).error()->code, Code::missing_field);
    EXPECT_EQ(quarter(6).error()->code, Code::bad_field);
}

TEST(Result, MovesWhatItHolds) {
    Result<std::unique_ptr<int>> owned = std::make_unique<int>(5);
    std::unique_ptr<int> taken = *std::move(owned);
    EXPECT_EQ(*taken, 5);
    Result<std::string> text = std::string("abc");
    EXPECT_EQ(text->size(), 3u);
    Result<void> bad = positive(0);
    Failure why = std::move(bad).error();
    EXPECT_TRUE(static_cast<bool>(why));
    EXPECT_FALSE(static_cast<bool>(bad.error()));
    EXPECT_FALSE(bad) << "a failed result stays failed";
}

TEST(Failure, CarriesWhatTheLogMayKnow) {
    Failure f = Failure(Code::connect_failed, "no connection").detail("10.0.0.1:80: refused");
    EXPECT_EQ(f->detail, "10.0.0.1:80: refused");
    EXPECT_EQ(f->message, "no connection");
    EXPECT_EQ(f->retry_after_s, 0u);
    static_assert(sizeof(Failure) == sizeof(void*));
}

TEST(Code, EveryOneHasANameOfItsOwn) {
    std::set<std::string> names;
    for (int i = 0; i <= static_cast<int>(Code::internal); i++) names.insert(name(static_cast<Code>(i)));
    EXPECT_EQ(names.size(), static_cast<size_t>(Code::internal) + 1);
    EXPECT_STREQ(name(Code::ok), "ok");
    EXPECT_STREQ(name(Code::internal), "internal");
    EXPECT_STREQ(name(Code::first_byte_timeout), "first_byte_timeout");
}

}  // namespace
}  // namespace weir
