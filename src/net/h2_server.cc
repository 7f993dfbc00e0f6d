// HTTP/2 connections of clients (RFC 9113) on nghttp2: bytes in, bytes out; nothing of ours runs inside its callbacks.
#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "net/h2_connection.h"

namespace weir {

namespace {
constexpr uint64_t linger_ms = 1'000, drain_check_ms = 1'000;
constexpr size_t linger_bytes_max = 1024 * 1024, batch_bytes = 64 * 1024;
constexpr uint32_t preface_bytes = 24;
thread_local std::string frames;   // what one flush sends
}  // namespace

struct H2Callbacks {
    static H2Connection& of(void* user) { return *static_cast<H2Connection*>(user); }
    static H2Exchange* stream(nghttp2_session* s, int32_t id) { return static_cast<H2Exchange*>(nghttp2_session_get_stream_user_data(s, id)); }

    static int on_begin_frame(nghttp2_session* s, const nghttp2_frame_hd* hd, void* user) {
        H2Connection& c = of(user);
        if (hd->type != NGHTTP2_HEADERS || hd->stream_id > c.last_id_ || nghttp2_session_find_stream(s, hd->stream_id)) return 0;
        c.fault_ = c.frame_on_closed(hd->stream_id, true);
        return c.fault_ ? static_cast<int>(NGHTTP2_ERR_CALLBACK_FAILURE) : 0;
    }

    static int on_begin_headers(nghttp2_session* s, const nghttp2_frame* f, void* user) {
        H2Connection& c = of(user);
        c.block_open_ = true;
        c.trailer_bytes_ = 0;
        if (f->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
        c.fields_.clear();
        c.last_id_ = f->hd.stream_id;
        auto* x = new H2Exchange(c, f->hd.stream_id);
        c.streams_.push_back(*x);
        return nghttp2_session_set_stream_user_data(s, f->hd.stream_id, x);
    }

    static int on_header(nghttp2_session*, const nghttp2_frame* f, const uint8_t* name, size_t name_n, const uint8_t* value, size_t value_n,
                         uint8_t, void* user) {
        H2Connection& c = of(user);
        std::string_view n(reinterpret_cast<const char*>(name), name_n), v(reinterpret_cast<const char*>(value), value_n);
        if (f->headers.cat == NGHTTP2_HCAT_REQUEST) {
            if (!c.fields_.add(n, v)) c.calming_ = true;
            return 0;
        }
        c.trailer_bytes_ += name_n + value_n;   // trailers are checked and dropped
        return c.trailer_bytes_ > limits::trailer_bytes_max ? static_cast<int>(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE) : 0;
    }

    // nghttp2 would leave such a field out; we refuse the message (RFC 9113 8.1.1).
    static int on_invalid_header(nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t, const uint8_t*, size_t, uint8_t, void*) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }

    static int on_frame(nghttp2_session* s, const nghttp2_frame* f, void* user) {
        H2Connection& c = of(user);
        bool end = f->hd.flags & NGHTTP2_FLAG_END_STREAM;
        if (f->hd.type == NGHTTP2_SETTINGS) c.greeted_ = true;
        if (f->hd.type == NGHTTP2_RST_STREAM)
            if (H2Exchange* x = stream(s, f->hd.stream_id)) x->peer_reset_ = true;
        if (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA) return 0;
        if (f->hd.type == NGHTTP2_HEADERS) c.block_open_ = false;
        H2Exchange* x = stream(s, f->hd.stream_id);
        if (!x) return 0;
        if (f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST) {
            x->take_head(c.fields_, end);
            x->counted_ = true;
            c.starting_.push_back(x);
            c.live_++;
        } else if (end) {
            x->end_of_request();
        }
        return 0;
    }

    static int on_data(nghttp2_session* s, uint8_t, int32_t id, const uint8_t* data, size_t n, void*) {
        H2Exchange* x = stream(s, id);
        if (x) x->data({reinterpret_cast<const char*>(data), n});
        else nghttp2_session_consume_connection(s, n);
        return 0;
    }

