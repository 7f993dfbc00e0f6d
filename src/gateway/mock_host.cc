#include "gateway/mock_host.h"

#include <signal.h>

#include <fstream>

#include "mocker/server.h"
#include "obs/log.h"

namespace weir {
namespace {

Result<mocker::FleetSettings> settings_of(const MockerConfig& c, unsigned engines) {
    mocker::FleetSettings f;
    f.num_workers = engines;
    f.host = c.host;
    f.port = c.port;
    f.ports = c.ports;
    if (!f.ports.empty() && f.ports.size() != engines)
        return Failure(Code::bad_field, "--ports names " + std::to_string(f.ports.size()) + " ports for " + std::to_string(engines) + " engines");
    mocker::EngineSettings& e = f.engine;
    e.kind = c.engine == "sglang" ? mocker::EngineKind::sglang : mocker::EngineKind::vllm;
    e.model = c.model_names.front();
    e.aliases.assign(c.model_names.begin() + 1, c.model_names.end());
    e.dp_size = c.dp_size;
    e.api_key = c.api_key;
    e.seed = c.seed;
    e.natural_min = e.natural_max = c.tokens_default;
    e.startup_ms = static_cast<uint64_t>(c.startup_time_s * 1'000);
    sim::EngineParams& p = e.engine;
    p.max_num_seqs = c.max_num_seqs;
    p.max_num_batched_tokens = c.max_num_batched_tokens;
    p.block_size = c.block_size;
    p.num_blocks = c.num_gpu_blocks;
    p.max_model_len = c.max_model_len;
    p.prefix_caching = c.prefix_caching;
    p.chunked_prefill = c.chunked_prefill;
    p.speedup_ratio = c.speedup_ratio;
    p.decode_speedup_ratio = c.decode_speedup_ratio;
    if (c.prefill_tokens_per_s || c.itl_ms) p.timing = sim::Timing::flat(c.prefill_tokens_per_s.value_or(0), c.itl_ms.value_or(0));
    TRY_OK(p.check());
    for (auto& text : c.faults) {
        TRY(auto rules, sim::parse_faults(text));
        e.faults.insert(e.faults.end(), rules.begin(), rules.end());
    }
    return f;
}

}  // namespace

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
    TRY(mocker::FleetSettings settings, settings_of(config, engines));
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
