#include "discovery/etcd_client.h"

#include "discovery/etcd_messages.h"
#include "wire/url.h"

namespace weir::etcd {
namespace {

constexpr uint64_t connect_ms = 3'000, call_ms = 5'000, idle_ms = 60'000;
constexpr size_t message_max = 64 * 1024 * 1024, endpoints_max = 64;
constexpr uint16_t default_port = 2'379;

struct Endpoint { std::string host; uint16_t port; bool tls, scheme_given; };

Result<Endpoint> read_endpoint(const std::string& text) {
    const bool scheme_given = text.find("://") != std::string::npos;
    auto url = parse_worker_url(scheme_given ? text : "http://" + text);
    const bool plain = url && url->path.empty() && (url->scheme == WorkerUrl::Scheme::http || url->scheme == WorkerUrl::Scheme::https);
    if (!plain) return Failure(Code::bad_field, "not an address of etcd, which has the form http://host:port: " + text);
    const size_t colon = text.find_last_of(":]/");   // of a port, if there is one behind the host
    const bool port_given = colon != std::string::npos && text[colon] == ':';
    return Endpoint{url->host, port_given ? url->port : default_port, url->tls(), scheme_given};
}

// The token is no good any more: another one will be.
bool wants_token(const Failure& failure) {
    const GrpcCode code = grpc_code(failure);
    return code == GrpcCode::unauthenticated || (code == GrpcCode::invalid_argument && failure->detail.find("auth store is old") != std::string::npos);
}

bool unreachable(const Failure& failure) {
    const GrpcCode code = grpc_code(failure);
    return code == GrpcCode::unavailable || code == GrpcCode::deadline_exceeded;
}

}  // namespace

struct Client::Network {
    Core& core = Core::here();
    Resolver resolver{core};
    ClientPool pool{core, resolver, [] {
        UpstreamLimits limits;
        limits.connect_ms = connect_ms;
        limits.pool_idle_ms = idle_ms;
        return limits;
    }()};
};

Result<std::unique_ptr<Client>> Client::make(const EtcdDiscoveryOptions& options) {
    std::unique_ptr<Client> client(new Client);
    const bool tls_files = !options.tls_ca.empty() || !options.tls_cert.empty();
    if (options.tls_cert.empty() != options.tls_key.empty())
        return Failure(Code::bad_field, "the certificate shown to etcd and its key must be given together");
    bool any_tls = false;
    for (const std::string& text : options.endpoints) {
        TRY(Endpoint e, read_endpoint(text));
        Target t;
        t.tls = e.tls || (tls_files && !e.scheme_given);
        t.host = e.host;
        t.port = e.port;
        t.http = t.tls ? Target::Http::two_alpn : Target::Http::two_prior;
        t.authority = (e.host.find(':') == std::string::npos ? e.host : "[" + e.host + "]") + ":" + std::to_string(e.port);
        t.slot = static_cast<uint32_t>(client->targets_.size());
        any_tls |= t.tls;
        client->targets_.push_back(std::move(t));
    }
    if (client->targets_.empty() || client->targets_.size() > endpoints_max)
        return Failure(Code::bad_field, "etcd needs 1 to " + std::to_string(endpoints_max) + " addresses");
    if (any_tls) {
        TlsClientFiles files{options.tls_cert, options.tls_key, {}, true};
        if (!options.tls_ca.empty()) files.ca.push_back(options.tls_ca);
        TRY(client->tls_, TlsClient::load(std::move(files)));
        for (Target& t : client->targets_) t.tls_client = client->tls_.get();
    }
    client->user_ = options.user;
    client->password_ = options.password;
    return client;
}

Client::~Client() = default;

Client::Network& Client::network() {
    if (!network_) network_ = std::make_unique<Network>();
    return *network_;
}

GrpcRequest Client::request(const char* path, uint64_t deadline_ms) const {
    GrpcRequest request;
    request.path = path;
    request.deadline_ms = deadline_ms;
    request.message_max = message_max;
    if (!token_.empty()) request.metadata = "token: " + token_ + "\r\n";
    return request;
}

void Client::lost(size_t seen) {
    if (seen != at_) return;
    network().pool.forget(targets_[at_].slot);   // a connection that fell silent must not be used again
    at_ = (at_ + 1) % targets_.size();
}

Task<Result<void>> Client::authenticate() {
    token_.clear();
    auto answer = co_await grpc_unary(network().pool, targets_[at_], request(authenticate_path, call_ms), authenticate_request(user_, password_));
    if (!answer) {   // a cluster without authentication takes anybody
        if (grpc_code(answer.error()) == GrpcCode::failed_precondition) co_return Nothing{};
        co_return std::move(answer).error();
    }
    CO_TRY(token_, read_token(*answer));
    co_return Nothing{};
}

Task<Result<std::string>> Client::call_here(const char* path, std::string message) {
    for (bool again = false;; again = true) {
        if (!user_.empty() && token_.empty()) CO_TRY_OK(co_await authenticate());
        const std::string used = token_;
        auto answer = co_await grpc_unary(network().pool, targets_[at_], request(path, call_ms), message);
        if (answer || again || user_.empty() || !wants_token(answer.error())) co_return answer;
        if (token_ == used) token_.clear();
    }
}

Task<Result<std::string>> Client::call(const char* path, std::string message) {
    for (size_t tried = 1;; tried++) {
        const size_t here = at_;
        auto answer = co_await call_here(path, message);
        if (answer || !unreachable(answer.error())) co_return answer;
        lost(here);
        if (tried >= targets_.size()) co_return answer;
    }
}

Task<Result<std::unique_ptr<GrpcCall>>> Client::open(const char* path) {
    if (!user_.empty() && token_.empty()) CO_TRY_OK(co_await authenticate());
    GrpcRequest stream = request(path, 0);
    stream.metadata += "hasleader: true\r\n";
    co_return co_await GrpcCall::open(network().pool, targets_[at_], std::move(stream));
}

}  // namespace weir::etcd
