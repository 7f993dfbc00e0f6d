#include "planes/request_plane.h"

#include "net/tls.h"

namespace weir {
namespace {

constexpr size_t hosts_kept = 1'024;   // addresses; beyond it those without a connection are forgotten

}  // namespace

// A request's place in the order of acknowledgements. Lives in the frame of send(); the connection keeps a slot that points here, and
// keeps the slot when we are gone, for the acknowledgement still comes.
struct RequestPlane::Ack : Timer {
    Connection* at = nullptr;
    Ack** slot = nullptr;
    enum State : uint8_t { waiting, answered, late, broken } state = waiting;
    std::string text;
    Waiter waiter;
    Ack();
    ~Ack() {
        if (slot) *slot = nullptr;
    }
    void settle(State to) {
        if (state != waiting) return;   // the time may be over in the turn that brought the answer
        state = to;
        if (slot) *slot = nullptr;
        slot = nullptr;
        at = nullptr;
        if (waiter.frame) Core::here().ready(waiter);
    }
    bool await_ready() const { return state != waiting; }
    void await_suspend(std::coroutine_handle<> h) { waiter.frame = h; }
    void await_resume() const {}
};

struct RequestPlane::Connection : ListNode {
    Host& host;
    const std::unique_ptr<SocketTransport> transport;
    SocketTransport& socket;
    std::deque<Ack*> acks;             // references into it stay valid while ends are pushed and popped
    bool retired = false;              // takes no new requests: it owes an acknowledgement for too long
    Connection(Host& host, std::unique_ptr<SocketTransport> t) : host(host), transport(std::move(t)), socket(*transport) { host.open++; }
    ~Connection() {
        host.open--;
        for (Ack* ack : acks)
            if (ack) ack->settle(Ack::broken);
    }
};

RequestPlane::Ack::Ack() {
    fire = [](Timer& t) {
        Ack& ack = static_cast<Ack&>(t);
        if (ack.at) ack.at->retired = true;
        ack.settle(Ack::late);
    };
}

// Somebody who waits for a connection that another request is dialling.
struct RequestPlane::Dialled : Waiter {
    bool failed = false;
    Host& host;
    explicit Dialled(Host& host) : host(host) {}
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> h) {
        frame = h;
        host.waiting.push_back(*this);
    }
    bool await_resume() const { return !failed; }
};
struct RequestPlane::Dialling {
    Host& host;
    bool ok = false, ended = false;
    explicit Dialling(Host& host) : host(host) { host.dialling = true; }
    ~Dialling() {
        host.dialling = false;
        while (Dialled* w = host.waiting.pop_front()) {
            w->failed = ended && !ok;  // given up by its own request says nothing about the worker: the next one dials
            Core::here().ready(*w);
        }
    }
};

RequestPlane::RequestPlane(Core& core, Resolver& resolver, RequestPlaneLimits limits) : core_(core), resolver_(resolver), limits_(limits) {}

RequestPlane::~RequestPlane() {
    Core::Enter enter(core_);
    serving_.cancel();
}

size_t RequestPlane::connections() const {
    size_t n = 0;
    for (auto& [address, host] : hosts_) n += host->open;
    return n;
}

size_t RequestPlane::waiting() const {
    size_t n = 0;
    for (auto& [address, host] : hosts_)
        for (Connection* c = host->connections.front(); c; c = host->connections.after(c))
            for (Ack* ack : c->acks) n += ack != nullptr;
    return n;
}

// The least busy one. A connection with bytes that the worker has not taken gets no more of them.
RequestPlane::Connection* RequestPlane::with_room(Host& host) {
    Connection* best = nullptr;
    for (Connection* c = host.connections.front(); c; c = host.connections.after(c)) {
        if (c->retired || c->acks.size() >= limits_.pipelined_max || c->socket.blocked() || c->socket.hung_up() || c->socket.broken()) continue;
        if (!best || c->acks.size() < best->acks.size()) best = c;
    }
    return best;
}

Task<Result<std::unique_ptr<SocketTransport>>> RequestPlane::connect(const PlaneAddress& address) {
    int fd = -1;
    if (connector_) {
        CO_TRY(fd, co_await connector_(connector_self_, address));
    } else {
        CO_TRY(auto addresses, co_await resolver_.resolve(address.host, address.port, limits_.connect_ms));
        CO_TRY(fd, co_await connect_any(std::move(addresses), limits_.connect_ms));
    }
    if (!tls_) co_return std::make_unique<SocketTransport>(fd);
    const std::string name = server_name_.empty() ? address.host : server_name_;
    CO_TRY(std::unique_ptr<Transport> secure, co_await tls_connect(fd, *tls_, name, "", limits_.connect_ms));
    secure->deadline_in(0);
    co_return std::unique_ptr<SocketTransport>(static_cast<SocketTransport*>(secure.release()));   // which a TLS connection is
}

