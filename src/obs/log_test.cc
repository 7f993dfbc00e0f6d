#include "obs/log.h"

#include "obs/log_thread.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace weir {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

struct Folder {                        // a log folder of its own, taken away at the end
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "weir-log-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path); }
    std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(path)) names.push_back(entry.path().filename().string());
        std::sort(names.begin(), names.end());
        return names;
    }
    std::string all(const std::string& stem) const {
        std::string text;
        for (const std::string& name : names())
            if (name.starts_with(stem)) text += read_text(path / name);
        return text;
    }
};

struct LogTest : testing::Test {
    Folder folder;
    LogOptions options;
    LogTest() { options.dir = folder.path.string(); }
    ~LogTest() override {
        log_stop();
        log_day_override_s = 0;
        set_log_levels(LogOptions().levels);
    }
    void start() {
        const auto started = log_start(options);
        ASSERT_TRUE(started) << started.error()->message;
    }
    std::string text() {
        log_flush();
        return folder.all("weir.");
    }
};

std::string format(bool json, std::string_view message, std::initializer_list<LogField> fields, bool colour = false) {
    std::string packed(packed_size(message, fields), '\0'), out;
    pack(message, fields, packed.data());
    format_log({1'795'603'780'123'456, LogModule::net, LogLevel::warn, packed}, json, false, colour, out);
    return out;
}

std::string every_kind(bool json) {
    const std::string word = "x";
    return format(json, "took a turn", {{"s", "a b"}, {"w", word}, {"i", -5}, {"u", size_t(7)}, {"d", 0.25}, {"yes", true}, {"empty", ""}});
}

TEST(LogFormat, Text) {
    EXPECT_EQ(every_kind(false),
              "2026-11-25T10:49:40.123456Z  WARN net: took a turn s=\"a b\" w=x i=-5 u=7 d=0.25 yes=true empty=\"\"\n");
    EXPECT_EQ(format(false, "x", {}, true), "2026-11-25T10:49:40.123456Z  \033[33mWARN\033[0m net: x\n");
    EXPECT_EQ(format(false, "two\nlines\x1b[31m", {{"k", "a=b\n"}}),
              "2026-11-25T10:49:40.123456Z  WARN net: two\\nlines\\u001b[31m k=\"a=b\\n\"\n");
}

TEST(LogFormat, Json) {
    EXPECT_EQ(every_kind(true),
              "{\"timestamp\":\"2026-11-25T10:49:40.123456Z\",\"level\":\"WARN\",\"module\":\"net\",\"message\":\"took a turn\","
              "\"s\":\"a b\",\"w\":\"x\",\"i\":-5,\"u\":7,\"d\":0.25,\"yes\":true,\"empty\":\"\"}\n");
}

TEST(LogFormat, JsonStaysValidWhateverTheBytes) {
    std::string bytes;
    for (int c = 0; c < 256; ++c) bytes += static_cast<char>(c);
    const std::string nasty[] = {bytes, "\"\\/\b\f\n\r\t", std::string("\0x", 2), "\xed\xa0\x80 \xf4\x90\x80\x80 \xc0\xaf \xe2\x82", "\xf0\x9f\x8c\x8a \xe2\x80\xa8", "</script>"};
    for (const std::string& s : nasty) {
        const std::string line = format(true, s, {{s, s}, {"message", s}, {"nan", 0.0 / 0.0}, {"inf", 1e308 * 10}});
        ASSERT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
        const auto parsed = nlohmann::json::parse(line, nullptr, false);
        ASSERT_FALSE(parsed.is_discarded()) << line;
        EXPECT_EQ(parsed["level"], "WARN");
        EXPECT_EQ(parsed["message"], parsed["message_"]);
        EXPECT_EQ(parsed["nan"], "NaN");
    }
    const auto parsed = nlohmann::json::parse(format(true, "\"\\\n\x01\xf0\x9f\x8c\x8a\xff", {}));
    EXPECT_EQ(parsed["message"], "\"\\\n\x01\xf0\x9f\x8c\x8a\xef\xbf\xbd");
}

TEST(LogFormat, OverlongTextsAreCutAndMarked) {
    const std::string big(LogQueue::line_bytes_max, 'x'), bigger(3 * LogQueue::line_bytes_max, 'y');
    const std::string line = format(false, "m", {{"first", big}, {"second", bigger}, {"n", 5}});
    EXPECT_LT(line.size(), LogQueue::line_bytes_max + 200);
    EXPECT_NE(line.find("xxx... second=\"\" n=5\n"), std::string::npos);
}

TEST(LogFormat, LocalTimeNamesItsZone) {
    std::string out;
    format_time(1'795'603'780'000'001, true, out);
    EXPECT_EQ(out.size(), std::string("2026-11-25T10:49:40.000001+00:00").size()) << out;
    EXPECT_TRUE(out[26] == '+' || out[26] == '-') << out;
}

LogLevel level_of(const LogLevels& levels, LogModule m) { return levels.at[static_cast<size_t>(m)]; }

TEST(LogSpec, Levels) {
    const auto check = [](std::string_view spec, LogLevel net, LogLevel api, std::string_view ignored = "") {
        const auto levels = parse_log_spec(spec);
        ASSERT_TRUE(levels) << spec;
        EXPECT_EQ(level_of(*levels, LogModule::net), net) << spec;
        EXPECT_EQ(level_of(*levels, LogModule::api), api) << spec;
        EXPECT_EQ(levels->ignored, ignored) << spec;
    };
    check("", LogLevel::info, LogLevel::info);
    check("debug", LogLevel::debug, LogLevel::debug);
    check("WARNING", LogLevel::warn, LogLevel::warn);
    check("weir=debug,net=warn", LogLevel::warn, LogLevel::debug);
    check("net=warn,weir=debug", LogLevel::warn, LogLevel::debug);
    check("smg=debug,hyper=warn", LogLevel::debug, LogLevel::debug, "hyper");
    check(" info , weir::net = trace ,", LogLevel::trace, LogLevel::info);
    check("info,dynamo_llm=debug", LogLevel::debug, LogLevel::debug);
    check("error,dynamo_llm::http=trace,tower::x=off", LogLevel::error, LogLevel::error, "dynamo_llm::http,tower::x");
    check("off,api=error", LogLevel::off, LogLevel::error);
    EXPECT_EQ(level_of(*parse_log_spec("template=debug"), LogModule::template_), LogLevel::debug);
    EXPECT_EQ(level_of(*parse_log_spec("", LogLevel::error), LogModule::kv), LogLevel::error);
    for (const char* bad : {"loud", "net=", "net=loud", "=info,5"}) {
        const auto levels = parse_log_spec(bad);
        EXPECT_FALSE(levels) << bad;
        if (!levels) { EXPECT_NE(levels.error()->message.find("is not one of"), std::string::npos); }
    }
}

TEST_F(LogTest, FilterIsPerModuleAndArgumentsAreLazy) {
    options.levels = *parse_log_spec("warn,net=debug");
    start();
    int evaluated = 0;
    const auto costly = [&] { return ++evaluated; };
    LOG_DEBUG(net, "net debug", {"n", costly()});
    LOG_TRACE(net, "net trace", {"n", costly()});
    LOG_INFO(api, "api info", {"n", costly()});
    LOG_WARN(api, "api warn", {"n", costly()});
    LOG_ERROR(main, "main error");
    const auto lines = lines_of(text());
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_NE(lines[0].find("DEBUG net: net debug n=1"), std::string::npos) << lines[0];
    EXPECT_NE(lines[1].find("WARN api: api warn n=2"), std::string::npos) << lines[1];
    EXPECT_NE(lines[2].find("ERROR main: main error"), std::string::npos) << lines[2];
    EXPECT_EQ(lines[0].find('\033'), std::string::npos);
    set_log_levels(*parse_log_spec("off"));
    LOG_ERROR(main, "silenced");
    EXPECT_EQ(lines_of(text()).size(), 3u);
}

TEST_F(LogTest, StopWritesWhatIsQueued) {
    start();
    for (int i = 0; i < 500; ++i) LOG_INFO(net, "line", {"i", i});
    log_stop();
    EXPECT_EQ(lines_of(folder.all("weir.")).size(), 500u);
}

TEST_F(LogTest, LongLinesTravelWhole) {
    start();
    const std::string value(10'000, 'v');
    LOG_INFO(net, "long", {"value", value});
    EXPECT_NE(text().find("value=" + value + "\n"), std::string::npos);
}

TEST_F(LogTest, ANewFileEachDay) {
    log_day_override_s = 1'795'603'780;
    start();
    LOG_INFO(net, "first day");
    log_flush();
    log_day_override_s = 1'795'603'780 + 86'400;
    LOG_INFO(net, "second day");
    log_flush();
    EXPECT_NE(read_text(folder.path / "weir.2026-11-25.log").find("first day"), std::string::npos);
    EXPECT_NE(read_text(folder.path / "weir.2026-11-26.log").find("second day"), std::string::npos);
}

TEST_F(LogTest, AFullFileIsRotatedAndOldOnesGo) {
    log_day_override_s = 1'795'603'780;
    options.file_bytes_max = 4'000;
    options.files_max = 2;
    start();
    for (int i = 0; i < 20; ++i) {
        LOG_INFO(net, "filler", {"text", std::string(1'500, 'x')}, {"i", i});
        log_flush();
    }
    EXPECT_EQ(folder.names(), (std::vector<std::string>{"access.2026-11-25.log", "weir.2026-11-25.1.log", "weir.2026-11-25.2.log", "weir.2026-11-25.log"}));
    EXPECT_LE(fs::file_size(folder.path / "weir.2026-11-25.1.log"), 4'000u);
    EXPECT_NE(folder.all("weir.").find("i=19"), std::string::npos);
    EXPECT_EQ(folder.all("weir.").find("i=0\n"), std::string::npos);
}

TEST_F(LogTest, AFolderThatCannotBeMadeIsAnError) {
    options.dir = "/proc/nowhere/logs";
    const auto started = log_start(options);
    ASSERT_FALSE(started);
    EXPECT_NE(started.error()->message.find("/proc/nowhere/logs"), std::string::npos);
}

// A queue of 2,048 lines with nobody writing: the rest is dropped and counted, and the thread that logs never waits.
TEST(LogQueueTest, FullQueueRefuses) {
    LogQueue queue;
    for (size_t i = 0; i < LogQueue::lines_max; ++i) ASSERT_TRUE(queue.push(i, LogModule::net, LogLevel::info, "x", {}));
    EXPECT_FALSE(queue.push(0, LogModule::net, LogLevel::info, "x", {}));
    EXPECT_EQ(queue.size(), LogQueue::lines_max);
    uint64_t seen = 0;
    ASSERT_TRUE(queue.pop([&](const LogLine& line) { seen = line.unix_us; }));
    EXPECT_EQ(seen, 0u);
    EXPECT_TRUE(queue.push(7, LogModule::net, LogLevel::info, std::string(5'000, 'x'), {}));
    EXPECT_FALSE(queue.push(8, LogModule::net, LogLevel::info, std::string(5'000, 'x'), {}));
    for (size_t i = 1; i < LogQueue::lines_max; ++i) ASSERT_TRUE(queue.pop([&](const LogLine& line) { EXPECT_EQ(line.unix_us, i); }));
    ASSERT_TRUE(queue.pop([&](const LogLine& line) { EXPECT_EQ(line.packed.size(), packed_size(std::string(5'000, 'x'), {})); }));
    EXPECT_FALSE(queue.pop([](const LogLine&) {}));
}

// Four threads push, again when refused, one pops: every line arrives once, in its thread's order.
TEST(LogQueueTest, ManyProducers) {
    constexpr uint64_t threads_n = 4, lines_n = 5'000;
    LogQueue queue;
    std::atomic<uint64_t> running{threads_n};
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < threads_n; ++t)
        threads.emplace_back([&, t] {
            for (uint64_t i = 1; i <= lines_n;) {
                if (queue.push(i, static_cast<LogModule>(t), LogLevel::info, i % 100 ? "short" : std::string(600, 'l'), {{"i", i}})) ++i;
                else std::this_thread::yield();
            }
            --running;
        });
    uint64_t popped = 0, last[threads_n] = {};
    const auto take = [&](const LogLine& line) {
        uint64_t& before = last[static_cast<size_t>(line.module)];
        EXPECT_EQ(++before, line.unix_us);
        ++popped;
    };
    while (running.load() > 0)
        if (!queue.pop(take)) std::this_thread::yield();
    for (auto& thread : threads) thread.join();
    while (queue.pop(take)) {}
    EXPECT_EQ(popped, threads_n * lines_n);
}

TEST_F(LogTest, ManyThreadsLogWhileOthersFlush) {
    start();
    const uint64_t dropped_before = log_dropped();
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
        threads.emplace_back([t] {
            for (int i = 0; i < 400; ++i) {
                LOG_INFO(net, "from a thread", {"thread", t}, {"i", i});
                if (i % 100 == 0) log_flush();
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(lines_of(text()).size() + (log_dropped() - dropped_before), 1'200u);
}

// What is queued is on stderr and in the file when the process dies of a signal. The child finds the folder by its parent.
TEST(LogDeathTest, CrashWritesTheQueue) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    const auto folder_of = [](pid_t pid) { return fs::temp_directory_path() / ("weir-crash-" + std::to_string(pid)); };
    const fs::path folder = folder_of(::getpid());
    EXPECT_EXIT(
        {
            LogOptions options;
            options.dir = folder_of(::getppid()).string();
            options.json = true;
            if (!log_start(options)) ::_exit(3);
            for (int i = 0; i < 30; ++i) LOG_INFO(net, "before the end", {"i", i});
            std::abort();
        },
        testing::KilledBySignal(SIGABRT), "fatal signal.*\"signal\":6");
    std::string text;
    for (const auto& entry : fs::directory_iterator(folder)) text += read_text(entry.path());
    fs::remove_all(folder);
    const auto lines = lines_of(text);
    ASSERT_EQ(lines.size(), 31u) << text;
    for (int i = 0; i < 30; ++i) EXPECT_EQ(nlohmann::json::parse(lines[static_cast<size_t>(i)])["i"], i);
}

}  // namespace
}  // namespace weir
