// The sinks. Only this file sees spdlog, for files that rotate; lines arrive formatted.
#include "obs/log.h"

#include "obs/log_thread.h"
#include "obs/progress.h"

#ifndef SPDLOG_FMT_EXTERNAL
#define SPDLOG_FMT_EXTERNAL
#endif
#define FMT_HEADER_ONLY
#include <poll.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace weir {

std::atomic<uint64_t> log_day_override_s{0};

namespace {

class StderrSink final : public LogSink {
public:
    bool colour() const override { return tty_; }
    void write(std::string_view lines, uint64_t lines_n) override {
        progress_hide();
        while (!lines.empty()) {
            const ssize_t n = ::write(STDERR_FILENO, lines.data(), lines.size());
            if (n > 0) {
                lines.remove_prefix(static_cast<size_t>(n));
                continue;
            }
            if (errno == EINTR) continue;
            pollfd p{STDERR_FILENO, POLLOUT, 0};
            if (errno == EAGAIN && ::poll(&p, 1, 5'000) > 0) continue;   // a pipe whose reader is slow
            lost_.fetch_add(lines_n, std::memory_order_relaxed);
            break;
        }
        progress_show();
    }

private:
    const bool tty_ = ::isatty(STDERR_FILENO) == 1;
};

std::string day_of(uint64_t unix_s, bool local) {
    const auto t = static_cast<time_t>(unix_s);
    tm parts{};
    if (local) ::localtime_r(&t, &parts);
    else ::gmtime_r(&t, &parts);
    char text[16];
    ::strftime(text, sizeof text, "%Y-%m-%d", &parts);
    return text;
}

class FileSink final : public LogSink {
public:
    FileSink(std::string dir, std::string stem, uint64_t bytes_max, unsigned files_max, bool local_time)
        : dir_(std::move(dir)), stem_(std::move(stem)), bytes_max_(bytes_max), files_max_(files_max), local_time_(local_time) {
        open_today();
    }
    void write(std::string_view lines, uint64_t lines_n) override {
        try {
            if (now_s() / 60 != checked_min_) open_today();             // days begin on whole minutes everywhere
            file_->log(spdlog::details::log_msg(spdlog::source_loc{}, "", spdlog::level::info, {lines.data(), lines.size()}));
        } catch (const std::exception&) {                               // disk full, folder gone: the next batch tries again
            lost_.fetch_add(lines_n, std::memory_order_relaxed);
        }
    }
    void flush() override {
        try {
            file_->flush();
        } catch (const std::exception&) { lost_.fetch_add(1, std::memory_order_relaxed); }
    }
    const char* path() const override { return path_.c_str(); }

private:
    static uint64_t now_s() {
        const uint64_t forced = log_day_override_s.load(std::memory_order_relaxed);
        return forced ? forced : static_cast<uint64_t>(::time(nullptr));
    }
    void open_today() {
        const uint64_t now = now_s();
        checked_min_ = now / 60;
        std::string path = dir_ + "/" + stem_ + "." + day_of(now, local_time_) + ".log";
        if (file_ && path == path_) return;
        auto file = std::make_unique<spdlog::sinks::rotating_file_sink_st>(path, bytes_max_, files_max_);
        file->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::utc, ""));
        file_ = std::move(file);
        path_ = std::move(path);
    }
    const std::string dir_, stem_;
    const uint64_t bytes_max_;
    const unsigned files_max_;
    const bool local_time_;
    std::string path_;
    uint64_t checked_min_ = 0;
    std::unique_ptr<spdlog::sinks::rotating_file_sink_st> file_;
};

}  // namespace

std::unique_ptr<LogSink> stderr_sink() { return std::make_unique<StderrSink>(); }

Result<std::unique_ptr<LogSink>> file_sink(const std::string& dir, const std::string& stem, uint64_t bytes_max, unsigned files_max, bool local_time) {
    try {
        return std::unique_ptr<LogSink>(std::make_unique<FileSink>(dir, stem, bytes_max, files_max, local_time));
    } catch (const std::exception& e) {
        return Failure(Code::internal, "cannot write log files in '" + dir + "': " + e.what());
    }
}

}  // namespace weir
