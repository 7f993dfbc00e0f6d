// The only sources of time and chance; injected, never global, so that tests and `weir replay` run on virtual ones.
#pragma once
#include <cstdint>

namespace weir {

using Instant = uint64_t;   // steady nanoseconds since an arbitrary start; 0 = none
using UnixMs = uint64_t;
inline constexpr uint64_t ns_per_ms = 1'000'000, ns_per_s = 1'000'000'000;

struct Clock {
    virtual ~Clock() = default;
    virtual Instant now() const = 0;
    virtual UnixMs wall() const = 0;
};
Clock& system_clock();      // CLOCK_MONOTONIC / CLOCK_REALTIME; any thread

struct ManualClock final : Clock {   // tests and simulation; one thread
    Instant now_ns = 1'000 * ns_per_s;
    UnixMs wall_ms = 1'700'000'000'000;
    Instant now() const override { return now_ns; }
    UnixMs wall() const override { return wall_ms + now_ns / ns_per_ms; }
    void advance_ms(uint64_t ms) { now_ns += ms * ns_per_ms; }
};

// xoshiro256** seeded by splitmix64. One per core; not thread safe.
class Random {
public:
    explicit Random(uint64_t seed) { reseed(seed); }
    void reseed(uint64_t seed);
    uint64_t next();
    uint64_t below(uint64_t n) { return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * n) >> 64); }  // [0, n), n > 0
    double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }                                           // [0, 1)
    Random split(uint64_t id) { return Random(next() ^ id * 0x9e3779b97f4a7c15ull); }

private:
    uint64_t s_[4];
};

uint64_t mix64(uint64_t);   // splitmix64 finaliser: a cheap, good integer hash

}  // namespace weir