Task<Result<RequestPlane::Connection*>> RequestPlane::connection_to(const PlaneAddress& address) {
    if (hosts_.size() >= hosts_kept) std::erase_if(hosts_, [](auto& h) { return !h.second->open && !h.second->dialling && h.second->waiting.empty(); });
    auto& entry = hosts_[address.host + ":" + std::to_string(address.port)];
    if (!entry) entry = std::make_unique<Host>();
    Host& host = *entry;
    for (;;) {
        if (Connection* c = with_room(host)) co_return c;
        if (host.dialling) {
            Dialled turn(host);
            const bool ok = co_await turn;
            if (!ok) co_return Failure(Code::connect_failed, "cannot connect to the worker");
            continue;
        }
        if (host.open >= limits_.connections_max) co_return Failure(Code::ack_error, "every connection to the worker is full");
        Dialling dialling(host);
        auto socket = co_await connect(address);
        dialling.ended = true;
        if (!socket) co_return std::move(socket).error();
        dialling.ok = true;
        auto made = std::make_unique<Connection>(host, *std::move(socket));
        host.connections.push_back(*made);
        serving_.spawn(serve(std::move(made)));   // ends at once when the peer has left already
        if (Connection* c = with_room(host)) co_return c;
        co_return Failure(Code::connect_failed, "the worker closed the connection at once");
    }
}

Task<void> RequestPlane::serve(std::unique_ptr<Connection> connection) {
    Connection& c = *connection;
    AckReader reader;
    c.socket.deadline_in(limits_.idle_ms);
    for (;;) {
        auto got = co_await c.socket.recv();
        if (got.n == -ETIMEDOUT && !c.acks.empty() && !c.retired) {
            c.socket.deadline_in(limits_.idle_ms);
            continue;
        }
        if (got.n <= 0) co_return;   // idle, left or broken: whoever waits hears of it from the destructor
        Str bytes = got.view(), text;
        while (reader.next(bytes, text)) {
            if (c.acks.empty()) co_return;   // nobody asked
            if (Ack* ack = c.acks.front()) {
                ack->text = text;
                ack->settle(Ack::answered);
            }
            c.acks.pop_front();
        }
        if (reader.bad() || (c.retired && c.acks.empty())) co_return;
        c.socket.deadline_in(limits_.idle_ms);
    }
}

Task<Result<void>> RequestPlane::send(const PlaneAddress& address, Str headers, Str payload) {
    if (address.host.empty()) {
        if (!subjects_) co_return Failure(Code::connect_failed, "the worker listens on a plane that is not in use here");
        co_return co_await subjects_->send(address.path, headers, payload);
    }
    std::string head;
    if (!append_request_head(head, address.path, headers, payload.size(), limits_.message_max))
        co_return Failure(Code::too_large, "the request is larger than workers take");
    CO_TRY(Connection * c, co_await connection_to(address));
    Ack ack;
    iovec pieces[2] = {{head.data(), head.size()}, {const_cast<char*>(payload.data()), payload.size()}};
    c->socket.reset_accepted();
    if (!c->socket.send_large(pieces, 2)) {
        // Broken before a byte of it went out: the serving task ends by itself.
        co_return Failure(c->socket.bytes_accepted() ? Code::reset_before_byte : Code::connect_failed, "the connection to the worker broke");
    }
    c->socket.deadline_in(limits_.idle_ms);
    c->acks.push_back(&ack);
    ack.at = c;
    ack.slot = &c->acks.back();
    core_.arm(ack, limits_.ack_ms);
    co_await ack;
    core_.disarm(ack);
    if (ack.state == Ack::late) co_return Failure(Code::first_byte_timeout, "the worker did not acknowledge the request in time");
    if (ack.state == Ack::broken) co_return Failure(Code::reset_before_byte, "the connection to the worker broke");
    const AckKind kind = ack_kind(ack.text);
    if (kind == AckKind::ok) co_return Nothing{};
    Failure failure(Code::ack_error, kind == AckKind::overloaded ? "the worker is overloaded" : "the worker is unavailable");
    failure->reason = kind == AckKind::overloaded ? "overloaded" : "unavailable";
    failure->detail = ack.text;
    co_return failure;
}

}  // namespace weir
