// What the records of a Dynamo deployment say: instances of endpoints, model cards, event channels and sources.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/dynamo_frames.h"

namespace weir {

struct DynamoEndpoint {
    std::string ns, component, name;
    bool operator==(const DynamoEndpoint&) const = default;
};

struct DynamoInstance {
    DynamoEndpoint endpoint;
    uint64_t id = 0;                   // all 64 bits are used
    enum Plane : uint8_t { tcp, nats } plane = tcp;
    std::string address;               // tcp: "host:port/path" (read_plane_address); nats: a subject
    PayloadCodec codec = PayloadCodec::json;   // json when the record names none: a worker of old
    std::string device;                // "cuda", "cpu" or empty
};
Result<DynamoInstance> read_instance(Str json);        // Failure: bad_json, bad_field
std::string write_instance(const DynamoInstance&);
Result<PlaneAddress> plane_address(const DynamoInstance&);   // for RequestPlane::send; without a host for a subject. Failure: bad_field

struct EventScope {
    enum Kind : uint8_t { ns, component, endpoint } kind = endpoint;
    DynamoEndpoint of;                 // members beyond the kind are empty
    bool operator==(const EventScope&) const = default;
};
std::string event_subject(const EventScope&, Str topic);   // "namespace.n.component.c.endpoint.e.topic": over NATS, and through a ZeroMQ broker
std::string scope_path(const EventScope&);             // "namespace/n/component/c/endpoint/e", segments percent-encoded
struct EventChannel {
    EventScope scope;
    std::string topic;
    uint64_t publisher_id = 0;
    enum Transport : uint8_t { zmq, nats, zmq_broker } transport = zmq;
    std::string endpoint;              // zmq: "tcp://ip:port"; nats: the subjects' prefix
    std::vector<std::string> xsub, xpub;   // zmq_broker
};
Result<EventChannel> read_event_channel(Str json);
std::string write_event_channel(const EventChannel&);
std::string event_key(const EventScope&, Str topic, uint64_t publisher_id);   // the record's key, for channels and sources

struct EventSource {                   // binds a publisher to a worker, and to the endpoint that fills gaps
    EventScope scope;
    std::string topic;
    uint64_t publisher_id = 0, worker_id = 0;
    uint32_t dp_rank = 0;
    std::optional<DynamoInstance> recovery;
};
Result<EventSource> read_event_source(Str json);
std::string write_event_source(const EventSource&);   // as of a worker's KV events

enum class WorkerType : uint8_t { aggregated, prefill, decode, encode };
const char* name(WorkerType);
namespace model_type {                 // bits
inline constexpr uint32_t chat = 1, completions = 2, embedding = 4, tensor = 8, prefill = 16, images = 32, videos = 64, audios = 128, realtime = 256;
}
struct CardFile {
    std::string path;                  // local path or URL
    std::string blake3;                // 64 hex digits; empty: not said
    uint64_t size = 0;                 // 0: not said
};
struct ModelCard {
    DynamoEndpoint endpoint;
    uint64_t instance_id = 0;
    std::string suffix;                // of a LoRA's own card
    std::string name, slug, source;    // display name; Hugging Face id or local path
    std::vector<std::string> aliases;
    uint32_t types = 0;                // bits of model_type
    std::string types_unknown;         // words nobody here knows
    enum Input : uint8_t { tokens, text, tensor } input = tokens;
    WorkerType worker_type = WorkerType::aggregated;
    std::vector<std::vector<WorkerType>> needs;        // any of these sets must be there too; empty: nothing is needed
    std::optional<CardFile> config, tokenizer, formatter, chat_template, generation;
    bool tokenizer_is_tiktoken = false, template_is_custom = false;
    std::vector<CardFile> extra_files;
    uint32_t context = 0, context_architectural = 0, block = 0, migration_limit = 0;   // 0: not known, not limited
    uint32_t kv_blocks = 0, seqs_max = 0, batch_tokens_max = 0;
    uint32_t rank_first = 0, ranks = 1;
    std::string tool_parser, reasoning_parser, lora;
    bool local_indexer = false, kv_events = false, eagle = false, exclude_tools_when_none = false;
    std::string bootstrap_host;
    uint16_t bootstrap_port = 0;       // 0: none
    std::vector<std::string> taints;
    std::string fixed;                 // the card's text without taints: what may not change under the same key
    std::string set;                   // digest of what all cards of one set of workers must agree on
};
Result<std::shared_ptr<const ModelCard>> read_card(Str json);   // Failure: bad_json, bad_field (a member that is needed is missing)

}  // namespace weir
