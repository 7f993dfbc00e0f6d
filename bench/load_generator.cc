// load_generator: HTTP/1.1 load on one OpenAI-like server, closed or open loop, from one epoll thread. Flags: load_settings.cc.
// Checks every reply as a whole. Prints one JSON line: rates, quantiles of latency, time to first token, time between tokens and
// transit (worker's write to our read), and the CPU and memory of --pid and its descendants over exactly the measured window.
#include <openssl/ssl.h>

#include <deque>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "bench/histogram.h"
#include "bench/load_settings.h"
#include "bench/process_usage.h"
#include "bench/reply.h"
#include "bench/rig.h"

namespace weir::bench {
namespace {

constexpr uint64_t sample_every_ns = 500'000'000, look_up_every_ns = 10'000'000;

struct Connection {
    int fd = -1;
    SSL* ssl = nullptr;
    bool connected = false, shaken = false, in_flight = false, writable_wanted = false;
    uint32_t life = 0;              // events of an earlier descriptor are stale
    uint64_t started_ns = 0, last_token_ns = 0;
    std::string out;
    size_t sent = 0;
    Reply reply;
    Conversation talk;
};

class Load {
public:
    explicit Load(const Settings& s) : s_(s), requests_(s), connections_(static_cast<size_t>(s.connections)) {
        if (!s.tls) return;
        tls_ = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(tls_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }

    void run() {
        std::vector<epoll_event> events(4096);
        uint64_t begun = now_ns(), from = begun + static_cast<uint64_t>((s_.warm_s + s_.ramp_s) * 1e9);
        until_ns_ = from + static_cast<uint64_t>(s_.seconds * 1e9);
        next_arrival_ns_ = begun;
        if (s_.rate > 0)
            for (auto& c : connections_) idle_.push_back(&c);
        while (true) {
            uint64_t now = now_ns();
            if (!measuring_ && now >= from) open_window(now);
            if (measuring_ && now >= until_ns_) return close_window(now);
            if (measuring_ && now >= next_sample_ns_) sample(now);
            offer(begun, now);
            int n = wait_for(epoll_, events.data(), static_cast<int>(events.size()), wake_at(now) - now);
            for (int i = 0; i < n; ++i) {
                auto& event = events[static_cast<size_t>(i)];
                Connection& c = connections_[static_cast<uint32_t>(event.data.u64)];
                if (c.fd >= 0 && c.life == event.data.u64 >> 32) on_event(c, event.events);
            }
        }
    }

    void print() const {
        double seconds = static_cast<double>(closed_ns_ - opened_ns_) / 1e9, replies = static_cast<double>(latency_.count());
        double user = after_.user_s - before_.user_s, kernel = after_.kernel_s - before_.kernel_s, cpu_us = (user + kernel) * 1e6;
        auto tokens = static_cast<double>(tokens_);
        auto per = [](double value, double of) { return of > 0 ? value / of : 0; };
        std::printf("{\"label\":\"%s\",\"seconds\":%.2f", s_.label.c_str(), seconds);
        std::printf(",\"replies\":%.0f,\"tokens\":%.0f", replies, tokens);
        std::printf(",\"rps\":%.0f,\"tokps\":%.0f", replies / seconds, tokens / seconds);
        quantiles("lat", latency_);
        quantiles("ttft", ttft_);
        quantiles("itl", between_);
        quantiles("transit", transit_);
        std::printf(",\"cpu_s\":%.2f,\"user_s\":%.2f,\"cores\":%.3f", user + kernel, user, (user + kernel) / seconds);
        std::printf(",\"cpu_us_per_req\":%.2f,\"user_us_per_req\":%.2f", per(cpu_us, replies), per(user * 1e6, replies));
        std::printf(",\"cpu_us_per_tok\":%.2f,\"user_us_per_tok\":%.2f", per(cpu_us, tokens), per(user * 1e6, tokens));
        std::printf(",\"rss_mb\":%.2f,\"threads\":%d,\"own_cores\":%.2f", static_cast<double>(rss_kb_max_) / 1024, after_.threads,
                    per(own_after_ - own_before_, seconds));
        uint64_t errors = 0;
        std::string list;
        for (auto& [what, count] : errors_) {
            errors += count;
            list += (list.empty() ? "\"" : ",\"") + what + "\":" + std::to_string(count);
        }
        std::printf(",\"errors\":%llu,\"error_list\":{%s}}\n", static_cast<unsigned long long>(errors), list.c_str());
    }

private:
    static void quantiles(const char* name, const Histogram& h) {
        std::printf(",\"%s_p50_us\":%.1f,\"%s_p99_us\":%.1f", name, h.quantile_us(.5), name, h.quantile_us(.99));
    }

    static double own_cpu_s() {
        timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
    }

    void open_window(uint64_t now) {
        measured_ = family(s_.pid);
        before_ = usage(measured_);
        own_before_ = own_cpu_s();
        opened_ns_ = next_sample_ns_ = now;
        measuring_ = true;
    }
    void sample(uint64_t now) {
        rss_kb_max_ = std::max(rss_kb_max_, usage(measured_).rss_kb);
        next_sample_ns_ = now + sample_every_ns;
    }
    void close_window(uint64_t now) {
        after_ = usage(measured_);
        own_after_ = own_cpu_s();
        rss_kb_max_ = std::max(rss_kb_max_, after_.rss_kb);
        closed_ns_ = now;
        measuring_ = false;
    }

    // Starts what is due: arrivals of the open loop, or connections of the closed one as the ramp allows.
    void offer(uint64_t begun, uint64_t now) {
        if (s_.rate > 0) {
            for (; next_arrival_ns_ <= now; next_arrival_ns_ += static_cast<uint64_t>(gap_(random_) / s_.rate * 1e9)) {
                if (idle_.empty()) waiting_.push_back(next_arrival_ns_);
                else start(take_idle(), next_arrival_ns_);
            }
            return;
        }
        auto total = connections_.size(), wanted = total;
        double elapsed_s = static_cast<double>(now - begun) / 1e9;
        if (elapsed_s < s_.ramp_s) wanted = static_cast<size_t>(static_cast<double>(total) * elapsed_s / s_.ramp_s) + 1;
        while (opened_ < wanted) start(connections_[opened_++], now);
        for (auto again = std::exchange(idle_, {}); auto* c : again) start(*c, now);
    }
    uint64_t wake_at(uint64_t now) const {
        uint64_t at = std::min(until_ns_, now + look_up_every_ns);
        if (s_.rate > 0) at = std::min(at, next_arrival_ns_);
        else if (opened_ < connections_.size()) at = std::min(at, now + 1'000'000);
        return std::max(at, now);
    }
    Connection& take_idle() {
        Connection* c = idle_.back();
        idle_.pop_back();
        return *c;
    }

    void start(Connection& c, uint64_t at_ns) {
        c.started_ns = at_ns;
        c.in_flight = true;
        c.sent = c.last_token_ns = 0;
        c.reply.start(s_.stream, s_.model_text);
        requests_.write(c.talk, c.out);
        if (c.fd >= 0) return flush(c);
        c.fd = connect_to(s_.port);
        if (c.fd < 0) {
            count_error(std::string("connect: ") + std::strerror(errno));
            c.in_flight = false;
            return idle_.push_back(&c);
        }
        ++c.life;
        c.writable_wanted = true;
        interest(c, EPOLL_CTL_ADD);
        if (!s_.tls) return;
        c.ssl = SSL_new(tls_);
        SSL_set_fd(c.ssl, c.fd);
        SSL_set_connect_state(c.ssl);
    }

    void interest(Connection& c, int operation) {
        epoll_event event{};
        event.events = EPOLLIN | (c.writable_wanted ? EPOLLOUT : 0u);
        event.data.u64 = static_cast<uint64_t>(c.life) << 32 | static_cast<uint32_t>(&c - connections_.data());
        epoll_ctl(epoll_, operation, c.fd, &event);
    }
    void want_writable(Connection& c, bool wanted) {
        if (std::exchange(c.writable_wanted, wanted) != wanted) interest(c, EPOLL_CTL_MOD);
    }

    void drop(Connection& c) {
        if (c.ssl) SSL_free(c.ssl);
        c.ssl = nullptr;
        close(c.fd);
        c.fd = -1;
        c.connected = c.shaken = false;
    }

    // After a reply or its loss: the next request, if one is due.
    void go_on(Connection& c) {
        c.in_flight = false;
        if (s_.rate == 0) return start(c, now_ns());
        if (waiting_.empty()) return idle_.push_back(&c);
        uint64_t at = waiting_.front();
        waiting_.pop_front();
        start(c, at);
    }

    void refused(Connection& c) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        fail(c, std::string("connect: ") + std::strerror(error));
    }
    void fail(Connection& c, const std::string& what) {
        drop(c);
        if (!c.in_flight) return;
        count_error(what);
        c.talk = {};
        c.in_flight = false;        // tried again from the loop, not from here: a server that is gone must not recurse
        idle_.push_back(&c);
    }
    void count_error(const std::string& what) {
        if (measuring_) ++errors_[what];
    }

