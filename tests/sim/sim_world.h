// One run: a real Flow on one core, three scripted workers, some scripted clients, all from one seed; and what must hold at its end.
#pragma once
#include <array>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/flow.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_engine.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_queue.h"

namespace weir::sim {

struct Options {                         // drawn from the seed; a test may change some before the run
    uint64_t fault_percent = 0, leave_percent = 0, refuse_percent = 0, destroy_per_10k = 0;   // the last: of turns
    bool big_answers = false, tight_budget = false;
    unsigned clients = 1;
    Weather weather;
    FlowOptions flow;
    std::string policy;
    uint32_t requests_max = 0;           // that a worker takes at a time, others wait; 0: any number, and no queue
    uint64_t destroy_at = 0;             // a turn: destroy `victim` then; 0: never
    enum Victim : uint8_t { connection, worker, client, victims } victim = connection;
};
Options draw_options(Random&);

struct Served {                          // the gateway's end of a client's connection
    Nursery nursery;
    bool destroyed = false;
};

struct Counts {                          // over many runs: shows that the simulation still reaches what it should
    uint64_t whole = 0, unary_errors = 0, stream_errors = 0, broken = 0, own = 0, wrong = 0, left = 0, destroyed = 0, continued = 0, queued = 0;
    uint64_t resumes_most = 0;
    std::array<uint64_t, static_cast<size_t>(Fault::count_)> faults{};
};

class World {
public:
    explicit World(uint64_t seed);
    ~World();
    // Runs to the end. The violations, empty when all is well.
    const std::vector<std::string>& run();
    uint64_t turns() const { return turns_; }

    // For clients and engines:
    const Ask& new_ask();
    const Ask* ask(const std::string& id) const;
    Told& told(int id) { return told_[id]; }
    std::pair<std::unique_ptr<SimTransport>, const Served*> dial_gateway();
    void left(const Ask& ask) { left_at_[ask.id] = net.now(); }
    // What a client got, over which connection. `beside`: requests of the same connection; an error of theirs may end it with a reset,
    // which takes answers with it.
    struct Got { const Ask* ask; int status; Answer answer; const Served* over; std::vector<const Ask*> beside; };
    void got(Got got) { got_.push_back(std::move(got)); }
    bool explained(const Ask& ask) const;   // an error has a cause that the client did not make
    void check_request(const Ask&, const std::string& method, const std::string& path, const std::string& body);
    void violation(std::string what);
    void trace(std::string what);
    std::string traces() const;

    ManualClock clock;
    SimNet net;
    Random random;
    Options options;
    ServerLimits limits;
    bool crashing = false;               // the worker's tasks are being destroyed
    uint64_t silent_closes = 0, extras = 0;   // of workers: connections closed without having said so, bytes behind answers
    Counts counts;

private:
    static Task<Result<std::unique_ptr<Transport>>> connect(void* self, const Target& target);
    void turn();
    void destroy(Options::Victim victim);
    void judge(const Got&);
    void check_end();
    void run_until_idle(uint64_t bound_ms, bool clients_too);

    Metrics& metrics_;
    LoadCells cells_;
    Budget bodies_{"request_bodies", 64u << 20};
    std::atomic<bool> draining_{false};
    Core core_;
    Core::Enter enter_{core_};
    std::unique_ptr<CoreState> state_;
    std::unique_ptr<SimQueue> queue_;
    std::unique_ptr<Flow> flow_;
    std::deque<Ask> asks_;
    std::map<std::string, const Ask*> by_name_;
    std::map<int, Told> told_;
    std::map<int, Instant> left_at_;
    std::deque<SimEngine> engines_;
    std::list<Served> served_;
    std::deque<SimClient> scripts_;
    std::list<Nursery> clients_;
    std::vector<Got> got_;               // judged at the end, when all causes are known
    uint64_t turns_ = 0, refused_ = 0;
    bool disturbed_ = false, timers_armed_ = false;
    std::vector<std::string> violations_;
    std::deque<std::string> trace_;
};

// What a client may see of the answer to `ask`; an empty text: all is well. `explained`: an error has a cause the client did not make.
std::string judge_answer(const Ask&, const Told&, const Answer&, bool explained, const FlowOptions&, Counts&);
std::string compare_request(const Ask&, const std::string& body, bool byte_for_byte);

}  // namespace weir::sim
