#include "gateway/dynamo_site.h"

#include <algorithm>
#include <filesystem>

#include "gateway/routings.h"
#include "obs/log.h"

namespace weir {
namespace {

constexpr uint64_t retry_first_ms = 500, retry_max_ms = 30'000;   // of loading what a card names

// Beside the hub's folder, where Dynamo has it too: ~/.cache/dynamo/mdc.
std::string card_cache(const Config& c) { return (std::filesystem::path(c.hub.home).parent_path() / "dynamo" / "mdc").string(); }

bool same_serves(const DynamoPeer::Serves& a, const DynamoPeer::Serves& b) { return a.name == b.name && a.card == b.card && a.model == b.model; }

RequestPlaneLimits plane_limits(const PlanesConfig& c) {
    RequestPlaneLimits l;
    l.connect_ms = c.connect_s * 1'000;
    l.ack_ms = c.ack_s * 1'000;
    l.idle_ms = c.idle_s * 1'000;
    l.connections_max = c.connections_max;
    if (c.message_max) l.message_max = c.message_max;
    return l;
}

// Null: nothing asks for NATS.
Result<std::shared_ptr<const NatsSetup>> nats_of(const PlanesConfig& c) {
    if (c.request != "nats" && c.event != "nats" && c.nats_servers.empty()) return std::shared_ptr<const NatsSetup>();
    NatsOptions o;
    if (!c.nats_servers.empty()) o.servers = c.nats_servers;
    o.user = c.nats_user, o.password = c.nats_password, o.token = c.nats_token, o.nkey = c.nats_nkey, o.credentials_file = c.nats_credentials;
    o.tls_ca = c.nats_ca, o.tls_cert = c.nats_cert, o.tls_key = c.nats_key, o.tls_insecure = c.nats_insecure;
    return nats_setup(o);
}

}  // namespace

struct DynamoSite::Text {
    std::string set;                             // digest of what all its cards agree on
    std::shared_ptr<const ModelCard> card;       // the first of them
    prepare::ModelRef model;                     // null: not loaded yet
};

DynamoSite::DynamoSite(Parts parts)
    : parts_(parts), fleet_({parts.config.discovery.ns, parts.config.discovery.ns_prefix, parts.config.discovery.model_name}, *this) {}

DynamoSite::~DynamoSite() { tasks_.cancel(); }

Result<std::unique_ptr<DynamoSite>> DynamoSite::make(Parts parts) {
    std::unique_ptr<DynamoSite> site(new DynamoSite(parts));
    TRY_OK(site->open_planes());
    const auto& index = parts.routings.index();
    if (index && parts.config.kv.events)
        site->kv_ = std::make_unique<DynamoKv>(parts.ctl, parts.resolver, *site->ctl_, index, parts.config.planes.event);
    TRY(site->discovery_, site->make_discovery());
    return site;
}

Result<void> DynamoSite::open_planes() {
    const PlanesConfig& c = parts_.config.planes;
    CallHomeOptions home;
    if (!c.response_host.empty()) home.bind_host = home.advertise = c.response_host;
    home.port = c.response_port;
    std::vector<CallHome*> homes;
    TRY(std::shared_ptr<const NatsSetup> nats, nats_of(c));
    for (auto& state : parts_.cores) {
        Core::Enter enter(state->core);
        state->dynamo = std::make_unique<DynamoCore>(state->core, state->resolver, plane_limits(c), home, nats);
        homes.push_back(&state->dynamo->home);
    }
    home.port = 0;
    ctl_ = std::make_unique<DynamoCore>(parts_.ctl, parts_.resolver, plane_limits(c), home, nats);
    if (c.response_port)
        for (CallHome* h : homes) h->share(homes);
    for (auto& state : parts_.cores) {
        Core::Enter enter(state->core);
        TRY_OK(state->dynamo->home.listen());
    }
    return ctl_->home.listen();
}

Result<std::unique_ptr<Discovery>> DynamoSite::make_discovery() const {
    const DiscoveryConfig& c = parts_.config.discovery;
    if (c.backend == "etcd") return etcd_discovery({c.etcd_endpoints, c.etcd_user, c.etcd_password, c.etcd_ca, c.etcd_cert, c.etcd_key});
    FileDiscoveryOptions file;
    file.root = c.file_root;
    if (file.root.empty()) file.root = (std::filesystem::temp_directory_path() / "dynamo_store_kv").string();
    return file_discovery(std::move(file));
}

void DynamoSite::start() {
    for (auto& state : parts_.cores) state->core.post([s = state.get()] { s->dynamo->start(); });
    parts_.ctl.post([this] {
        ctl_->start();
        tasks_.spawn(run());
    });
}

Task<void> DynamoSite::run() { co_await discovery_->run(*this); }

// ---- records

void DynamoSite::put(const Record& record) {
    if (record.bucket == Bucket::instances) {
        auto instance = read_instance(record.value);
        if (instance) {
            seen_[record.key] = *std::move(instance);
            publish_instances();
        }
    }
    fleet_.put(record);
}

void DynamoSite::gone(Bucket bucket, const std::string& key) {
    if (bucket == Bucket::instances)
        if (auto at = seen_.find(key); at != seen_.end()) {
            const uint64_t id = at->second.id;
            seen_.erase(at);
            publish_instances();
            for (auto& state : parts_.cores) state->core.post([s = state.get(), id] { s->dynamo->home.instance_gone(id); });
            ctl_->home.instance_gone(id);
        }
    fleet_.gone(bucket, key);
}

void DynamoSite::synced() { LOG_INFO(discovery, "workers announced so far", {"workers", fleet_.workers()}, {"refused", fleet_.refused()}); }

void DynamoSite::publish_instances() {
    auto all = std::make_shared<Instances>();
    for (auto& [key, instance] : seen_) all->push_back(instance);
    std::lock_guard lock(mutex_);
    instances_ = std::move(all);
}

std::shared_ptr<const DynamoSite::Instances> DynamoSite::instances() const {
    std::lock_guard lock(mutex_);
    return instances_;
}

// ---- workers

std::string DynamoSite::url_of(const FoundWorker& w) {
    char id[20];
    std::snprintf(id, sizeof id, "%llx", static_cast<unsigned long long>(w.instance.id));
    const DynamoEndpoint& e = w.instance.endpoint;
    return "dynamo://" + e.ns + "/" + e.component + "/" + e.name + "/" + id;
}

// What cannot be served; empty: this worker can.
std::string DynamoSite::why_not(const FoundWorker& w) const {
    const ModelCard& card = *w.card;
    if (card.input != ModelCard::tokens) return "workers that take no tokens are not supported yet";
    if (card.worker_type != WorkerType::aggregated) return std::string("workers of type ") + weir::name(card.worker_type) + " are not supported yet";
    if (!(card.types & (model_type::chat | model_type::completions))) return "models for anything but chat and completions are not supported yet";
    if (w.instance.plane == DynamoInstance::nats && !ctl_->nats) return "it listens on NATS, which is not in use: --request-plane nats, or NATS_SERVER";
    return {};
}

void DynamoSite::put(const FoundWorker& w) {
    if (const std::string why = why_not(w); !why.empty()) {
        LOG_WARN(discovery, "a worker is not used", {"worker", w.key}, {"model", w.model}, {"why", why});
        return;
    }
    Worker& worker = workers_[url_of(w)];
    worker.url = url_of(w);
    Card& card = worker.cards[w.key];
    card.found = w;
    card.text = text_for(w.card);
    settle(worker);
}

void DynamoSite::gone(const FoundWorker& w) {
    const auto at = workers_.find(url_of(w));
    if (at == workers_.end()) return;
    at->second.cards.erase(w.key);
    settle(at->second);
    if (at->second.cards.empty()) workers_.erase(at);
    std::erase_if(texts_, [&](auto& t) { return t.second->model && !wanted(*t.second); });   // others end their loading themselves
    name_models();
}

void DynamoSite::model(const std::string& name, bool ready) {
    if (ready) ready_.insert(name);
    else ready_.erase(name);
    for (auto& [url, worker] : workers_)
        if (std::ranges::any_of(worker.cards, [&](auto& c) { return c.second.found.model == name; })) settle(worker);
    name_models();
}

void DynamoSite::channel(const EventChannel& c, bool there) {
    if (kv_) kv_->channel(c, there);
}
void DynamoSite::source(const EventSource& s, bool there) {
    if (kv_) kv_->source(s, there);
}

// What the fleet is told: nothing before a model is ready and its tokenizer there.
Result<WorkerSpec> DynamoSite::spec_of(const Worker& worker) const {
    auto peer = std::make_shared<DynamoPeer>();
    WorkerSpec spec;
    for (auto& [key, card] : worker.cards) {
        const ModelCard& c = *card.found.card;
        if (!card.text->model || !ready_.contains(card.found.model)) continue;
        const uint32_t context = c.context;      // the architecture's own says nothing of what this worker was given room for
        auto serves = [&](const std::string& name) {
            if (peer->of(name)) return;
            peer->serves.push_back({name, card.found.card, card.text->model, context});
            spec.models.push_back(name);
        };
        serves(card.found.model);
        for (auto& alias : c.aliases) serves(alias);
        if (!c.lora.empty()) spec.loras.push_back(c.lora);
        const DynamoInstance& at = card.found.instance;
        TRY(peer->to.address, plane_address(at));
        peer->to.codec = at.codec;
        peer->to.instance_id = spec.instance_id = at.id;
        spec.cpu = at.device == "cpu";
        spec.rank_first = static_cast<uint16_t>(std::min<uint32_t>(c.rank_first, UINT16_MAX));
        spec.ranks = static_cast<uint16_t>(std::min<uint32_t>(c.ranks, UINT16_MAX));
        spec.block = c.block, spec.kv_blocks = c.kv_blocks, spec.batch_tokens = c.batch_tokens_max, spec.max_seqs = c.seqs_max, spec.context = context;
        spec.taints = c.taints;
    }
    spec.url = worker.url;
    spec.kind = EngineKind::dynamo;
    spec.ready = true;
    spec.dynamo = std::move(peer);
    return spec;
}

void DynamoSite::leave(Worker& worker) {
    if (worker.slot == Registry::no_slot) return;
    const WorkerSpec* spec = parts_.registry.spec(worker.slot);
    if (kv_ && spec) kv_->forget(spec->instance_id);
    LOG_INFO(discovery, "a worker left", {"worker", worker.url});
    parts_.registry.remove(worker.slot);
    worker.slot = Registry::no_slot;
}

void DynamoSite::settle(Worker& worker) {
    Result<WorkerSpec> spec = spec_of(worker);
    if (!spec) {
        LOG_WARN(discovery, "a worker is not used", {"worker", worker.url}, {"why", spec.error()->message});
        return leave(worker);
    }
    if (spec->models.empty()) return leave(worker);
    const uint32_t block = parts_.config.kv.block_size, own = spec->block;
    const uint64_t id = spec->instance_id;
    const uint16_t rank_first = spec->rank_first, ranks = spec->ranks;
    const std::string model = spec->models.front();
    Result<void> ok;
    if (worker.slot == Registry::no_slot) {
        Result<WorkerSlot> slot = parts_.registry.add(*std::move(spec));
        if (slot) worker.slot = *slot;
        else ok = std::move(slot).error();
        if (slot) LOG_INFO(discovery, "a worker serves", {"worker", worker.url}, {"model", model}, {"ranks", ranks}, {"block", own});
    } else {
        WorkerSpec same = *std::move(spec);
        const WorkerSpec& known = *parts_.registry.spec(worker.slot);
        auto before = std::exchange(same.dynamo, known.dynamo);
        if (same == known && before->to.address.host == known.dynamo->to.address.host && before->to.address.port == known.dynamo->to.address.port &&
            before->to.address.path == known.dynamo->to.address.path && std::ranges::equal(before->serves, known.dynamo->serves, same_serves))
            return;
        same.dynamo = std::move(before);
        ok = parts_.registry.change(worker.slot, std::move(same));
    }
    if (!ok) LOG_WARN(discovery, "a worker is not used", {"worker", worker.url}, {"why", ok.error()->message});
    if (!ok || !kv_) return;
    if (block && own && block != own) {
        LOG_WARN(discovery, "blocks of another size than --kv-cache-block-size: no overlap is known of this worker", {"worker", worker.url}, {"block", own});
        return kv_->forget(id);
    }
    kv_->ranks(id, rank_first, ranks, parts_.registry.number_of(worker.slot));
}

// ---- tokenizers

std::shared_ptr<DynamoSite::Text> DynamoSite::text_for(const std::shared_ptr<const ModelCard>& card) {
    auto& text = texts_[card->slug + "/" + card->set];
    if (text) return text;
    text = std::make_shared<Text>();
    text->set = card->slug + "/" + card->set;
    text->card = card;
    tasks_.spawn(load(text));
    return text;
}

Task<Result<prepare::ModelRef>> DynamoSite::load_once(std::shared_ptr<const ModelCard> card) {
    prepare::ModelSource source;
    source.model = parts_.config.discovery.model_path;
    if (source.model.empty() && (card->tokenizer || card->config)) {
        CardFilesOptions options;
        options.cache = card_cache(parts_.config);
        CO_TRY(source.model, co_await fetch_card_files(parts_.resolver, parts_.tokenizers.pool(), card, options));
        if (card->chat_template && card->template_is_custom)
            source.chat_template = source.model + card->chat_template->path.substr(card->chat_template->path.rfind('/'));
    } else if (source.model.empty()) {
        source.model = card->source;
    }
    auto answer = std::make_shared<Result<prepare::ModelRef>>(Failure(Code::shed, "too many models are being loaded"));
    std::function<void()> work = [tokenizers = &parts_.tokenizers, source, answer] { *answer = tokenizers->load_here(source); };
    InPool pooled(parts_.tokenizers.pool(), std::move(work));
    bool ran = co_await pooled;
    if (!ran) co_return Failure(Code::shed, "too many models are being loaded");
    co_return std::move(*answer);
}

Task<void> DynamoSite::load(std::shared_ptr<Text> text) {
    for (uint64_t pause_ms = retry_first_ms;; pause_ms = std::min(pause_ms * 2, retry_max_ms)) {
        Result<prepare::ModelRef> model = co_await load_once(text->card);
        if (model) {
            text->model = *std::move(model);
            break;
        }
        LOG_ERROR(discovery, "a model's tokenizer could not be loaded; trying again", {"model", text->card->name}, {"why", model.error()->message},
                  {"detail", model.error()->detail});
        co_await sleep_ms(pause_ms);
        if (wanted(*text)) continue;
        texts_.erase(text->set);
        co_return;
    }
    loaded(*text);
}

bool DynamoSite::uses(const Worker& worker, const Text& text) {
    return std::ranges::any_of(worker.cards, [&](auto& c) { return c.second.text.get() == &text; });
}
bool DynamoSite::wanted(const Text& text) const {
    return std::ranges::any_of(workers_, [&](auto& w) { return uses(w.second, text); });
}

void DynamoSite::loaded(Text& text) {
    for (auto& [url, worker] : workers_)
        if (uses(worker, text)) settle(worker);
    name_models();
}

// Served models' tokenizers are listed and used by name as those added by hand are.
void DynamoSite::name_models() {
    std::map<std::string, const Card*> served;
    for (auto& [url, worker] : workers_)
        for (auto& [key, card] : worker.cards)
            if (worker.slot != Registry::no_slot && card.text->model) served.emplace(card.found.model, &card);
    for (auto& [name, card] : served)
        if (!named_.contains(name) && parts_.tokenizers.adopt(name, card->found.card->source, card->text->model)) named_.insert(name);
    std::erase_if(named_, [&](const std::string& name) {
        if (served.contains(name)) return false;
        (void)parts_.tokenizers.remove(name);
        return true;
    });
}

}  // namespace weir
