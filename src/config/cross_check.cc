#include "config/cross_check.h"

namespace weir::config {
namespace {

bool set(const Loaded& l, Str key) { return !l.of(key).words.empty(); }
bool is(const Loaded& l, Str key, Str value) { return set(l, key) && l.of(key).words[0] == value; }
bool one_of_two(const Loaded& l, Str a, Str b) { return set(l, a) != set(l, b); }

constexpr CrossCheck every[] = {
    {[](const Loaded& l) { return one_of_two(l, "tls.cert", "tls.key"); },
     "--tls-cert-path and --tls-key-path must come together"},
    {[](const Loaded& l) { return set(l, "tls.client_ca") && !set(l, "tls.cert"); },
     "--tls-client-ca-cert-path needs --tls-cert-path and --tls-key-path"},
    {[](const Loaded& l) { return one_of_two(l, "workers.client_cert", "workers.client_key"); },
     "--client-cert-path and --client-key-path must come together"},
    {[](const Loaded& l) { return l.config.api.cors_origins.size() > 1 && is(l, "api.cors_origins", "*"); },
     "--cors-allowed-origins: * stands alone"},
    {[](const Loaded& l) {
         Str name = l.config.metrics.prefix;
         return name.empty() || (name[0] >= '0' && name[0] <= '9') ||
                name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:") != Str::npos;
     }, "--metrics-prefix: letters, digits, _ and : only, no digit first"},
    {[](const Loaded& l) {
         for (const std::string& header : l.config.api.request_id_headers)
             if (header.empty() || header.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~") != Str::npos) return true;
         return false;
     }, "--request-id-headers: not a header name"},
};
constexpr CrossCheck frontend[] = {
    {[](const Loaded& l) {
         return l.of("discovery.backend").origin > Origin::compat && l.config.discovery.backend != "mem" &&
                (!l.config.workers.urls.empty() || l.config.discovery.demo_engines);
     }, "--worker-urls and --demo-engines need --discovery-backend mem"},
    {[](const Loaded& l) { return set(l, "discovery.model_path") && l.config.discovery.backend == "mem"; },
     "--model-path needs a --discovery-backend other than mem: engines with an HTTP API render and tokenize themselves"},
    {[](const Loaded& l) { return one_of_two(l, "planes.tcp_tls_cert", "planes.tcp_tls_key"); },
     "--tcp-tls-cert-path and --tcp-tls-key-path must come together"},
    {[](const Loaded& l) { return one_of_two(l, "planes.tcp_tls_client_cert", "planes.tcp_tls_client_key"); },
     "--tcp-tls-client-cert-path and --tcp-tls-client-key-path must come together"},
    {[](const Loaded& l) { return set(l, "planes.tcp_tls_client_ca") && !set(l, "planes.tcp_tls_cert"); },
     "--tcp-tls-client-ca-cert-path needs --tcp-tls-cert-path and --tcp-tls-key-path"},
    {[](const Loaded& l) { return one_of_two(l, "planes.nats_tls_client_cert", "planes.nats_tls_client_key"); },
     "--nats-tls-client-cert-path and --nats-tls-client-key-path must come together"},
    {[](const Loaded& l) { return is(l, "kv.serve_indexer", "true") && !is(l, "router.policy", "kv"); },
     "--serve-indexer needs --router-mode kv"},
    {[](const Loaded& l) { return is(l, "kv.serve_indexer", "true") && is(l, "kv.remote_indexer", "true"); },
     "--serve-indexer and --use-remote-indexer exclude each other"},
    {[](const Loaded& l) { return is(l, "router.conditional_disagg", "true") && !(is(l, "router.policy", "kv") && is(l, "kv.events", "true")); },
     "--router-conditional-disagg needs --router-mode kv and --router-kv-events"},
    {[](const Loaded& l) { return is(l, "kv.track_output_blocks", "true") && is(l, "kv.track_active_blocks", "false"); },
     "--router-track-output-blocks needs --router-track-active-blocks"},
    {[](const Loaded& l) { return set(l, "kv.predicted_ttl_s") && is(l, "kv.events", "false"); },
     "--router-predicted-ttl-secs needs --router-kv-events"},
    {[](const Loaded& l) { return is(l, "kv.approximate_policy", "lru") && is(l, "kv.events", "true"); },
     "--router-approximate-cache-policy lru needs --no-router-kv-events"},
    {[](const Loaded& l) { return is(l, "kv.tracking_hash", "keyed-xxh3-v1") && !(set(l, "kv.tracking_key_file") && set(l, "kv.tracking_key_id")); },
     "--router-tracking-hash keyed-xxh3-v1 needs --router-tracking-key-file and --router-tracking-key-id"},
    {[](const Loaded& l) { return set(l, "api.route_extensions") && (is(l, "api.kserve", "true") || is(l, "api.interactive", "true")); },
     "--frontend-route-extension excludes --interactive and --kserve-grpc-server"},
    {[](const Loaded& l) {
         return is(l, "kv.prefill_load_model", "ais") &&
                !(is(l, "router.policy", "kv") && is(l, "api.chat_processor", "dynamo") && is(l, "kv.track_prefill_tokens", "true"));
     }, "--router-prefill-load-model ais needs --router-mode kv, --dyn-chat-processor dynamo and --router-track-prefill-tokens"},
    {[](const Loaded& l) { return is(l, "kv.cache_control", "true") && !is(l, "router.policy", "kv"); },
     "--enable-cache-control needs --router-mode kv"},
    {[](const Loaded& l) { return set(l, "discovery.model_path") && !set(l, "discovery.model_name"); },
     "--model-path needs --model-name"},
};
constexpr CrossCheck launch[] = {
    {[](const Loaded& l) { return is(l, "discovery.kubernetes", "true") && set(l, "discovery.provider"); },
     "--service-discovery and --discovery-provider exclude each other"},
    {[](const Loaded& l) { return is(l, "discovery.provider", "file") && !set(l, "discovery.manifest"); },
     "--discovery-provider file needs --discovery-file"},
    {[](const Loaded& l) { return is(l, "admission.tenant_rate", "true") && !set(l, "admission.tenant_rate_config"); },
     "--tenant-rate-limit-enabled needs --tenant-rate-limit-config"},
    {[](const Loaded& l) {
         return is(l, "mesh.enable", "true") && !set(l, "mesh.advertise_host") && (is(l, "mesh.host", "0.0.0.0") || is(l, "mesh.host", "::"));
     }, "--enable-mesh needs --mesh-advertise-host while --mesh-host is an unspecified address"},
    {[](const Loaded& l) {
         const bool both = set(l, "disagg.prefill") && set(l, "disagg.decode");
         return is(l, "disagg.pd", "true") && !both && is(l, "discovery.kubernetes", "false");
     },
     "--pd-disaggregation needs --prefill and --decode"},
    {[](const Loaded& l) {
         const ListenConfig& main = l.config.listen;
         return main.port != 0 && main.port == l.config.metrics.port && main.host == l.config.metrics.host;
     }, "--port and --prometheus-port are the same"},
};
constexpr CrossCheck mocker[] = {
    {[](const Loaded& l) { return !l.config.mocker.ports.empty() && l.config.mocker.ports.size() != l.config.mocker.workers; },
     "--ports needs one port for each of --num-workers"},
    {[](const Loaded& l) {
         const MockerConfig& m = l.config.mocker;
         return m.ports.empty() && m.port != 0 && m.port + m.workers - 1 > 65'535;
     },
     "--port and --num-workers: the ports go beyond 65535"},
    {[](const Loaded& l) { return l.config.mocker.model_names.empty(); }, "--model-name needs a name"},
    {[](const Loaded& l) {
         const MockerConfig& m = l.config.mocker;
         return !m.dynamo && (m.prefill_worker || m.decode_worker || !m.role.empty() || !m.model_path.empty() || !m.endpoint.empty());
     }, "--model-path, --disaggregation-mode, --is-prefill-worker, --is-decode-worker and --endpoint need --dynamo"},
    {[](const Loaded& l) {
         const MockerConfig& m = l.config.mocker;
         return m.dynamo && (l.of("mocker.port").origin == Origin::argv || !m.ports.empty() || !m.api_key.empty() || m.engine != "vllm");
     }, "--dynamo: --port, --ports, --api-key and --engine-type are of HTTP servers"},
    {[](const Loaded& l) { return l.config.mocker.dynamo && l.config.mocker.model_path.empty(); }, "--dynamo needs --model-path"},
};
}  // namespace

std::span<const CrossCheck> cross_checks(Command c) {
    switch (c) {
    case Command::frontend: return frontend;
    case Command::launch: return launch;
    case Command::mocker: return mocker;
    case Command::epp: return {};
    }
    return {};
}
std::span<const CrossCheck> cross_checks_of_all() { return every; }

}  // namespace weir::config
