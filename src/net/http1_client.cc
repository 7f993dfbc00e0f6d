// The client side of HTTP/1 and the pool of idle connections of one core.
#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "net/h2_client.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "net/upstream.h"

namespace weir {
namespace {

constexpr uint64_t peek_after_ms = 500;
thread_local HeaderSpace header_space;

class Http1Upstream final : public Upstream {
public:
    Http1Upstream(ClientPool& pool, const Target& target, std::unique_ptr<Transport> transport)
        : pool_(pool), target_(target), transport_(std::move(transport)) {
        transport_->reset_accepted();
        pool_.count_busy(+1);
    }

    ~Http1Upstream() override {
        pool_.count_busy(-1);
        // Only a connection whose answer was read to its exact end is used again.
        if (reusable_ && !transport_->stale_now()) pool_.put_back(target_, std::move(transport_));
    }

    bool send(const UpstreamRequest& r) override {
        std::string& out = Core::here().write_buffer();
        out.clear();
        out.append(r.method).append(" ").append(target_.path_prefix).append(r.path).append(" HTTP/1.1\r\nhost: ").append(target_.authority).append("\r\n");
        out.append(r.lines);
        size_t body = 0;
        for (auto& b : r.body) body += b.iov_len;
        if (body || r.method == "POST" || r.method == "PUT") {
            char digits[24];
            auto [at, ec] = std::to_chars(digits, digits + sizeof digits, body);
            append_header(out, "content-length", {digits, static_cast<size_t>(at - digits)});
        }
        out.append("\r\n");
        head_request_ = r.method == "HEAD";
        iovec pieces[20];
        int n = 0;
        pieces[n++] = {out.data(), out.size()};
        ASSERT(r.body.size() <= 16);
        for (auto& b : r.body) pieces[n++] = b;
        return transport_->send_large(pieces, n);
    }

    bool bytes_accepted() const override { return transport_->bytes_accepted(); }
    bool sending() const override { return transport_->blocked(); }
    void deadline_in(uint64_t ms) override { transport_->deadline_in(ms); }

    Task<Result<void>> read_head(ResponseHead& out) override {
        std::string held;   // only when the head comes in pieces
        HeadCursor cursor{};
        std::string_view bytes;
        for (;;) {
            auto got = co_await transport_->recv();
            if (got.n == -ETIMEDOUT) co_return Failure(Code::first_byte_timeout, "the worker did not answer in time");
            if (got.n <= 0) {
                co_return held.empty() ? Failure(Code::reset_before_byte, "the worker closed the connection without an answer")
                                       : Failure(Code::engine_garbage, "the worker closed the connection within its answer's head");
            }
            if (held.empty()) {
                bytes = got.view();
            } else {
                held.append(got.view());
                bytes = held;
            }
            bool more = false;
            while (!more) {
                BadHead bad{};
                Parse p = parse_response_head(bytes, head_request_, header_space, out, bad, cursor);
                if (p == Parse::bad) co_return Failure(Code::engine_garbage, "the worker's answer is not HTTP").detail(bad.why);
                if (p == Parse::need_more) {
                    if (held.empty()) held.assign(bytes);
                    else if (bytes.data() != held.data()) held.erase(0, held.size() - bytes.size());
                    more = true;
                } else if (out.status >= 200) {
                    start_body(out, bytes, std::move(held));
                    co_return Nothing{};
                } else if (out.status == 101) {
                    co_return Failure(Code::engine_garbage, "the worker switched protocols unasked");
                } else {   // an interim answer
                    bytes.remove_prefix(out.head_bytes);
                    cursor = HeadCursor{};
                    if (bytes.empty()) {
                        held.clear();
                        more = true;
                    }
                }
            }
        }
    }

    bool set_framed(bool framed) override {
        framed_ = framed && kind_ == BodyKind::chunked;
        return framed_;
    }
    bool between_chunks() const override { return framer_.between_chunks(); }
    bool close_chunk(std::string& out) const override { return framer_.close_chunk(out, limits::read_chunk); }

