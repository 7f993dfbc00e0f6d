#include "fleet/fleet.h"
#include "wire/url.h"

namespace weir {

Result<Target> parse_target(const std::string& url, const TlsClient* tls, bool http2) {
    TRY(WorkerUrl parsed, parse_worker_url(url));
    if (parsed.scheme == WorkerUrl::Scheme::grpc || parsed.scheme == WorkerUrl::Scheme::grpcs)
        return Failure(Code::not_supported, "not supported yet: gRPC engines (" + url + ")", "worker-urls");
    Target t;
    t.host = parsed.host;
    t.port = parsed.port;
    t.authority = parsed.authority();
    t.tls = parsed.tls();
    if (parsed.scheme == WorkerUrl::Scheme::unix_http) t.unix_path = parsed.path;
    else t.path_prefix = parsed.path;
    if (t.tls && !tls) return Failure(Code::internal, "no TLS context for " + url);
    t.tls_client = tls;
    if (http2) t.http = t.tls ? Target::Http::two_alpn : Target::Http::two_prior;
    return t;
}

}  // namespace weir
