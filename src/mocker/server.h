// Serves a fleet over HTTP: one listener an engine, each engine's requests and time on one core.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/budget.h"
#include "mocker/fleet.h"
#include "net/server.h"

namespace weir::mocker {

class EngineService;

// Engine i lives on cores[i % n]. Made, started and destroyed while the cores do not run, or by their own thread.
class FleetServer {
public:
    FleetServer(std::vector<Core*> cores, const FleetSettings&);
    ~FleetServer();
    Result<void> listen();                    // binds all ports; connections wait until start()
    void start();
    size_t size() const { return fleet_.size(); }
    uint16_t port(size_t i) const;            // after listen()
    std::string url(size_t i) const;          // "http://host:port"
    MockEngine& engine(size_t i) { return fleet_.engine(i); }   // on its core only
    // Shutdown, any thread: no new connections; the running ones end when they are done, or now.
    void stop_accepting();
    void cancel_all();

private:
    MockFleet fleet_;
    Budget bodies_;
    std::vector<std::unique_ptr<EngineService>> services_;
};

}  // namespace weir::mocker
