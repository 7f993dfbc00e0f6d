// Certificates and contexts (OpenSSL 3); the connections themselves are in net/tls_transport.cc.
#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "net/tls_transport.h"

namespace weir {
namespace {

constexpr char tls12_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr char tls13_ciphers[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr char groups[] = "X25519:P-256:P-384";
constexpr unsigned char server_protocols[] = "\x02h2\x08http/1.1";

Failure tls_failure(const std::string& what) { return Failure(Code::bad_field, what + ": " + openssl_error()); }

struct CtxFree { void operator()(SSL_CTX* c) const { SSL_CTX_free(c); } };
using Ctx = std::unique_ptr<SSL_CTX, CtxFree>;

int no_passphrase(char*, int, int, void*) { return -1; }   // never ask on a terminal

Ctx make_context(bool server) {
    Ctx ctx(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
    SSL_CTX* c = ctx.get();
    SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(c, 1);                  // a record is one system call, not two
    SSL_CTX_set_cipher_list(c, tls12_ciphers);
    SSL_CTX_set_ciphersuites(c, tls13_ciphers);
    SSL_CTX_set1_groups_list(c, groups);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);   // resumption by ticket: nothing is kept here
    SSL_CTX_set_default_passwd_cb(c, no_passphrase);
    return ctx;
}

Result<void> load_pair(SSL_CTX* c, const std::string& cert, const std::string& key) {
    if (SSL_CTX_use_certificate_chain_file(c, cert.c_str()) != 1) return tls_failure("cannot use the certificate " + cert);
    if (SSL_CTX_use_PrivateKey_file(c, key.c_str(), SSL_FILETYPE_PEM) != 1) return tls_failure("cannot use the private key " + key);
    if (SSL_CTX_check_private_key(c) != 1) return tls_failure("the private key " + key + " does not belong to " + cert);
    return Nothing{};
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_n, const unsigned char* in, unsigned in_n, void*) {
    unsigned char* chosen = nullptr;
    int found = SSL_select_next_proto(&chosen, out_n, server_protocols, sizeof server_protocols - 1, in, in_n);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// What tells one state of the files from another.
struct Print {
    std::array<uint64_t, 12> at{};
    bool operator==(const Print&) const = default;
};
Print print_of(const TlsServerFiles& files) {
    Print p;
    size_t i = 0;
    for (const std::string* path : {&files.cert, &files.key, &files.client_ca}) {
        struct stat s{};
        if (!path->empty()) ::stat(path->c_str(), &s);
        for (uint64_t v : {static_cast<uint64_t>(s.st_mtim.tv_sec), static_cast<uint64_t>(s.st_mtim.tv_nsec),
                           static_cast<uint64_t>(s.st_size), static_cast<uint64_t>(s.st_ino)})
            p.at[i++] = v;
    }
    return p;
}

}  // namespace

struct TlsServer::Impl { Ctx ctx; };
struct TlsServer::State {
    TlsServerFiles files;
    Print loaded, refused;
    mutable std::mutex mutex;
    std::shared_ptr<Impl> current;   // guarded by mutex
};

namespace {

Result<Ctx> server_context(const TlsServerFiles& files) {
    Ctx ctx = make_context(true);
    SSL_CTX* c = ctx.get();
    Result<void> pair = load_pair(c, files.cert, files.key);
    if (!pair) return std::move(pair).error();
    SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
    SSL_CTX_set_num_tickets(c, 1);
    static constexpr unsigned char session_context[] = "weir";
    SSL_CTX_set_session_id_context(c, session_context, sizeof session_context - 1);
    if (!files.client_ca.empty()) {
        STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(files.client_ca.c_str());
        if (!names || SSL_CTX_load_verify_file(c, files.client_ca.c_str()) != 1) {
            sk_X509_NAME_pop_free(names, X509_NAME_free);
            return tls_failure("cannot use the client CA list " + files.client_ca);
        }
        SSL_CTX_set_client_CA_list(c, names);
        SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    return ctx;
}

}  // namespace

TlsServer::TlsServer() : state_(std::make_unique<State>()) {}
TlsServer::~TlsServer() = default;

Result<std::unique_ptr<TlsServer>> TlsServer::load(TlsServerFiles files) {
    std::unique_ptr<TlsServer> server(new TlsServer);
    server->state_->loaded = print_of(files);
    TRY(Ctx ctx, server_context(files));
    server->state_->files = std::move(files);
    server->state_->current = std::make_shared<Impl>(Impl{std::move(ctx)});
    return server;
}

Result<bool> TlsServer::reload_if_changed() {
    State& s = *state_;
    Print now = print_of(s.files);
    if (now == s.loaded) return false;
    Result<Ctx> ctx = server_context(s.files);
    if (!ctx) {
        // Half written, or a pair that does not fit yet: tried again at each call, told once per state of the files.
        if (now == s.refused) return false;
        s.refused = now;
        return std::move(ctx).error();
    }
    auto fresh = std::make_shared<Impl>(Impl{*std::move(ctx)});
    s.loaded = now;
    std::lock_guard lock(s.mutex);
    s.current.swap(fresh);
    return true;
}

std::shared_ptr<TlsServer::Impl> TlsServer::context() const {
    std::lock_guard lock(state_->mutex);
    return state_->current;
}

struct TlsClient::Impl { Ctx ctx; };
TlsClient::TlsClient() : impl_(std::make_unique<Impl>()) {}
TlsClient::~TlsClient() = default;

Result<std::unique_ptr<TlsClient>> TlsClient::load(TlsClientFiles files) {
    std::unique_ptr<TlsClient> client(new TlsClient);
    client->impl_->ctx = make_context(false);
    SSL_CTX* c = client->impl_->ctx.get();
    if (!files.cert.empty()) {
        Result<void> pair = load_pair(c, files.cert, files.key.empty() ? files.cert : files.key);
        if (!pair) return std::move(pair).error();
    }
    for (auto& ca : files.ca)
        if (SSL_CTX_load_verify_file(c, ca.c_str()) != 1) return tls_failure("cannot use the CA list " + ca);
    if (files.ca.empty()) SSL_CTX_set_default_verify_paths(c);
    SSL_CTX_set_verify(c, files.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    return client;
}

Task<Result<std::unique_ptr<Transport>>> tls_accept(int fd, const TlsServer& server, uint64_t timeout_ms) {
    auto t = std::make_unique<TlsTransport>(fd);
    if (timeout_ms) t->deadline_in(timeout_ms);
    std::shared_ptr<TlsServer::Impl> context = server.context();
    Result<void> done = co_await t->handshake(context->ctx.get());
    if (!done) co_return std::move(done).error();
    co_return std::unique_ptr<Transport>(std::move(t));
}

Task<Result<std::unique_ptr<Transport>>> tls_connect(int connected_fd, const TlsClient& client, std::string server_name, std::string alpn,
                                                     uint64_t timeout_ms) {
    auto t = std::make_unique<TlsTransport>(connected_fd);
    if (timeout_ms) t->deadline_in(timeout_ms);
    Result<void> started = t->start(client.impl().ctx.get(), false);
    if (!started) co_return std::move(started).error();
    unsigned char address[16];
    bool literal = inet_pton(AF_INET, server_name.c_str(), address) == 1 || inet_pton(AF_INET6, server_name.c_str(), address) == 1;
    if (literal) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl()), server_name.c_str());
    } else if (!server_name.empty()) {
        SSL_set_tlsext_host_name(t->ssl(), server_name.c_str());
        SSL_set1_host(t->ssl(), server_name.c_str());
    }
    std::string protocols;   // each with its length before it
    for (size_t at = 0; at < alpn.size();) {
        size_t end = std::min(alpn.find(',', at), alpn.size());
        protocols.push_back(static_cast<char>(end - at));
        protocols.append(alpn, at, end - at);
        at = end + 1;
    }
    SSL_set_alpn_protos(t->ssl(), reinterpret_cast<const unsigned char*>(protocols.data()), static_cast<unsigned>(protocols.size()));
    Result<void> done = co_await t->handshake(nullptr);
    if (!done) co_return std::move(done).error();
    co_return std::unique_ptr<Transport>(std::move(t));
}

}  // namespace weir
