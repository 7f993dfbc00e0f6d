// One HTTP/2 stream as an exchange. Windows are opened only for bytes that were taken and paid for: pull is the flow control.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/assert.h"
#include "net/h2_connection.h"
#include "wire/http_date.h"

namespace weir {
namespace {

constexpr uint64_t budget_wait_ms = 10'000, budget_poll_ms = 20;
constexpr int32_t wide_window = 1024 * 1024;             // while a large body is read; 64 KB otherwise
constexpr size_t wide_from = 64 * 1024;
constexpr size_t discard_max = 1024 * 1024;
constexpr size_t unblock_at = limits::h2_stream_out_max / 4;
thread_local HttpDate http_date;
const RequestHead no_head{};

nghttp2_nv pair(std::string_view name, std::string_view value) {
    auto bytes = [](std::string_view v) { return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(v.data())); };
    return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

ssize_t read_answer(nghttp2_session*, int32_t, uint8_t* to, size_t n, uint32_t* flags, nghttp2_data_source* source, void*) {
    bool end = false;
    ssize_t taken = static_cast<H2Exchange*>(source->ptr)->pull(to, n, end);
    if (end) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return taken == 0 && !end ? static_cast<ssize_t>(NGHTTP2_ERR_DEFERRED) : taken;
}

Failure too_large(size_t bytes_max) {
    return Failure(Code::too_large, "the request body is larger than " + std::to_string(bytes_max) + " bytes");
}

}  // namespace

// co_await: until body bytes arrive, the request ends or breaks off (true), or the time is over (false).
struct H2Exchange::BodyAwait : Timer {
    H2Exchange& x;
    uint64_t stall_ms;
    Waiter waiter;
    bool expired = false;
    BodyAwait(H2Exchange& x, uint64_t stall_ms) : x(x), stall_ms(stall_ms) {
        fire = [](Timer& t) {
            auto& self = static_cast<BodyAwait&>(t);
            self.expired = true;
            Core::here().ready(self.waiter);
        };
    }
    bool await_ready() const { return x.left_ || x.request_ended_ || !x.late_.empty(); }
    void await_suspend(std::coroutine_handle<> h) {
        waiter.frame = h;
        waiter.park(x.reader_);
        if (stall_ms) Core::here().arm(*this, stall_ms);
    }
    bool await_resume() const { return !expired; }
};

H2Exchange::H2Exchange(H2Connection& connection, int32_t id) : c_(connection), id_(id) {
    head_ = &no_head;
    http_major = 2;
    received = c_.read_at_;
    peer = c_.peer_;
    secure = c_.t_.secure();
    stall_.owner = this;
    stall_.fire = &H2Exchange::on_stall;
}

H2Exchange::~H2Exchange() = default;

void H2Exchange::take_head(H2Fields& fields, bool end_stream) {
    request_ended_ = body_complete_ = end_stream;
    request_ = std::make_unique<Request>();
    if (!fields.request(end_stream, request_->held, request_->head, refused_)) {
        request_.reset();
        return;
    }
    head_ = &request_->head;
    head_method_ = head_->method == "HEAD";
}

void H2Exchange::data(std::string_view bytes) {
    if (discard_) {
        // A client with little left to send need not be stopped; one with much is, when it has its answer.
        discarded_ += bytes.size();
        if (discarded_ <= discard_max) {
            nghttp2_session_consume(c_.session_, id_, bytes.size());
        } else {
            nghttp2_session_consume_connection(c_.session_, bytes.size());
            if (sent_) decline_rest();
        }
        return;
    }
    unconsumed_ += bytes.size();
    // Whoever serves may look at body() while it waits: what comes now stays beside it.
    std::string& to = started_ ? late_ : in_;
    size_t need = to.size() + bytes.size() + Core::read_padding;
    if (need > to.capacity()) to.reserve(to.empty() ? need : std::max(need, 2 * to.size()));
    to.append(bytes);
    if (!started_) {
        body_ = in_;
        charge();
    }
    if (reader_) Core::here().ready(*reader_);
}

void H2Exchange::end_of_request() {
    request_ended_ = true;
    if (!reading_ && late_.empty()) body_complete_ = true;
    if (reader_) Core::here().ready(*reader_);
}

// The whole answer is out. A request still on its way may end by itself, for a while.
void H2Exchange::answer_sent() {
    sent_ = true;
    if (request_ended_) return;
    if (discarded_ > discard_max) return decline_rest();
    stall_.progress_ms = Core::here().now_ms();
    if (c_.limits_.body_stall_ms) Core::here().arm(stall_, c_.limits_.body_stall_ms);
}

// RFC 9113 8.1: the answer holds, the rest of the request is not wanted.
void H2Exchange::decline_rest() {
    nghttp2_submit_rst_stream(c_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
    c_.touched();
}

void H2Exchange::closed(uint32_t error) {
    closed_ = true;
    if (unconsumed_) nghttp2_session_consume_connection(c_.session_, std::exchange(unconsumed_, 0));
    // A whole answer that went out is no leaving; the coroutine ends by itself.
    if (error == NGHTTP2_NO_ERROR && ended_) return;
    left_ = true;
    Core& core = Core::here();
    if (reader_) core.ready(*reader_);
    if (writer_) core.ready(*writer_);
    if (hangup_) core.ready(*hangup_);
}

bool H2Exchange::gone() const { return left_ || aborted_ || c_.t_.broken(); }

bool H2Exchange::charge() {
    if (!c_.limits_.bodies) return true;
    size_t holds = (request_ ? request_->held.text.size() : 0) + in_.capacity() + late_.capacity();
    return charge_.bytes() >= holds || charge_.grow(*c_.limits_.bodies, holds - charge_.bytes());
}

bool H2Exchange::hold() { return charge(); }   // head and body are ours from the start; only the bill is open

void H2Exchange::open_window() {
    if (!unconsumed_) return;
    nghttp2_session_consume(c_.session_, id_, std::exchange(unconsumed_, 0));
    c_.touched();
}

Task<Result<void>> H2Exchange::read_body(size_t bytes_max) {
    if (head_->body == BodyKind::length && head_->content_length > bytes_max) co_return too_large(bytes_max);
    if (c_.limits_.bodies && head_->content_length > c_.limits_.bodies->limit())
        co_return Failure(Code::too_large, "the request body is larger than the gateway's budget for request bodies");
    if (!request_ended_ && !left_) {
        if (head_->expect_continue && !continued_) {
            continued_ = true;
            nghttp2_nv status = pair(":status", "100");
            nghttp2_submit_headers(c_.session_, NGHTTP2_FLAG_NONE, id_, nullptr, &status, 1, nullptr);
        }
        if (head_->body == BodyKind::chunked || head_->content_length > wide_from) {
            nghttp2_session_set_local_window_size(c_.session_, NGHTTP2_FLAG_NONE, id_, wide_window);
            if (!std::exchange(c_.wide_, true)) nghttp2_session_set_local_window_size(c_.session_, NGHTTP2_FLAG_NONE, 0, wide_window);
        }
        c_.touched();
    }
    struct Reading {
        H2Exchange& x;
        explicit Reading(H2Exchange& x) : x(x) { x.reading_ = true; }
        ~Reading() { x.reading_ = false; }
    } reading(*this);
    Instant began = Core::here().now();
    for (;;) {
        if (left_) co_return Failure(Code::cancelled, "client left");
        if (in_.size() + late_.size() > bytes_max) co_return too_large(bytes_max);
        if (!late_.empty()) {
            if (in_.capacity() < in_.size() + late_.size() + Core::read_padding)
                in_.reserve(std::max(in_.size() + late_.size(), 2 * in_.size()) + Core::read_padding);
            in_.append(late_);
            std::string().swap(late_);
            body_ = in_;
        }
        for (uint64_t waited = 0; !charge(); waited += budget_poll_ms) {
            // The closed window is the back-pressure.
            if (waited >= budget_wait_ms) co_return Failure(Code::shed, "the gateway's budget for request bodies is used up");
            co_await sleep_ms(budget_poll_ms);
        }
        open_window();
        body_complete_ = request_ended_ && late_.empty();
        if (body_complete_) break;
        bool in_time = co_await BodyAwait(*this, c_.limits_.body_stall_ms);
        bool total = c_.limits_.body_total_ms && Core::here().now() - began > c_.limits_.body_total_ms * ns_per_ms;
        if (!in_time || total) co_return Failure(Code::request_timeout, "the request body did not arrive in time");
    }
    co_return Nothing{};
}

void H2Exchange::drop_body() {
    discard_ = true;
    std::string().swap(in_);
    std::string().swap(late_);
    head_ = &no_head;
    request_.reset();
    body_ = {};
    charge_.drop();
    if (unconsumed_ && !closed_) {
        discarded_ += unconsumed_;
        open_window();
    }
}

bool H2Exchange::begin(const Reply& reply, std::span<const iovec> first, bool end) {
    ASSERT(!begun_);
    begun_ = true;
    if (gone()) return false;
    bool bodiless = reply.status == 204 || reply.status == 304;
    head_only_ = head_method_ || bodiless;
    char status[8], digits[24];
    auto text = [](char* to, size_t n, auto value) { return std::string_view(to, static_cast<size_t>(std::to_chars(to, to + n, value).ptr - to)); };
    thread_local std::vector<nghttp2_nv> fields;
    thread_local std::string lower;
    fields.clear();
    fields.push_back(pair(":status", text(status, sizeof status, reply.status)));
    each_h2_field(lower, reply.lines, [](std::string_view name, std::string_view value) { fields.push_back(pair(name, value)); });
    if (!reply.has_date) fields.push_back(pair("date", http_date.at(Core::here().clock().wall())));
    if (reply.length >= 0 && !bodiless) fields.push_back(pair("content-length", text(digits, sizeof digits, reply.length)));
    size_t total = 0;
    for (auto& p : first) total += p.iov_len;
    bool no_body = head_only_ || (end && total == 0);
    nghttp2_data_provider provider{};
    provider.source.ptr = this;
    provider.read_callback = read_answer;
    bytes_out_ += reply.lines.size();
    if (nghttp2_submit_response(c_.session_, id_, fields.data(), fields.size(), no_body ? nullptr : &provider) != 0) {
        abort();
        return false;
    }
    if (no_body) {
        ended_ = ended_ || end;
        c_.touched();
        return !gone();
    }
    return put(first, end);
}

bool H2Exchange::write(std::span<const iovec> payload, bool end) {
    if (gone()) return false;
    if (head_only_) {
        ended_ = ended_ || end;
        return true;
    }
    return put(payload, end);
}

bool H2Exchange::put(std::span<const iovec> payload, bool end) {
    size_t total = 0;
    for (auto& p : payload) total += p.iov_len;
    if (!end && out_.size() - out_at_ + total > limits::write_rest_max) {   // what ends an answer is whole in the caller's memory anyway
        abort();
        return false;
    }
    if (out_at_ == out_.size()) {
        out_.clear();
        out_at_ = 0;
        stall_.progress_ms = Core::here().now_ms();
    }
    for (auto& p : payload) out_.append(static_cast<const char*>(p.iov_base), p.iov_len);
    bytes_out_ += total;
    ended_ = ended_ || end;
    nghttp2_session_resume_data(c_.session_, id_);   // refused when nothing was deferred: the frame is still to come
    c_.touched();
    if (out_.size() - out_at_ > limits::h2_stream_out_max) blocked_ = true;
    uint64_t stall_ms = c_.limits_.write_stall_ms;
    if (stall_ms && out_at_ < out_.size() && !stall_.armed() && !closed_) Core::here().arm(stall_, stall_ms);
    return !gone();
}

ssize_t H2Exchange::pull(uint8_t* to, size_t n, bool& end) {
    size_t take = std::min(n, out_.size() - out_at_);
    std::memcpy(to, out_.data() + out_at_, take);
    out_at_ += take;
    if (take) stall_.progress_ms = Core::here().now_ms();
    if (out_at_ == out_.size()) {
        std::string().swap(out_);
        out_at_ = 0;
        end = ended_;
    }
    if (blocked_ && out_.size() - out_at_ <= unblock_at) {
        blocked_ = false;
        if (writer_) Core::here().ready(*writer_);
    }
    return static_cast<ssize_t>(take);
}

// Bytes wait and the client has taken none for the whole time: its window or its socket is shut.
void H2Exchange::on_stall(Timer& timer) {
    auto& stall = static_cast<Stall&>(timer);
    H2Exchange& x = *stall.owner;
    if (x.closed_) return;
    if (x.sent_) return x.decline_rest();
    if (x.out_at_ == x.out_.size()) return;
    Core& core = Core::here();
    uint64_t due_ms = stall.progress_ms + x.c_.limits_.write_stall_ms;
    if (core.now_ms() < due_ms) {
        core.arm(stall, due_ms - core.now_ms());
        return;
    }
    if (x.writer_) core.ready(*x.writer_);
    if (x.hangup_) core.ready(*x.hangup_);
    x.abort();   // may be the end of x
}

void H2Exchange::abort() {
    if (closed_ || aborted_) return;
    if (begun_ && !served_) c_.flush();   // what was said before the breach is said
    if (closed_) return;
    aborted_ = true;
    std::string().swap(out_);
    out_at_ = 0;
    nghttp2_submit_rst_stream(c_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_INTERNAL_ERROR);
    c_.touched();
}

}  // namespace weir