    Poll poll(Piece& out) override {
        for (;;) {
            if (why_ != Code::ok && why_ != Code::deadline) return Poll::failed;
            why_ = Code::ok;
            if (finished_) {
                out = {{}, true};
                return Poll::got;
            }
            if (take_pending(out)) return Poll::got;
            if (why_ != Code::ok) return Poll::failed;
            std::string().swap(held_);
            Transport::Got got;
            if (!transport_->recv_now(got)) return Poll::pending;
            if (got.n == -ETIMEDOUT) {
                why_ = Code::deadline;
                return Poll::failed;
            }
            if (got.n > 0) {
                pending_ = got.view();
            } else if (got.n == 0 && framer_.finish()) {
                finished_ = true;
            } else {
                why_ = Code::incomplete;
            }
        }
    }

    void hold() override {
        if (pending_.empty() || (pending_.data() >= held_.data() && pending_.data() < held_.data() + held_.size())) return;
        held_.assign(pending_);
        pending_ = held_;
    }

    Failure failure() override {
        switch (why_) {
        case Code::deadline: return Failure(Code::deadline, "the worker fell silent");
        case Code::incomplete: return Failure(Code::incomplete, "the worker closed the connection within its answer");
        default: return Failure(Code::engine_garbage, "the worker's answer is broken").detail(framer_.why());
        }
    }
    Waiter*& reader_slot() override { return transport_->reader_slot(); }

private:
    void start_body(const ResponseHead& head, std::string_view bytes, std::string held) {
        kind_ = head.body;
        keep_alive_ = head.keep_alive;
        framer_.start(head);
        pending_ = bytes.substr(head.head_bytes);
        if (!held.empty()) {   // `out`'s views and the first body bytes live in it until the next read
            const char* before = held.data();
            held_ = std::move(held);
            ASSERT(held_.data() == before || held_.size() < 16);
            pending_ = {held_.data() + (pending_.data() - before), pending_.size()};
        }
    }

    // A piece of what has been read; false: used up, or broken.
    bool take_pending(Piece& out) {
        if (framer_.done()) {
            out = {{}, true};
            return finish();
        }
        if (pending_.empty()) return false;
        if (framed_) {
            size_t n = framer_.feed(pending_);
            out = {pending_.substr(0, n), framer_.done()};
            pending_.remove_prefix(n);
        } else {
            std::string_view payload;
            while (!pending_.empty() && payload.empty() && !framer_.done() && !framer_.bad())
                pending_.remove_prefix(framer_.next(pending_, payload));
            out = {payload, framer_.done()};
        }
        if (framer_.bad()) {
            why_ = Code::engine_garbage;   // what came before it is still given out
            return !out.bytes.empty();
        }
        if (out.end) return finish();
        return !out.bytes.empty();
    }

    bool finish() {
        finished_ = true;
        // Bytes behind the answer: the worker is out of step, its connection is not used again.
        reusable_ = keep_alive_ && pending_.empty() && kind_ != BodyKind::until_close && !transport_->blocked();
        return true;
    }

