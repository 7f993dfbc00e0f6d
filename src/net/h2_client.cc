#include "net/h2_client.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "net/h2_head.h"

namespace weir {
namespace {

constexpr size_t batch_bytes = 64 * 1024;
constexpr int32_t stream_window = 64 * 1024 - 1;   // each stream holds at most this much unread
constexpr int32_t connection_window = static_cast<int32_t>(limits::h2_client_streams_max) * 64 * 1024;   // no stream starves another
thread_local std::string frames;

nghttp2_nv pair(std::string_view name, std::string_view value) {
    auto bytes = [](std::string_view v) { return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(v.data())); };
    return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

class H2Upstream final : public Upstream, public ListNode {
public:
    explicit H2Upstream(H2ClientSession& session, const Target& target) : session_(&session), target_(target) {
        deadline_.owner = this;
        deadline_.fire = &H2Upstream::on_deadline;
    }
    ~H2Upstream() override {
        if (session_) session_->leave(*this);
    }

    bool send(const UpstreamRequest&) override;
    bool bytes_accepted() const override { return accepted_; }
    bool sending() const override { return !out_.empty(); }
    bool takes_open() const override { return true; }
    bool write(std::string_view bytes, bool end) override;
    std::string_view trailers() const override { return trailers_; }
    Task<Result<void>> read_head(ResponseHead& out) override;
    Poll poll(Piece& out) override;
    Failure failure() override;
    Waiter*& reader_slot() override { return reader_; }
    void deadline_in(uint64_t ms) override {
        timed_out_ = false;
        if (ms == 0) Core::here().disarm(deadline_);
        else Core::here().arm(deadline_, ms);
    }

private:
    friend class H2ClientSession;
    friend struct H2ClientCallbacks;
    struct Deadline : Timer { H2Upstream* owner; };
    struct HeadWait : Waiter {
        H2Upstream& u;
        explicit HeadWait(H2Upstream& u) : u(u) {}
        bool await_ready() const { return u.head_done_ || u.failed_ || u.timed_out_; }
        void await_suspend(std::coroutine_handle<> h) { frame = h; park(u.reader_); }
        void await_resume() const {}
    };
    static void on_deadline(Timer& timer) {
        H2Upstream& u = *static_cast<Deadline&>(timer).owner;
        u.timed_out_ = true;
        u.wake();
    }
    static ssize_t read_body(nghttp2_session*, int32_t, uint8_t* to, size_t n, uint32_t* flags, nghttp2_data_source* source, void*);
    void wake() {
        if (reader_) Core::here().ready(*reader_);
    }
    void fail(Code code, const char* why) {
        if (!failed_) failed_ = true, code_ = code, why_ = why;
        wake();
    }
    // The stream, or the whole connection, is at its end without a whole answer. `refused`: the worker did not look at the request.
    void cut(bool refused) {
        if (refused) accepted_ = false;
        if (head_done_) fail(Code::incomplete, "the worker broke off its answer");
        else fail(Code::reset_before_byte, "the worker ended the request without an answer");
    }

