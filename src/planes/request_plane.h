// The way to workers: requests over a few pipelined tcp connections per worker and core, acknowledged in order.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "net/resolver.h"
#include "net/transport.h"
#include "wire/dynamo_frames.h"

namespace weir {

struct RequestPlaneLimits {
    uint64_t connect_ms = 5'000, ack_ms = 5'000;
    uint64_t idle_ms = 300'000;        // a connection without requests is closed after it
    size_t pipelined_max = 1'024;      // requests of one connection without acknowledgement
    size_t connections_max = 100;      // per worker address
    size_t message_max = request_message_max;
};

// How requests reach addresses without a host: their path is a subject that somebody else knows to send to.
class SubjectSender {
public:
    virtual ~SubjectSender() = default;
    virtual Task<Result<void>> send(Str subject, Str headers, Str payload) = 0;   // as RequestPlane::send
};

class TlsClient;   // net/tls.h

class RequestPlane {
public:
    RequestPlane(Core& core, Resolver& resolver, RequestPlaneLimits limits = {});
    ~RequestPlane();
    // Sends one request and waits for its acknowledgement. `address`, `headers` (a JSON object) and `payload` outlive the call. Failures:
    // connect_failed, ack_error (overloaded, unavailable, no room): nothing is done there, another worker may be asked; reset_before_byte,
    // first_byte_timeout: the worker may have taken it; too_large. Destroyed while it waits: the request stays sent, see ExpectedCall.
    Task<Result<void>> send(const PlaneAddress& address, Str headers, Str payload);
    void subjects_through(SubjectSender* sender) { subjects_ = sender; }   // which outlives the plane; null: such addresses fail to connect
    // Connections made from now on are under TLS; `server_name` is what workers' certificates must say, empty: their address.
    void secure(const TlsClient* tls, std::string server_name) { tls_ = tls, server_name_ = std::move(server_name); }
    // Where connections come from instead of the network (tests). A connected, non-blocking fd.
    using Connector = Task<Result<int>> (*)(void* self, const PlaneAddress&);
    void connect_through(Connector connector, void* self) { connector_ = connector, connector_self_ = self; }
    size_t connections() const;        // open ones, to all workers
    size_t waiting() const;            // requests without acknowledgement

private:
    struct Connection;
    struct Ack;
    struct Dialled;
    struct Host { List<Connection> connections; List<Dialled> waiting; size_t open = 0; bool dialling = false; };
    struct Dialling;
    Connection* with_room(Host&);
    Task<Result<std::unique_ptr<SocketTransport>>> connect(const PlaneAddress&);
    Task<Result<Connection*>> connection_to(const PlaneAddress&);
    Task<void> serve(std::unique_ptr<Connection>);
    Core& core_;
    Resolver& resolver_;
    const RequestPlaneLimits limits_;
    SubjectSender* subjects_ = nullptr;
    const TlsClient* tls_ = nullptr;
    std::string server_name_;
    Connector connector_ = nullptr;
    void* connector_self_ = nullptr;
    std::unordered_map<std::string, std::unique_ptr<Host>> hosts_;
    Nursery serving_;
};

}  // namespace weir