    ClientPool& pool_;
    const Target& target_;
    std::unique_ptr<Transport> transport_;
    std::string_view pending_;   // read and not yet given out; in the read buffer or in held_
    std::string held_;
    BodyFramer framer_;
    BodyKind kind_ = BodyKind::none;
    bool head_request_ = false, keep_alive_ = false, framed_ = false, finished_ = false, reusable_ = false;
    Code why_ = Code::ok;        // what broke the body, or that the deadline passed
};

}  // namespace

Task<Result<Piece>> Upstream::next() {
    NextPiece next(*this);
    Poll state = co_await next;
    if (state == Poll::failed) co_return failure();
    co_return next.piece;
}

ClientPool::ClientPool(Core& core, Resolver& resolver, const UpstreamLimits& limits)
    : core_(core), resolver_(resolver), limits_(limits), h2_(std::make_unique<H2Pool>(core)) {
    sweep_.pool = this;
    sweep_.fire = [](Timer& t) { static_cast<Sweep&>(t).pool->sweep(); };
}

ClientPool::~ClientPool() = default;

std::unique_ptr<Upstream> ClientPool::take(const Target& target) {
    if (target.http != Target::Http::one) {
        std::unique_ptr<Upstream> stream = h2_->take(target);
        if (stream || target.http == Target::Http::two_prior) return stream;
    }
    if (target.slot >= slots_.size()) return nullptr;
    auto& idle = slots_[target.slot];
    while (!idle.empty()) {
        Idle newest = std::move(idle.back());
        idle.pop_back();
        idle_--;
        uint64_t rested_ms = core_.now_ms() - newest.since_ms;
        if (rested_ms > limits_.pool_idle_ms) continue;
        // Events told of a FIN that came before this turn. One that came since is as likely right after a look as before it, so the
        // look (a system call) is kept for connections that rested long enough for a worker's idle limit.
        if (rested_ms > peek_after_ms ? newest.transport->stale() : newest.transport->stale_now()) continue;
        newest.transport->deadline_in(0);
        return std::make_unique<Http1Upstream>(*this, target, std::move(newest.transport));
    }
    return nullptr;
}

Task<Result<std::unique_ptr<Transport>>> ClientPool::dial(const Target& target) {
    std::vector<Address> addresses;
    if (!target.unix_path.empty()) {
        CO_TRY(Address a, unix_address(target.unix_path));
        addresses.push_back(a);
    } else {
        CO_TRY(addresses, co_await resolver_.resolve(target.host, target.port, limits_.connect_ms));
    }
    CO_TRY(int fd, co_await connect_any(std::move(addresses), limits_.connect_ms));
    if (!target.tls) co_return std::unique_ptr<Transport>(std::make_unique<SocketTransport>(fd));
    std::string alpn = target.http == Target::Http::one ? "http/1.1" : "h2,http/1.1";
    auto secure = co_await tls_connect(fd, *target.tls_client, target.host, std::move(alpn), limits_.connect_ms);
    co_return secure;
}

Task<Result<std::unique_ptr<Transport>>> ClientPool::connect(const Target& target) {
    return connector_ ? connector_(connector_self_, target) : dial(target);
}

Task<Result<std::unique_ptr<Upstream>>> ClientPool::open(const Target& target) {
    if (target.http == Target::Http::one) {
        CO_TRY(std::unique_ptr<Transport> transport, co_await connect(target));
        co_return std::unique_ptr<Upstream>(std::make_unique<Http1Upstream>(*this, target, std::move(transport)));
    }
    CO_TRY(std::unique_ptr<Upstream> stream, co_await h2_->wait_turn(target, limits_.connect_ms));
    if (stream) co_return stream;
    H2Pool::Dialing dialing(*h2_, target.slot);
    CO_TRY(std::unique_ptr<Transport> transport, co_await connect(target));
    if (!sweep_.armed()) core_.arm(sweep_, 1'000);
    if (target.http == Target::Http::two_prior || transport->alpn() == "h2") co_return h2_->add(target, std::move(transport));
    h2_->speaks_http1(target.slot);
    co_return std::unique_ptr<Upstream>(std::make_unique<Http1Upstream>(*this, target, std::move(transport)));
}

void ClientPool::put_back(const Target& target, std::unique_ptr<Transport> transport) {
    if (target.slot >= slots_.size()) slots_.resize(target.slot + 1);
    auto& idle = slots_[target.slot];
    if (idle.size() >= limits::pool_idle_per_worker) {   // the oldest has rested longest
        idle.erase(idle.begin());
        idle_--;
    }
    transport->deadline_in(0);
    idle.push_back({std::move(transport), core_.now_ms()});
    idle_++;
    if (!sweep_.armed()) core_.arm(sweep_, 1'000);
}

void ClientPool::forget(uint32_t slot) {
    h2_->forget(slot);
    if (slot >= slots_.size()) return;
    idle_ -= static_cast<uint32_t>(slots_[slot].size());
    slots_[slot].clear();
}

void ClientPool::sweep() {
    for (auto& idle : slots_) {
        size_t before = idle.size();
        std::erase_if(idle, [&](Idle& i) { return i.transport->stale_now() || core_.now_ms() - i.since_ms > limits_.pool_idle_ms; });
        idle_ -= static_cast<uint32_t>(before - idle.size());
    }
    h2_->sweep(limits_.pool_idle_ms);
    if (idle_ || h2_->sessions()) core_.arm(sweep_, 1'000);
}

}  // namespace weir