    static int on_sent(nghttp2_session* s, const nghttp2_frame* f, void* user) {
        H2Connection& c = of(user);
        if (f->hd.type == NGHTTP2_RST_STREAM) {
            // Faults that make us reset cost as much as resets of the client's own.
            bool ours = f->rst_stream.error_code == NGHTTP2_NO_ERROR || f->rst_stream.error_code == NGHTTP2_INTERNAL_ERROR;
            if (!ours && !c.guard_.reset_stream(Core::here().now_ms())) c.calming_ = true;
            return 0;
        }
        bool body = f->hd.type == NGHTTP2_DATA || f->hd.type == NGHTTP2_HEADERS;
        if (!body || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
        H2Exchange* x = stream(s, f->hd.stream_id);
        if (x) x->answer_sent();
        return 0;
    }

    static int on_close(nghttp2_session* s, int32_t id, uint32_t error, void* user) {
        H2Exchange* x = stream(s, id);
        H2Connection& c = of(user);
        c.closed_[c.closed_at_++ % c.closed_.size()] = {id, x && (x->request_ended_ || x->peer_reset_)};
        if (!x) return 0;
        if (!x->counted_) c.block_open_ = false;
        x->closed(error);
        bool waiting = false;   // in starting_: pump() looks at it first
        for (H2Exchange* w : c.starting_) waiting = waiting || w == x;
        if (!waiting && (x->served_ || !x->started_)) c.remove(*x);
        return 0;
    }

    static nghttp2_session* open(H2Connection& c) {
        static nghttp2_session_callbacks* calls = [] {
            nghttp2_session_callbacks* k = nullptr;
            nghttp2_session_callbacks_new(&k);
            nghttp2_session_callbacks_set_on_begin_frame_callback(k, on_begin_frame);
            nghttp2_session_callbacks_set_on_begin_headers_callback(k, on_begin_headers);
            nghttp2_session_callbacks_set_on_header_callback(k, on_header);
            nghttp2_session_callbacks_set_on_invalid_header_callback(k, on_invalid_header);
            nghttp2_session_callbacks_set_on_frame_recv_callback(k, on_frame);
            nghttp2_session_callbacks_set_on_data_chunk_recv_callback(k, on_data);
            nghttp2_session_callbacks_set_on_frame_send_callback(k, on_sent);
            nghttp2_session_callbacks_set_on_stream_close_callback(k, on_close);
            return k;
        }();
        static nghttp2_option* options = [] {
            nghttp2_option* o = nullptr;
            nghttp2_option_new(&o);
            nghttp2_option_set_no_auto_window_update(o, 1);
            nghttp2_option_set_no_closed_streams(o, 1);
            // Its own bound is far below what an impatient client may do; ours (H2Guard) comes first.
            nghttp2_option_set_stream_reset_rate_limit(o, 2 * limits::h2_resets_per_s_max, limits::h2_resets_per_s_max);
            return o;
        }();
        nghttp2_session* s = nullptr;
        nghttp2_session_server_new2(&s, calls, &c, options);
        nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits::h2_streams_max},
                                             {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits::header_bytes_max}};
        if (s) nghttp2_submit_settings(s, NGHTTP2_FLAG_NONE, settings, 2);
        return s;
    }
};

H2Connection::H2Connection(Transport& t, HttpService& service, const ServerLimits& limits, const std::atomic<bool>& draining)
    : t_(t), service_(service), limits_(limits), draining_(draining), guard_(preface_bytes), peer_(t.peer()) {
    session_ = H2Callbacks::open(*this);
    drain_.owner = this;
    drain_.fire = &H2Connection::on_drain_check;
    Core::here().arm(drain_, drain_check_ms);
}

H2Connection::~H2Connection() {
    ending_ = true;
    handlers_.cancel();
    nghttp2_session_del(session_);
    while (H2Exchange* x = streams_.pop_front()) delete x;
}

