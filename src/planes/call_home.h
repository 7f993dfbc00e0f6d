// Where workers call home: a listener per core, and the streams that are expected on it by subject.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "net/core.h"
#include "net/transport.h"

namespace weir {

class TlsServer;   // net/tls.h

struct CallHomeOptions {
    std::string bind_host = "0.0.0.0"; // address literal
    std::string advertise;             // host that workers dial; empty: the first address of this machine that is not loopback, else 127.0.0.1
    uint16_t port = 0;                 // 0: a port of its own. Else all cores share it, see share()
    uint64_t handshake_ms = 10'000;    // from accept to the first message
    size_t greeting_max = 4'096;       // connections without handshake yet; more are closed
    size_t expected_max = 65'536;      // subjects
    const TlsServer* tls = nullptr;    // workers must dial under TLS; outlives the home
};

class CallHome;

// A stream that was asked for and has not called yet. Lives in the frame of who waits; its end takes the subject out of the map, and a
// worker that calls later is told to stop.
class ExpectedCall {
public:
    ExpectedCall(CallHome& home, uint64_t instance_id);
    ~ExpectedCall();
    ExpectedCall(const ExpectedCall&) = delete;
    bool accepted() const { return home_ != nullptr; }   // false: too many are expected already
    const std::string& subject() const { return subject_; }
    // The worker's socket and what it said behind the handshake. Failures: first_byte_timeout, reset_before_byte (the instance is gone).
    struct Called { std::unique_ptr<SocketTransport> socket; std::string early; };
    Task<Result<Called>> wait(uint64_t timeout_ms);

private:
    friend class CallHome;
    struct Late : Timer { ExpectedCall* call; } late_;
    CallHome* home_ = nullptr;
    uint64_t instance_id_;
    std::string subject_;
    Signal signal_;
    Called called_;
    bool expired_ = false, gone_ = false;
};

class CallHome {
public:
    CallHome(Core& core, CallHomeOptions options);
    ~CallHome();
    Result<void> listen();                       // binds; connections wait in the backlog until start()
    void start();                                // on the core
    void stop();                                 // on the core: takes no new calls; streams that run go on
    // All homes of the process by core index, when they share a port: a call that came to the wrong core is handed over. Before listen(),
    // which then refuses TLS: such a connection cannot move to another core.
    void share(std::vector<CallHome*> homes) { homes_ = std::move(homes); }
    const std::string& address() const { return address_; }   // "ip:port", for connection_info
    uint16_t port() const { return port_; }
    void instance_gone(uint64_t instance_id);    // on the core: fails calls still expected from it
    size_t expected() const { return expected_.size(); }
    struct Counts { uint64_t called = 0, unknown = 0, bad = 0, refused = 0; } counts;

private:
    friend class ExpectedCall;
    struct Acceptor;
    Task<void> accept_loop();
    Task<void> greet(int fd);
    void arrived(const std::string& subject, ExpectedCall::Called called);
    Core& core_;
    const CallHomeOptions options_;
    std::string address_;
    uint16_t port_ = 0;
    std::unique_ptr<Acceptor> acceptor_;
    std::vector<CallHome*> homes_;
    std::unordered_map<std::string, ExpectedCall*> expected_;
    Nursery greeting_, accepting_;
};

// The address of this machine that others reach: the first IPv4 that is up and not loopback, then IPv6; "127.0.0.1" when there is none.
std::string local_address();

}  // namespace weir
