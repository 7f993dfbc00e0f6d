#include "fleet/load_pages.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

RankLoad load(uint32_t rank, uint32_t running, uint32_t waiting) {
    RankLoad l;
    l.rank = rank, l.running = running, l.waiting = waiting;
    return l;
}

TEST(LoadPages, LoadsOfEachRank) {
    auto loads = read_loads_page(R"( {"timestamp":"x","version":"0.5.9","loads":[
        {"dp_rank":1,"num_running_reqs":3,"num_waiting_reqs":4,"num_waiting_uncached_tokens":500,"num_used_tokens":1000,
         "max_total_num_tokens":4000,"token_usage":0.25,"gen_throughput":123.5,"cache_hit_rate":0.5,"queues":{"waiting":4}},
        {"dp_rank":0,"num_running_reqs":1,"num_waiting_reqs":0}]})");
    ASSERT_TRUE(loads) << loads.error()->message;
    RankLoad second = load(1, 3, 4);
    second.usage = 0.25, second.waiting_tokens = 500, second.used_tokens = 1'000, second.total_tokens = 4'000, second.tok_s = 123.5, second.hit_rate = 0.5;
    EXPECT_EQ(*loads, (RankLoads{load(0, 1, 0), second}));
}

TEST(LoadPages, NumbersOutOfRangeDoNotWrap) {
    auto loads = read_loads_page(R"({"loads":[{"num_running_reqs":-1,"num_waiting_reqs":1e30,"token_usage":"high"}]})");
    ASSERT_TRUE(loads);
    EXPECT_EQ(*loads, (RankLoads{load(0, 0, UINT32_MAX)}));
}

TEST(LoadPages, WhatIsNoneIsRefused) {
    for (const char* text : {"", "null", "[]", "{}", R"({"loads":{}})", R"({"loads":[]})", R"({"loads":[1]})", R"({"loads":[{}]})",
                             R"({"loads":[{"num_running_reqs":1}]})", R"({"loads":[{"num_running_reqs":1,"num_waiting_reqs":0}])", "<html>",
                             R"({"loads":[{"num_running_reqs":1,"num_waiting_reqs":0},{"num_running_reqs":1,"num_waiting_reqs":0}]})"}) {
        auto loads = read_loads_page(text);
        ASSERT_FALSE(loads) << text;
        EXPECT_EQ(loads.error()->code, Code::engine_garbage);
        EXPECT_FALSE(read_get_load_page(text)) << text;
        EXPECT_FALSE(read_metrics_page(text)) << text;
    }
    EXPECT_FALSE(read_get_load_page(R"([{"num_reqs":1}])"));
}

TEST(LoadPages, RanksAreBounded) {
    std::string loads = R"({"loads":[)", text;
    for (size_t i = 0; i <= load_ranks_max; i++) {
        const std::string rank = std::to_string(i);
        loads += (i ? ",{\"dp_rank\":" : "{\"dp_rank\":") + rank + R"(,"num_running_reqs":1,"num_waiting_reqs":0})";
        text += "vllm:kv_cache_usage_perc{engine=\"" + rank + "\"} 0.5\n";
        const bool most = i + 1 == load_ranks_max, more = i == load_ranks_max;
        if (most) {
            EXPECT_EQ(read_loads_page(loads + "]}")->size(), load_ranks_max);
            EXPECT_EQ(read_metrics_page(text)->size(), load_ranks_max);
        }
        if (more) {
            EXPECT_FALSE(read_loads_page(loads + "]}"));
            EXPECT_FALSE(read_metrics_page(text));
        }
    }
}

TEST(LoadPages, TheOlderListOfSglang) {
    auto loads = read_get_load_page(R"([{"dp_rank":0,"num_reqs":5,"num_waiting_reqs":2,"num_tokens":640,"ts_tic":1.5},{"dp_rank":1,"num_reqs":0,"num_waiting_reqs":0}])");
    ASSERT_TRUE(loads);
    RankLoad first = load(0, 3, 2);
    first.used_tokens = 640;
    EXPECT_EQ(*loads, (RankLoads{first, load(1, 0, 0)}));
}