    // Both return > 0 bytes, 0 at the end, -1 not now, -2 broken.
    ssize_t send_some(Connection& c) {
        const char* p = c.out.data() + c.sent;
        size_t n = c.out.size() - c.sent;
        if (c.ssl) return tls_result(c, SSL_write(c.ssl, p, static_cast<int>(n)));
        ssize_t r = send(c.fd, p, n, MSG_NOSIGNAL);
        return r >= 0 ? r : errno == EAGAIN ? -1 : -2;
    }
    ssize_t receive_some(Connection& c) {
        if (c.ssl) return tls_result(c, SSL_read(c.ssl, buffer_, sizeof buffer_));
        ssize_t r = read(c.fd, buffer_, sizeof buffer_);
        return r >= 0 ? r : errno == EAGAIN ? -1 : -2;
    }
    static ssize_t tls_result(Connection& c, int r) {
        if (r > 0) return r;
        int error = SSL_get_error(c.ssl, r);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return -1;
        return error == SSL_ERROR_ZERO_RETURN || error == SSL_ERROR_SYSCALL ? 0 : -2;
    }

    void flush(Connection& c) {
        while (c.sent < c.out.size()) {
            ssize_t n = send_some(c);
            if (n == -1) return want_writable(c, true);
            if (n < 0) return fail(c, "write");
            c.sent += static_cast<size_t>(n);
        }
        want_writable(c, false);
    }

