#include "obs/access_log.h"

#include "obs/log.h"
#include "obs/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace weir {
namespace {

namespace fs = std::filesystem;

AccessRecord sample() {
    AccessRecord r;
    r.at = 1'795'603'780'123;
    r.bytes_in = 812;
    r.bytes_out = 4'096;
    r.total_us = 131'002;
    r.ttft_us = 80'123;
    r.overhead_us = 41;
    r.tokens_in = 120;
    r.tokens_out = 64;
    r.status = 200;
    r.attempt = 1;
    r.stream = true;
    r.method = "POST";
    r.route = "/v1/chat/completions";
    r.policy = "round_robin";
    r.request_id = "chatcmpl-0b9f6a3c";
    r.model = "llama";
    r.worker = "10.0.0.1:8000";
    r.client = "[::1]:53412";
    return r;
}

TEST(AccessFormat, Text) {
    std::string out;
    format_access(sample(), false, false, out);
    EXPECT_EQ(out,
              "2026-11-25T10:49:40.123000Z  INFO access: method=POST route=/v1/chat/completions status=200 model=llama worker=10.0.0.1:8000 "
              "policy=round_robin total_us=131002 ttft_us=80123 overhead_us=41 bytes_in=812 bytes_out=4096 tokens_in=120 tokens_out=64 "
              "stream=true attempt=1 ended_by=engine client=[::1]:53412 http=1 request_id=chatcmpl-0b9f6a3c\n");
}

TEST(AccessFormat, JsonOfAFailure) {
    AccessRecord r = sample();
    r.status = 404;
    r.code = Code::model_unknown;
    r.ended_by = Outcome::gateway;
    r.attempt = 0;
    r.worker = "";
    r.policy = "";
    r.model = "we\"ird\n\xff";
    r.tokens_in = r.tokens_out = r.ttft_us = 0;
    std::string out;
    format_access(r, true, false, out);
    const auto parsed = nlohmann::json::parse(out);
    EXPECT_EQ(parsed["module"], "access");
    EXPECT_EQ(parsed["status"], 404);
    EXPECT_EQ(parsed["code"], "model_unknown");
    EXPECT_EQ(parsed["ended_by"], "gateway");
    EXPECT_EQ(parsed["model"], "we\"ird\n\xef\xbf\xbd");
    EXPECT_EQ(parsed["overhead_us"], 41);
    EXPECT_FALSE(parsed.contains("worker"));
    EXPECT_FALSE(parsed.contains("ttft_us"));
}

TEST(AccessFormat, LongTextsAreCut) {
    ShortText<8> s;
    s = "1234567";
    EXPECT_EQ(std::string_view(s), "1234567");
    s = "12345678";
    EXPECT_EQ(std::string_view(s), "123456~");
    s = "";
    EXPECT_EQ(std::string_view(s), "");
}

TEST(SpscRing, FullRingRefusesAndCounts) {
    SpscRing<int> ring(4);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.push(i));
    EXPECT_FALSE(ring.push(4));
    EXPECT_EQ(ring.dropped(), 1u);
    EXPECT_EQ(ring.pending_guess(), 4u);
    int sum = 0;
    EXPECT_EQ(ring.drain(3, [&](int v) { sum = sum * 10 + v; }), 3u);
    EXPECT_EQ(sum, 12);
    EXPECT_EQ(ring.pending_guess(), 1u);
    EXPECT_TRUE(ring.push(5));
    EXPECT_EQ(ring.drain(9, [&](int v) { sum = sum * 10 + v; }), 2u);
    EXPECT_EQ(sum, 1235);
    EXPECT_EQ(ring.drain(9, [](int) {}), 0u);
}

TEST(SpscRing, ProducerAndConsumer) {
    constexpr uint64_t values = 200'000;
    SpscRing<uint64_t> ring(256);
    std::thread producer([&] {
        for (uint64_t i = 1; i <= values;)
            if (ring.push(i)) ++i;
            else std::this_thread::yield();
    });
    uint64_t last = 0;
    while (last < values)
        if (ring.drain(64, [&](uint64_t v) { ASSERT_EQ(v, ++last); }) == 0) std::this_thread::yield();
    producer.join();
    EXPECT_EQ(ring.size(), 0u);
}

