// TLS on top of a socket transport (OpenSSL lives in net/tls.cc alone).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/transport.h"

namespace weir {

struct TlsServerFiles { std::string cert, key, client_ca; };   // PEM paths; client_ca not empty: clients must show a certificate
struct TlsClientFiles { std::string cert, key; std::vector<std::string> ca; bool verify = true; };

// Shared by all cores, immutable between reloads; a reload swaps the context, open connections keep theirs.
class TlsServer {
public:
    static Result<std::unique_ptr<TlsServer>> load(TlsServerFiles);
    ~TlsServer();
    // Re-reads the files when one changed (mtime, size or inode). Error: the old certificate stays in use. Called by ctl each second.
    Result<bool> reload_if_changed();
    struct Impl;
    std::shared_ptr<Impl> context() const;   // any thread

private:
    TlsServer();
    struct State;
    std::unique_ptr<State> state_;
};
class TlsClient {
public:
    static Result<std::unique_ptr<TlsClient>> load(TlsClientFiles);
    ~TlsClient();
    struct Impl;
    Impl& impl() const { return *impl_; }

private:
    TlsClient();
    std::unique_ptr<Impl> impl_;
};

// Both complete the handshake within `timeout_ms`. The fd is taken in any case.
Task<Result<std::unique_ptr<Transport>>> tls_accept(int fd, const TlsServer&, uint64_t timeout_ms);
Task<Result<std::unique_ptr<Transport>>> tls_connect(int connected_fd, const TlsClient&, std::string server_name,
                                                     std::string alpn /* "h2", "http/1.1" or both, comma separated */,
                                                     uint64_t timeout_ms);

}  // namespace weir
