#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str epp = "the endpoint picker", alone = "the endpoint picker without Dynamo";
constexpr Row table[] = {
    later("epp.grpc_port", port(), "9002", epp, "Port of the ext_proc service.").ep("--grpc-port"),
    later("epp.health_port", port(), "9003", epp, "Port of gRPC health.").ep("--grpc-health-port"),
    later("epp.metrics_port", port(), "9090", epp, "Port of the metrics; 0: none.").ep("--metrics-port", "DYN_EPP_METRICS_PORT"),
    later("epp.metrics_auth", flag(), "true", epp, "Metrics only for authorised service accounts.").ep("--metrics-endpoint-auth"),
    later("epp.secure", flag(), "true", epp, "Serve ext_proc over TLS.").ep("--secure-serving", "DYN_SECURE_SERVING"),
    later("epp.cert_path", file(), "", epp, "Folder with tls.crt and tls.key; none: self-signed.").ep("--cert-path"),
    later("epp.cert_reload", flag(), "false", epp, "Read them again when they change.").ep("--enable-cert-reload"),
    later("epp.health_checking", flag(), "false", epp, "Health service on the ext_proc port too.").ep("--health-checking"),
    later("epp.pool_group", text(), "", epp, "API group of the InferencePool.").ep("--pool-group"),
    later("epp.pool_namespace", text(), "", epp, "Its namespace.").ep("--pool-namespace"),
    later("epp.pool_name", text(), "", epp, "Its name.").ep("--pool-name", "DYN_EPP_INFERENCE_POOL_NAME"),
    later("epp.endpoint_selector", list(), "", epp, "Labels of pods instead of a pool, key=value.").ep("--endpoint-selector"),
    later("epp.target_ports", list(), "", epp, "Their ports.").ep("--endpoint-target-ports"),
    later("epp.config_file", file(), "", epp, "EndpointPickerConfig as a file.").ep("--config-file"),
    later("epp.config_text", text(), "", epp, "EndpointPickerConfig itself.").ep("--config-text"),
    later("epp.refresh_ms", text(), "50ms", epp, "Time between two readings of an endpoint's metrics.")
        .ep("--refresh-metrics-interval"),
    later("epp.stale_ms", text(), "2s", epp, "Metrics older than this do not count.").ep("--metrics-staleness-threshold"),
    later("epp.drain_timeout", text(), "30s", epp, "How long open streams may take to finish.").ep("--drain-timeout"),
    later("epp.leader_election", flag(), "false", epp, "One active picker among replicas.").ep("--ha-enable-leader-election"),
    later("epp.emit_scores", flag(), "false", epp, "Send the scores of endpoints along.").ep("--emit-endpoint-scores"),
    later("epp.ignore_subset", flag(), "false", epp, "Do not honour the gateway's endpoint subset.")
        .ep("--disable-endpoint-subset-filter"),
    later("epp.namespace", text(), "", epp, "Dynamo namespace of the workers.").ep("--namespace", "DYN_NAMESPACE"),
    later("epp.namespace_prefix", text(), "", epp, "Namespaces that begin so.").ep("--namespace-prefix", "DYN_NAMESPACE_PREFIX"),
    later("epp.component", text(), "backend", epp, "Dynamo component of the workers.").ep("", "DYN_COMPONENT_NAME"),
    later("epp.mode", choice("| dynamo standalone"), "dynamo", "endpoint picker mode", "With or without Dynamo workers.")
        .ep("", "DYN_EPP_MODE"),
    later("epp.tokenizer", text(), "", alone, "Protocol of the tokenizer service.").ep("", "DYN_EPP_TOKENIZER_PROTOCOL"),
    later("epp.tokenizer_url", text(), "", alone, "Its URL.").ep("", "DYN_EPP_TOKENIZER_SERVICE_URL"),
    later("epp.tokenizer_timeout_ms", integer(), "5000", alone, "Time for one call, ms.")
        .ep("", "DYN_EPP_TOKENIZATION_TIMEOUT_MS"),
    later("epp.tokenizer_answer_max", size(), "16777216", alone, "Largest answer, bytes.")
        .ep("", "DYN_EPP_TOKENIZER_MAX_RESPONSE_BYTES"),
    later("epp.kv_event_port", port(), "5557", alone, "Port of the pods' KV events.").ep("", "DYN_EPP_KV_EVENT_PORT"),
    later("epp.kv_replay_port", port(), "", alone, "Port that replays them.").ep("", "DYN_EPP_KV_EVENT_REPLAY_PORT"),
    later("epp.kv_blocks", integer(), "", alone, "KV blocks of a pod.").ep("", "DYN_EPP_TOTAL_KV_BLOCKS"),
    later("epp.batch_tokens", integer(), "", alone, "Batch token limit of a pod.").ep("", "DYN_EPP_MAX_NUM_BATCHED_TOKENS"),
    later("epp.inflight_max", integer(1), "1024", alone, "Picks under way; 503 beyond.").ep("", "DYN_EPP_MAX_INFLIGHT_REQUESTS"),
    later("epp.index_threads", integer(1), "4", alone, "Threads that apply KV events.")
        .ep("", "DYN_EPP_SELECTION_INDEXER_THREADS"),
    later("epp.peer_service", text(), "", alone, "Service of the other replicas.").ep("", "DYN_EPP_PEER_SERVICE"),
    later("epp.replica_port", port(), "9092", alone, "Port between replicas.").ep("", "DYN_EPP_REPLICA_SYNC_PORT"),
    later("epp.selection_port", port(), "", alone, "Port of selection over HTTP.").ep("", "DYN_EPP_SELECTION_HTTP_PORT"),
};
}  // namespace
std::span<const Row> epp_rows() { return table; }

}  // namespace weir::config
