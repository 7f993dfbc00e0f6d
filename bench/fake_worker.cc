// fake_worker: many OpenAI-like workers, one per port, in one epoll thread.
//   --ports 21001-21004
//   --tokens 128 per stream  --itl-us 0 between them  --ttft-us 0 before the first
//   --answer-bytes 1024 of a whole completion  --model fake  --verbose
// Every token's content carries the nanosecond at which it was written, so the reader gets the transit time of each chunk.
#include <deque>
#include <memory>
#include <queue>
#include <vector>

#include "bench/fake_answers.h"
#include "bench/framing.h"
#include "bench/rig.h"

namespace weir::bench {
namespace {

struct Settings {
    int first_port = 21001, last_port = 21001, tokens = 128, answer_bytes = 1024;
    uint64_t itl_ns = 0, ttft_ns = 0;
    std::string model = "fake";
    bool verbose = false;
};

struct Connection {
    int fd;
    uint64_t generation;        // a timer may outlive its connection, and the descriptor be given out again
    bool listener = false;
    std::string in, out;
    int tokens_left = 0;
    uint64_t due_ns = 0;
    bool busy = false;          // a generation runs
    bool stream = false, role_sent = false, close_after = false;
    bool writable_wanted = false, blocked = false;      // blocked: the next token waits for the socket
};

struct Turn {
    uint64_t at_ns;
    int fd;
    uint64_t generation;
    bool operator<(const Turn& o) const { return at_ns > o.at_ns; }
};

class Workers {
public:
    explicit Workers(const Settings& s) : settings_(s), answers_(s.model, s.answer_bytes), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
        for (int port = s.first_port; port <= s.last_port; ++port) adopt(listen_on(static_cast<uint16_t>(port)))->listener = true;
    }

    [[noreturn]] void run() {
        std::vector<epoll_event> events(4096);
        for (;;) {
            int n = wait(events);
            for (int i = 0; i < n; ++i) {
                epoll_event& event = events[static_cast<size_t>(i)];
                on_event(*static_cast<Connection*>(event.data.ptr), event.events);
            }
            graves_.clear();
            for (size_t left = ready_.size(); left--;) {
                Turn turn = ready_.front();
                ready_.pop_front();
                take(turn);
            }
            uint64_t now = now_ns();
            for (int left = 1000; left-- && !timers_.empty() && timers_.top().at_ns <= now;) {   // then look at the sockets again
                Turn turn = timers_.top();
                timers_.pop();
                take(turn);
            }
            graves_.clear();
        }
    }

private:
    int wait(std::vector<epoll_event>& events) {
        int events_max = static_cast<int>(events.size());
        if (!ready_.empty()) return wait_for(epoll_, events.data(), events_max, 0);
        if (timers_.empty()) return epoll_wait(epoll_, events.data(), events_max, -1);
        uint64_t now = now_ns(), at = timers_.top().at_ns;
        return wait_for(epoll_, events.data(), events_max, at > now ? at - now : 0);
    }

    Connection* adopt(int fd) {
        if (static_cast<size_t>(fd) >= connections_.size()) connections_.resize(static_cast<size_t>(fd) * 2 + 64);
        auto& slot = connections_[static_cast<size_t>(fd)];
        slot = std::make_unique<Connection>(Connection{fd, ++generations_});
        watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN, slot.get());
        return slot.get();
    }

    void drop(Connection& c) {      // freed after the batch, whose later events may name it
        close(c.fd);
        graves_.push_back(std::move(connections_[static_cast<size_t>(c.fd)]));
        c.generation = 0;
    }

