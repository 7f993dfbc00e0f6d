// A listening port on all data cores: accept, spread, TLS, protocol choice. One object per port; made and stopped by main's thread.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/core.h"
#include "net/exchange.h"
#include "net/tls.h"

namespace weir {

struct ListenAt {
    std::string host = "0.0.0.0";   // address literal; "::" takes IPv4 too
    uint16_t port = 0;              // 0: the kernel chooses, see Server::port()
    std::string unix_path;          // not empty: a unix socket instead (an old one at the path is replaced)
};

class Server {
public:
    // All of them outlive the server. `tls` may be null. `cores` must be running or run later; each serves its own connections.
    Server(std::vector<Core*> cores, HttpService& service, ServerLimits limits, const TlsServer* tls);
    ~Server();
    Result<void> listen(const ListenAt&);   // binds; connections wait in the backlog until start()
    void start();
    uint16_t port() const { return port_; }

    // Shutdown, any thread: readiness is the service's business.
    void drain() { draining_.store(true, std::memory_order_relaxed); }   // keep-alive ends with the answer under way
    void stop_accepting();                                                // listeners close (asynchronously, on their cores)
    void cancel_all();                                                    // every connection is destroyed on its core
    uint64_t connections() const { return connections_.load(std::memory_order_relaxed); }
    uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }   // beyond the connection limit
    void set_connections_max(size_t n) { connections_max_ = n; }          // before start()

private:
    struct Acceptor;
    struct Counted;
    struct PlainSocket;
    struct PerCore;
    Task<void> accept_loop(PerCore& here, Acceptor& acceptor);
    void serve_fd(PerCore& here, int fd);
    Task<void> serve_tls(PerCore& here, int fd);
    void place(PerCore& here, int fd);
    std::vector<Core*> cores_;
    HttpService& service_;
    ServerLimits limits_;
    const TlsServer* tls_;
    std::vector<std::unique_ptr<PerCore>> per_core_;
    uint16_t port_ = 0;
    std::string unix_path_;
    std::atomic<bool> draining_{false};
    std::atomic<uint64_t> connections_{0}, refused_{0};
    size_t connections_max_ = limits::connections_max;
};

}  // namespace weir
