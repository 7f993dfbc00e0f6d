// raw_epoll: the floor. A relay by hand on level-triggered epoll that finds where messages end and nothing more: no checks, no
// limits, no log, no metrics, no timeouts. What a gateway costs above this is what its features cost.
//   raw_epoll --port 21300 --workers 21001-21004
#include <sys/uio.h>

#include <memory>
#include <utility>
#include <vector>

#include "bench/framing.h"
#include "bench/rig.h"

namespace weir::bench {
namespace {

struct Side {                       // one connection, towards a client or a worker
    int fd;
    bool client;
    size_t worker = 0;
    Side* peer = nullptr;           // the other side while a request is under way
    std::string in, out;            // only what could not be relayed at once
    BodyEnd body;
    bool head_due = true, connecting = false, last = false, dead = false;
};

class Relay {
public:
    Relay(uint16_t port, std::vector<uint16_t> workers)
        : workers_(std::move(workers)), idle_(workers_.size()), listener_(listen_on(port)) {
        watch(epoll_, EPOLL_CTL_ADD, listener_, EPOLLIN, nullptr);
    }

    [[noreturn]] void run() {
        std::vector<epoll_event> events(512);
        for (;;) {
            int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < n; ++i) {
                auto& event = events[static_cast<size_t>(i)];
                if (auto* side = static_cast<Side*>(event.data.ptr)) on_event(side, event.events);
                else accept_some();
            }
            graves_.clear();
        }
    }

private:
    void accept_some() {
        for (int i = 0, fd; i < 32 && (fd = accept_from(listener_)) >= 0; ++i)
            watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN, new Side{fd, true});
    }

