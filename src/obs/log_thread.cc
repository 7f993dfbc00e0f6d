#include "obs/log_thread.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <ctime>

namespace weir {
namespace {

constexpr size_t batch_bytes = 64 * 1024;
constexpr unsigned pause_ms = 20, pauses_before_sleep = 10, sleep_ms = 500;
constexpr size_t line_room = 7 * LogQueue::line_bytes_max;    // a line of control characters grows sixfold

uint64_t unix_us_now() {
    timespec t{};
    ::clock_gettime(CLOCK_REALTIME, &t);
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000 + static_cast<uint64_t>(t.tv_nsec) / 1'000;
}

void write_fd(int fd, std::string_view bytes) {               // a signal handler may call it
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n > 0) {
            bytes.remove_prefix(static_cast<size_t>(n));
        } else if (errno == EAGAIN) {
            pollfd p{fd, POLLOUT, 0};
            if (::poll(&p, 1, 1'000) <= 0) return;
        } else if (errno != EINTR) {
            return;
        }
    }
}

}  // namespace

LogThread& LogThread::get() {
    static LogThread* const thread = new LogThread;            // threads may log while the process ends
    return *thread;
}

Result<void> LogThread::start(const LogOptions& options) {
    std::unique_ptr<LogSink> file, access_file;
    if (!options.dir.empty()) {
        TRY(file, file_sink(options.dir, "weir", options.file_bytes_max, options.files_max, options.local_time));
        TRY(access_file, file_sink(options.dir, "access", options.file_bytes_max, options.files_max, options.local_time));
    }
    set_log_levels(options.levels);
    {
        std::lock_guard lock(consume_);
        json_ = options.json;
        local_time_ = options.local_time;
        file_ = std::move(file);
        access_file_ = std::move(access_file);
        screen_ = !file_ || options.stderr_too ? stderr_sink() : nullptr;
        screen_out_.reserve(batch_bytes + line_room);
        file_out_.reserve(batch_bytes + line_room);
    }
    stopping_ = false;
    running_ = true;
    if (options.crash_handler) install_crash_handler();
    thread_ = std::thread([this] { run(); });
    return {};
}

void LogThread::stop() {
    if (!running_.exchange(false)) return;
    stopping_ = true;
    wake(true);
    thread_.join();
    std::lock_guard lock(consume_);
    drain();                                                   // lines that came in between
    screen_.reset();
    file_.reset();
    access_file_.reset();
}

void LogThread::flush() {
    if (!running_.load()) return;
    const uint32_t mine = flush_wanted_.fetch_add(1) + 1;
    wake(true);
    for (uint32_t done = flush_done_.load(); static_cast<int32_t>(done - mine) < 0 && running_.load(); done = flush_done_.load())
        flush_done_.wait(done);
}

void LogThread::run() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);               // signals belong to the main thread
    ::pthread_setname_np(::pthread_self(), "log");
    unsigned quiet = 0;
    for (bool last = false; !last;) {
        last = stopping_.load();
        const uint32_t wanted = flush_wanted_.load();
        size_t n = 0;
        {
            std::lock_guard lock(consume_);
            if (crashed_.load()) return;
            consuming_ = true;
            n = drain();
            consuming_ = false;
        }
        if (flush_done_.exchange(wanted) != wanted) flush_done_.notify_all();
        quiet = n > 0 ? 0 : quiet + 1;
        if (!last) quiet < pauses_before_sleep ? pause(pausing, pause_ms) : pause(asleep, sleep_ms);
    }
    flush_done_ = flush_wanted_.load();
    flush_done_.notify_all();
}

void LogThread::pause(uint32_t how, unsigned ms) {
    state_.store(how);
    const bool needed = stopping_.load() || flush_wanted_.load() != flush_done_.load() || (how == asleep && queue_.size() > 0);
    if (!needed) {
        const timespec t{ms / 1'000, static_cast<long>(ms % 1'000) * 1'000'000};
        ::syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, how, &t, nullptr, 0);
    }
    state_.store(awake);
}

