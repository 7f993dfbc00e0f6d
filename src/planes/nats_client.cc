#include "planes/nats_client.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "planes/nats_setup.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"

namespace weir {
namespace {

constexpr uint64_t inbox_sid = 1;
constexpr unsigned status_no_responders = 503;
constexpr Str line_end = "\r\n";

iovec piece(Str text) { return {const_cast<char*>(text.data()), text.size()}; }

std::string text_of(Str value) {
    std::string text;
    if (value.empty() || json_kind(value) != JsonKind::string || !json_unescape(json_inside(value), text)) text.clear();
    return text;
}
bool is_true(Str value) { return value == "true"; }

}  // namespace

// Lives in the frame of request().
struct NatsClient::Request : Timer {
    NatsClient& client;
    const uint64_t id;
    enum State : uint8_t { waiting, answered, late, broken } state = waiting;
    Answer answer;
    Waiter waiter;
    explicit Request(NatsClient& c) : client(c), id(c.next_request_++) {
        fire = [](Timer& t) { static_cast<Request&>(t).settle(late); };
        client.requests_[id] = this;
    }
    ~Request() {
        if (state == waiting) client.requests_.erase(id);
    }
    void settle(State to) {
        if (state != waiting) return;
        state = to;
        client.requests_.erase(id);
        if (waiter.frame) Core::here().ready(waiter);
    }
    bool await_ready() const { return state != waiting; }
    void await_suspend(std::coroutine_handle<> h) { waiter.frame = h; }
    void await_resume() const {}
};

struct NatsClient::Connection : Timer {
    Waiter waiter;
    NatsClient& client;
    const uint64_t ms;
    Connection(NatsClient& client, uint64_t ms) : client(client), ms(ms) {
        fire = [](Timer& t) { Core::here().ready(static_cast<Connection&>(t).waiter); };
    }
    bool await_ready() const { return client.up_ || ms == 0; }
    void await_suspend(std::coroutine_handle<> h) {
        waiter.frame = h;
        client.want_connection_.push_back(waiter);
        Core::here().arm(*this, ms);
    }
    void await_resume() const {}
};

NatsClient::Subscription::Subscription(NatsClient& client, std::string subject, NatsListener& listener)
    : client_(client), subject_(std::move(subject)), listener_(listener), sid_(client.next_sid_++) {
    if (!nats_subject(subject_)) return;
    client_.subscriptions_[sid_] = this;
    if (!client_.socket_) return;
    std::string out;
    client_.subscribe(*this, out);
    out += "PING\r\n";
    confirmed_by_ = ++client_.pings_;
    const iovec v = piece(out);
    client_.say({&v, 1});
}

NatsClient::Subscription::~Subscription() {
    if (!client_.subscriptions_.erase(sid_) || !client_.socket_) return;
    std::string out;
    append_nats_unsubscribe(out, sid_);
    const iovec v = piece(out);
    client_.say({&v, 1});
}

NatsClient::NatsClient(Core& core, Resolver& resolver, std::shared_ptr<const NatsSetup> setup, NatsTimes times)
    : core_(core), resolver_(resolver), setup_(std::move(setup)), times_(times) {
    char id[40];
    std::snprintf(id, sizeof id, "_INBOX.%016llx%08llx.", static_cast<unsigned long long>(core.random().next()),
                  static_cast<unsigned long long>(core.random().next() >> 32));
    inbox_ = id;
}

NatsClient::~NatsClient() {
    Core::Enter enter(core_);
    ASSERT(subscriptions_.empty());
    for (auto& [id, r] : requests_) r->state = Request::broken;   // whoever still waits is let go, and never resumed
    socket_ = nullptr;
    tasks_.cancel();
}

void NatsClient::start() { tasks_.spawn(run()); }

Task<void> NatsClient::run() {
    uint64_t wait_ms = times_.retry_first_ms;
    for (size_t at = 0;; at++) {
        const NatsServer& server = setup_->servers[at % setup_->servers.size()];
        auto socket = co_await dial(server);
        if (socket) {
            const uint64_t before = counts.connections;
            co_await talk(**socket, server);
            if (counts.connections > before) wait_ms = times_.retry_first_ms;
            lost();
        } else {
            trouble_ = server.text() + ": " + socket.error()->message + (socket.error()->detail.empty() ? "" : ": " + socket.error()->detail);
        }
        socket = std::unique_ptr<Transport>();
        co_await sleep_ms(wait_ms / 2 + core_.random().below(wait_ms / 2 + 1));
        wait_ms = std::min(wait_ms * 2, times_.retry_max_ms);
    }
}

// A connection whose server has introduced itself, under TLS when anybody wants that.
Task<Result<std::unique_ptr<Transport>>> NatsClient::dial(const NatsServer& server) {
    CO_TRY(auto addresses, co_await resolver_.resolve(server.host, server.port, times_.connect_ms));
    CO_TRY(int fd, co_await connect_any(std::move(addresses), times_.connect_ms));
    auto plain = std::make_unique<SocketTransport>(fd);
    plain->deadline_in(times_.connect_ms);
    NatsReader reader(nats_message_max);
    for (NatsReader::Kind kind = NatsReader::none; kind == NatsReader::none;) {
        auto got = co_await plain->recv();
        if (got.n <= 0) co_return Failure(Code::connect_failed, "the NATS server did not introduce itself");
        Str bytes = got.view();
        kind = reader.next(bytes);
        if (kind == NatsReader::error) co_return Failure(Code::connect_failed, "the NATS server refused us").detail(std::string(reader.text()));
        if (reader.bad() || !bytes.empty() || (kind != NatsReader::none && kind != NatsReader::info))
            co_return Failure(Code::engine_garbage, "that is no NATS server");
        if (kind == NatsReader::info) CO_TRY_OK(read_info(reader.text()));
    }
    plain->deadline_in(0);
    if (!server.tls && !setup_->tls_wanted && !tls_required_) co_return std::unique_ptr<Transport>(std::move(plain));
    if (!setup_->tls) co_return Failure(Code::connect_failed, "the NATS server wants TLS: its address must begin with tls://");
    const int bare = plain->release();
    co_return co_await tls_connect(bare, *setup_->tls, server.host, "", times_.connect_ms);
}

Result<void> NatsClient::read_info(Str json) {
    while (!json.empty() && (json.back() == ' ' || json.back() == '\t')) json.remove_suffix(1);
    if (!check_json(json) || json.empty() || json_kind(json) != JsonKind::object) return Failure(Code::engine_garbage, "that is no NATS server");
    nonce_ = text_of(json_member(json, "nonce"));
    tls_required_ = is_true(json_member(json, "tls_required"));
    headers_ = is_true(json_member(json, "headers"));
    const Str most = json_member(json, "max_payload");
    if (!most.empty() && json_kind(most) == JsonKind::number) payload_max_ = json_uint(most).value_or(payload_max_);
    return Nothing{};
}

std::string NatsClient::connect_line(const NatsServer& server) const {
    std::string line = "CONNECT ";
    JsonWriter w(line);
    line.push_back('{');
    w.member("verbose", false).member("pedantic", false).member("tls_required", server.tls || setup_->tls_wanted || tls_required_);
    w.member("name", "weir").member("lang", "c++").member("version", "1").member("protocol", 1).member("echo", true);
    w.member("headers", true).member("no_responders", headers_);
    const bool in_address = !server.user.empty();
    if (in_address && server.password.empty()) w.member("auth_token", server.user);
    else if (in_address) w.member("user", server.user).member("pass", server.password);
    else if (!setup_->user.empty()) w.member("user", setup_->user).member("pass", setup_->password);
    if (!in_address && !setup_->token.empty()) w.member("auth_token", setup_->token);
    if (!setup_->jwt.empty()) w.member("jwt", setup_->jwt);
    if (setup_->key && !nonce_.empty()) {
        if (setup_->jwt.empty()) w.member("nkey", setup_->key->name);
        w.member("sig", sign_nats_nonce(*setup_->key, nonce_));
    }
    w.end_object();
    return line.append(line_end);
}

// Everything we want is said at once; the first PONG tells that the server took it.
Task<void> NatsClient::talk(Transport& socket, const NatsServer& server) {
    pings_ = 1, pongs_ = 0, held_back_ = 0;
    trouble_ = server.text() + ": the server ended the connection";
    std::string out = connect_line(server);
    append_nats_subscribe(out, inbox_ + "*", inbox_sid);
    for (auto& [sid, s] : subscriptions_) {
        subscribe(*s, out);
        s->confirmed_by_ = 1;
    }
    out += "PING\r\n";
    socket_ = &socket;
    const iovec all = piece(out);
    say({&all, 1});
    socket.deadline_in(times_.connect_ms);
    NatsReader reader(nats_message_max);
    for (;;) {
        auto got = co_await socket.recv();
        if (got.n == -ETIMEDOUT) {
            if (pongs_ < pings_) {
                trouble_ = server.text() + ": the server fell silent";
                co_return;
            }
            pings_++;
            const iovec ping = piece("PING\r\n");
            say({&ping, 1});
            socket.deadline_in(times_.pong_ms);
            continue;
        }
        if (got.n <= 0) co_return;
        Str bytes = got.view();
        for (NatsReader::Kind kind; (kind = reader.next(bytes)) != NatsReader::none;) heard(kind, reader);
        if (reader.bad()) {
            trouble_ = server.text() + ": what the server says could not be understood";
            co_return;
        }
        socket.deadline_in(pongs_ == pings_ ? times_.ping_ms : up_ ? times_.pong_ms : times_.connect_ms);
    }
}

void NatsClient::heard(NatsReader::Kind kind, const NatsReader& reader) {
    switch (kind) {
    case NatsReader::message: return message(reader.said());
    case NatsReader::ping: {
        const iovec pong = piece("PONG\r\n");
        say({&pong, 1});
        return;
    }
    case NatsReader::pong: return ponged();
    case NatsReader::info: (void)read_info(reader.text()); return;
    case NatsReader::error:
        counts.errors++;
        trouble_ = reader.text();      // of what ends the connection; others are forgotten with the next PONG
        return;
    case NatsReader::ok: case NatsReader::none: return;
    }
}

void NatsClient::message(const NatsMessage& m) {
    if (m.sid != inbox_sid) {
        if (auto s = subscriptions_.find(m.sid); s != subscriptions_.end()) s->second->listener_.message(m);
        return;
    }
    uint64_t id = 0;
    const Str digits = m.subject.starts_with(inbox_) ? m.subject.substr(inbox_.size()) : Str();
    std::from_chars(digits.data(), digits.data() + digits.size(), id);
    const auto r = requests_.find(id);
    if (r == requests_.end()) {
        counts.unexpected++;
        return;
    }
    r->second->answer = {std::string(m.headers), std::string(m.payload)};
    r->second->settle(Request::answered);
}

void NatsClient::ponged() {
    pongs_++;
    trouble_.clear();
    if (!std::exchange(up_, true)) {
        counts.connections++;
        while (Waiter* w = want_connection_.pop_front()) core_.ready(*w);
    }
    std::vector<uint64_t> known;       // a listener may end its subscription
    for (auto& [sid, s] : subscriptions_)
        if (!s->told_ && s->confirmed_by_ && s->confirmed_by_ <= pongs_) known.push_back(sid);
    for (const uint64_t sid : known)
        if (auto s = subscriptions_.find(sid); s != subscriptions_.end()) s->second->told_ = true, s->second->listener_.connected();
}

void NatsClient::lost() {
    socket_ = nullptr;
    up_ = false;
    while (!requests_.empty()) requests_.begin()->second->settle(Request::broken);
    std::vector<uint64_t> had;
    for (auto& [sid, s] : subscriptions_) {
        s->confirmed_by_ = 0;
        if (std::exchange(s->told_, false)) had.push_back(sid);
    }
    for (const uint64_t sid : had)
        if (auto s = subscriptions_.find(sid); s != subscriptions_.end()) s->second->listener_.lost();
}

void NatsClient::subscribe(Subscription& s, std::string& out) { append_nats_subscribe(out, s.subject_, s.sid_); }

bool NatsClient::say(std::span<const iovec> pieces) {
    size_t bytes = 0;
    for (auto& p : pieces) bytes += p.iov_len;
    if (!socket_ || socket_->broken()) return false;
    if (!socket_->blocked()) held_back_ = 0;
    if (held_back_ + bytes > nats_pending_max) {
        counts.refused++;
        return false;
    }
    if (!socket_->send_large(pieces.data(), static_cast<int>(pieces.size()))) return false;
    if (socket_->blocked()) held_back_ += bytes;
    return true;
}

bool NatsClient::publish(Str subject, Str payload) {
    if (!up_ || !nats_subject(subject) || payload.size() > payload_max_) return false;
    std::string head;
    append_nats_publish_head(head, subject, {}, 0, payload.size());
    const iovec pieces[] = {piece(head), piece(payload), piece(line_end)};
    return say(pieces);
}

Task<Result<NatsClient::Answer>> NatsClient::request(Str subject, Str headers, Str payload, uint64_t timeout_ms) {
    if (!nats_subject(subject)) co_return Failure(Code::bad_field, "not a NATS subject: " + std::string(subject.substr(0, 200)));
    if (!up_) {
        Connection connection(*this, timeout_ms ? std::min(timeout_ms, times_.wait_for_connection_ms) : times_.wait_for_connection_ms);
        co_await connection;
    }
    if (!up_) co_return Failure(Code::connect_failed, "there is no connection to NATS").detail(trouble_);
    if (!headers_) headers = {};
    if (headers.size() + payload.size() > payload_max_)
        co_return Failure(Code::too_large, "the request is larger than NATS takes").detail("at most " + std::to_string(payload_max_) + " bytes");
    if (requests_.size() >= nats_requests_max) co_return Failure(Code::queue_full, "too many requests wait for answers over NATS");
    Request r(*this);
    std::string head;
    append_nats_publish_head(head, subject, inbox_ + std::to_string(r.id), headers.size(), payload.size());
    const iovec pieces[] = {piece(head), piece(headers), piece(payload), piece(line_end)};
    const uint64_t refused = counts.refused;
    if (!say(pieces)) {
        if (counts.refused != refused) co_return Failure(Code::queue_full, "NATS takes nothing any more");
        co_return Failure(Code::connect_failed, "the connection to NATS broke");
    }
    if (timeout_ms) core_.arm(r, timeout_ms);
    co_await r;
    core_.disarm(r);
    if (r.state == Request::late) co_return Failure(Code::first_byte_timeout, "nobody answered over NATS in time");
    if (r.state == Request::broken) co_return Failure(Code::reset_before_byte, "the connection to NATS broke");
    if (r.answer.payload.empty() && nats_status(r.answer.headers) == status_no_responders)
        co_return Failure(Code::connect_failed, "nobody listens there on NATS");
    co_return std::move(r.answer);
}

}  // namespace weir