    H2ClientSession* session_;              // null: the connection is gone
    const Target& target_;
    int32_t id_ = -1;
    Waiter* reader_ = nullptr;
    Deadline deadline_;
    H2Fields::Head held_;
    ResponseHead head_{};
    std::string in_, given_;                // received; handed out by the last poll
    std::span<const iovec> direct_;         // the request body while send() runs
    size_t direct_at_ = 0;                  // bytes of it that are taken
    std::string out_, trailers_;            // what was left of it; fields behind the answer
    size_t out_at_ = 0;
    Code code_ = Code::ok;
    const char* why_ = "";
    bool head_request_ = false, accepted_ = false, head_done_ = false, ended_ = false, told_end_ = false, failed_ = false, timed_out_ = false;
    bool peer_reset_ = false, open_ = false;   // open_: the request's body goes on
};

ssize_t H2Upstream::read_body(nghttp2_session*, int32_t, uint8_t* to, size_t n, uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& u = *static_cast<H2Upstream*>(source->ptr);
    size_t done = 0, skip = u.direct_at_, left = 0;
    for (auto& p : u.direct_) {
        size_t from = std::min(skip, p.iov_len), take = std::min(n - done, p.iov_len - from);
        skip -= from;
        std::memcpy(to + done, static_cast<char*>(p.iov_base) + from, take);
        done += take;
        left += p.iov_len - from - take;
    }
    u.direct_at_ += done;
    if (u.direct_.empty()) {
        done = std::min(n, u.out_.size() - u.out_at_);
        std::memcpy(to, u.out_.data() + u.out_at_, done);
        u.out_at_ += done;
        left = u.out_.size() - u.out_at_;
        if (left == 0) std::string().swap(u.out_), u.out_at_ = 0;
    }
    if (left == 0 && u.open_ && done == 0) return NGHTTP2_ERR_DEFERRED;
    if (left == 0 && !u.open_) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(done);
}

bool H2Upstream::write(std::string_view bytes, bool end) {
    if (!session_ || session_->dead_ || !open_ || failed_ || out_.size() - out_at_ > limits::write_rest_max) return false;
    out_.erase(0, std::exchange(out_at_, 0));
    out_.append(bytes);
    open_ = !end;
    nghttp2_session_resume_data(session_->session_, id_);   // refused when nothing was deferred: the frame is still to come
    session_->flush();
    return !failed_;
}

bool H2Upstream::send(const UpstreamRequest& r) {
    if (!session_ || session_->dead_) return false;
    thread_local std::vector<nghttp2_nv> fields;
    thread_local std::string lower;
    size_t body = 0;
    for (auto& b : r.body) body += b.iov_len;
    char digits[24];
    fields.clear();
    fields.push_back(pair(":method", r.method));
    fields.push_back(pair(":scheme", target_.tls ? "https" : "http"));
    fields.push_back(pair(":authority", target_.authority));
    fields.push_back(pair(":path", r.path));
    each_h2_field(lower, r.lines, [](std::string_view name, std::string_view value) {
        if (name != "host") fields.push_back(pair(name, value));
    });
    open_ = r.open;
    if (r.trailers) fields.push_back(pair("te", "trailers"));
    if (!r.trailers && !r.open && (body || r.method == "POST" || r.method == "PUT")) {
        auto end = std::to_chars(digits, digits + sizeof digits, body).ptr;
        fields.push_back(pair("content-length", {digits, static_cast<size_t>(end - digits)}));
    }
    head_request_ = r.method == "HEAD";
    nghttp2_data_provider provider{};
    provider.source.ptr = this;
    provider.read_callback = &H2Upstream::read_body;
    id_ = nghttp2_submit_request(session_->session_, nullptr, fields.data(), fields.size(), body || r.open ? &provider : nullptr, this);
    if (id_ < 0) return false;
    direct_ = r.body;
    session_->flush();
    if (direct_at_ < body && !failed_) {   // windows or the socket are full: the rest goes on by itself
        size_t skip = direct_at_;
        out_.reserve(body - direct_at_);
        for (auto& p : direct_) {
            size_t from = std::min(skip, p.iov_len);
            skip -= from;
            out_.append(static_cast<char*>(p.iov_base) + from, p.iov_len - from);
        }
    }
    direct_ = {};
    return !failed_;
}

Task<Result<void>> H2Upstream::read_head(ResponseHead& out) {
    co_await HeadWait(*this);
    if (head_done_) {
        out = head_;
        co_return Nothing{};
    }
    if (failed_) co_return failure();
    timed_out_ = false;
    co_return Failure(Code::first_byte_timeout, "the worker did not answer in time");
}

Upstream::Poll H2Upstream::poll(Piece& out) {
    if (told_end_) {
        out = {{}, true};
        return Poll::got;
    }
    if (!in_.empty() || ended_) {
        given_.clear();
        given_.swap(in_);
        out = {given_, ended_};
        told_end_ = ended_;
        if (session_ && !given_.empty()) {   // taken: its window opens again
            nghttp2_session_consume(session_->session_, id_, given_.size());
            if (nghttp2_session_want_write(session_->session_)) session_->flush();
        }
        return Poll::got;
    }
    if (failed_ || timed_out_) return Poll::failed;
    held_ = {};
    std::string().swap(given_);
    return Poll::pending;
}

Failure H2Upstream::failure() {
    if (failed_) return Failure(code_, why_);
    timed_out_ = false;
    return Failure(Code::deadline, "the worker fell silent");
}

struct H2ClientCallbacks {
    static H2ClientSession& of(void* user) { return *static_cast<H2ClientSession*>(user); }
    static H2Upstream* stream(nghttp2_session* s, int32_t id) { return static_cast<H2Upstream*>(nghttp2_session_get_stream_user_data(s, id)); }

