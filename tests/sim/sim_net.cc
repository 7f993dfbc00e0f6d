#include "tests/sim/sim_net.h"

#include <algorithm>
#include <cstring>

namespace weir::sim {

// What both ends share; events hold it, so an end may die while its bytes fly.
struct SimLink : std::enable_shared_from_this<SimLink> {
    SimLink(SimNet& net, const Weather& weather) : net(net), weather(weather) {}

    struct Way {                       // towards one end
        std::string arrived;
        size_t flying = 0;
        Instant last = 0;              // nothing arrives before this
        bool fin_sent = false, fin_here = false, sender_waits = false;
        size_t load() const { return arrived.size() + flying; }
    };
    SimNet& net;
    Weather weather;
    Way way[2];
    SimTransport* end[2] = {};
    bool reset_sent[2] = {};           // towards that end
    enum class Strays : uint8_t { none, sent, minded, ignored } strays[2] = {};   // towards that end

    Instant when(int to) {
        Way& w = way[to];
        w.last = std::max(w.last, net.now() + net.random().below(weather.delay_us_max + 1) * 1'000);
        return w.last;
    }
    void fly(int to, std::string bytes) {
        way[to].flying += bytes.size();
        net.at(when(to), [link = shared_from_this(), to, bytes = std::move(bytes)] { link->arrive(to, bytes); });
    }
    void arrive(int to, const std::string& bytes) {
        way[to].flying -= bytes.size();
        if (!end[to]) return send_reset(1 - to);
        if (reset_sent[to] && end[to]->broken()) return;
        way[to].arrived.append(bytes);
        end[to]->can_read();
    }
    void send_fin(int to) {
        if (std::exchange(way[to].fin_sent, true)) return;
        net.at(when(to), [link = shared_from_this(), to] {
            if (!link->end[to] || link->end[to]->broken()) return;
            link->way[to].fin_here = true;
            link->end[to]->can_read();
            link->end[to]->peer_left();
        });
    }
    void send_reset(int to) {
        if (std::exchange(reset_sent[to], true)) return;
        net.at(when(to), [link = shared_from_this(), to] {
            if (!link->end[to]) return;
            link->way[to].arrived.clear();
            link->end[to]->fail();
        });
    }
    void wake_sender(int to) {         // of bytes towards `to`
        if (!std::exchange(way[to].sender_waits, false)) return;
        net.at(net.now() + net.random().below(weather.delay_us_max + 1) * 1'000, [link = shared_from_this(), from = 1 - to] {
            if (link->end[from] && !link->end[from]->broken()) link->end[from]->can_write();
        });
    }
};

SimTransport::SimTransport(std::shared_ptr<SimLink> link, int side) : link_(std::move(link)), side_(side) {
    link_->end[side_] = this;
    link_->net.open_++;
}

SimTransport::~SimTransport() {
    link_->end[side_] = nullptr;
    link_->net.open_--;
    if (reset_at_close_ || !link_->way[side_].arrived.empty()) link_->send_reset(1 - side_);
    else link_->send_fin(1 - side_);
}

void SimTransport::finish_send() { link_->send_fin(1 - side_); }

void SimTransport::sent_strays() { link_->strays[1 - side_] = SimLink::Strays::sent; }

bool SimTransport::strays_ignored() const { return link_->strays[1 - side_] == SimLink::Strays::ignored; }

bool SimTransport::stale() { return hung_up_ || broken_ || !link_->way[side_].arrived.empty(); }

Transport::Got SimTransport::try_recv() {
    if (broken_) return {nullptr, -ECONNRESET};
    SimLink::Way& way = link_->way[side_];
    if (way.arrived.empty()) return {nullptr, way.fin_here ? 0 : -EAGAIN};
    size_t n = std::min(way.arrived.size(), Core::read_buffer_bytes);
    Random& random = link_->net.random_;
    if (link_->weather.short_io && random.below(4) == 0) n = 1 + random.below(n);
    char* buffer = Core::here().read_buffer();
    std::memcpy(buffer, way.arrived.data(), n);
    way.arrived.erase(0, n);
    if (!way.arrived.empty()) can_read();
    link_->wake_sender(side_);
    return {buffer, static_cast<ssize_t>(n)};
}

ssize_t SimTransport::try_send(const iovec* pieces, int n) {
    SimLink::Way& way = link_->way[1 - side_];
    if (broken_ || way.fin_sent) return -EPIPE;
    std::string bytes;
    for (int i = 0; i < n; i++) bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
    if (bytes.empty()) return 0;
    if (auto& strays = link_->strays[side_]; strays == SimLink::Strays::sent)
        strays = link_->way[side_].arrived.empty() ? SimLink::Strays::minded : SimLink::Strays::ignored;
    size_t space = link_->weather.capacity - std::min(link_->weather.capacity, way.load());
    Random& random = link_->net.random_;
    size_t take = std::min(bytes.size(), space);
    if (take > 1 && link_->weather.short_io && random.below(8) == 0) take = 1 + random.below(take);
    if (take < bytes.size()) {
        way.sender_waits = true;
        if (take < space) link_->wake_sender(1 - side_);   // there is room left: the event comes by itself
    }
    if (take == 0) return -EAGAIN;
    uint64_t cuts = random.below(link_->weather.pieces_max);
    for (size_t at = 0; at < take;) {
        size_t step = cuts > 0 ? 1 + random.below(take - at) : take - at;
        cuts -= cuts > 0;
        link_->fly(1 - side_, bytes.substr(at, step));
        at += step;
    }
    return static_cast<ssize_t>(take);
}

std::pair<std::unique_ptr<SimTransport>, std::unique_ptr<SimTransport>> SimNet::connect(const Weather& weather) {
    auto link = std::make_shared<SimLink>(*this, weather);
    return {std::make_unique<SimTransport>(link, 0), std::make_unique<SimTransport>(link, 1)};
}

void SimNet::wait(int timeout_ms) {
    last_wait_ms_ = timeout_ms;
    clock_.now_ns += random_.below(20'000);   // running costs time too
    Instant until = timeout_ms < 0 ? UINT64_MAX : clock_.now_ns + static_cast<uint64_t>(timeout_ms) * ns_per_ms;
    if (!events_.empty()) until = std::min(until, std::max(clock_.now_ns, events_.begin()->first.first));
    if (until == UINT64_MAX) return;
    clock_.now_ns = until;
    while (!events_.empty() && events_.begin()->first.first <= clock_.now_ns) {
        auto what = std::move(events_.begin()->second);
        events_.erase(events_.begin());
        delivered_++;
        what();
        if (one_at_a_time_) break;
    }
}

}  // namespace weir::sim
