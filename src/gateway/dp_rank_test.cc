#include "gateway/dp_rank.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(DpRank, IsTheLastMember) {
    EXPECT_EQ(with_dp_rank(R"({"model":"m", "n" : 1 })", 3), R"({"model":"m", "n" : 1 ,"data_parallel_rank":3})");
    EXPECT_EQ(with_dp_rank(" {} \n", 0), R"({"data_parallel_rank":0})");
    EXPECT_EQ(with_dp_rank("{ }", 65'535), R"({ "data_parallel_rank":65535})");
}

TEST(DpRank, ReplacesWhatTheClientWrote) {
    EXPECT_EQ(with_dp_rank(R"({"data_parallel_rank":7,"a":[1,{"data_parallel_rank":7}],"data_parallel_rank":null,"b\"":"x"})", 1),
              R"({"a":[1,{"data_parallel_rank":7}],"b\"":"x","data_parallel_rank":1})");
    EXPECT_EQ(with_dp_rank(R"({"data_parallel_rank":7})", 1), R"({"data_parallel_rank":1})");
}

TEST(DpRank, OtherBodiesPass) {
    for (const char* body : {"", "  ", "[1]", "text"}) EXPECT_EQ(with_dp_rank(body, 1), body);
}

}  // namespace
}  // namespace weir
