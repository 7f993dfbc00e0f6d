// The thread that writes: takes lines and access records out of their queues, formats them, hands batches to the sinks.
#pragma once
#include "obs/access_log.h"
#include "obs/log_queue.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weir {

// Where bytes go. Whole lines; write() may throw nothing and drops what it cannot write, counting lines.
class LogSink {
public:
    virtual ~LogSink() = default;
    virtual void write(std::string_view lines, uint64_t lines_n) = 0;
    virtual void flush() {}
    virtual bool colour() const { return false; }
    virtual const char* path() const { return nullptr; }   // of a file: for the crash handler
    uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

protected:
    std::atomic<uint64_t> lost_{0};
};
std::unique_ptr<LogSink> stderr_sink();
// <dir>/<stem>.YYYY-MM-DD.log, a new one each day, and at `bytes_max`. Fails when it cannot be opened.
Result<std::unique_ptr<LogSink>> file_sink(const std::string& dir, const std::string& stem, uint64_t bytes_max, unsigned files_max, bool local_time);
// Tests: the file sink's day is taken from here when not null (unix seconds).
extern std::atomic<uint64_t> log_day_override_s;

class LogThread {
public:
    static LogThread& get();                     // made at first use, never destroyed
    Result<void> start(const LogOptions&);
    void stop();
    void flush();
    void push(LogModule, LogLevel, std::string_view message, std::initializer_list<LogField>);
    void attach(AccessLog&);
    void detach(AccessLog&);                     // writes what it still holds
    void wake(bool urgent);                      // urgent: also ends the pause between batches
    uint64_t dropped() const;
    void drain_after_crash(int signal);          // from a signal handler; no allocation, no lock

private:
    enum : uint32_t { awake, pausing, asleep };
    void run();
    size_t drain();                              // one pass over everything queued; with consume_ held
    size_t drain_lines();
    size_t drain_access();
    void write_out(LogSink* sink, std::string& out, uint64_t lines);
    void pause(uint32_t how, unsigned ms);
    void direct(uint64_t unix_us, LogModule, LogLevel, std::string_view message, std::initializer_list<LogField>);

    LogQueue queue_;
    bool json_ = false, local_time_ = false;
    std::unique_ptr<LogSink> screen_, file_, access_file_;
    std::string screen_out_, file_out_;
    std::mutex consume_;                         // sinks, buffers, accesses_
    std::atomic<bool> consuming_{false}, crashed_{false};
    std::vector<AccessLog*> accesses_;
    std::thread thread_;
    std::atomic<bool> running_{false}, stopping_{false};
    std::atomic<uint32_t> state_{awake};
    std::atomic<uint32_t> flush_wanted_{0}, flush_done_{0};
    std::atomic<uint64_t> dropped_{0};
};

void install_crash_handler();                    // SIGSEGV and its like: drain_after_crash(), then the default action

}  // namespace weir
