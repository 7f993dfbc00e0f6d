#include "obs/progress.h"

#include "base/clock.h"

#include <unistd.h>

#include <cstdio>
#include <mutex>

namespace weir {
namespace {

constexpr uint64_t first_draw_ms = 200, redraw_ms = 100;
constexpr size_t bar_width = 24;

struct State {
    std::mutex mutex;
    bool on = false, drawn = false, hidden = false;
    int fd = 2;
    std::string what;
    uint64_t total = 0, done = 0;
    Instant started = 0, drawn_at = 0;
};
State& state() {
    static State* const s = new State;
    return *s;
}

void put(int fd, std::string_view text) {
    if (::write(fd, text.data(), text.size()) < 0) return;   // a terminal that went away is no reason to stop
}

void draw(State& s, Instant now) {                            // with the mutex held
    std::string line = "\r\033[K" + s.what + "  ";
    char text[64];
    if (s.total > 0) {
        const uint64_t done = s.done < s.total ? s.done : s.total;
        const auto filled = static_cast<size_t>(static_cast<double>(done) / static_cast<double>(s.total) * bar_width);
        line += "[" + std::string(filled, '#') + std::string(bar_width - filled, '.') + "]";
        std::snprintf(text, sizeof text, "  %d %%", static_cast<int>(static_cast<double>(done) / static_cast<double>(s.total) * 100));
        line += text;
    } else {
        line += std::to_string(s.done);
    }
    std::snprintf(text, sizeof text, "  %.1f s", static_cast<double>(now - s.started) / 1e9);
    put(s.fd, line + text);
    s.drawn = true;
    s.drawn_at = now;
}

void erase(State& s) {
    if (s.drawn) put(s.fd, "\r\033[K");
    s.drawn = false;
}

}  // namespace

Progress::Progress(std::string_view what, uint64_t total, When when, int fd, Clock& clock) : active_(false), clock_(clock) {
    if (when == When::never || (when == When::terminal && ::isatty(fd) != 1)) return;
    State& s = state();
    std::lock_guard lock(s.mutex);
    if (s.on) return;                                         // one line at a time: the outer one stays
    s.on = active_ = true;
    s.drawn = false;
    s.fd = fd;
    s.what = what;
    s.total = total;
    s.done = 0;
    s.started = s.drawn_at = clock_.now();
}

Progress::~Progress() {
    if (!active_) return;
    State& s = state();
    std::lock_guard lock(s.mutex);
    erase(s);
    s.on = false;
}

void Progress::at(uint64_t done) {
    if (!active_) return;
    State& s = state();
    std::lock_guard lock(s.mutex);
    s.done = done;
    const Instant now = clock_.now();
    if (now - s.started >= first_draw_ms * ns_per_ms && (!s.drawn || now - s.drawn_at >= redraw_ms * ns_per_ms)) draw(s, now);
}

void progress_hide() {
    State& s = state();
    s.mutex.lock();                                           // held until progress_show(), so that nothing is drawn between
    s.hidden = s.on && s.drawn;
    erase(s);
}

void progress_show() {
    State& s = state();
    if (s.hidden) draw(s, s.drawn_at);
    s.mutex.unlock();
}

}  // namespace weir
