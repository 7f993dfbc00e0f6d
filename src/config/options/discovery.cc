#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str kube = "Kubernetes discovery", manifest = "file discovery", jobs = "the worker registration queue",
              pdk = "disaggregated pods in Kubernetes discovery";
constexpr Row start_row(Str key, Str def, Str help, Str flags) {
    return later(key, integer(0, 86'400), def, "waiting for workers at start-up", help).la(flags);
}
constexpr Row rows[] = {
    Row{.key = "discovery.backend", .field = WEIR_FIELD(discovery.backend), .check = choice("mem file etcd | kubernetes"), .def = "mem",
        .help = "Where workers are found: mem knows only --worker-urls and --demo-engines; file: a folder Dynamo's workers share.",
        .feature = "discovery backend", .stand_in = "mem"}
        .fe("--discovery-backend ~--store-kv", "DYN_DISCOVERY_BACKEND", "etcd"),
    row("discovery.demo_engines", WEIR_FIELD(discovery.demo_engines), integer(0, 64), "0",
        "Simulated engines inside this process, with a demo model.").both("--demo-engines"),
    row("discovery.namespace", WEIR_FIELD(discovery.ns), text(), "", "Only models of exactly this namespace.").fe("--namespace", "DYN_NAMESPACE"),
    row("discovery.namespace_prefix", WEIR_FIELD(discovery.ns_prefix), text(), "", "Only models of namespaces that begin so; wins over --namespace.")
        .fe("--namespace-prefix", "DYN_NAMESPACE_PREFIX"),
    row("discovery.model_name", WEIR_FIELD(discovery.model_name), text(), "", "Name under which the workers' model is served.")
        .fe("--model-name", "DYN_MODEL_NAME").ep("", "DYN_MODEL_NAME"),
    row("discovery.model_path", WEIR_FIELD(discovery.model_path), text(), "", "Folder of the model's files, instead of those the workers name.")
        .fe("--model-path", "DYN_MODEL_PATH"),
    later("discovery.kubernetes", flag(), "false", kube, "Find workers as Kubernetes pods; also switches multi-model mode on.")
        .la("--service-discovery"),
    later("discovery.provider", choice("| kubernetes file"), "", "discovery provider", "Where workers are found.")
        .la("--discovery-provider"),
    later("discovery.selector", list(), "", kube, "Labels of worker pods, key=value.").la("--selector"),
    later("discovery.kube_namespace", text(), "", kube, "Namespace whose pods are watched; none: all.")
        .la("--service-discovery-namespace"),
    later("discovery.pod_port", integer(1, 65'535), "80", kube, "Port of discovered pods.").la("--service-discovery-port"),
    later("discovery.prefill_selector", list(), "", pdk, "Labels of prefill pods, key=value.").la("--prefill-selector"),
    later("discovery.decode_selector", list(), "", pdk, "Labels of decode pods, key=value.").la("--decode-selector"),
    later("discovery.encode_selector", list(), "", pdk, "Labels of encode pods, key=value.").la("--encode-selector"),
    later("discovery.router_selector", list(), "", "mesh discovery", "Labels of other routers' pods, key=value.")
        .la("--router-selector"),
    later("discovery.model_id_from", text(), "", kube,
          "Take a worker's model id from pod metadata: namespace, label:KEY or annotation:KEY.")
        .la("--model-id-from"),
    later("discovery.kv_connector_annotation", text(), "smg.ai/kv-connector", pdk, "Pod annotation that names the KV connector.")
        .la("--kv-connector-annotation"),
    later("discovery.kv_engine_id_annotation", text(), "smg.ai/kv-engine-id", pdk, "Pod annotation with the engine's KV id.")
        .la("--kv-engine-id-annotation"),
    later("discovery.manifest", file(), "", manifest, "JSON list of workers, read again when it changes.").la("--discovery-file"),
    later("discovery.check_interval_s", integer(1, 86'400), "30", manifest, "Seconds between readings of the list besides.")
        .la("--discovery-check-interval-secs"),
    later("discovery.model_alias", list(), "", "model aliases", "Another name for a served model, ALIAS=MODEL; may be repeated.")
        .la("--model-alias"),
    start_row("discovery.startup_timeout_s", "1800", "How long a worker may take to come up, seconds.",
          "--worker-startup-timeout-secs"),
    start_row("discovery.startup_delay_s", "0", "Seconds before a worker is first looked at.", "--worker-startup-delay"),
    start_row("discovery.startup_check_s", "30", "Seconds between two looks at a worker that is not up.",
          "--worker-startup-check-interval"),
    later("discovery.jobs_max", integer(1, 1'000'000), "1000", jobs, "Registrations that may wait.").la("--job-queue-capacity"),
    later("discovery.jobs_at_once", integer(1, 10'000), "200", jobs, "Registrations worked on at once.")
        .la("--job-queue-concurrency"),
    row("discovery.file_root", WEIR_FIELD(discovery.file_root), text(), "",
        "Folder of the file backend; none: dynamo_store_kv in the one for temporary files.")
        .fe("", "DYN_FILE_KV"),
    row("discovery.etcd_endpoints", WEIR_FIELD(discovery.etcd_endpoints), list(), "http://localhost:2379", "Addresses of etcd, of one cluster.")
        .fe("", "ETCD_ENDPOINTS"),
    row("discovery.etcd_user", WEIR_FIELD(discovery.etcd_user), text(), "", "User at etcd.").fe("", "ETCD_AUTH_USERNAME"),
    row("discovery.etcd_password", WEIR_FIELD(discovery.etcd_password), secret(), "", "Password at etcd.").fe("", "ETCD_AUTH_PASSWORD"),
    row("discovery.etcd_ca", WEIR_FIELD(discovery.etcd_ca), text(), "", "CA of etcd, PEM; none: the system's.").fe("", "ETCD_AUTH_CA"),
    row("discovery.etcd_client_cert", WEIR_FIELD(discovery.etcd_cert), text(), "", "Certificate shown to etcd.").fe("", "ETCD_AUTH_CLIENT_CERT"),
    row("discovery.etcd_client_key", WEIR_FIELD(discovery.etcd_key), text(), "", "Key of that certificate.").fe("", "ETCD_AUTH_CLIENT_KEY"),
    dormant("discovery.kube_mode", text(), "DYN_KUBE_DISCOVERY_MODE", "Whether a pod or a container is a worker.")
        .ep("", "DYN_KUBE_DISCOVERY_MODE"),
    dormant("discovery.pod_name", text(), "POD_NAME", "This pod.").ep("", "POD_NAME"),
    dormant("discovery.pod_namespace", text(), "POD_NAMESPACE", "Its namespace.").ep("", "POD_NAMESPACE"),
    dormant("discovery.pod_uid", text(), "POD_UID", "Its uid."),
};
}  // namespace
std::span<const Row> discovery_rows() { return rows; }

}  // namespace weir::config
