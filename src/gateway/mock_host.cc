#include "gateway/mock_host.h"

#include <signal.h>

#include <algorithm>
#include <fstream>

#include "mocker/ask.h"
#include "mocker/from_config.h"
#include "mocker/server.h"
#include "obs/log.h"

namespace weir {

namespace {
// An engine's cache, as the index is told of it. Called by the engine's thread, so events are in order.
struct Publisher final : sim::EngineSink {
    Publisher(kv::Rank rank, std::shared_ptr<kv::KvIndex> index) : rank(rank), index(std::move(index)) {}
    void on_token(const sim::TokenEvent&) override {}
    void on_kv(const sim::KvEvent& e) override {
        switch (e.kind) {
        case sim::KvEvent::stored:
            blocks.clear();
            for (size_t i = 0; i < e.chained.size(); i++) blocks.push_back({e.chained[i], e.local[i]});
            return index->stored(rank, kv::Tier::device, e.parent ? &e.parent : nullptr, blocks);
        case sim::KvEvent::removed: return index->removed(rank, kv::Tier::device, e.chained);
        case sim::KvEvent::cleared: return index->cleared(rank);
        }
    }
    kv::Rank rank;
    std::shared_ptr<kv::KvIndex> index;
    std::vector<kv::Block> blocks;
};
}  // namespace

struct MockHost::Impl {
    Core core{1'000, system_clock(), std::make_unique<EpollPoller>(), 7};
    std::vector<std::unique_ptr<Publisher>> publishers;   // before the engines that call them
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
    host->models_ = config.model_names;
    host->block_ = config.block_size;
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

void MockHost::publish(size_t engine, kv::Rank rank, std::shared_ptr<kv::KvIndex> index) {
    auto& made = impl_->publishers.emplace_back(std::make_unique<Publisher>(rank, std::move(index)));
    (void)impl_->core.post([this, engine, sink = made.get()] { impl_->server->engine(engine).kv_sink = sink; });
}

bool MockHost::serves(Str model) const { return std::ranges::find(models_, model) != models_.end(); }

bool MockHost::prompt(Api api, Str body, std::vector<uint32_t>& ids) const {
    auto ask = mocker::parse_ask(api == Api::chat ? mocker::Face::chat : mocker::Face::completions, body);
    if (!ask) return false;
    ids = std::move(ask->prompts.front());
    return true;
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