    static int on_begin_headers(nghttp2_session*, const nghttp2_frame*, void* user) {
        of(user).fields_->clear();
        return 0;
    }
    static int on_header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_n, const uint8_t* value, size_t value_n, uint8_t,
                         void* user) {
        bool measure = of(user).fields_->add({reinterpret_cast<const char*>(name), name_n}, {reinterpret_cast<const char*>(value), value_n});
        return measure ? 0 : static_cast<int>(NGHTTP2_ERR_CALLBACK_FAILURE);
    }
    static int on_invalid_header(nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t, const uint8_t*, size_t, uint8_t, void*) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }

    static int on_frame(nghttp2_session* s, const nghttp2_frame* f, void* user) {
        H2ClientSession& c = of(user);
        if (f->hd.type == NGHTTP2_GOAWAY) c.leaving_ = true;
        H2Upstream* u = f->hd.stream_id ? stream(s, f->hd.stream_id) : nullptr;
        if (!u) return 0;
        bool end = f->hd.flags & NGHTTP2_FLAG_END_STREAM;
        if (f->hd.type == NGHTTP2_RST_STREAM) u->peer_reset_ = true;
        if (f->hd.type == NGHTTP2_HEADERS && !u->head_done_) {
            BadHead bad{};
            ResponseHead head{};
            if (!c.fields_->response(end, u->head_request_, u->held_, head, bad) || head.status == 101) {
                u->fail(Code::engine_garbage, "the worker's answer is not HTTP");
                nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, f->hd.stream_id, NGHTTP2_PROTOCOL_ERROR);
                return 0;
            }
            if (head.status < 200) return 0;
            u->head_ = head;
            u->head_done_ = true;
        } else if (f->hd.type == NGHTTP2_HEADERS) {
            u->trailers_ = c.fields_->lines();
        } else if (f->hd.type != NGHTTP2_DATA) {
            return 0;
        }
        if (end) u->ended_ = true;
        if (end || f->hd.type == NGHTTP2_HEADERS) u->wake();
        return 0;
    }

    static int on_data(nghttp2_session* s, uint8_t, int32_t id, const uint8_t* data, size_t n, void*) {
        H2Upstream* u = stream(s, id);
        if (!u) {
            nghttp2_session_consume_connection(s, n);
            return 0;
        }
        u->in_.append(reinterpret_cast<const char*>(data), n);
        u->wake();
        return 0;
    }

    static int on_sent(nghttp2_session* s, const nghttp2_frame* f, void*) {
        if (f->hd.type == NGHTTP2_HEADERS)
            if (H2Upstream* u = stream(s, f->hd.stream_id)) u->accepted_ = true;
        return 0;
    }
    static int on_not_sent(nghttp2_session* s, const nghttp2_frame* f, int, void*) {
        if (f->hd.type == NGHTTP2_HEADERS)
            if (H2Upstream* u = stream(s, f->hd.stream_id)) u->cut(true);
        return 0;
    }

    static int on_close(nghttp2_session* s, int32_t id, uint32_t error, void* user) {
        H2Upstream* u = stream(s, id);
        if (u) {
            if (!u->in_.empty()) nghttp2_session_consume_connection(s, u->in_.size());
            bool ours = error == NGHTTP2_PROTOCOL_ERROR && !u->peer_reset_;   // nghttp2 found a fault in the answer
            if (!u->ended_ && ours) u->fail(Code::engine_garbage, "the worker's answer is not HTTP");
            else if (!u->ended_) u->cut(error == NGHTTP2_REFUSED_STREAM);
            else if (error != NGHTTP2_NO_ERROR && ours) u->fail(Code::engine_garbage, "the worker's answer is broken"), u->ended_ = false;
            u->unlink();
            u->session_ = nullptr;
        }
        H2ClientSession& c = of(user);
        if (c.dead_) return 0;
        c.streams_--;
        if (c.streams_ == 0) c.idle_since_ms_ = c.core_.now_ms();
        c.room();
        return 0;
    }

    static nghttp2_session* open(H2ClientSession& c) {
        static nghttp2_session_callbacks* calls = [] {
            nghttp2_session_callbacks* k = nullptr;
            nghttp2_session_callbacks_new(&k);
            nghttp2_session_callbacks_set_on_begin_headers_callback(k, on_begin_headers);
            nghttp2_session_callbacks_set_on_header_callback(k, on_header);
            nghttp2_session_callbacks_set_on_invalid_header_callback(k, on_invalid_header);
            nghttp2_session_callbacks_set_on_frame_recv_callback(k, on_frame);
            nghttp2_session_callbacks_set_on_data_chunk_recv_callback(k, on_data);
            nghttp2_session_callbacks_set_on_frame_send_callback(k, on_sent);
            nghttp2_session_callbacks_set_on_frame_not_send_callback(k, on_not_sent);
            nghttp2_session_callbacks_set_on_stream_close_callback(k, on_close);
            return k;
        }();
        static nghttp2_option* options = [] {
            nghttp2_option* o = nullptr;
            nghttp2_option_new(&o);
            nghttp2_option_set_no_auto_window_update(o, 1);
            return o;
        }();
        nghttp2_session* s = nullptr;
        nghttp2_session_client_new2(&s, calls, &c, options);
        if (!s) return nullptr;
        nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
                                             {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits::header_bytes_max}};
        nghttp2_submit_settings(s, NGHTTP2_FLAG_NONE, settings, 3);
        nghttp2_session_set_local_window_size(s, NGHTTP2_FLAG_NONE, 0, connection_window);
        return s;
    }
};