void LogThread::wake(bool urgent) {
    uint32_t state = state_.load(urgent ? std::memory_order_seq_cst : std::memory_order_relaxed);
    if (state == awake || (state == pausing && !urgent)) return;
    if (state_.exchange(awake) != awake) ::syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void LogThread::push(LogModule module, LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
    const uint64_t now = unix_us_now();
    if (!running_.load(std::memory_order_relaxed)) return direct(now, module, level, message, fields);
    if (queue_.push(now, module, level, message, fields)) wake(level >= LogLevel::warn || queue_.size() > LogQueue::lines_max / 2);
    else dropped_.fetch_add(1, std::memory_order_relaxed);
}

void LogThread::direct(uint64_t unix_us, LogModule module, LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
    std::string packed(packed_size(message, fields), '\0'), out;
    pack(message, fields, packed.data());
    std::lock_guard lock(consume_);
    const auto sink = stderr_sink();
    format_log({unix_us, module, level, packed}, json_, local_time_, sink->colour() && !json_, out);
    sink->write(out, 1);
}

void LogThread::write_out(LogSink* sink, std::string& out, uint64_t lines) {
    if (sink && !out.empty()) sink->write(out, lines);
    out.clear();
}

size_t LogThread::drain_lines() {
    size_t n = 0, batched = 0;
    const auto one = [&](const LogLine& line) {
        if (screen_) format_log(line, json_, local_time_, screen_->colour() && !json_, screen_out_);
        if (file_) format_log(line, json_, local_time_, false, file_out_);
    };
    const auto out = [&] {
        write_out(screen_.get(), screen_out_, batched);
        write_out(file_.get(), file_out_, batched);
        batched = 0;
    };
    while (n < LogQueue::lines_max && queue_.pop(one)) {
        ++n;
        ++batched;
        if (std::max(screen_out_.size(), file_out_.size()) >= batch_bytes) out();
    }
    out();
    return n;
}

size_t LogThread::drain_access() {
    LogSink* const sink = access_file_ ? access_file_.get() : screen_.get();
    size_t n = 0;
    for (AccessLog* access : accesses_)
        for (size_t got = 1, left = access->cores() * AccessLog::records_max; got > 0 && left > 0; left -= std::min(left, got)) {
            got = access->drain(screen_out_, 128);
            write_out(sink, screen_out_, got);
            n += got;
        }
    return n;
}

size_t LogThread::drain() {
    const size_t n = drain_lines() + drain_access();
    if (n > 0)
        for (LogSink* sink : {screen_.get(), file_.get(), access_file_.get()})
            if (sink) sink->flush();
    return n;
}

void LogThread::attach(AccessLog& access) {
    std::lock_guard lock(consume_);
    accesses_.push_back(&access);
}

void LogThread::detach(AccessLog& access) {
    std::lock_guard lock(consume_);
    if (!screen_ && !access_file_) screen_ = stderr_sink();    // never started, or stopped too early: nothing is lost
    drain();
    std::erase(accesses_, &access);
}

uint64_t LogThread::dropped() const { return dropped_.load(std::memory_order_relaxed); }

// The other threads still run, but this process is about to end: whoever holds the queue gets a moment to finish its batch.
void LogThread::drain_after_crash(int signal) {
    if (crashed_.exchange(true)) return;
    for (int i = 0; i < 200 && consuming_.load(); ++i) {
        const timespec ms{0, 1'000'000};
        ::nanosleep(&ms, nullptr);
    }
    const char* const path = file_ ? file_->path() : nullptr;
    const int file = path ? ::open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
    std::string& out = screen_out_;                            // its room was reserved at start
    out.clear();
    const auto put = [&] {
        write_fd(STDERR_FILENO, out);
        if (file >= 0) write_fd(file, out);
        out.clear();
    };
    while (queue_.pop([&](const LogLine& line) { format_log(line, json_, false, false, out); })) put();
    char packed[64];
    const std::initializer_list<LogField> fields = {{"signal", signal}};
    pack("fatal signal", fields, packed);
    format_log({unix_us_now(), LogModule::main, LogLevel::error, {packed, packed_size("fatal signal", fields)}}, json_, false, false, out);
    put();
}

namespace {

void on_crash(int signal) {
    const int saved = errno;
    LogThread::get().drain_after_crash(signal);
    errno = saved;                                             // SA_RESETHAND: returning runs into the default action
    ::raise(signal);
}

}  // namespace

void install_crash_handler() {
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
        struct sigaction before{}, action{};
        if (::sigaction(signal, nullptr, &before) != 0 || before.sa_handler != SIG_DFL) continue;   // a sanitizer's handler knows more
        action.sa_handler = on_crash;
        action.sa_flags = SA_RESETHAND;
        ::sigaction(signal, &action, nullptr);
    }
}

// --- the public functions ---

void log_write(LogModule module, LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
    LogThread::get().push(module, level, message, fields);
}
Result<void> log_start(LogOptions options) { return LogThread::get().start(options); }
void log_stop() { LogThread::get().stop(); }
void log_flush() { LogThread::get().flush(); }
uint64_t log_dropped() { return LogThread::get().dropped(); }

}  // namespace weir
