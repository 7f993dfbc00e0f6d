// Calls to an etcd cluster: its addresses in turn, a token when it wants one. One core.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "discovery/discovery.h"
#include "net/grpc_client.h"
#include "net/resolver.h"
#include "net/tls.h"

namespace weir::etcd {

class Client {
public:
    // Failure: bad_field (an address, a file).
    static Result<std::unique_ptr<Client>> make(const EtcdDiscoveryOptions& options);
    ~Client();                         // on the core that made the calls
    // One call; an address that cannot be reached or does not answer is left for the next, each at most once. Failures as grpc_unary's.
    Task<Result<std::string>> call(const char* path, std::string message);
    // A stream at the current address that the server ends when it loses its leader.
    Task<Result<std::unique_ptr<GrpcCall>>> open(const char* path);
    // Whoever holds a stream found out that its server is lost: the next call goes to the next address. `seen`: at() when it was opened.
    void lost(size_t seen);
    size_t at() const { return at_; }
    const std::string& address() const { return targets_[at_].authority; }

private:
    Client() = default;
    struct Network;
    Network& network();                // made by the first call, on its core
    Task<Result<void>> authenticate();
    Task<Result<std::string>> call_here(const char* path, std::string message);
    GrpcRequest request(const char* path, uint64_t deadline_ms) const;
    std::vector<Target> targets_;
    std::unique_ptr<TlsClient> tls_;
    std::string user_, password_, token_;
    std::unique_ptr<Network> network_;
    size_t at_ = 0;
};

}  // namespace weir::etcd