    void on_event(Connection& c, uint32_t events) {
        if (c.generation == 0) return;
        if (c.listener) {
            for (int i = 0, fd; i < 64 && (fd = accept_from(c.fd)) >= 0; ++i) adopt(fd);
            return;
        }
        if (events & EPOLLOUT) {
            if (!flush(c)) return drop(c);
            if (!c.writable_wanted && c.blocked) c.blocked = false, ready_.push_back({0, c.fd, c.generation});
        }
        if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
        ssize_t n = read(c.fd, buffer_, sizeof buffer_);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) return drop(c);
        c.in.append(buffer_, static_cast<size_t>(n));
        if (!serve(c)) drop(c);
    }

    void take(const Turn& turn) {
        Connection* c = connections_[static_cast<size_t>(turn.fd)].get();
        if (c && c->generation == turn.generation && !step(*c)) drop(*c);
    }

    bool flush(Connection& c) {
        size_t sent = 0;
        while (sent < c.out.size()) {
            ssize_t n = send(c.fd, c.out.data() + sent, c.out.size() - sent, MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN) return false;
            if (n < 0) break;
            sent += static_cast<size_t>(n);
        }
        c.out.erase(0, sent);
        if (bool wanted = !c.out.empty(); wanted != c.writable_wanted) {
            watch(epoll_, EPOLL_CTL_MOD, c.fd, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, &c);
            c.writable_wanted = wanted;
        }
        return true;
    }

    // Answers every whole request that waits in `in`. False: the connection is over.
    bool serve(Connection& c) {
        while (!c.busy) {
            Head head;
            Found found = find_head(c.in, true, head);
            if (found == Found::broken) return false;
            if (found == Found::partial) break;
            BodyEnd body_end;
            body_end.start(head, true);
            body_.clear();
            std::string_view rest = std::string_view(c.in).substr(head.length);
            size_t used = head.length + body_end.feed(rest, [&](std::string_view p) { body_ += p; });
            if (!body_end.done()) break;
            c.close_after = head.close;
            if (settings_.verbose) std::fprintf(stderr, "%s %zu\n", c.in.substr(0, c.in.find('\r')).c_str(), body_.size());
            answer(c, head);
            c.in.erase(0, used);
            if (c.busy ? !begin(c) : !flush(c)) return false;
        }
        return !(c.close_after && !c.busy && c.out.empty());
    }

    void answer(Connection& c, const Head& head) {
        std::string_view path = head.target;
        bool generates = path == "/v1/chat/completions" || path == "/v1/completions" || path == "/generate";
        if (head.method == "POST" && generates) {
            size_t at = body_.find("\"stream\"");
            if (at != body_.npos) at = body_.find_first_not_of(" :", at + 8);
            c.busy = true;
            c.stream = at != body_.npos && body_.compare(at, 4, "true") == 0;
            c.role_sent = false;
            c.tokens_left = settings_.tokens;
        } else if (const std::string* known = answers_.probe(path)) {
            c.out += *known;
        } else {
            c.out += http_answer(404, "text/plain", "not found");
        }
    }

    bool begin(Connection& c) {
        if (c.stream) c.out += answers_.stream_head;
        c.due_ns = now_ns();
        if (!settings_.ttft_ns) return step(c);
        c.due_ns += settings_.ttft_ns;
        timers_.push({c.due_ns, c.fd, c.generation});
        return flush(c);
    }

    // Writes the next token, or the whole answer when none was asked for.
    bool step(Connection& c) {
        if (!c.stream) {
            c.out += answers_.completion;
            c.busy = false;
            return flush(c) && serve(c);
        }
        if (!c.role_sent) c.out += answers_.role, c.role_sent = true;
        if (c.tokens_left > 0) {
            char digits[24];
            int n = std::snprintf(digits, sizeof digits, "%019llu", static_cast<unsigned long long>(now_ns()));
            c.out.append(answers_.token_before).append(digits, static_cast<size_t>(n)).append(answers_.token_after);
            --c.tokens_left;
        }
        if (c.tokens_left == 0) {
            c.out += answers_.tail;
            c.busy = false;
            return flush(c) && serve(c);
        }
        if (!flush(c)) return false;
        if (settings_.itl_ns) timers_.push({c.due_ns += settings_.itl_ns, c.fd, c.generation});
        else if (c.writable_wanted) c.blocked = true;
        else ready_.push_back({0, c.fd, c.generation});
        return true;
    }

    Settings settings_;
    FakeAnswers answers_;
    int epoll_;
    uint64_t generations_ = 0;
    std::vector<std::unique_ptr<Connection>> connections_, graves_;      // by descriptor; dropped in this batch
    std::priority_queue<Turn> timers_;
    std::deque<Turn> ready_;
    std::string body_;
    char buffer_[1 << 18];
};

Settings read_settings(int argc, char** argv) {
    Settings s;
    for (Arguments args(argc, argv); args.next();) {
        std::string_view flag = args.flag();
        if (flag == "--ports") {
            std::string range = args.text();
            if (std::sscanf(range.c_str(), "%d-%d", &s.first_port, &s.last_port) == 1) s.last_port = s.first_port;
            if (s.first_port < 1 || s.last_port > 65535 || s.last_port < s.first_port) quit("--ports FIRST[-LAST]");
        } else if (flag == "--tokens") s.tokens = args.number();
        else if (flag == "--itl-us") s.itl_ns = static_cast<uint64_t>(args.real() * 1e3);
        else if (flag == "--ttft-us") s.ttft_ns = static_cast<uint64_t>(args.real() * 1e3);
        else if (flag == "--answer-bytes") s.answer_bytes = args.number();
        else if (flag == "--model") s.model = args.text();
        else if (flag == "--verbose") s.verbose = true;
        else args.unknown();
    }
    return s;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
    using namespace weir::bench;
    settle_in();
    static Workers workers(read_settings(argc, argv));
    workers.run();
}