Task<void> H2Connection::run(std::string first_bytes) {
    if (!session_) co_return;
    handlers_.spawn(flush_loop());
    read_at_ = Core::here().now();
    feed(first_bytes);
    pump();
    std::string().swap(first_bytes);
    size_t lingered = 0;
    for (;;) {
        auto got = co_await t_.recv();
        if (got.n == -ETIMEDOUT) {
            if (!on_deadline()) co_return;
            continue;
        }
        if (got.n == 0 && limits_.allow_half_close && state_ != State::closing) {
            while (live_ && !t_.broken()) co_await stream_gone_.wait();
            co_return;
        }
        if (got.n <= 0) co_return;
        if (state_ == State::closing) {
            lingered += static_cast<size_t>(got.n);
            if (lingered > linger_bytes_max) co_return;
            continue;
        }
        read_at_ = Core::here().now();
        feed(got.view());
        pump();
    }
}

void H2Connection::feed(std::string_view bytes) {
    if (bytes.empty()) return;
    pumping_ = true;
    ssize_t n = 0;
    while (!bytes.empty() && n >= 0 && !fault_) {
        size_t allowed = guard_.scan(bytes, Core::here().now_ms());
        n = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), allowed);
        bytes.remove_prefix(allowed);
        int32_t id = guard_.data_stream();
        if (*guard_.why() || calming_) fault_ = NGHTTP2_ENHANCE_YOUR_CALM;
        else if (id && id <= last_id_ && n >= 0 && !nghttp2_session_find_stream(session_, id)) fault_ = frame_on_closed(id, false);
    }
    pumping_ = false;
    if (n < 0 && !fault_) fault_ = n == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR;
    if (fault_) nghttp2_session_terminate_session(session_, fault_);
}

void H2Connection::pump() {
    pumping_ = true;
    for (size_t i = 0; i < starting_.size(); i++) {
        H2Exchange& x = *starting_[i];
        if (x.closed_ || over()) {
            remove(x);
            continue;
        }
        x.started_ = true;
        handlers_.spawn(answer(x));   // may finish at once
    }
    starting_.clear();
    if (starting_.capacity() > 16) starting_.shrink_to_fit();
    pumping_ = false;
    flush();
    if (over()) close();
    set_deadline();
}

Task<void> H2Connection::answer(H2Exchange& x) {
    struct End {
        H2Connection& c;
        H2Exchange& x;
        ~End() { c.finished(x); }
    } end{*this, x};
    if (x.refused_.status) {
        std::string lines, body;
        service_.refuse(x.refused_.status, x.refused_.why, lines, body);
        Reply reply;
        reply.status = x.refused_.status;
        reply.lines = lines;
        x.reply(reply, body);
        co_return;
    }
    (void)co_await race(service_.serve(x), x.hangup_slot());
}

void H2Connection::finished(H2Exchange& x) {
    if (ending_) return;
    if (!x.closed_ && !x.ended()) x.abort();
    x.drop_body();
    x.served_ = true;   // from here on the stream's close frees it
    if (x.closed_) remove(x);
}

void H2Connection::remove(H2Exchange& x) {
    bool counted = x.counted_;
    if (!x.closed_) nghttp2_session_set_stream_user_data(session_, x.id_, nullptr);
    delete &x;
    if (!counted) return;
    live_--;
    stream_gone_.notify();
    if (live_ == 0 && !pumping_) set_deadline();
}

void H2Connection::touched() {
    if (pumping_ || flushing_ || ending_) return;
    // One stream: send at once. Several: what they write in this turn leaves together.
    if (live_ <= 1) flush();
    else want_flush_.notify();
}

