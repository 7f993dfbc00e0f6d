// What the path of a request needs of a Dynamo worker beyond its place in the fleet. Immutable, shared by all cores.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "discovery/dynamo_records.h"
#include "dispatch/dynamo_stream.h"
#include "fleet/fleet.h"
#include "planes/nats_planes.h"
#include "planes/request_plane.h"
#include "prepare/model.h"

namespace weir {

struct DynamoPeer {
    struct Serves {
        std::string name;                        // as clients know it
        std::shared_ptr<const ModelCard> card;
        prepare::ModelRef model;                 // tokenizer, template, stop ids
        uint32_t context = 0;                    // tokens; 0: not known
    };
    dispatch::DynamoWorker to;
    std::vector<Serves> serves;                  // its model, aliases and LoRAs
    const Serves* of(Str name) const {
        for (auto& s : serves)
            if (s.name == name) return &s;
        return nullptr;
    }
};

// A core's ends of the planes: requests out, calls home in.
struct DynamoCore {
    // `nats`: null: nobody is asked or heard over it.
    DynamoCore(Core& core, Resolver& resolver, const RequestPlaneLimits& limits, CallHomeOptions options, std::shared_ptr<const NatsSetup> setup)
        : nats(setup ? std::make_unique<NatsClient>(core, resolver, std::move(setup)) : nullptr),
          subjects(nats ? std::make_unique<NatsRequests>(*nats, limits.ack_ms) : nullptr), plane(core, resolver, limits), home(core, std::move(options)) {
        plane.subjects_through(subjects.get());
    }
    void start() {                               // on the core
        home.start();
        if (nats) nats->start();
    }
    std::unique_ptr<NatsClient> nats;
    std::unique_ptr<NatsRequests> subjects;
    RequestPlane plane;
    CallHome home;
};

// The first of the workers that serve the name; null: nobody does.
inline const WorkerView* first_serving(const FleetView& fleet, Str name) {
    const std::vector<uint64_t>* serving = fleet.serving(name);
    for (size_t i = 0; serving && i < fleet.ranks().size(); i++)
        if ((*serving)[i / 64] >> (i % 64) & 1) return fleet.ranks()[i].worker;
    return nullptr;
}

// What that one serves under it; null: it is no Dynamo worker.
inline const DynamoPeer::Serves* dynamo_model(const FleetView& fleet, Str name) {
    const WorkerView* first = first_serving(fleet, name);
    const DynamoPeer* peer = first ? fleet.entry(first->slot)->spec.dynamo.get() : nullptr;
    return peer ? peer->of(name) : nullptr;
}

}  // namespace weir
