#include <algorithm>

#include "net/h2_client.h"

namespace weir {

H2Pool::~H2Pool() = default;

void H2Pool::Slot::wake() {
    while (Waiter* w = waiting.pop_front()) Core::here().ready(*w);
}

H2Pool::Slot& H2Pool::slot(uint32_t index) {
    if (index >= slots_.size()) slots_.resize(index + 1);
    if (!slots_[index]) slots_[index] = std::make_unique<Slot>();
    return *slots_[index];
}

H2ClientSession* H2Pool::with_room(Slot& s) {
    for (auto& session : s.sessions)
        if (session->can_open() && session->certainly_alive()) return session.get();
    return nullptr;
}

std::unique_ptr<Upstream> H2Pool::take(const Target& target) {
    H2ClientSession* session = with_room(slot(target.slot));
    return session ? session->open(target) : nullptr;
}

Task<Result<std::unique_ptr<Upstream>>> H2Pool::wait_turn(const Target& target, uint64_t timeout_ms) {
    struct Turn : Timer {   // co_await: something changed at this worker, or the time is over
        Slot& s;
        uint64_t due_ms;
        Waiter waiter;
        Turn(Slot& s, uint64_t due_ms) : s(s), due_ms(due_ms) {
            s.waiting_n++;
            fire = [](Timer& t) { Core::here().ready(static_cast<Turn&>(t).waiter); };
        }
        ~Turn() { s.waiting_n--; }
        bool await_ready() const { return false; }
        void await_suspend(std::coroutine_handle<> h) {
            waiter.frame = h;
            s.waiting.push_back(waiter);
            if (due_ms) Core::here().arm(*this, due_ms - Core::here().now_ms());
        }
        void await_resume() const {}
    };
    Slot& s = slot(target.slot);
    uint64_t due_ms = timeout_ms ? core_.now_ms() + timeout_ms : 0;
    for (;;) {
        if (H2ClientSession* session = with_room(s)) co_return session->open(target);
        size_t alive = 0;
        for (auto& session : s.sessions) alive += !session->dead();
        // One connection carries many: whoever comes while it is dialled waits for it.
        bool dial = s.http1 || (alive + s.dialing < limits::h2_client_connections_max && s.waiting_n >= s.dialing * limits::h2_client_streams_max);
        if (dial) co_return std::unique_ptr<Upstream>();
        if (due_ms && core_.now_ms() >= due_ms) co_return Failure(Code::connect_failed, "every connection to the worker is full");
        co_await Turn(s, due_ms);
    }
}

H2Pool::Dialing::Dialing(H2Pool& pool, uint32_t slot) : pool(pool), slot(slot) { pool.slot(slot).dialing++; }
H2Pool::Dialing::~Dialing() {
    Slot& s = pool.slot(slot);
    s.dialing--;
    s.wake();
}

std::unique_ptr<Upstream> H2Pool::add(const Target& target, std::unique_ptr<Transport> transport) {
    Slot& s = slot(target.slot);
    s.http1 = false;
    s.sessions.push_back(std::make_unique<H2ClientSession>(core_, std::move(transport), [](void* self) { static_cast<Slot*>(self)->wake(); }, &s));
    return s.sessions.back()->open(target);
}

void H2Pool::speaks_http1(uint32_t index) { slot(index).http1 = true; }

void H2Pool::forget(uint32_t index) {
    if (index >= slots_.size() || !slots_[index]) return;
    Slot& s = *slots_[index];
    for (auto& session : s.sessions) s.leaving.push_back(std::move(session));
    s.sessions.clear();
    s.http1 = false;
}

void H2Pool::sweep(uint64_t idle_ms) {
    for (auto& s : slots_) {
        if (!s) continue;
        auto done = [&](auto& session, uint64_t rest_ms) {
            return session->streams() == 0 && (session->dead() || core_.now_ms() - session->idle_since_ms() >= rest_ms);
        };
        std::erase_if(s->sessions, [&](auto& session) { return done(session, idle_ms); });
        std::erase_if(s->leaving, [&](auto& session) { return done(session, 0); });
    }
}

size_t H2Pool::sessions() const {
    size_t n = 0;
    for (auto& s : slots_)
        if (s) n += s->sessions.size() + s->leaving.size();
    return n;
}

}  // namespace weir
