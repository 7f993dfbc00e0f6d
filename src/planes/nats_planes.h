// Dynamo's request and event planes over NATS.
#pragma once
#include <string>

#include "planes/event_subscriber.h"
#include "planes/nats_client.h"
#include "planes/request_plane.h"

namespace weir {

// Requests to workers that listen on subjects: what RequestPlane::send does, for addresses without a host. See subjects_through().
class NatsRequests final : public SubjectSender {
public:
    explicit NatsRequests(NatsClient& client, uint64_t ack_ms = 5'000) : client_(client), ack_ms_(ack_ms) {}
    Task<Result<void>> send(Str subject, Str headers, Str payload) override;   // failures as RequestPlane::send

private:
    NatsClient& client_;
    const uint64_t ack_ms_;
};

// Messages of one subject ("prefix.topic"; all publishers of a scope share it, see SharedEvents). The listener gets the frames it would get
// over ZeroMQ. Runs until destroyed; `client` and `listener` outlive it.
Task<void> subscribe_nats_events(NatsClient& client, std::string subject, std::string topic, EventListener& listener);

}  // namespace weir
