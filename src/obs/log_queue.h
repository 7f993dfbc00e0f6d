// The bounded queue of log lines: any thread pushes, the log thread pops. A line is its message and fields, packed.
#pragma once
#include "obs/log.h"

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace weir {

struct LogLine {                          // what comes out; views into the queue's slot
    uint64_t unix_us = 0;
    LogModule module{};
    LogLevel level{};
    std::string_view packed;
};

class LogQueue {
public:
    static constexpr size_t lines_max = 2'048, line_bytes_max = 16 * 1024;

    LogQueue();
    ~LogQueue();
    // False: full (or no memory for a long line). Wait-free but for the race on one counter.
    bool push(uint64_t unix_us, LogModule, LogLevel, std::string_view message, std::initializer_list<LogField>);
    // One consumer at a time. False: nothing there. fn(const LogLine&) runs before the slot is given back.
    template <class F>
    bool pop(F&& fn) {
        Slot& slot = slots_[tail_ & (lines_max - 1)];
        if (turn(slot).load(std::memory_order_acquire) != full(tail_)) return false;
        fn(LogLine{slot.unix_us, slot.module, slot.level, {slot.more ? slot.more : slot.text, slot.bytes}});
        release(slot);
        return true;
    }
    // How many lines stand in the queue, roughly; any thread.
    size_t size() const { return head_.load(std::memory_order_relaxed) - popped_.load(std::memory_order_relaxed); }

private:
    static constexpr size_t inline_bytes = 472;
    struct alignas(64) Slot {            // all zero to begin with, so that pages stay untouched until used
        uint64_t turn;                   // free(position) or full(position) of the push whose turn it is
        uint64_t unix_us;
        char* more;                      // heap copy of a line longer than `text`
        uint32_t bytes;
        LogModule module;
        LogLevel level;
        char text[inline_bytes];
    };
    static constexpr uint64_t free(uint64_t position) { return position / lines_max * 2; }
    static constexpr uint64_t full(uint64_t position) { return free(position) + 1; }
    static std::atomic_ref<uint64_t> turn(Slot& slot) { return std::atomic_ref(slot.turn); }
    void release(Slot&);
    Slot* const slots_;
    alignas(64) std::atomic<uint64_t> head_{0};
    alignas(64) std::atomic<uint64_t> popped_{0};
    uint64_t tail_ = 0;                  // consumer's
};

// Appends the line in our text or JSON form, with its newline. `colour`: ANSI, text only. Allocates only by growing `out`.
void format_log(const LogLine&, bool json, bool local_time, bool colour, std::string& out);
// "2026-11-21T10:49:40.123456Z", or with the zone's offset.
void format_time(uint64_t unix_us, bool local, std::string& out);

// The packed form, for format_log() and tests.
size_t packed_size(std::string_view message, std::initializer_list<LogField>);
void pack(std::string_view message, std::initializer_list<LogField>, char* to);   // packed_size() bytes

}  // namespace weir
