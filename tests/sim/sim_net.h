// A network without sockets on a clock without time: connections are in-memory pipes whose bytes arrive in random pieces after random
// delays. Everything follows from one seed. One thread.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "net/core.h"
#include "net/transport.h"

namespace weir::sim {

class SimNet;

struct Weather {                     // of one connection, both directions
    uint64_t delay_us_max = 2'000;   // of a piece; pieces of one direction keep their order, those of different connections do not
    size_t capacity = 64 * 1024;     // bytes under way or unread before the sender is told to wait
    uint32_t pieces_max = 4;         // one write arrives in up to that many
    bool short_io = true;            // reads and writes take less than they could, at random
};

struct SimLink;

// One end of a connection. Behaves as a socket does: a close with unread bytes is a reset, bytes for a closed end come back as one.
class SimTransport final : public Transport {
public:
    SimTransport(std::shared_ptr<SimLink> link, int side);
    ~SimTransport() override;
    void finish_send() override;
    void reset() override { reset_at_close_ = true; }
    bool stale() override;
    void sent_strays();                  // the last bytes sent are nobody's answer: the other end must not send again once it could see them
    bool strays_ignored() const;         // ... and yet it did
    PeerAddress peer() const override { return {PeerAddress::v4, 7, {198, 51, 100, 7}}; }

protected:
    Got try_recv() override;
    ssize_t try_send(const iovec* pieces, int n) override;

private:
    friend struct SimLink;
    std::shared_ptr<SimLink> link_;
    int side_;
    bool reset_at_close_ = false;
};

class SimNet {
public:
    SimNet(ManualClock& clock, uint64_t seed) : clock_(clock), random_(seed) {}
    std::pair<std::unique_ptr<SimTransport>, std::unique_ptr<SimTransport>> connect(const Weather&);
    void at(Instant when, std::function<void()> what) { events_.emplace(std::pair(when, ++sequence_), std::move(what)); }
    Random& random() { return random_; }
    Instant now() const { return clock_.now_ns; }
    size_t open() const { return open_; }             // ends that exist
    uint64_t delivered() const { return delivered_; }
    bool quiet() const { return events_.empty(); }
    int last_wait_ms() const { return last_wait_ms_; }   // what the core asked for: -1 = no timer is armed
    void one_at_a_time(bool on) { one_at_a_time_ = on; }   // an event a turn, so that a turn resumes about one coroutine

private:
    friend class SimPoller;
    friend class SimTransport;
    friend struct SimLink;
    void wait(int timeout_ms);
    ManualClock& clock_;
    Random random_;
    std::map<std::pair<Instant, uint64_t>, std::function<void()>> events_;
    uint64_t sequence_ = 0, delivered_ = 0;
    size_t open_ = 0;
    int last_wait_ms_ = 0;
    bool one_at_a_time_ = false;
};

// Waiting moves the clock to the next event or timer.
class SimPoller final : public Poller {
public:
    explicit SimPoller(SimNet& net) : net_(net) {}
    void wait(int timeout_ms) override { net_.wait(timeout_ms); }
    void wake() override {}

private:
    SimNet& net_;
};

}  // namespace weir::sim
