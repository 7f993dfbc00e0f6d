#include "mocker/from_config.h"

#include <gtest/gtest.h>

namespace weir::mocker {
namespace {

std::string refused(const MockerConfig& c, unsigned engines = 1) {
    auto got = settings_of(c, engines);
    return got ? std::string() : got.error()->message;
}

TEST(FromConfig, EveryOptionArrives) {
    MockerConfig c;
    c.host = "127.0.0.9", c.port = 9'000, c.engine = "sglang", c.model_names = {"a", "b"};
    c.speedup_ratio = 3, c.decode_speedup_ratio = 2, c.block_size = 8, c.num_gpu_blocks = 99, c.max_num_seqs = 5;
    c.max_num_batched_tokens = 77, c.max_model_len = 66, c.dp_size = 2, c.prefix_caching = c.chunked_prefill = false;
    c.startup_time_s = 1.5, c.prefill_tokens_per_s = 500, c.itl_ms = 7, c.seed = 3, c.tokens_default = 11;
    c.faults = {"status;drop", "slow"}, c.api_key = "k";
    auto got = settings_of(c, 4);
    ASSERT_TRUE(got);
    const EngineSettings& e = got->engine;
    EXPECT_EQ(got->host, "127.0.0.9");
    EXPECT_EQ(got->port, 9'000);
    EXPECT_EQ(got->num_workers, 4u);
    EXPECT_EQ(e.kind, EngineKind::sglang);
    EXPECT_EQ(e.model, "a");
    EXPECT_EQ(e.aliases, std::vector<std::string>{"b"});
    EXPECT_EQ(e.engine.speedup_ratio, 3);
    EXPECT_EQ(e.engine.decode_speedup_ratio, 2);
    EXPECT_EQ(e.engine.block_size, 8u);
    EXPECT_EQ(e.engine.num_blocks, 99u);
    EXPECT_EQ(e.engine.max_num_seqs, 5u);
    EXPECT_EQ(e.engine.max_num_batched_tokens, 77u);
    EXPECT_EQ(e.engine.max_model_len, 66u);
    EXPECT_EQ(e.dp_size, 2u);
    EXPECT_FALSE(e.engine.prefix_caching || e.engine.chunked_prefill);
    EXPECT_EQ(e.startup_ms, 1'500u);
    EXPECT_EQ(e.engine.timing.prefill_ms({100, 0, 0, 0}), 200);
    EXPECT_EQ(e.engine.timing.decode_ms({0, 9, 999, 0.5}), 7);
    EXPECT_EQ(e.seed, 3u);
    EXPECT_EQ(e.natural_min, 11u);
    EXPECT_EQ(e.natural_max, 11u);
    EXPECT_EQ(e.faults.size(), 3u);
    EXPECT_EQ(e.api_key, "k");
    MockerConfig half;
    half.itl_ms = 7;
    EXPECT_EQ(settings_of(half, 1)->engine.engine.timing.prefill_base_ms, sim::Timing{}.prefill_base_ms);
}

TEST(FromConfig, RefusesWhatCannotWork) {
    MockerConfig c;
    EXPECT_EQ(refused(c), "");
    c.ports = {1, 2};
    EXPECT_NE(refused(c, 3).find("--ports names 2 ports for 3 engines"), std::string::npos);
    EXPECT_EQ(refused(c, 2), "");
    c = {};
    c.port = 65'535;
    EXPECT_NE(refused(c, 2).find("--port leaves no room"), std::string::npos);
    c = {};
    c.faults = {"nonsense"};
    EXPECT_NE(refused(c).find("unknown kind"), std::string::npos);
    c = {};
    c.num_gpu_blocks = 1u << 31;
    EXPECT_NE(refused(c).find("num_blocks"), std::string::npos);
    c = {};
    c.model_names.clear();
    EXPECT_NE(refused(c), "");
}

}  // namespace
}  // namespace weir::mocker