void H2Connection::flush() {
    if (flushing_ || !session_) return;
    flushing_ = true;
    while (!t_.blocked() && !t_.broken()) {
        frames.clear();
        ssize_t n = 0;
        const uint8_t* bytes = nullptr;
        while (frames.size() < batch_bytes && (n = nghttp2_session_mem_send(session_, &bytes)) > 0)
            frames.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
        if (frames.empty()) break;
        if (!t_.send(frames)) break;
    }
    flushing_ = false;
    if (calming_ && !over()) {
        calming_ = false;
        nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
        want_flush_.notify();
    }
    if (t_.blocked()) want_flush_.notify();
    else if (over()) nudge();
}

Task<void> H2Connection::flush_loop() {
    for (;;) {
        co_await want_flush_.wait();
        flush();
        if (!t_.blocked()) continue;
        while (t_.blocked() && !t_.broken()) {
            if (limits_.write_stall_ms) t_.deadline_in(limits_.write_stall_ms);   // for this much to leave; run() sees it pass
            co_await t_.drained();
            flush();
        }
        state_ = State::fresh;
        set_deadline();
        if (over()) nudge();
    }
}

// RFC 9113 5.1, "closed": what may still be on its way after our reset is ignored, what follows the client's own end is its fault.
uint32_t H2Connection::frame_on_closed(int32_t id, bool headers) const {
    int32_t oldest = id;
    for (auto& c : closed_) {
        if (c.id == id) return c.by_peer ? NGHTTP2_STREAM_CLOSED : NGHTTP2_NO_ERROR;
        if (c.id) oldest = std::min(oldest, c.id);
    }
    // Never opened, and passed over: as good as closed. Below what we remember it may have been open once.
    bool never = headers && (closed_at_ <= closed_.size() || oldest < id);
    return never ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_NO_ERROR;
}

bool H2Connection::over() const { return !nghttp2_session_want_read(session_) && !nghttp2_session_want_write(session_); }

// Said our last word: the client may still be sending, so its bytes are read for a moment before the socket closes.
void H2Connection::close() {
    if (state_ == State::closing || t_.blocked()) return;
    state_ = State::closing;
    ending_ = true;
    handlers_.cancel();
    t_.finish_send();
    t_.deadline_in(linger_ms);
}

bool H2Connection::on_deadline() {
    if (state_ == State::closing || t_.blocked()) return false;
    if (over()) {
        close();
        return true;
    }
    if (live_ || state_ == State::busy) {   // a nudge
        if (live_) t_.deadline_in(0);
        state_ = State::fresh;
        set_deadline();
        return true;
    }
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);   // idle, or a head that does not come to its end
    flush();
    if (!over()) return false;
    close();
    return true;
}

void H2Connection::set_deadline() {
    if (state_ == State::closing) return;
    State now = live_ ? State::busy : block_open_ ? State::head : !greeted_ ? State::preface : State::idle;
    if (now == state_) return;
    state_ = now;
    t_.deadline_in(now == State::busy ? 0 : now == State::idle ? limits_.idle_ms : limits_.head_ms);
}

void H2Connection::nudge() {
    if (!pumping_ && !ending_ && state_ != State::closing) t_.deadline_in(1);
}

// Graceful end in two steps (RFC 9113 6.8): a notice first, so that requests on their way are still taken.
void H2Connection::on_drain_check(Timer& timer) {
    auto& drain = static_cast<DrainCheck&>(timer);
    H2Connection& c = *drain.owner;
    if (c.state_ == State::closing) return;
    if (c.draining_.load(std::memory_order_relaxed)) {
        if (drain.step == 0) nghttp2_submit_shutdown_notice(c.session_);
        else nghttp2_submit_goaway(c.session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(c.session_), NGHTTP2_NO_ERROR, nullptr, 0);
        drain.step++;
        c.flush();
    }
    if (drain.step < 2) Core::here().arm(drain, drain_check_ms);
}

Task<void> serve_http2(std::unique_ptr<Transport> transport, HttpService& service, const ServerLimits& limits, const std::atomic<bool>& draining,
                       std::string first_bytes) {
    H2Connection connection(*transport, service, limits, draining);
    co_await connection.run(std::move(first_bytes));
}

}  // namespace weir
