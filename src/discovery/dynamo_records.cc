#include "discovery/dynamo_records.h"

#include "discovery/record_fields.h"

namespace weir {
namespace {

Result<DynamoInstance> instance_of(const Fields& f) {
    DynamoInstance i;
    i.endpoint = {f.text("namespace"), f.text("component"), f.text("endpoint")};
    if (i.endpoint.ns.empty() || i.endpoint.component.empty() || i.endpoint.name.empty()) return missing_field("instance", "namespace, component, endpoint");
    const auto id = f.number("instance_id");
    if (!id) return missing_field("instance", "instance_id");
    i.id = *id;
    const Fields transport = f.object("transport");
    i.address = transport.text("tcp");
    if (i.address.empty()) i.address = transport.text("nats_tcp"), i.plane = DynamoInstance::nats;
    if (i.address.empty()) return missing_field("instance", "transport");
    if (i.plane == DynamoInstance::tcp)
        if (auto ok = read_plane_address(i.address); !ok) return std::move(ok).error();
    const std::string codec = f.text("request_plane_codec");
    if (codec == "msgpack") i.codec = PayloadCodec::msgpack;
    else if (!codec.empty() && codec != "json") return Failure(Code::bad_field, "instance: unknown request_plane_codec " + codec, "request_plane_codec");
    i.device = f.text("device_type");
    return i;
}

Result<EventScope> scope_of(const Fields& f) {
    EventScope s;
    const std::string kind = f.text("kind");
    if (kind == "namespace") s.kind = EventScope::ns, s.of.ns = f.text("name");
    else if (kind == "component") s.kind = EventScope::component, s.of.ns = f.text("namespace"), s.of.component = f.text("component");
    else if (kind == "endpoint") {
        const Fields e = f.object("endpoint");
        s.of = {e.text("namespace"), e.text("component"), e.text("name")};
    } else return missing_field("event record", "scope.kind");
    if (s.of.ns.empty()) return missing_field("event record", "scope");
    return s;
}

void write_scope(JsonWriter& w, const EventScope& s) {
    w.object();
    if (s.kind == EventScope::ns) w.member("kind", "namespace").member("name", s.of.ns);
    else if (s.kind == EventScope::component) w.member("kind", "component").member("namespace", s.of.ns).member("component", s.of.component);
    else {
        w.member("kind", "endpoint").key("endpoint").object().member("namespace", s.of.ns).member("component", s.of.component);
        w.member("name", s.of.name).end_object();
    }
    w.end_object();
}

void instance_members(JsonWriter& w, const DynamoInstance& i) {
    w.member("component", i.endpoint.component).member("endpoint", i.endpoint.name).member("namespace", i.endpoint.ns);
    w.member("instance_id", i.id).key("transport").object().member(i.plane == DynamoInstance::tcp ? "tcp" : "nats_tcp", i.address).end_object();
    if (!i.device.empty()) w.member("device_type", i.device);
    w.member("request_plane_codec", name(i.codec));
}

std::string segment(Str text) {        // letters, digits, '_' and '-' stay
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (char c : text) {
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-') out += c;
        else out.append({'%', digits[static_cast<uint8_t>(c) >> 4], digits[static_cast<uint8_t>(c) & 15]});
    }
    return out;
}

}  // namespace

Result<DynamoInstance> read_instance(Str json) {
    TRY(Fields f, Fields::parse(json));
    return instance_of(f);
}

Result<PlaneAddress> plane_address(const DynamoInstance& i) {
    if (i.plane == DynamoInstance::nats) return PlaneAddress{{}, 0, i.address};
    return read_plane_address(i.address);
}

std::string write_instance(const DynamoInstance& i) {
    std::string out;
    JsonWriter w(out);
    w.object().member("type", "Endpoint");
    instance_members(w, i);
    w.end_object();
    return out;
}

std::string event_subject(const EventScope& s, Str topic) {
    std::string subject = "namespace." + s.of.ns;
    if (s.kind != EventScope::ns) subject += ".component." + s.of.component;
    if (s.kind == EventScope::endpoint) subject += ".endpoint." + s.of.name;
    return subject.append(".").append(topic);
}

std::string scope_path(const EventScope& s) {
    std::string path = "namespace/" + segment(s.of.ns);
    if (s.kind != EventScope::ns) path += "/component/" + segment(s.of.component);
    if (s.kind == EventScope::endpoint) path += "/endpoint/" + segment(s.of.name);
    return path;
}

std::string event_key(const EventScope& scope, Str topic, uint64_t publisher_id) {
    char id[20];
    std::snprintf(id, sizeof id, "%llx", static_cast<unsigned long long>(publisher_id));
    return scope_path(scope) + "/topic/" + segment(topic) + "/" + id;
}

Result<EventChannel> read_event_channel(Str json) {
    TRY(Fields f, Fields::parse(json));
    EventChannel c;
    TRY(c.scope, scope_of(f.object("scope")));
    c.topic = f.text("topic");
    const auto id = f.number("instance_id");
    if (c.topic.empty() || !id) return missing_field("event channel", "topic, instance_id");
    c.publisher_id = *id;
    const std::string kind = f.object("transport").text("kind");
    const Fields config = f.object("transport").object("config");
    if (kind == "Zmq") c.endpoint = config.text("endpoint");
    else if (kind == "Nats") c.transport = EventChannel::nats, c.endpoint = config.text("subject_prefix");
    else if (kind == "ZmqBroker") {
        c.transport = EventChannel::zmq_broker;
        c.xsub = config.texts("xsub_endpoints"), c.xpub = config.texts("xpub_endpoints");
        if (c.xpub.empty()) return missing_field("event channel", "transport");
        return c;
    } else return Failure(Code::bad_field, "event channel: unknown transport " + kind, "transport");
    if (c.endpoint.empty()) return missing_field("event channel", "transport");
    return c;
}

std::string write_event_channel(const EventChannel& c) {
    std::string out;
    JsonWriter w(out);
    w.object().member("type", "EventChannel").key("scope");
    write_scope(w, c.scope);
    w.member("topic", c.topic).member("instance_id", c.publisher_id).key("transport").object();
    if (c.transport == EventChannel::zmq_broker) {
        w.member("kind", "ZmqBroker").key("config").object().key("xsub_endpoints").array();
        for (auto& e : c.xsub) w.text(e);
        w.end_array().key("xpub_endpoints").array();
        for (auto& e : c.xpub) w.text(e);
        w.end_array();
    } else {
        const bool zmq = c.transport == EventChannel::zmq;
        w.member("kind", zmq ? "Zmq" : "Nats").key("config").object().member(zmq ? "endpoint" : "subject_prefix", c.endpoint);
    }
    w.end_object().end_object().end_object();
    return out;
}

Result<EventSource> read_event_source(Str json) {
    TRY(Fields f, Fields::parse(json));
    EventSource s;
    TRY(s.scope, scope_of(f.object("scope")));
    s.topic = f.text("topic");
    const Fields metadata = f.object("metadata"), worker = metadata.object("worker");
    const auto publisher = f.number("publisher_id"), id = worker.number("worker_id");
    if (s.topic.empty() || !publisher || !id) return missing_field("event source", "topic, publisher_id, metadata.worker");
    s.publisher_id = *publisher;
    s.worker_id = *id;
    s.dp_rank = worker.number_or<uint32_t>("dp_rank", 0);
    if (const Fields target = metadata.object("recovery_target")) {
        TRY(auto instance, instance_of(target));
        s.recovery = std::move(instance);
    }
    return s;
}

std::string write_event_source(const EventSource& s) {
    std::string out;
    JsonWriter w(out);
    w.object().member("type", "EventSource").key("scope");
    write_scope(w, s.scope);
    w.member("topic", s.topic).member("publisher_id", s.publisher_id).key("metadata").object().key("kv_state_endpoint").object();
    w.member("namespace", s.scope.of.ns).member("component", s.scope.of.component).member("name", s.scope.of.name).end_object();
    w.key("worker").object().member("worker_id", s.worker_id).member("dp_rank", s.dp_rank).end_object().member("publisher_id", s.publisher_id);
    if (s.recovery) {
        w.key("recovery_target").object();
        instance_members(w, *s.recovery);
        w.end_object();
    }
    w.end_object().end_object();
    return out;
}

}  // namespace weir