    void on_event(Connection& c, uint32_t events) {
        if (!c.connected) {
            if (events & (EPOLLERR | EPOLLHUP)) return refused(c);
            if (!(events & EPOLLOUT)) return;
            c.connected = true;
            if (!c.ssl) return flush(c);
        }
        if (c.ssl && !c.shaken) return shake(c);
        uint32_t life = c.life;
        if (events & EPOLLOUT) flush(c);
        if (c.fd < 0 || c.life != life || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
        // A TLS layer may hold more records than the socket shows.
        for (int reads = c.ssl ? 8 : 1; reads-- && c.fd >= 0 && c.life == life;)
            if (!receive(c)) return;
    }

    void shake(Connection& c) {
        int r = SSL_do_handshake(c.ssl);
        if (r == 1) {
            c.shaken = true;
            return flush(c);
        }
        int error = SSL_get_error(c.ssl, r);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) want_writable(c, error == SSL_ERROR_WANT_WRITE);
        else fail(c, "handshake");
    }

    bool receive(Connection& c) {
        ssize_t n = receive_some(c);
        if (n == -1) return false;
        if (n <= 0) {
            if (c.in_flight && n == 0 && c.reply.end_of_connection()) complete(c);
            else fail(c, c.reply.begun() ? "closed within a reply" : "closed before the reply");
            return false;
        }
        if (!c.in_flight) {
            count_error("bytes behind a reply");
            drop(c);
            return false;
        }
        std::string_view bytes(buffer_, static_cast<size_t>(n));
        size_t used = c.reply.feed(bytes);
        uint64_t now = now_ns();
        for (uint64_t sent_ns : c.reply.fresh()) on_token(c, sent_ns, now);
        c.reply.fresh().clear();
        if (!c.reply.whole()) return true;
        if (used < bytes.size()) count_error("bytes behind a reply");
        complete(c);
        return true;
    }

    void on_token(Connection& c, uint64_t sent_ns, uint64_t now) {
        bool first = c.last_token_ns == 0;
        if (measuring_) {
            ++tokens_;
            if (sent_ns) transit_.add_ns(static_cast<int64_t>(now - sent_ns));
            if (first) ttft_.add_ns(static_cast<int64_t>(now - c.started_ns));
            else between_.add_ns(static_cast<int64_t>(now - c.last_token_ns));
        }
        c.last_token_ns = now;
    }

    void complete(Connection& c) {
        std::string fault = c.reply.fault(s_.tokens);
        if (!fault.empty()) count_error(fault);
        else if (measuring_) latency_.add_ns(static_cast<int64_t>(now_ns() - c.started_ns));
        if (c.reply.closes() || !s_.keep) drop(c);
        go_on(c);
    }

    const Settings& s_;
    Requests requests_;
    SSL_CTX* tls_ = nullptr;
    int epoll_ = epoll_create1(EPOLL_CLOEXEC);
    std::vector<Connection> connections_;
    size_t opened_ = 0;
    std::vector<Connection*> idle_;             // open loop: free ones; closed loop: those to start again
    std::deque<uint64_t> waiting_;              // open loop: arrivals that found no free connection
    std::mt19937_64 random_{42};
    std::exponential_distribution<double> gap_{1.0};
    uint64_t next_arrival_ns_ = 0, until_ns_ = 0, next_sample_ns_ = 0, opened_ns_ = 0, closed_ns_ = 0;

    bool measuring_ = false;
    std::vector<int> measured_;
    Usage before_, after_;
    double own_before_ = 0, own_after_ = 0;
    long rss_kb_max_ = 0;
    uint64_t tokens_ = 0;
    Histogram latency_, ttft_, between_, transit_;
    std::map<std::string, uint64_t> errors_;
    char buffer_[1 << 18];
};

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
    using namespace weir::bench;
    settle_in();
    static const Settings settings = read_settings(argc, argv);
    static Load load(settings);
    load.run();
    load.print();
}