TEST(LoadPages, GaugesOfVllm) {
    auto loads = read_metrics_page(R"(# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a} \"b\" 7"} 3.0
vllm:num_requests_running{engine="1",model_name="a"} 1.0
vllm:num_requests_waiting{engine="0",model_name="a"} 9 1395066363000
vllm:kv_cache_usage_perc{engine="0",model_name="a"} 0.5
vllm:kv_cache_usage_perc{engine="1",model_name="a"} 2.5e-1
vllm:cache_config_info{block_size="16",cache_dtype="auto",num_gpu_blocks="100"} 1.0
vllm:e2e_request_latency_seconds_bucket{le="0.3",engine="0"} 17
vllm:broken{engine="0" 3
vllm:num_requests_running NaN
)");
    ASSERT_TRUE(loads) << loads.error()->message;
    RankLoad first = load(0, 3, 9), second = load(1, 1, 0);
    first.usage = 0.5, first.used_tokens = 800, first.total_tokens = 1'600;
    second.usage = 0.25, second.used_tokens = 400, second.total_tokens = 1'600;
    EXPECT_EQ(*loads, (RankLoads{first, second}));
    auto older = read_metrics_page("vllm:num_requests_running 2\nvllm:gpu_cache_usage_perc 0.75\r\nvllm:gpu_prefix_cache_hit_rate 0.5");
    ASSERT_TRUE(older);
    first = load(0, 2, 0);
    first.usage = 0.75, first.hit_rate = 0.5;
    EXPECT_EQ(*older, (RankLoads{first}));
}

TEST(LoadPages, GaugesOfSglangByBothSpellings) {
    for (std::string p : {"sglang:", "sglang_"}) {
        const std::string at = R"({dp_rank="1",tp_rank="0"} )", other = R"({dp_rank="1",tp_rank="1"} )";
        auto loads = read_metrics_page(p + "num_running_reqs" + at + "4\n" + p + "num_running_reqs" + other + "4\n" + p + "num_queue_reqs" + at + "2\n" + p +
                                       "token_usage" + at + "0.125\n" + p + "num_used_tokens" + at + "80\n" + p + "max_total_num_tokens" + at + "640\n" + p +
                                       "gen_throughput" + at + "99.5\n" + p + "cache_hit_rate" + at + "0.75\n");
        ASSERT_TRUE(loads) << loads.error()->message;
        RankLoad l = load(1, 4, 2);
        l.usage = 0.125, l.used_tokens = 80, l.total_tokens = 640, l.tok_s = 99.5, l.hit_rate = 0.75;
        EXPECT_EQ(*loads, (RankLoads{l}));
    }
}

TEST(LoadPages, WithoutTheCacheGaugeItIsNoLoad) {
    EXPECT_FALSE(read_metrics_page("vllm:num_requests_running 2\nvllm:num_requests_waiting 3\nother 4\n"));
}

TEST(LoadPages, OfAWholeEngine) {
    RankLoad a = load(0, 1, 2), b = load(1, 3, 4), c = load(2, 5, 6);
    a.usage = 0.25, b.usage = 0.75;
    a.waiting_tokens = 10, b.used_tokens = 20, c.total_tokens = 30;
    b.tok_s = 100, c.tok_s = 50, c.hit_rate = 0.5;
    RankLoad sum = load(0, 9, 12);
    sum.usage = 0.5, sum.waiting_tokens = 10, sum.used_tokens = 20, sum.total_tokens = 30, sum.tok_s = 150, sum.hit_rate = 0.5;
    EXPECT_EQ(sum_of({a, b, c}), sum);
}

TEST(LoadPages, AsTheCellsTakeIt) {
    RankLoad l = load(3, 1, 2);
    LoadReport r = report_of(l, 16);
    EXPECT_EQ(r.running, 1u);
    EXPECT_EQ(r.waiting, 2u);
    EXPECT_EQ(r.waiting_tokens, 0u) << "what is not said now is not what was said before";
    EXPECT_EQ(r.tok_s, 0u);
    EXPECT_FALSE(r.usage || r.kv_used || r.kv_total);
    l.used_tokens = 17, l.total_tokens = 100, l.usage = 0.5, l.waiting_tokens = 7, l.tok_s = 1.6;
    r = report_of(l, 16);
    EXPECT_EQ(r.kv_used, 2u);
    EXPECT_EQ(r.kv_total, 6u);
    EXPECT_EQ(r.usage, 0.5f);
    EXPECT_EQ(r.waiting_tokens, 7u);
    EXPECT_EQ(r.tok_s, 2u);
}

}  // namespace
}  // namespace weir
