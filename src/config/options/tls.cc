#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Row rows[] = {
    row("tls.cert", WEIR_FIELD(tls.cert), file(), "", "Server certificate chain, PEM; read again when the file changes.")
        .both("--tls-cert-path").fe("", "DYN_TLS_CERT_PATH").at(Reload::new_connections),
    row("tls.key", WEIR_FIELD(tls.key), file(), "", "Private key of the server certificate, PEM.")
        .both("--tls-key-path").fe("", "DYN_TLS_KEY_PATH").at(Reload::new_connections),
    row("tls.client_ca", WEIR_FIELD(tls.client_ca), file(), "", "Clients must show a certificate of this CA, PEM.")
        .both("--tls-client-ca-cert-path").fe("", "DYN_TLS_CLIENT_CA_CERT_PATH").at(Reload::new_connections),
};
constexpr Row worker_rows[] = {
    row("workers.urls", WEIR_FIELD(workers.urls), urls(), "", "Static workers: http://, https:// or unix: URLs, several allowed.")
        .both("--worker-urls"),
    row("workers.client_cert", WEIR_FIELD(workers.client_cert), file(), "", "Certificate shown to https workers, PEM.")
        .both("--client-cert-path"),
    row("workers.client_key", WEIR_FIELD(workers.client_key), file(), "", "Private key of that certificate, PEM.")
        .both("--client-key-path"),
    row("workers.ca", WEIR_FIELD(workers.ca), list(), "",
          "CA files that https workers are checked against, PEM; none: the system's.")
        .both("--ca-cert-paths"),
    row("workers.pool_idle_ms", WEIR_FIELD(workers.pool_idle_ms), integer(0, 86'400'000), "3000",
        "Close unused connections to workers after this; stay below the engine's keep-alive. 0 keeps them.")
        .both("--upstream-pool-idle-timeout-secs", 1000),
    row("workers.http2", WEIR_FIELD(workers.http2), flag(), "false",
          "Speak HTTP/2 without upgrade to http:// workers, and offer it to https:// ones.")
        .both("--upstream-http2"),
};
}  // namespace
std::span<const Row> tls_rows() { return rows; }
std::span<const Row> workers_rows() { return worker_rows; }

}  // namespace weir::config
