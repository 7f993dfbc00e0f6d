// The router's queue: requests wait here while every rank they may go to is full. Order and bounds only; no clock, no threads, no net.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "route/busy.h"

namespace weir::route {

enum class QueueOrder : uint8_t { fcfs, lcfs, wspt };

struct QueueClass {
    std::string name = "default";
    QueueOrder order = QueueOrder::fcfs;
    bool by_name = false;                        // requests may name it, whatever they have to compute
    uint32_t quantum = 1;                        // tokens of prompt to compute that it may send on per round
    QueueThreshold threshold;                    // when a rank is full for it; none set: its requests never wait
    // Per worker there is now; a request that finds one reached is rejected. 0: nobody waits.
    std::optional<uint32_t> requests_per_worker, tokens_per_worker, cached_per_worker;
};

// Which class a request belongs to: by a family's name and the prompt tokens still to compute, or by the class's own name.
struct QueueFamily { std::string name; std::vector<uint32_t> classes; };   // an index per bucket
struct QueueSettings {
    std::vector<QueueClass> classes{{}};
    std::vector<uint32_t> uncached_from{0};      // buckets: tokens at least; ascending, the first is 0
    std::vector<QueueFamily> families{{"default", {0}}};   // the first is for who names none, or one that is not there
    uint32_t waiting_max = 65'536;               // of all classes
    uint64_t wait_max_ms = 0;                    // 0: as long as the client does
    uint32_t class_of(std::string_view name, uint32_t uncached_tokens) const;   // name: what the request says; may be empty
    bool waits() const;                          // a class has a threshold
};

// What choosing a worker asks of a queue. Any core.
class QueueLine {
public:
    virtual ~QueueLine() = default;
    virtual const QueueSettings& settings() const = 0;
    virtual bool waiting(uint32_t cls) const = 0;        // does anybody of the class?
};

class RouterQueue;

// A request that waits. Its owner keeps it in place; destroying it takes it out.
struct Waiting {
    static constexpr uint32_t anywhere = UINT32_MAX;
    uint32_t cls = 0;                            // index into QueueSettings::classes
    uint32_t pinned = anywhere;                  // number of the only rank it may go to
    uint32_t prompt_tokens = 0, cached_tokens = 0;   // cached: at the best rank
    uint32_t strict_priority = 0;                // higher first, whatever else
    double jump_s = 0;                           // as if it had come so much earlier
    Instant arrived = 0;                         // at the gateway; asking again does not lose the place
    Instant due = 0;                             // must be sent on by then; earlier ones go first within a priority. 0: none
    Waiting() = default;
    Waiting(const Waiting&) = delete;
    ~Waiting();
    bool waits() const { return queue_ != nullptr; }

private:
    friend class RouterQueue;
    struct Order { bool operator()(const Waiting* a, const Waiting* b) const; };   // who goes first
    double score_ = 0;
    uint64_t seq_ = 0;
    Instant end_ = 0;                            // the sooner of due and the queue's own bound; 0: none
    RouterQueue* queue_ = nullptr;
};

// May it be sent on now? Asked of heads only.
class QueueRoom {
public:
    virtual ~QueueRoom() = default;
    virtual bool room(const Waiting&) = 0;
};

struct QueueRejection {
    std::string_view cls;
    enum Kind : uint8_t { requests, raw_isl_tokens, cached_tokens, waiting } kind;
    uint64_t current, limit;
    Failure failure() const;                     // queue_full; its detail is JSON with these four
    static constexpr size_t kinds = 4;
    static const char* name(Kind);
};

// One thread. Dynamo's rules: classes take turns by deficit round robin, the cost of a request being its tokens to compute (at least 1);
// within a class higher strict_priority first, then the sooner due, then the higher score:
//   fcfs  max(jump, 0) - arrived        lcfs  max(jump, 0) + arrived        wspt  (1 + max(jump, 0)) / cost
// then who joined first. Requests for one rank wait in lanes of their own, so that a full rank holds up nobody else.
class RouterQueue {
public:
    explicit RouterQueue(QueueSettings settings) : settings_(std::move(settings)), classes_(settings_.classes.size()) {}
    ~RouterQueue();
    RouterQueue(const RouterQueue&) = delete;
    // `workers`: how many there are now, for limits per worker. Nothing: it waits.
    std::optional<QueueRejection> join(Waiting&, uint32_t workers, Instant now);
    void leave(Waiting&);
    Waiting* next(QueueRoom&);                   // takes out who goes next, null: nobody may
    // Takes out one whose time is up; null: nobody's. due: it had to be sent on by then; else it waited wait_max_ms.
    struct Expired { Waiting* who = nullptr; bool due = false; };
    Expired expire(Instant now);
    Instant next_expiry() const { return ends_.empty() ? 0 : ends_.begin()->first; }   // 0: none
    void freed(uint32_t number);                 // the rank may have room: who waits for it alone is asked about again
    void freed() { recheck_ = true; }            // any rank may
    size_t waiting() const { return waiting_; }
    struct Stats { uint64_t requests = 0, raw_tokens = 0, cached_tokens = 0; };
    Stats stats(uint32_t cls) const { return classes_[cls].stats; }
    const QueueSettings& settings() const { return settings_; }

private:
    using Ordered = std::set<Waiting*, Waiting::Order>;
    struct Class {
        Ordered shared;
        std::map<uint32_t, Ordered> lanes;       // by rank; never empty ones
        std::set<uint32_t> blocked;              // lanes whose rank was full when last asked
        Stats stats;
        uint64_t deficit = 0;
        bool empty() const { return shared.empty() && lanes.empty(); }
    };
    static uint64_t cost(const Waiting&);
    Waiting* candidate(Class&, QueueRoom&);
    Waiting* take(uint32_t cls, Waiting&);

    QueueSettings settings_;
    std::vector<Class> classes_;
    std::set<std::pair<Instant, Waiting*>> ends_;
    size_t waiting_ = 0;
    uint64_t seq_ = 0;
    uint32_t cursor_ = 0;                        // class that is looked at first
    std::optional<uint32_t> carry_;              // class that may go on: it has credit left
    bool recheck_ = false;
};

}  // namespace weir::route
