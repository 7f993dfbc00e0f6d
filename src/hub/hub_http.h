// One HTTP exchange with a model hub, as a seam: libcurl in the product, a script in tests. Blocking.
#pragma once
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace weir {

struct HubRequest {
    bool head = false;               // HEAD instead of GET
    std::string url;                 // http or https
    std::string token;               // sent as a bearer token; empty: none
    uint64_t from = 0;               // GET: ask for the bytes from here on
};

struct HubResponse {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> fields;   // names in lower case, in order
    std::string_view field(std::string_view name) const;      // the last of that name; empty: absent
};

// Where an answer goes. Redirects are not followed: their answer arrives like any other.
class HubBody {
public:
    virtual ~HubBody() = default;
    virtual bool head(const HubResponse&) = 0;       // before the first byte, once; false ends the exchange
    virtual bool bytes(std::string_view piece) = 0;  // false ends the exchange
};

// Asked from any thread to end what a download waits for.
class HubStop {
public:
    void stop();
    bool stopped() const { return stopped_.load(std::memory_order_relaxed); }
    bool wait_ms(uint64_t ms);       // false: stopped meanwhile

private:
    std::atomic<bool> stopped_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
};

class HubHttp {
public:
    virtual ~HubHttp() = default;
    // The answer's head once its body ended, or was ended by `body`. Failure: connect_failed when no answer came,
    // incomplete when it broke off or stalled, cancelled when stopped, bad_request for a URL that cannot be asked.
    virtual Result<HubResponse> ask(const HubRequest&, HubBody& body) = 0;
};

struct HubHttpLimits {
    uint64_t connect_ms = 10'000;
    uint64_t stall_ms = 30'000;      // slower than 1 KB/s for so long: given up
    std::string ca_file;             // PEM; empty: the system's
    std::string user_agent = "weir";
};
std::unique_ptr<HubHttp> hub_http_curl(const HubHttpLimits&, const HubStop& stop);   // `stop` outlives it; one thread at a time

}  // namespace weir