    void on_event(Side* side, uint32_t events) {
        if (side->dead) return;
        if (events & EPOLLOUT) {
            side->connecting = false;
            watch(epoll_, EPOLL_CTL_MOD, side->fd, EPOLLIN, side);
            std::string waiting;
            waiting.swap(side->out);
            iovec piece{waiting.data(), waiting.size()};
            if (!waiting.empty() && !put(side, &piece, 1)) return kill(side);
        }
        if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
        ssize_t n = read(side->fd, buffer_, sizeof buffer_);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) return kill(side);
        std::string_view bytes(buffer_, static_cast<size_t>(n));
        if (!(side->client ? from_client(side, bytes) : from_worker(side, bytes))) kill(side);
    }

    void kill(Side* side) {
        if (side->dead) return;
        side->dead = true;
        close(side->fd);
        graves_.emplace_back(side);
        if (!side->client) std::erase(idle_[side->worker], side);
        if (Side* peer = std::exchange(side->peer, nullptr)) {
            peer->peer = nullptr;
            kill(peer);
        }
    }

    bool put(Side* side, iovec* pieces, size_t n) {
        size_t sent = 0;
        bool waits = !side->out.empty() || side->connecting;
        if (!waits) {
            msghdr message{};
            message.msg_iov = pieces;
            message.msg_iovlen = n;
            ssize_t r = sendmsg(side->fd, &message, MSG_NOSIGNAL);
            if (r < 0 && errno != EAGAIN) return false;
            sent = r < 0 ? 0 : static_cast<size_t>(r);
        }
        for (size_t i = 0; i < n; ++i) {
            size_t skip = std::min(sent, pieces[i].iov_len);
            sent -= skip;
            side->out.append(static_cast<char*>(pieces[i].iov_base) + skip, pieces[i].iov_len - skip);
        }
        if (!waits && !side->out.empty()) watch(epoll_, EPOLL_CTL_MOD, side->fd, EPOLLIN | EPOLLOUT, side);
        return true;
    }

    Side* next_worker() {
        size_t k = turn_++ % workers_.size();
        if (!idle_[k].empty()) {
            Side* side = idle_[k].back();
            idle_[k].pop_back();
            return side;
        }
        int fd = connect_to(workers_[k]);
        if (fd < 0) return nullptr;
        auto* side = new Side{fd, false};
        side->worker = k;
        side->connecting = true;
        watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT, side);
        return side;
    }

    bool from_client(Side* client, std::string_view bytes) {
        if (client->peer || !client->in.empty()) {
            client->in.append(bytes);
            if (client->peer) return true;
            bytes = client->in;
        }
        Head head;
        kept_.clear();
        Found found = find_head(bytes, true, head, &kept_);
        if (found == Found::broken) return false;
        size_t used = 0;
        if (found == Found::whole) {
            client->body.start(head, true);
            used = client->body.feed(bytes.substr(head.length));
        }
        if (found == Found::partial || !client->body.done()) {
            if (client->in.empty()) client->in.assign(bytes);
            return true;
        }
        client->last = head.close;
        Side* worker = next_worker();
        if (!worker) return false;
        worker->peer = client;
        client->peer = worker;
        worker->head_due = true;
        request_.assign(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\nhost: 127.0.0.1\r\n").append(kept_);
        char length[64];        // a chunked request body keeps its framing, the rig never sends one
        request_.append(length, static_cast<size_t>(std::snprintf(length, sizeof length, "content-length: %zu\r\n\r\n", used)));
        iovec pieces[2] = {{request_.data(), request_.size()}, {const_cast<char*>(bytes.data()) + head.length, used}};
        if (!put(worker, pieces, 2)) return false;
        size_t total = head.length + used;
        if (!client->in.empty()) client->in.erase(0, total);
        else if (bytes.size() > total) client->in.assign(bytes.substr(total));
        return true;
    }

    bool from_worker(Side* worker, std::string_view bytes) {
        Side* client = worker->peer;
        if (!client) return false;
        iovec pieces[2];
        size_t n = 0;
        if (worker->head_due) {
            if (!worker->in.empty()) worker->in.append(bytes), bytes = worker->in;
            Head head;
            size_t eol = bytes.find('\n');
            kept_.assign(bytes.substr(0, eol == bytes.npos ? 0 : eol + 1));
            Found found = find_head(bytes, false, head, &kept_);
            if (found == Found::broken) return false;
            if (found == Found::partial) {
                if (worker->in.empty()) worker->in.assign(bytes);
                return true;
            }
            kept_ += "\r\n";
            worker->head_due = false;
            worker->body.start(head, false);
            worker->last = head.close;
            pieces[n++] = {kept_.data(), kept_.size()};
            bytes.remove_prefix(head.length);
        }
        size_t used = worker->body.feed(bytes);
        if (used) pieces[n++] = {const_cast<char*>(bytes.data()), used};
        if (n && !put(client, pieces, n)) return false;
        worker->in.clear();
        if (worker->body.done()) finish(worker, client);
        return true;
    }

    void finish(Side* worker, Side* client) {
        worker->peer = client->peer = nullptr;
        if (worker->last) kill(worker);
        else idle_[worker->worker].push_back(worker);
        if (client->last || client->in.empty()) return;
        std::string next;
        next.swap(client->in);
        if (!from_client(client, next)) kill(client);
    }

    std::vector<uint16_t> workers_;
    std::vector<std::vector<Side*>> idle_;
    std::vector<std::unique_ptr<Side>> graves_;      // dropped in this batch, whose later events may name them
    size_t turn_ = 0;
    int epoll_ = epoll_create1(EPOLL_CLOEXEC), listener_;
    std::string kept_, request_;
    char buffer_[65536];
};

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
    using namespace weir::bench;
    settle_in();
    uint16_t port = 21300;
    int first = 21001, last = 21004;
    for (Arguments args(argc, argv); args.next();) {
        if (args.flag() == "--port") port = args.port();
        else if (args.flag() != "--workers") args.unknown();
        else if (std::sscanf(args.text().c_str(), "%d-%d", &first, &last) != 2 || first > last) quit("--workers FIRST-LAST");
    }
    std::vector<uint16_t> workers;
    for (int p = first; p <= last; ++p) workers.push_back(static_cast<uint16_t>(p));
    static Relay relay(port, std::move(workers));
    relay.run();
}
