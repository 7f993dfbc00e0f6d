// The serving side of HTTP/2: one connection, its streams, and the rules between them. Used by net/h2_server.cc and
// net/h2_exchange.cc alone. nghttp2's callbacks only fill these objects and make waiters ready; coroutines run from the loop.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "net/exchange.h"
#include "net/h2_guard.h"
#include "net/h2_head.h"
#include "net/transport.h"

struct nghttp2_session;

namespace weir {

class H2Connection;

// One stream: a request and its answer. Made when its header block begins; freed when the stream is closed and nobody serves it.
class H2Exchange final : public HttpExchange, public ListNode {
public:
    H2Exchange(H2Connection& connection, int32_t id);
    ~H2Exchange() override;

    bool hold() override;
    Task<Result<void>> read_body(size_t bytes_max) override;
    void drop_body() override;
    bool begin(const Reply&, std::span<const iovec> first, bool end) override;
    bool write(std::span<const iovec> payload, bool end) override;
    void abort() override;
    bool blocked() const override { return blocked_; }
    bool gone() const override;
    Waiter*& writer_slot() override { return writer_; }
    Waiter*& hangup_slot() override { return hangup_; }

    // For the connection, from nghttp2's callbacks:
    void take_head(H2Fields& fields, bool end_stream);
    void data(std::string_view bytes);
    void end_of_request();
    void answer_sent();
    ssize_t pull(uint8_t* to, size_t n, bool& end);     // answer bytes; 0 without end: none now
    void closed(uint32_t error);

private:
    friend class H2Connection;
    friend struct H2Callbacks;
    struct BodyAwait;
    struct Stall : Timer { H2Exchange* owner; uint64_t progress_ms = 0; };
    static void on_stall(Timer&);
    void decline_rest();
    bool charge();
    void open_window();
    bool put(std::span<const iovec> payload, bool end);

    H2Connection& c_;
    const int32_t id_;
    struct Request { H2Fields::Head held; RequestHead head; };
    std::unique_ptr<Request> request_;     // until drop_body()
    BadHead refused_{};                    // status not 0: the head is answered without the service
    std::string in_, late_;                // request body: seen by body(), and what came since
    std::string out_;                      // answer bytes the client's windows have not taken; freed when empty
    size_t out_at_ = 0, unconsumed_ = 0;   // unconsumed: received, window not given back yet
    size_t discarded_ = 0;                 // request bytes that came after nobody wanted them
    Charge charge_;
    Stall stall_;
    Waiter *writer_ = nullptr, *hangup_ = nullptr, *reader_ = nullptr;
    bool head_method_ = false, request_ended_ = false, counted_ = false, started_ = false, served_ = false, closed_ = false, left_ = false;
    bool reading_ = false, discard_ = false, blocked_ = false, aborted_ = false, peer_reset_ = false, continued_ = false, head_only_ = false, sent_ = false;
};

class H2Connection {
public:
    H2Connection(Transport&, HttpService&, const ServerLimits&, const std::atomic<bool>& draining);
    ~H2Connection();
    Task<void> run(std::string first_bytes);

private:
    friend class H2Exchange;
    friend struct H2Callbacks;
    enum class State : uint8_t { fresh, preface, idle, head, busy, closing };
    struct Closed { int32_t id = 0; bool by_peer = false; };   // by_peer: its request ended, or it reset the stream
    struct DrainCheck : Timer { H2Connection* owner; int step = 0; };

    void feed(std::string_view bytes);
    void pump();                           // starts what was received, sends what there is, sees whether it is over
    void flush();
    void touched();                        // a stream has something to send
    Task<void> flush_loop();
    Task<void> answer(H2Exchange& x);
    void finished(H2Exchange& x);          // its coroutine is at its end
    void remove(H2Exchange& x);
    uint32_t frame_on_closed(int32_t id, bool headers) const;   // an error code, or 0: to be ignored
    bool over() const;
    void close();
    bool on_deadline();                    // false: leave the connection
    void set_deadline();
    void nudge();                          // wakes run() to see what changed
    static void on_drain_check(Timer&);

    Transport& t_;
    HttpService& service_;
    const ServerLimits& limits_;
    const std::atomic<bool>& draining_;
    nghttp2_session* session_ = nullptr;
    H2Guard guard_;
    H2Fields fields_;
    PeerAddress peer_;
    List<H2Exchange> streams_;             // owned
    std::vector<H2Exchange*> starting_;
    size_t live_ = 0;                      // streams with a whole head
    uint64_t trailer_bytes_ = 0;
    std::array<Closed, 16> closed_{};      // the last ones; nghttp2 forgets them at once
    uint32_t closed_at_ = 0, fault_ = 0;   // fault: the error code we end the connection with
    int32_t last_id_ = 0;
    State state_ = State::fresh;
    bool pumping_ = false, flushing_ = false, greeted_ = false, block_open_ = false, calming_ = false, wide_ = false, ending_ = false;
    Instant read_at_ = 0;
    DrainCheck drain_;
    Signal want_flush_, stream_gone_;
    Nursery handlers_;                     // last: destroyed before what its coroutines use
};

}  // namespace weir
