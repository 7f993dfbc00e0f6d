#include "gateway/mock_host.h"

#include <signal.h>

#include <fstream>

#include "mocker/from_config.h"
#include "mocker/server.h"
#include "obs/log.h"

namespace weir {

struct MockHost::Impl {
    Core core{1'000, system_clock(), std::make_unique<EpollPoller>(), 7};
    std::unique_ptr<mocker::FleetServer> server;
    std::thread thread;
};

MockHost::MockHost() : impl_(std::make_unique<Impl>()) {}

MockHost::~MockHost() {
    impl_->core.stop();
    if (impl_->thread.joinable()) impl_->thread.join();
    Core::Enter enter(impl_->core);
    impl_->server.reset();
}

Result<std::unique_ptr<MockHost>> MockHost::start(const MockerConfig& config, unsigned engines, const std::string& ready_file) {
    TRY(mocker::FleetSettings settings, mocker::settings_of(config, engines));
    std::unique_ptr<MockHost> host(new MockHost());
    Impl& i = *host->impl_;
    {
        Core::Enter enter(i.core);
        i.server = std::make_unique<mocker::FleetServer>(std::vector<Core*>{&i.core}, settings);
        TRY_OK(i.server->listen());
    }
    i.server->start();
    i.thread = std::thread([core = &i.core] { core->run(); });
    std::string ports;
    for (size_t k = 0; k < i.server->size(); k++) {
        host->urls_.push_back(i.server->url(k));
        ports += (k ? ", " : "") + std::to_string(i.server->port(k));
    }
    LOG_INFO(mocker, "simulated engines listen", {"host", config.host}, {"ports", ports}, {"model", config.model_names.front()});
    if (!ready_file.empty()) {
        std::ofstream(ready_file + ".part") << "{\"http\": " << i.server->port(0) << ", \"ports\": [" << ports << "]}\n";
        std::rename((ready_file + ".part").c_str(), ready_file.c_str());
    }
    return host;
}

int MockHost::run() {
    sigset_t set;
    sigemptyset(&set);
    for (int s : {SIGINT, SIGTERM}) sigaddset(&set, s);
    int got = 0;
    sigwait(&set, &got);
    return 0;
}

}  // namespace weir
