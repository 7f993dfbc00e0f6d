#include "base/clock.h"

#include <time.h>

namespace weir {
namespace {
uint64_t read_ns(clockid_t id) {
    timespec t;
    clock_gettime(id, &t);
    return static_cast<uint64_t>(t.tv_sec) * ns_per_s + static_cast<uint64_t>(t.tv_nsec);
}
struct SystemClock final : Clock {
    Instant now() const override { return read_ns(CLOCK_MONOTONIC); }
    UnixMs wall() const override { return read_ns(CLOCK_REALTIME) / ns_per_ms; }
};
uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
}  // namespace

Clock& system_clock() {
    static SystemClock clock;
    return clock;
}

uint64_t mix64(uint64_t x) {
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

void Random::reseed(uint64_t seed) {
    for (auto& s : s_) s = mix64(seed++);
}

uint64_t Random::next() {
    uint64_t result = rotl(s_[1] * 5, 7) * 9, t = s_[1] << 17;
    s_[2] ^= s_[0];
    s_[3] ^= s_[1];
    s_[1] ^= s_[2];
    s_[0] ^= s_[3];
    s_[2] ^= t;
    s_[3] = rotl(s_[3], 45);
    return result;
}

}  // namespace weir
