// One engine behind a listener: its requests, its clock, and the windows in which it refuses connections. One core.
#pragma once
#include <memory>

#include "mocker/engine.h"
#include "mocker/pace.h"
#include "net/server.h"

namespace weir::mocker {

class EngineService final : public HttpService {
public:
    EngineService(MockEngine& engine, Core& core, const ServerLimits& limits, ListenAt at);
    ~EngineService() override;
    Task<void> serve(HttpExchange&) override;
    void refuse(int status, std::string_view why, std::string& lines, std::string& body) override;

    Result<void> listen();
    void start();
    uint16_t port() const { return port_; }
    Server& server() { return *server_; }

private:
    struct Alarm : Timer { EngineService* service; };
    struct Running;
    Task<Outcome> ask(HttpExchange&);
    Task<void> reply(HttpExchange&, const Outcome&);
    Task<void> generate(HttpExchange&, Outcome&);
    Task<void> collect(HttpExchange&, Running&);
    Task<void> after(HttpExchange&, const sim::Fault&);
    void mind_gate();            // opens or closes the listener as the rules say, and comes back when that changes

    MockEngine& engine_;
    Core& core_;
    ListenAt at_;
    uint16_t port_ = 0;
    bool open_ = true;
    Pace pace_;
    Alarm gate_;
    std::unique_ptr<Server> server_;
};

}  // namespace weir::mocker
