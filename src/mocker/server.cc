#include "mocker/server.h"

#include "mocker/service.h"

namespace weir::mocker {
namespace {

constexpr uint64_t bodies_bytes_max = uint64_t{2} * 1024 * 1024 * 1024;

}  // namespace

FleetServer::FleetServer(std::vector<Core*> cores, const FleetSettings& settings)
    : fleet_(settings, cores[0]->clock().now(), cores[0]->clock().wall()),
      bodies_("simulated engines' request bodies", bodies_bytes_max) {
    ServerLimits limits;
    limits.bodies = &bodies_;
    for (size_t i = 0; i < fleet_.size(); ++i) {
        ListenAt at;
        at.host = settings.host;
        at.port = fleet_.port_of(i);
        services_.push_back(std::make_unique<EngineService>(fleet_.engine(i), *cores[i % cores.size()], limits, std::move(at)));
    }
}

FleetServer::~FleetServer() = default;

Result<void> FleetServer::listen() {
    for (auto& s : services_) {
        auto done = s->listen();
        if (!done) return done;
    }
    return Nothing{};
}

void FleetServer::start() {
    for (auto& s : services_) s->start();
}

uint16_t FleetServer::port(size_t i) const { return services_[i]->port(); }

std::string FleetServer::url(size_t i) const {
    const std::string& host = fleet_.settings().host;
    const bool v6 = host.find(':') != host.npos;
    return "http://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port(i));
}

void FleetServer::stop_accepting() {
    for (auto& s : services_) s->server().stop_accepting();
}

void FleetServer::cancel_all() {
    for (auto& s : services_) s->server().cancel_all();
}

}  // namespace weir::mocker
