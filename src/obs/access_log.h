// One line per request, with the gateway's own share of its time. Cores push fixed-size records, the log thread writes.
#pragma once
#include "base/clock.h"
#include "obs/spsc_ring.h"
#include "types/outcome.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

template <size_t N>
struct ShortText {                        // keeps the first N - 1 bytes; marks a cut with "~" at the end
    uint8_t len = 0;
    char at[N - 1];
    ShortText& operator=(std::string_view s) {
        static_assert(N <= 256);
        len = static_cast<uint8_t>(std::min(s.size(), N - 1));
        if (len) std::memcpy(at, s.data(), len);
        if (s.size() > N - 1) at[N - 2] = '~';
        return *this;
    }
    operator std::string_view() const { return {at, len}; }
};

struct AccessRecord {                     // 320 bytes; trivially copyable
    UnixMs at = 0;                        // when the request arrived
    uint64_t bytes_in = 0, bytes_out = 0; // bodies, as on the wire
    uint64_t total_us = 0;                // first byte of the request to the end of the answer
    uint32_t ttft_us = 0;                 // to the first byte of the answer; 0: none
    uint32_t overhead_us = 0;             // total_us less the waits for client and worker
    uint32_t tokens_in = 0, tokens_out = 0, tokens_cached = 0;
    uint16_t status = 0;                  // 0: none was sent
    uint8_t attempt = 0;                  // which attempt answered; 0: no worker was asked
    uint8_t http_major = 1;
    Code code = Code::ok;
    Outcome::By ended_by = Outcome::engine;
    bool stream = false;
    const char* method = "";              // these three: static storage
    const char* route = "";               // the route's template, "other" for none
    const char* policy = "";
    ShortText<48> request_id;
    ShortText<64> model;
    ShortText<64> worker;                 // host:port
    ShortText<48> client;                 // address:port
};
static_assert(sizeof(AccessRecord) <= 320 && std::is_trivially_copyable_v<AccessRecord>);

class AccessLog {
public:
    static constexpr size_t records_max = 2'048;   // waiting per core; the log thread empties a ring every 20 ms, or when half full

    // Lines go where log_start() sends them (with --log-dir to a file of their own). Make it before the cores run and destroy
    // it after they ended: the destructor writes what is left.
    AccessLog(unsigned cores, bool json, bool local_time = false);
    AccessLog(const AccessLog&) = delete;
    ~AccessLog();
    // The core's own thread; about 60 ns. Nothing is written while the level of module `access` is above info.
    void push(unsigned core, const AccessRecord&);
    unsigned cores() const { return static_cast<unsigned>(rings_.size()); }
    uint64_t dropped() const;             // records lost to full rings; any thread

private:
    friend class LogThread;
    size_t drain(std::string& out, size_t records);   // the log thread
    std::vector<std::unique_ptr<SpscRing<AccessRecord>>> rings_;
    bool json_, local_time_;
};

// One line with its newline. Text: space separated key=value after the time and the request line; JSON: one object.
void format_access(const AccessRecord&, bool json, bool local_time, std::string& out);

}  // namespace weir
