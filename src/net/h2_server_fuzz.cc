// HTTP/2 connections without sockets: whatever bytes come, however they are cut, whatever the client takes of the answers, nothing
// may crash, leak a request or keep a charge. The first byte chooses the cuts and how the client reads, the rest is what it sends.
#include <cstdlib>

#include "net/h2_exchange.cc"
#include "net/h2_guard.cc"
#include "net/h2_head.cc"
#include "net/h2_server.cc"

#include "tests/support/h2_cases.h"
#include "tests/support/net_service.h"

namespace {

using namespace weir;

void require(bool holds) {
    if (!holds) abort();
}

struct NoPoller final : Poller {
    void wait(int) override {}
    void wake() override {}
};

struct FakeTransport final : Transport {
    std::string in;
    size_t at = 0, cut, takes;
    bool more = false, over = false;
    size_t sent = 0;
    FakeTransport(std::string bytes, size_t cut, size_t takes) : in(std::move(bytes)), cut(cut), takes(takes) {}
    Got try_recv() override {
        if (more && at < in.size()) {
            more = false;
            size_t n = std::min(cut, in.size() - at);
            std::memcpy(Core::here().read_buffer(), in.data() + at, n);
            at += n;
            return {Core::here().read_buffer(), static_cast<ssize_t>(n)};
        }
        if (over) return {nullptr, 0};
        return {nullptr, -EAGAIN};
    }
    ssize_t try_send(const iovec* pieces, int n) override {
        size_t all = 0;
        for (int i = 0; i < n; i++) all += pieces[i].iov_len;
        size_t taken = std::min(all, takes);
        sent += taken;
        return taken || !all ? static_cast<ssize_t>(taken) : -EAGAIN;
    }
    void step() {
        more = at < in.size();
        over = !more;
        can_read();
        can_write();
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 1 || size > 64 * 1024) return 0;
    ManualClock clock;
    Core core(0, clock, std::make_unique<NoPoller>(), 1);
    Core::Enter enter(core);
    Budget bodies("bodies", 200'000);
    test::ScriptedService service;
    ServerLimits limits;
    limits.bodies = &bodies;
    limits.allow_half_close = data[0] & 8;
    std::atomic<bool> draining{(data[0] & 16) != 0};
    std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] & 1) bytes = test::h2_magic + test::h2_frame(4, 0, 0, {}) + bytes;
    static constexpr size_t cuts[] = {65'536, 1'000, 37, 9}, takes[] = {SIZE_MAX, 50, 0, 1'000};
    auto owned = std::make_unique<FakeTransport>(std::move(bytes), cuts[data[0] >> 5 & 3], takes[data[0] >> 1 & 3]);
    FakeTransport& t = *owned;
    {
        Nursery serving;
        serving.spawn(serve_http2(std::move(owned), service, limits, draining, {}));
        bool leave_early = data[0] & 128;
        for (int i = 0; i < 8'000 && serving.size(); i++) {
            if (leave_early && t.at > t.in.size() / 2) break;
            t.step();
            core.turn(0);
            clock.advance_ms(i < 100 ? 5 : 2'000);
        }
        require(leave_early || serving.size() == 0 || limits.allow_half_close);
    }
    require(bodies.used() == 0);
    require(service.alive == 0);
    return 0;
}
