#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str tcp = "Dynamo's TCP request plane", events = "Dynamo's event plane";
constexpr Row tuning(Str key, Str env, Str def, Str help) { return later(key, integer(), def, tcp, help).fe("", env); }
constexpr Row pem(Str key, Str flags, Str env, Str feature, Str help) { return later(key, file(), "", feature, help)
        .fe(flags, env); }
constexpr Row rows[] = {
    Row{.key = "planes.request", .field = WEIR_FIELD(planes.request), .check = choice("tcp nats | http"), .def = "tcp",
        .help = "How requests reach Dynamo's workers: each says so itself; nats dials NATS for those who listen there.", .feature = "request plane"}
        .fe("--request-plane", "DYN_REQUEST_PLANE"),
    later("planes.response", choice("| tcp quic"), "tcp", "response plane", "How their answers come back.")
        .fe("--response-plane", "DYN_RESPONSE_PLANE"),
    Row{.key = "planes.event", .field = WEIR_FIELD(planes.event), .check = choice("zmq nats"), .help = "How KV events arrive; none: as each publisher says.",
        .feature = "event plane"}.fe("--event-plane", "DYN_EVENT_PLANE"),
    pem("planes.tcp_tls_cert", "--tcp-tls-cert-path", "DYN_TCP_TLS_CERT_PATH", tcp, "Certificate of the response listener, PEM."),
    pem("planes.tcp_tls_key", "--tcp-tls-key-path", "DYN_TCP_TLS_KEY_PATH", tcp, "Its private key, PEM."),
    pem("planes.tcp_tls_ca", "--tcp-tls-ca-cert-path", "DYN_TCP_TLS_CA_CERT_PATH", tcp,
          "CA that workers' certificates are checked against."),
    pem("planes.tcp_tls_client_cert", "--tcp-tls-client-cert-path", "DYN_TCP_TLS_CLIENT_CERT_PATH", tcp,
          "Certificate shown to workers."),
    pem("planes.tcp_tls_client_key", "--tcp-tls-client-key-path", "DYN_TCP_TLS_CLIENT_KEY_PATH", tcp, "Its private key."),
    pem("planes.tcp_tls_client_ca", "--tcp-tls-client-ca-cert-path", "DYN_TCP_TLS_CLIENT_CA_CERT_PATH", tcp,
          "Workers that connect must show a certificate of this CA."),
    row("planes.nats_tls_ca", WEIR_FIELD(planes.nats_ca), file(), "", "CA that the NATS server is checked against.")
        .fe("--nats-tls-ca-cert-path", "NATS_TLS_CA_CERT_PATH"),
    row("planes.nats_tls_insecure", WEIR_FIELD(planes.nats_insecure), flag(), "false", "Do not check the NATS server's certificate.")
        .fe("--nats-tls-insecure", "NATS_TLS_INSECURE"),
    row("planes.nats_tls_client_cert", WEIR_FIELD(planes.nats_cert), file(), "", "Certificate shown to NATS.")
        .fe("--nats-tls-client-cert-path", "NATS_TLS_CLIENT_CERT_PATH"),
    row("planes.nats_tls_client_key", WEIR_FIELD(planes.nats_key), file(), "", "Its private key.")
        .fe("--nats-tls-client-key-path", "NATS_TLS_CLIENT_KEY_PATH"),
    row("planes.nats_server", WEIR_FIELD(planes.nats_servers), list(), "", "Addresses of NATS, of one cluster; none: nats://localhost:4222.")
        .fe("", "NATS_SERVER"),
    row("planes.nats_user", WEIR_FIELD(planes.nats_user), text(), "", "User at NATS.").fe("", "NATS_AUTH_USERNAME"),
    row("planes.nats_password", WEIR_FIELD(planes.nats_password), secret(), "", "Password at NATS.").fe("", "NATS_AUTH_PASSWORD"),
    row("planes.nats_token", WEIR_FIELD(planes.nats_token), secret(), "", "Token for NATS.").fe("", "NATS_AUTH_TOKEN"),
    row("planes.nats_nkey", WEIR_FIELD(planes.nats_nkey), secret(), "", "Seed of a user's key for NATS.").fe("", "NATS_AUTH_NKEY"),
    row("planes.nats_credentials", WEIR_FIELD(planes.nats_credentials), file(), "", "Credentials file for NATS.")
        .fe("", "NATS_AUTH_CREDENTIALS_FILE"),
    later("planes.rpc_host", text(), "", tcp, "Address advertised for requests.").fe("", "DYN_TCP_RPC_HOST"),
    later("planes.rpc_port", port(), "", tcp, "Port for requests.").fe("", "DYN_TCP_RPC_PORT"),
    row("planes.response_host", WEIR_FIELD(planes.response_host), text(), "", "Address advertised to workers for their answers.")
        .fe("", "DYN_TCP_RESPONSE_STREAM_HOST"),
    row("planes.response_port", WEIR_FIELD(planes.response_port), port(), "", "Fixed port for answers; none: one per core.")
        .fe("", "DYN_TCP_RESPONSE_STREAM_PORT"),
    row("planes.message_max", WEIR_FIELD(planes.message_max), integer(), "", "Largest request, bytes; none: 32 MiB.").fe("", "DYN_TCP_MAX_MESSAGE_SIZE"),
    tuning("planes.shrink_at", "DYN_TCP_SHRINK_MESSAGE_SIZE", "8388608", "Buffers beyond this are given back, bytes."),
    row("planes.ack_timeout_s", WEIR_FIELD(planes.ack_s), integer(1, 86'400), "5", "Time for a worker to accept a request, seconds.")
        .fe("", "DYN_TCP_REQUEST_TIMEOUT"),
    row("planes.connect_timeout_s", WEIR_FIELD(planes.connect_s), integer(1, 86'400), "5", "Time to connect, seconds.").fe("", "DYN_TCP_CONNECT_TIMEOUT"),
    row("planes.prologue_timeout_s", WEIR_FIELD(planes.prologue_s), integer(0, 86'400), "30",
        "Time for a worker that accepted a request to begin its answer, seconds; 0: some time. Dynamo waits for ever.").fe("--prologue-timeout-secs", ""),
    row("planes.connections_per_worker", WEIR_FIELD(planes.connections_max), integer(1, 10'000), "100", "Connections to one worker, of each core.")
        .fe("", "DYN_TCP_POOL_SIZE"),
    tuning("planes.connects_at_once", "DYN_TCP_GLOBAL_CONNECT_LIMIT", "64", "Connections being opened at once."),
    row("planes.host_idle_s", WEIR_FIELD(planes.idle_s), integer(1, 86'400), "300", "Close an unused connection to a worker after this, seconds.")
        .fe("", "DYN_TCP_HOST_IDLE_TTL_SECS"),
    tuning("planes.listen_backlog", "DYN_TCP_LISTEN_BACKLOG", "4096", "Waiting connections of the response listener."),
    later("planes.latency_trace", flag(), "false", tcp, "Log the steps of each request.").fe("", "DYN_TCP_LATENCY_TRACE"),
    later("planes.request_codec", choice("| msgpack json"), "msgpack", "request plane codec", "Encoding of requests.")
        .fe("", "DYN_REQUEST_PLANE_CODEC"),
    later("planes.token_bytes", flag(), "false", tcp, "Send token ids as packed bytes.").fe("", "DYN_TOKEN_IDS_AS_BYTES"),
    later("planes.event_codec", choice("| msgpack json"), "msgpack", "event plane codec", "Encoding of events.")
        .fe("", "DYN_EVENT_PLANE_CODEC"),
    later("planes.event_host", text(), "", events, "Address advertised for events.").fe("", "DYN_EVENT_PLANE_HOST"),
    later("planes.zmq_endpoints_per_sub", integer(1), "", events, "ZeroMQ endpoints of one subscriber socket.")
        .fe("", "DYN_ROUTER_ZMQ_ENDPOINTS_PER_SUB"),
    later("planes.inhibited_s", integer(), "5", "quarantine of failed workers",
          "How long a worker that failed is left alone, seconds.")
        .fe("", "DYN_RUNTIME_INHIBITED_DURATION_SECS"),
    later("planes.runtime_grace_s", integer(), "900", tcp, "How long the runtime waits for work under way, seconds.")
        .fe("", "DYN_RUNTIME_GRACEFUL_SHUTDOWN_TIMEOUT_SECS"),
    later("planes.system_port", integer(-1, 65'535), "-1", "Dynamo's status server", "Port of the status server; -1: none.")
        .fe("", "DYN_SYSTEM_PORT"),
    later("planes.system_host", text(), "", "Dynamo's status server", "Its address.").fe("", "DYN_SYSTEM_HOST"),
};
}  // namespace
std::span<const Row> planes_rows() { return rows; }

}  // namespace weir::config
