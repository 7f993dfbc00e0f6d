// Every object of the gateway, made here and by hand.
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "gateway/dynamo_site.h"
#include "gateway/gateway.h"
#include "gateway/loads.h"
#include "gateway/mock_host.h"
#include "gateway/routings.h"
#include "gateway/tokenizers.h"
#include "obs/collect.h"
#include "obs/log.h"

namespace weir {
namespace {

constexpr uint64_t bodies_share = 5;   // of the memory limit: a fifth

uint64_t memory_limit(const Config& config) {
    if (config.limits.memory) return config.limits.memory;
    struct sysinfo info{};
    sysinfo(&info);
    uint64_t ram = static_cast<uint64_t>(info.totalram) * info.mem_unit;
    std::ifstream cgroup("/sys/fs/cgroup/memory.max");
    uint64_t limit = 0;
    return cgroup >> limit && limit > 0 ? std::min(limit, ram) : ram;
}

unsigned data_cores(const Config& config) { return config.run.cores ? config.run.cores : std::max(1u, std::thread::hardware_concurrency()); }

MetricsOptions metrics_options(const Config& config) {
    MetricsOptions o;
    o.prefix = config.metrics.prefix;
    o.duration_buckets = config.metrics.duration_buckets_s;
    return o;
}

// HF_TOKEN, else what its file holds.
std::string hub_token(const HubConfig& config) {
    if (!config.token.empty()) return config.token;
    std::ifstream in(config.token_file);
    std::string token;
    in >> token;
    return token;
}

void collect_text_caches(Metrics& m, const prepare::TextCaches& caches) {
    auto count = [&](Metric metric, std::initializer_list<std::string_view> labels, const std::atomic<uint64_t>& n) {
        m.set(metric, labels, static_cast<double>(n.load(std::memory_order_relaxed)));
    };
    const auto& c = caches.counts();
    count(Metric::text_cache_lookups, {"l0", "hit"}, c.l0_hits);
    count(Metric::text_cache_lookups, {"l0", "miss"}, c.l0_misses);
    count(Metric::text_cache_lookups, {"l1", "hit"}, c.prefix_hits);
    count(Metric::text_cache_lookups, {"l1", "miss"}, c.prefix_misses);
    count(Metric::text_cache_bytes, {"l0"}, c.l0_bytes);
    count(Metric::text_cache_bytes, {"l1"}, c.prefix_bytes);
    count(Metric::text_cache_tokens, {"cached"}, c.cached_tokens);
    count(Metric::text_cache_tokens, {"uncached"}, c.uncached_tokens);
    if (caches.exact()) {
        m.set(Metric::text_cache_evictions, {"l0"}, static_cast<double>(caches.exact()->evictions()));
        collect_budget(m, caches.exact()->budget());
    }
    if (caches.prefix()) {
        m.set(Metric::text_cache_evictions, {"l1"}, static_cast<double>(caches.prefix()->evictions()));
        collect_budget(m, caches.prefix()->budget());
    }
}

void raise_file_limit() {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

ServerLimits server_limits(const Config& config, Budget& bodies) {
    ServerLimits l;
    l.head_ms = config.limits.head_ms;
    l.idle_ms = config.limits.idle_ms;
    l.body_stall_ms = config.limits.body_stall_ms;
    l.body_total_ms = config.limits.body_total_ms;
    l.write_stall_ms = config.limits.write_stall_ms;
    l.allow_half_close = config.listen.allow_half_close;
    l.bodies = &bodies;
    return l;
}

}  // namespace

Gateway::Gateway(const Config& config)
    : config_(config), bodies_("request_bodies", memory_limit(config) / bodies_share), metrics_(data_cores(config) + 1, metrics_options(config)) {}

Result<std::unique_ptr<Gateway>> Gateway::build(const Config& config) {
    raise_file_limit();
    std::unique_ptr<Gateway> g(new Gateway(config));
    unsigned n = data_cores(config);
    if (config.log.access) g->access_ = std::make_unique<AccessLog>(n, config.log.json, config.log.local_time);
    uint64_t seed = system_clock().wall() * 0x9e3779b97f4a7c15ull;
    for (unsigned i = 0; i <= n; i++) g->cores_.push_back(std::make_unique<Core>(i, system_clock(), std::make_unique<EpollPoller>(), seed + i));
    for (unsigned i = 0; i < n; i++) g->data_.push_back(g->cores_[i].get());
    g->ctl_ = g->cores_[n].get();
    UpstreamLimits up;
    up.connect_ms = config.limits.connect_ms;
    up.pool_idle_ms = config.workers.pool_idle_ms;
    for (Core* core : g->data_) {
        Core::Enter enter(*core);
        g->states_.push_back(std::make_unique<CoreState>(*core, up, g->metrics_, g->access_.get(), config.router.active_expiry_s * ns_per_s));
    }
    TRY_OK(g->open_tls());
    TRY_OK(g->open_tokenizers());
    TRY_OK(g->open_routing());
    TRY_OK(g->open_flow());
    {
        Core::Enter enter(*g->ctl_);
        g->ctl_resolver_ = std::make_unique<Resolver>(*g->ctl_);
        g->ctl_pool_ = std::make_unique<ClientPool>(*g->ctl_, *g->ctl_resolver_, up);
        if (loads_wanted(config, g->routings_->needs()))
            g->loads_ = std::make_unique<Loads>(config.policies, *g->ctl_, g->cells_, *g->ctl_pool_, g->metrics_, g->routings_->overload());
    }
    TRY_OK(g->open_listeners());
    TRY_OK(g->open_workers());
    TRY_OK(g->open_dynamo());
    return g;
}

Result<void> Gateway::open_tls() {
    if (!config_.tls.cert.empty()) {
        TRY(tls_server_, TlsServer::load({config_.tls.cert, config_.tls.key, config_.tls.client_ca}));
    }
    TlsClientFiles files;
    files.cert = config_.workers.client_cert;
    files.key = config_.workers.client_key;
    files.ca = config_.workers.ca;
    bool wanted = !files.cert.empty() || !files.ca.empty();
    for (auto& url : config_.workers.urls) wanted = wanted || url.starts_with("https:");
    if (wanted) {
        TRY(tls_client_, TlsClient::load(files));
    }
    return Nothing{};
}

// A model on disk is there before anybody is served, or the start fails; one in a hub comes when it comes.
Result<void> Gateway::open_tokenizers() {
    const TextConfig& text = config_.text;
    HubOptions hub;
    hub.endpoint = config_.hub.endpoint;
    hub.token = hub_token(config_.hub);
    hub.cache_dir = config_.hub.cache;
    hub.offline = config_.hub.offline;
    prepare::TextCacheOptions caches;
    if (text.l0) caches.l0_bytes = text.l0_bytes, caches.l0_entries = text.l0_entries;
    if (text.prefixes) caches.prefix_bytes = text.prefix_bytes, caches.extend = text.cache_extend;
    tokenizers_ = std::make_unique<Tokenizers>(std::move(hub), caches, text.untrusted_special == "text");
    metrics_.on_scrape([this](Metrics& m) { collect_text_caches(m, tokenizers_->caches()); });
    prepare::ModelSource source{text.model_path, text.tokenizer_path, text.chat_template, config_.hub.revision};
    std::string name = source.model.empty() ? source.tokenizer : source.model;
    if (name.empty() || text.autoload_off) return Nothing{};
    bool local = (source.model.empty() || prepare::is_local(source.model)) && (source.tokenizer.empty() || prepare::is_local(source.tokenizer));
    if (local) return tokenizers_->load_now(std::move(name), std::move(source));
    TRY(auto added, tokenizers_->add(std::move(name), std::move(source), true));
    LOG_INFO(main, "fetching a model's files", {"model", added.entry.name}, {"from", config_.hub.endpoint});
    return Nothing{};
}

Result<void> Gateway::open_routing() {
    TRY(routings_, Routings::make(config_, memory_limit(config_), *ctl_));
    for (auto& state : states_) state->routings = routings_->map();
    return Nothing{};
}

Result<void> Gateway::open_flow() {
    FlowOptions o;
    o.api.dialect = config_.dialect;
    o.api.ignore_unsupported = config_.api.ignore_unsupported_fields;
    o.api.force_include_usage = config_.api.force_include_usage;
    o.api.overload_status = config_.api.overload_status;
    o.api.body_max = config_.limits.body_max;
    o.api.metrics_on_main_port = !config_.metrics.own_port;
    o.request_id_headers = config_.api.request_id_headers;
    if (o.request_id_headers.empty()) o.request_id_headers = {"x-request-id", "x-correlation-id", "x-trace-id", "request-id"};
    o.cors_origins = config_.api.cors_origins;
    o.sse_keepalive_ms = config_.api.sse_keepalive_ms;
    o.first_byte_ms = config_.limits.first_byte_ms;
    o.idle_ms = config_.limits.stream_idle_ms;
    o.total_ms = config_.limits.request_ms;
    o.prologue_ms = config_.planes.prologue_s * 1'000;
    o.path = static_cast<FlowOptions::Path>(config_.api.debug_path);
    o.connect_attempts_max = std::clamp<unsigned>(config_.limits.connect_attempts, 1, limits::retries_max);
    const PathsConfig& p = config_.paths;
    api::PathOverride moved[] = {{"chat", p.chat}, {"cmp", p.completions}, {"emb", p.embeddings}, {"models", p.models},
                                 {"health", p.health}, {"live", p.live}, {"metrics", p.metrics}};
    TRY(auto routes, api::Routes::make(o.api, moved));
    o.hints.key_headers = config_.policies.routing_key_headers;
    for (auto& name : o.hints.key_headers) std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    o.hints.key_of_body = config_.policies.routing_key;
    o.hints.implicit_key = routings_->needs() & need::implicit_key;
    o.hints.nvext = config_.dialect == Dialect::frontend;
    o.pinned_only = config_.router.policy == "direct";
    o.dp_aware = config_.dialect == Dialect::launch && config_.policies.dp_aware;
    o.no_admin = config_.api.disable_admin;
    flow_ = std::make_unique<Flow>(std::move(o), routes, routings_->map()->others, metrics_, draining_);
    for (auto& state : states_) flow_->add_core(state.get());
    flow_->use(tokenizers_.get());
    metrics_.on_scrape([this](Metrics& m) {
        routings_->collect(m);
        if (loads_) loads_->collect(m);
    });
    metrics_.on_scrape([this](Metrics& m) {
        collect_process(m);
        collect_budget(m, bodies_);
        collect_log(m, access_.get());
    });
    set_build_info(metrics_, WEIR_VERSION, WEIR_REVISION);
    return Nothing{};
}

Result<void> Gateway::open_listeners() {
    ServerLimits limits = server_limits(config_, bodies_);
    auto add = [&](const ListenAt& at) -> Result<void> {
        main_.push_back(std::make_unique<Server>(data_, *flow_, limits, tls_server_.get()));
        if (config_.listen.connections_max) main_.back()->set_connections_max(config_.listen.connections_max);
        return main_.back()->listen(at);
    };
    TRY_OK(add({config_.listen.host, config_.listen.port, {}}));
    if (!config_.listen.unix_path.empty()) TRY_OK(add({{}, 0, config_.listen.unix_path}));
    if (config_.metrics.own_port) {
        metrics_service_ = std::make_unique<MetricsService>(metrics_);
        metrics_server_ = std::make_unique<Server>(std::vector<Core*>{ctl_}, *metrics_service_, limits, nullptr);
        TRY_OK(metrics_server_->listen({config_.metrics.host, config_.metrics.port, {}}));
    }
    metrics_.on_scrape([this](Metrics& m) { collect(m); });
    return Nothing{};
}

// What cores, pools and load cells hold, read for a scrape. Any thread.
void Gateway::collect(Metrics& m) {
    uint64_t open = 0, idle = 0, busy = 0, booked = 0;
    for (auto& server : main_) open += server->connections();
    for (auto& state : states_) {
        idle += state->pool.idle();
        busy += state->pool.busy();
        booked += state->booked.load(std::memory_order_relaxed);
        m.set(Metric::core_streams, {std::to_string(state->core.index())}, state->active.load(std::memory_order_relaxed));
    }
    m.set(Metric::http_connections, {}, static_cast<double>(open));
    m.set(Metric::upstream_connections, {"idle"}, static_cast<double>(idle));
    m.set(Metric::upstream_connections, {"busy"}, static_cast<double>(busy));
    m.set(Metric::load_drift, {}, static_cast<double>(cells_.requests()) - static_cast<double>(booked));
    FleetViewRef view;
    {
        std::lock_guard lock(view_mutex_);
        view = view_;
    }
    m.hide(Metric::worker_active);
    m.hide(Metric::worker_health);
    m.hide(Metric::worker_decode_blocks);
    m.hide(Metric::worker_prefill_tokens);
    for (const RankRef& r : view->ranks()) {
        const std::string id = std::to_string(r.worker->instance_id), rank = std::to_string(r.rank);
        const char* type = r.worker->roles & role::prefill && !(r.worker->roles & role::whole) ? "prefill" : "decode";
        m.set(Metric::worker_decode_blocks, {id, rank, type}, r.cell->active_blocks.load(std::memory_order_relaxed));
        m.set(Metric::worker_prefill_tokens, {id, rank, type}, r.cell->prefill_tokens.load(std::memory_order_relaxed));
    }
    for (auto& entry : view->entries()) {
        uint32_t requests = 0;
        for (uint32_t i = 0; i < entry->view.ranks; i++) requests += cells_.at(entry->number + i).requests.load(std::memory_order_relaxed);
        m.set(Metric::worker_active, {entry->spec.url}, requests);
        m.set(Metric::worker_health, {entry->spec.url}, 1);
    }
}

StaticUrlsOptions Gateway::static_worker_options(WorkerSlot slot) {
    StaticUrlsOptions options;
    if (config_.dialect != Dialect::launch || !config_.policies.dp_aware) return options;
    options.ranks = [this, slot](uint16_t ranks) {
        WorkerSpec spec = *registry_->spec(slot);
        spec.ranks = ranks;
        auto changed = registry_->change(slot, std::move(spec));
        if (!changed) LOG_WARN(discovery, "worker keeps its number of ranks", {"why", changed.error()->message});
    };
    return options;
}

Result<void> Gateway::open_workers() {
    registry_ = std::make_unique<Registry>(cells_, tls_client_.get(), config_.workers.http2, [this](FleetViewRef view) { publish(std::move(view)); });
    registry_->on_ranks_gone([this](uint32_t first, uint32_t n) { routings_->forget(first, n); });
    std::vector<std::string> urls = config_.workers.urls;
    const size_t first_mock = urls.size();
    if (config_.discovery.demo_engines) {
        MockerConfig demo = config_.mocker;
        demo.port = 0;   // the kernel chooses: nobody but us needs to know them
        demo.ports.clear();
        TRY(mocks_, MockHost::start(demo, config_.discovery.demo_engines, {}));
        for (auto& url : mocks_->urls()) urls.push_back(url);
    }
    flow_->use(routings_.get(), mocks_.get());
    workers_known_ = urls.size();
    for (size_t i = 0; i < urls.size(); i++) {
        const std::string& url = urls[i];
        WorkerSpec spec;
        if (config_.dialect == Dialect::launch) spec.block = config_.policies.block_size;
        spec.url = url;
        spec.instance_id = mix64(std::hash<std::string>{}(url));   // what pins name it by
        if (i >= first_mock) {
            spec.block = mocks_->block();
            spec.batch_tokens = config_.mocker.max_num_batched_tokens, spec.kv_blocks = config_.mocker.num_gpu_blocks;
        }
        TRY(WorkerSlot slot, registry_->add(std::move(spec)));
        if (i >= first_mock && config_.kv.events && routings_->index()) mocks_->publish(i - first_mock, registry_->number_of(slot), routings_->index());
        ctl_->post([this, slot, url] {
            auto found = [this, slot](std::vector<std::string> models) { registry_->set_models(slot, std::move(models)); };
            ctl_->nursery().spawn(watch_static_worker(url, *registry_->target(slot), *ctl_pool_, std::move(found), static_worker_options(slot)));
        });
    }
    return Nothing{};
}

// Workers that announce themselves, where that is asked for.
Result<void> Gateway::open_dynamo() {
    if (config_.command != Command::frontend || config_.discovery.backend == "mem") return Nothing{};
    Core::Enter enter(*ctl_);
    TRY(dynamo_, DynamoSite::make({config_, *ctl_, *ctl_resolver_, *registry_, *tokenizers_, *routings_, states_}));
    flow_->use(dynamo_.get());
    return Nothing{};
}

}  // namespace weir
