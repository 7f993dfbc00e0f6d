#include "wire/http_date.h"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

namespace weir {
namespace {

TEST(HttpDate, AgreesWithTheLibrary) {
    HttpDate date;
    Random random(1);
    for (int i = 0; i < 20'000; ++i) {
        const time_t second = i < 3 ? i : static_cast<time_t>(random.below(7'258'118'400));   // to the year 2200
        std::tm tm{};
        gmtime_r(&second, &tm);
        char want[40];
        const size_t n = strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        ASSERT_EQ(date.at(static_cast<UnixMs>(second) * 1000 + 999), std::string_view(want, n));
    }
}

TEST(HttpDate, IsKeptForASecond) {
    HttpDate date;
    const std::string first(date.at(1'795'247'906'000));
    EXPECT_EQ(date.at(1'795'247'906'999), first);
    EXPECT_NE(date.at(1'795'247'907'000), first);
}

}  // namespace
}  // namespace weir
