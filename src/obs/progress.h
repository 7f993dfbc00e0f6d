// A progress line for long start-up work. Silent unless stderr is a terminal.
#pragma once
#include "base/clock.h"

#include <cstdint>
#include <string_view>

namespace weir {

// "loading tokenizer  [#####.....]  52 %  1.2 s". One at a time; log lines written meanwhile appear above it.
class Progress {
public:
    enum class When : uint8_t { terminal, always, never };   // always: tests
    // `total` 0: unknown, a counter is shown instead of a bar. Drawn to `fd`; nothing appears before 200 ms have passed.
    explicit Progress(std::string_view what, uint64_t total = 0, When = When::terminal, int fd = 2, Clock& = system_clock());
    Progress(const Progress&) = delete;
    ~Progress();                      // takes the line away
    void at(uint64_t done);           // any thread; redraws at most ten times a second
    bool active() const { return active_; }

private:
    bool active_;
    Clock& clock_;
};

// For the writer of log lines: the line is taken away before and drawn again after. Always both, on one thread.
void progress_hide();
void progress_show();

}  // namespace weir
