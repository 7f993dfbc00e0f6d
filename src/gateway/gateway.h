// The whole gateway: every object made by hand, in order, and torn down in reverse.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/budget.h"
#include "config/config.h"
#include "discovery/static_urls.h"
#include "gateway/core_state.h"
#include "gateway/flow.h"
#include "gateway/metrics_service.h"
#include "net/server.h"
#include "net/tls.h"

namespace weir {

class Loads;      // gateway/loads.h
class Tokenizers; // gateway/tokenizers.h
class Routings;   // gateway/routings.h
class DynamoSite; // gateway/dynamo_site.h
class MockHost;   // gateway/mock_host.h: simulated engines in this process

class Gateway {
public:
    // Listens (connections wait) but serves nothing yet. The failure's message is for the terminal.
    static Result<std::unique_ptr<Gateway>> build(const Config&);
    ~Gateway();
    // Serves until a signal asks to stop; the caller has blocked SIGINT, SIGTERM, SIGHUP in all threads. Returns the exit code.
    int run();
    uint16_t port() const { return main_.front()->port(); }

private:
    explicit Gateway(const Config&);
    Result<void> open_tls();
    Result<void> open_tokenizers();
    Result<void> open_routing();
    Result<void> open_flow();
    Result<void> open_listeners();
    Result<void> open_workers();
    StaticUrlsOptions static_worker_options(WorkerSlot);
    Result<void> open_dynamo();
    void start();
    void announce();
    int wait_for_workers();
    int wait_for_end();
    uint64_t active() const;
    void publish(FleetViewRef);
    void collect(Metrics&);
    Task<void> watch_files();
    Task<void> expire_bookings(CoreState& state);

    Config config_;
    std::atomic<bool> draining_{false};
    std::atomic<size_t> workers_ready_{0};
    bool enough_workers_ = false;                   // as many as --router-min-initial-workers were there
    size_t workers_known_ = 0;                      // from the command line
    Budget bodies_;
    Metrics metrics_;
    std::unique_ptr<AccessLog> access_;
    std::unique_ptr<TlsServer> tls_server_;
    std::unique_ptr<TlsClient> tls_client_;
    LoadCells cells_;
    std::vector<std::unique_ptr<Core>> cores_;      // data cores, then the control core
    std::vector<Core*> data_;
    Core* ctl_ = nullptr;
    std::vector<std::unique_ptr<CoreState>> states_;
    std::unique_ptr<Tokenizers> tokenizers_;
    std::unique_ptr<Routings> routings_;
    std::unique_ptr<Flow> flow_;
    std::unique_ptr<MetricsService> metrics_service_;
    std::unique_ptr<Resolver> ctl_resolver_;
    std::unique_ptr<ClientPool> ctl_pool_;
    std::unique_ptr<Loads> loads_;                  // null: nobody asks for workers' loads
    std::unique_ptr<Registry> registry_;
    std::unique_ptr<DynamoSite> dynamo_;
    std::mutex view_mutex_;
    FleetViewRef view_ = std::make_shared<FleetView>();   // the newest, for the metrics page; guarded by view_mutex_
    std::unique_ptr<MockHost> mocks_;
    std::vector<std::unique_ptr<Server>> main_;     // TCP, and a unix socket when asked for
    std::unique_ptr<Server> metrics_server_;
    std::vector<std::thread> threads_;
};

}  // namespace weir