struct AccessTest : testing::Test {
    std::string dir;
    AccessTest() {
        dir = (fs::temp_directory_path() / "weir-access-XXXXXX").string();
        dir = ::mkdtemp(dir.data());
        LogOptions options;
        options.dir = dir;
        options.json = true;
        EXPECT_TRUE(log_start(options));
    }
    ~AccessTest() override {
        log_stop();
        fs::remove_all(dir);
    }
    std::vector<nlohmann::json> lines() {
        std::vector<nlohmann::json> all;
        for (const auto& entry : fs::directory_iterator(dir)) {
            if (!entry.path().filename().string().starts_with("access.")) continue;
            std::ifstream in(entry.path());
            for (std::string line; std::getline(in, line);) all.push_back(nlohmann::json::parse(line));
        }
        return all;
    }
};

TEST_F(AccessTest, TwoCoresPushAndNothingIsLostOrTorn) {
    constexpr uint32_t each = 10'000;
    uint64_t dropped = 0;
    {
        AccessLog log(2, true);
        std::vector<std::thread> cores;
        for (unsigned core = 0; core < 2; ++core)
            cores.emplace_back([&, core] {
                AccessRecord r = sample();
                r.worker = core == 0 ? "zero" : "one";
                for (uint32_t i = 1; i <= each; ++i) {
                    r.overhead_us = i;
                    r.total_us = i * 2;
                    log.push(core, r);
                }
            });
        for (auto& core : cores) core.join();
        dropped = log.dropped();
    }
    log_flush();
    uint32_t last[2] = {};
    const auto all = lines();
    for (const auto& line : all) {
        uint32_t& before = last[line["worker"] == "one"];
        const uint32_t i = line["overhead_us"];
        ASSERT_GT(i, before);
        ASSERT_EQ(line["total_us"], i * 2);
        before = i;
    }
    EXPECT_EQ(all.size() + dropped, 2 * each);
    EXPECT_GE(all.size(), AccessLog::records_max);
}

TEST_F(AccessTest, LevelOfModuleAccessTurnsLinesOff) {
    {
        AccessLog log(1, true);
        log.push(0, sample());
        log_flush();
        set_log_levels(*parse_log_spec("info,access=warn"));
        log.push(0, sample());
    }
    set_log_levels(LogOptions().levels);
    log_flush();
    EXPECT_EQ(lines().size(), 1u);
}

struct Pipe {
    int fds[2];
    Pipe() { EXPECT_EQ(::pipe2(fds, O_NONBLOCK), 0); }
    ~Pipe() {
        ::close(fds[0]);
        ::close(fds[1]);
    }
    std::string take() {
        char buffer[4'096];
        const ssize_t n = ::read(fds[0], buffer, sizeof buffer);
        return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
    }
};

TEST(ProgressTest, DrawsRarelyAndCleansUp) {
    Pipe pipe;
    ManualClock clock;
    {
        Progress progress("loading", 100, Progress::When::always, pipe.fds[1], clock);
        progress.at(10);
        EXPECT_EQ(pipe.take(), "");                          // too early
        clock.advance_ms(250);
        progress.at(50);
        EXPECT_EQ(pipe.take(), "\r\033[Kloading  [############............]  50 %  0.2 s");
        clock.advance_ms(50);
        progress.at(60);
        EXPECT_EQ(pipe.take(), "");                          // too soon
        progress_hide();
        EXPECT_EQ(pipe.take(), "\r\033[K");
        progress_show();
        EXPECT_EQ(pipe.take(), "\r\033[Kloading  [##############..........]  60 %  0.2 s");
        clock.advance_ms(1'000);
        progress.at(300);
        EXPECT_EQ(pipe.take(), "\r\033[Kloading  [########################]  100 %  1.3 s");
    }
    EXPECT_EQ(pipe.take(), "\r\033[K");
    progress_hide();
    progress_show();
    EXPECT_EQ(pipe.take(), "");
}

TEST(ProgressTest, SilentWhenNotATerminal) {
    Pipe pipe;
    ManualClock clock;
    {
        Progress progress("loading", 0, Progress::When::terminal, pipe.fds[1], clock);
        EXPECT_FALSE(progress.active());
        clock.advance_ms(1'000);
        progress.at(5);
    }
    EXPECT_EQ(pipe.take(), "");
}

TEST(ProgressTest, CountsWithoutATotal) {
    Pipe pipe;
    ManualClock clock;
    Progress progress("workers", 0, Progress::When::always, pipe.fds[1], clock);
    Progress inner("inner", 0, Progress::When::always, pipe.fds[1], clock);
    EXPECT_FALSE(inner.active());
    clock.advance_ms(200);
    progress.at(7);
    EXPECT_EQ(pipe.take(), "\r\033[Kworkers  7  0.2 s");
}

}  // namespace
}  // namespace weir
