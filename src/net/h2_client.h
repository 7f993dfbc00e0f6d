// Requests to workers over HTTP/2: connections shared by many streams, and which connection a request gets. One core.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "net/transport.h"
#include "net/upstream.h"

struct nghttp2_session;

namespace weir {

class H2Upstream;
struct H2ClientCallbacks;

// One connection. Lives in the pool; streams that outlive it find themselves failed.
class H2ClientSession {
public:
    // Starts reading at once. `on_room` is called (from the loop or from a destructor) when a stream ended or the connection died.
    H2ClientSession(Core&, std::unique_ptr<Transport>, void (*on_room)(void*), void* room_self);
    ~H2ClientSession();
    bool can_open() const;                        // a request may start now
    std::unique_ptr<Upstream> open(const Target&);
    bool dead() const;                            // broken, ended, or told to go away: no more requests; streams may still run
    size_t streams() const { return streams_; }
    uint64_t idle_since_ms() const { return idle_since_ms_; }
    bool certainly_alive();                       // one system call when it rested: nothing unread waits, no FIN

private:
    friend class H2Upstream;
    friend struct H2ClientCallbacks;
    Task<void> read_loop();
    Task<void> flush_loop();
    void flush();
    void leave(H2Upstream&);
    void fail_all();
    void room();

    Core& core_;
    std::unique_ptr<Transport> t_;
    nghttp2_session* session_ = nullptr;
    void (*on_room_)(void*);
    void* room_self_;
    List<H2Upstream> open_;                       // not owned
    std::unique_ptr<class H2Fields> fields_;
    size_t streams_ = 0;
    uint64_t idle_since_ms_ = 0;
    bool dead_ = false, leaving_ = false, flushing_ = false, feeding_ = false;
    Signal want_flush_;
    Nursery tasks_;                               // last: destroyed first
};

// The h2 side of ClientPool: sessions per worker, waiting for one while it is being dialled.
class H2Pool {
public:
    explicit H2Pool(Core& core) : core_(core) {}
    ~H2Pool();
    std::unique_ptr<Upstream> take(const Target&);         // null: wait_turn()
    // A stream on a connection that has room, or null: the caller dials (and holds a Dialing meanwhile). connect_failed when all
    // connections stay full for `timeout_ms`.
    Task<Result<std::unique_ptr<Upstream>>> wait_turn(const Target&, uint64_t timeout_ms);
    struct Dialing {
        H2Pool& pool;
        uint32_t slot;
        Dialing(H2Pool& pool, uint32_t slot);
        Dialing(const Dialing&) = delete;
        ~Dialing();
    };
    std::unique_ptr<Upstream> add(const Target&, std::unique_ptr<Transport>);
    void speaks_http1(uint32_t slot);                      // ALPN fell back: requests do not wait for one another's connection
    void forget(uint32_t slot);                            // no new requests; connections end with their last stream
    void sweep(uint64_t idle_ms);                          // closes those without streams for that long, and dead ones
    size_t sessions() const;

private:
    struct Slot {
        std::vector<std::unique_ptr<H2ClientSession>> sessions, leaving;
        size_t dialing = 0, waiting_n = 0;
        bool http1 = false;
        List<Waiter> waiting;
        void wake();
    };
    Slot& slot(uint32_t index);
    H2ClientSession* with_room(Slot&);
    Core& core_;
    std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace weir
