#include "planes/nats_planes.h"

#include "wire/big_endian.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"
#include "wire/msgpack.h"

namespace weir {
namespace {

constexpr Str path_header = "x-endpoint-path";   // of the tcp plane; here the subject says it
constexpr Str service_error = "Nats-Service-Error";
constexpr char frame_version = 1;

std::string header_block(Str json) {
    std::string block, name, value;
    for (JsonMembers m(json); m.next();) {
        if (json_kind(m.value) != JsonKind::string || !json_unescape(m.key, name) || !json_unescape(json_inside(m.value), value)) continue;
        if (name == path_header) continue;
        if (block.empty()) block = nats_headers_begin;
        append_nats_header(block, name, value);
    }
    if (!block.empty()) block += "\r\n";
    return block;
}

// Publisher and sequence of an envelope, as its frames have them over ZeroMQ; empty: it is none.
void read_numbers(Str envelope, std::string& publisher, std::string& sequence) {
    publisher.clear(), sequence.clear();
    MsgpackReader r(envelope);
    for (uint32_t left = r.map(); left > 0 && r.ok(); left--) {
        const Str key = r.text();
        if (key == "publisher_id") append_big_endian(publisher, r.number(), 8);
        else if (key == "sequence") append_big_endian(sequence, r.number(), 8);
        else r.skip();
    }
    if (!r.ok()) publisher.clear(), sequence.clear();
}

class Frames final : public NatsListener {
public:
    Frames(std::string topic, EventListener& listener) : listener_(listener) { frames_ = {std::move(topic), {}, {}, {}}; }
    void connected() override { listener_.connected(); }
    void lost() override { listener_.lost(); }
    void message(const NatsMessage& m) override {
        std::string& frame = frames_.back();
        frame.assign(1, frame_version);
        append_big_endian(frame, m.payload.size(), 4);
        frame.append(m.payload);
        read_numbers(m.payload, frames_[1], frames_[2]);
        listener_.message(frames_);
    }

private:
    EventListener& listener_;
    std::vector<std::string> frames_;
};

}  // namespace

Task<Result<void>> NatsRequests::send(Str subject, Str headers, Str payload) {
    const std::string block = header_block(headers);
    CO_TRY(NatsClient::Answer answer, co_await client_.request(subject, block, payload, ack_ms_));
    const Str error = nats_header(answer.headers, service_error);
    const AckKind kind = ack_kind(answer.payload);
    if (error.empty() && kind == AckKind::ok) co_return Nothing{};
    Failure failure(Code::ack_error, kind == AckKind::overloaded ? "the worker is overloaded" : "the worker is unavailable");
    failure->reason = kind == AckKind::overloaded ? "overloaded" : "unavailable";
    failure->detail = error.empty() ? answer.payload : std::string(error);
    co_return failure;
}

Task<void> subscribe_nats_events(NatsClient& client, std::string subject, std::string topic, EventListener& listener) {
    Frames frames(std::move(topic), listener);
    NatsClient::Subscription subscription(client, std::move(subject), frames);
    Signal never;
    co_await never.wait();
}

}  // namespace weir