H2ClientSession::H2ClientSession(Core& core, std::unique_ptr<Transport> transport, void (*on_room)(void*), void* room_self)
    : core_(core), t_(std::move(transport)), on_room_(on_room), room_self_(room_self), fields_(std::make_unique<H2Fields>()) {
    session_ = H2ClientCallbacks::open(*this);
    idle_since_ms_ = core.now_ms();
    tasks_.spawn(flush_loop());
    tasks_.spawn(read_loop());
}

H2ClientSession::~H2ClientSession() {
    on_room_ = nullptr;
    fail_all();
    tasks_.cancel();
    if (session_ && !t_->broken()) {   // a word of farewell, if the socket takes it
        nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
        flush();
    }
    nghttp2_session_del(session_);
}

bool H2ClientSession::dead() const { return dead_ || leaving_; }

bool H2ClientSession::can_open() const {
    if (dead()) return false;
    size_t theirs = nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return streams_ < std::min(limits::h2_client_streams_max, theirs) && nghttp2_session_check_request_allowed(session_);
}

bool H2ClientSession::certainly_alive() {
    if (dead() || t_->broken() || t_->hung_up()) return false;
    return streams_ > 0 || core_.now_ms() - idle_since_ms_ <= 1 || !t_->stale();
}

std::unique_ptr<Upstream> H2ClientSession::open(const Target& target) {
    auto stream = std::make_unique<H2Upstream>(*this, target);
    open_.push_back(*stream);
    streams_++;
    return stream;
}

void H2ClientSession::leave(H2Upstream& u) {
    u.unlink();
    if (u.id_ < 0) {   // never sent
        streams_--;
        if (streams_ == 0) idle_since_ms_ = core_.now_ms();
        room();
        return;
    }
    if (!u.in_.empty()) nghttp2_session_consume_connection(session_, u.in_.size());
    nghttp2_session_set_stream_user_data(session_, u.id_, nullptr);
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, u.id_, NGHTTP2_CANCEL);
    flush();
}

void H2ClientSession::room() {
    if (on_room_) on_room_(room_self_);
}

void H2ClientSession::fail_all() {
    dead_ = true;
    while (H2Upstream* u = open_.pop_front()) {
        u->session_ = nullptr;
        if (!u->ended_) u->cut(false);
        if (u->id_ >= 0) nghttp2_session_set_stream_user_data(session_, u->id_, nullptr);
    }
    streams_ = 0;
    room();
}

Task<void> H2ClientSession::read_loop() {
    flush();
    for (;;) {
        auto got = co_await t_->recv();
        if (got.n <= 0) break;
        feeding_ = true;
        ssize_t n = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(got.data), static_cast<size_t>(got.n));
        feeding_ = false;
        flush();
        if (n < 0 || (!nghttp2_session_want_read(session_) && !nghttp2_session_want_write(session_))) break;
    }
    fail_all();
}

// From anywhere, also from a destructor: one non-blocking send.
void H2ClientSession::flush() {
    if (flushing_ || feeding_) return;
    flushing_ = true;
    while (!t_->blocked() && !t_->broken()) {
        frames.clear();
        ssize_t n = 0;
        const uint8_t* bytes = nullptr;
        while (frames.size() < batch_bytes && (n = nghttp2_session_mem_send(session_, &bytes)) > 0)
            frames.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
        if (frames.empty() || !t_->send(frames)) break;
    }
    flushing_ = false;
    if (t_->blocked()) want_flush_.notify();
}

Task<void> H2ClientSession::flush_loop() {
    for (;;) {
        co_await want_flush_.wait();
        while (t_->blocked() && !t_->broken()) {
            co_await t_->drained();
            flush();
        }
    }
}

}  // namespace weir
