// Everything that can be set, resolved: plain structs filled from the option table (config/row.h). Read-only after load.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "types/call.h"

namespace weir {

// The sub-command: which spellings and defaults are read. frontend and launch also name the dialect spoken to clients.
enum class Command : uint8_t { frontend, launch, epp, mocker };

struct ListenConfig {
    std::string host = "0.0.0.0";        // address literal
    uint16_t port = 8000;                // 0: the kernel chooses
    std::string unix_path;               // not empty: also on this unix socket
    bool allow_half_close = false;       // a client that sent FIN still gets its answer
    uint32_t connections_max = 0;        // 0: limits::connections_max
    std::string ready_file;              // written once all listeners accept: {"http": port, "metrics": port}
};

struct TlsConfig {                       // PEM paths; cert and key come together, or both are empty (plain text)
    std::string cert, key;
    std::string client_ca;               // not empty: clients must show a certificate of this CA
};

struct WorkersConfig {
    std::vector<std::string> urls;       // static workers, as given
    std::string client_cert, client_key; // shown to https workers; together or empty
    std::vector<std::string> ca;         // CA files that https workers are checked against; empty: the system's
    uint64_t pool_idle_ms = 3'000;       // idle connections are closed after this; 0: kept
    bool http2 = false;                  // h2c by prior knowledge to http:// workers
};

struct DiscoveryConfig {
    uint32_t demo_engines = 0;           // simulated engines inside the gateway process
    std::string backend = "mem";         // mem: workers from the command line only; else where Dynamo's workers announce themselves
    std::string ns, ns_prefix;           // only models of this namespace, of namespaces that begin so (wins); empty: all
    std::string model_name;              // what Dynamo's workers' models are served as; empty: as their cards say
    std::string model_path;              // folder with the model's files, instead of what the cards name
    std::string file_root;               // of the file backend; empty: dynamo_store_kv in the folder for temporary files
    std::vector<std::string> etcd_endpoints{"http://localhost:2379"};
    std::string etcd_user, etcd_password, etcd_ca, etcd_cert, etcd_key;
};

struct PlanesConfig {                    // the ways to Dynamo's workers and back; 0: as built in
    std::string request = "tcp";         // nats: NATS is dialled; a worker's record says which it is asked over
    std::string event;                   // "zmq", "nats"; empty: each publisher says how
    std::vector<std::string> nats_servers;   // empty: nats://localhost:4222, dialled only if `request` or `event` says so
    std::string nats_user, nats_password, nats_token, nats_nkey, nats_credentials, nats_ca, nats_cert, nats_key;
    bool nats_insecure = false;          // its certificate is not looked at
    std::string response_host;           // address that workers dial for their answers; empty: this machine's
    uint16_t response_port = 0;          // 0: one of its own for each core
    uint64_t message_max = 0;            // bytes of a request
    uint32_t ack_s = 5, connect_s = 5, idle_s = 300, connections_max = 100;
    uint32_t prologue_s = 30;            // a worker that took a request begins to answer within; 0: some time
};

struct RouterConfig {
    std::string policy = "round_robin";  // name in the policy table; what runs, stand-ins already resolved
    bool load_aware = false;             // Dynamo's cost without its credit for overlap
    std::string admission = "none";      // none | token-capacity
    std::optional<double> busy_decode_blocks, busy_prefill_frac;   // unset: never busy
    uint64_t busy_prefill_tokens = 0;    // 0: never busy
    std::optional<double> queue_threshold;                         // unset: no queue
    std::string queue_policy = "fcfs";
    uint64_t affinity_ttl_s = 0;         // 0: no session affinity
    std::string affinity_mode = "hard";
    std::string policy_file;             // Dynamo's YAML (config/router_policy.h); empty: none
    uint32_t workers_min = 0;            // nothing is served before so many workers have answered
    uint64_t active_expiry_s = 300;      // a request nobody hears of is taken out of the accounts
};

struct KvConfig {                        // blocks: what is known of them, and what they count
    uint64_t index_bytes_max = 0;        // 0: a quarter of the memory limit
    uint32_t block_size = 0;             // tokens; 0: as the workers say, else 16
    uint32_t event_threads = 4;
    bool events = true;                  // false: what was routed is believed to be held
    double ttl_s = 120, prune_ratio = 0.8;
    uint64_t tree_size_max = 1'048'576;  // predicted blocks
    std::optional<double> predicted_ttl_s;   // with events: also believed, for so long
    std::string approximate_policy = "ttl";  // without events: ttl | lru
    std::optional<double> shared_multiplier; // of blocks that any worker may fetch; unset: 0
    bool track_active_blocks = true, track_output_blocks = false, track_prefill_tokens = true, assume_reuse = true;
    double overlap_score_weight = 1, overlap_credit = 1, overlap_credit_decay = 0, prefill_load_scale = 1, decode_request_weight = 0,
           host_hit_weight = 0.75, disk_hit_weight = 0.25, temperature = 0;
};

struct PoliciesConfig {                  // parameters of policies, by the names SMG has for them
    double cache_threshold = 0.3, spill_rel = 1.5, token_usage_spread = 1, token_usage_ceiling = 1, selection_temperature = 0, overlap_decay = 0;
    uint64_t spill_abs = 64, eviction_interval_s = 120, tree_size_max = 67'108'864;
    uint32_t block_size = 16;
    uint64_t prefix_tokens = 256, prefix_balance_abs = 10;
    double prefix_load_factor = 1.25;
    double least_load_kv_weight = 0.15, least_load_throughput = 2'000;
    uint64_t least_load_prefill = 1'024, least_load_waiting_max = 0;
    std::string power_of_two_metric = "expected_wait", assignment = "random";
    uint64_t bucket_adjust_s = 5, sticky_idle_s = 14'400;
    bool routing_key = false, dp_min_tokens = false, dp_aware = false;
    uint64_t load_interval_s = 10;       // between two readings of a worker's load
    bool load_off = false, engine_metrics = false;                 // off: read only where somebody needs it
    bool overload = true, overload_shed = false;
    uint64_t overload_waiting = 8;       // requests
    double overload_usage = 0.8;         // of the KV cache
    std::vector<std::string> routing_key_headers = {"x-smg-routing-key"};
};

struct MetricsConfig {
    bool own_port = false;               // launch: a listener of its own; else on the main port
    std::string host = "0.0.0.0";
    uint16_t port = 29000;               // 0: the kernel chooses
    std::string prefix = "dynamo_frontend";
    std::vector<double> duration_buckets_s;   // ascending; empty: built-in bounds
};

struct LimitsConfig {                    // times in ms, 0 = none; sizes in bytes
    uint64_t body_max = 192u << 20;      // one request body
    uint64_t memory = 0;                 // budgets are shares of this; 0: min(cgroup, RAM)
    uint64_t head_ms = 30'000;           // first byte of a request head to its last
    uint64_t idle_ms = 90'000;           // between requests of a connection
    uint64_t body_stall_ms = 30'000;     // without a byte of the request body
    uint64_t body_total_ms = 300'000;    // whole request body
    uint64_t write_stall_ms = 60'000;    // the client takes no byte
    uint64_t request_ms = 1'800'000;     // whole request, towards the worker
    uint64_t connect_ms = 10'000;        // to a worker
    uint64_t first_byte_ms = 0;          // request sent to response head
    uint64_t stream_idle_ms = 0;         // between reads of a worker's response
    uint32_t connect_attempts = 3;       // workers tried while nothing was sent
};

struct ShutdownConfig {                  // ms
    uint64_t settle_ms = 0;              // readiness 503, listeners still open
    uint64_t grace_ms = 5'000;           // then streams may finish this long
};

struct ApiConfig {
    std::vector<std::string> request_id_headers;   // lower case, in order; empty: x-request-id x-correlation-id x-trace-id request-id
    std::vector<std::string> cors_origins;         // empty: no CORS; "*": any
    uint64_t sse_keepalive_ms = 0;                 // comment after this silence; 0: none
    bool ignore_unsupported_fields = false;        // frontend
    bool force_include_usage = false;              // frontend
    bool disable_admin = false;                    // frontend: no /busy_threshold
    uint16_t overload_status = 503;                // frontend: queue full, shed
    enum class Path : uint8_t { automatic, forward, events } debug_path = Path::automatic;
};

struct PathsConfig {                     // frontend: the path of each endpoint; as given, begins with '/'
    std::string chat = "/v1/chat/completions", completions = "/v1/completions", embeddings = "/v1/embeddings", models = "/v1/models",
                health = "/health", live = "/live", metrics = "/metrics";
};

struct LogConfig {
    std::string spec = "info";           // "info", "warn,net=debug", RUST_LOG style (obs/log.h parse_log_spec)
    std::string dir;                     // empty: stderr
    bool json = false, local_time = false, access = true;
};

struct TextConfig {
    std::string model_path;              // folder, file or Hugging Face id; empty: no tokenizer unless one is added
    std::string tokenizer_path;          // instead of the model's tokenizer
    std::string chat_template;           // file, instead of the model's template
    bool autoload_off = false;           // neither is loaded at start
    bool l0 = false;                     // whole texts are cached
    uint64_t l0_entries = 10'000, l0_bytes = 256u << 20;
    bool prefixes = true;                // beginnings of texts are, so that a further turn costs itself alone
    uint64_t prefix_bytes = 50u << 20;
    bool cache_extend = true;            // a text that begins like a cached one is cached behind it
    std::string untrusted_special = "special";   // "text": what looks like a special token in a client's text is not one
};

struct HubConfig {                       // where models named by an id come from; the names and defaults are Python's
    std::string endpoint = "https://huggingface.co";
    std::string token, token_file;       // the file counts when `token` is empty
    std::string home, cache;             // folders; resolved after load, `cache` is the one that counts
    bool offline = false;                // only the cache is asked
    std::string revision = "main";       // of --model-path and --tokenizer-path, unless they end in @REVISION
};

struct MockerConfig {
    std::string host = "127.0.0.1";
    uint16_t port = 8100;                // of the first engine, the next ones follow; 0: each chosen by the kernel
    std::vector<uint16_t> ports;         // not empty: one for each engine instead
    uint32_t workers = 1;                // engines in this process
    std::string engine = "vllm";         // vllm | sglang: whose extras and metric names
    std::vector<std::string> model_names = {"demo"};
    double speedup_ratio = 1, decode_speedup_ratio = 1;   // 0: no waiting at all
    uint32_t block_size = 16, num_gpu_blocks = 16384, max_num_seqs = 256, max_num_batched_tokens = 8192, max_model_len = 32768, dp_size = 1;
    bool prefix_caching = true, chunked_prefill = true;
    double startup_time_s = 0;           // engines answer 503 for so long
    std::optional<double> prefill_tokens_per_s, itl_ms;   // both unset: the built-in cost curve
    uint64_t seed = 42;                  // of texts and chance
    uint32_t tokens_default = 64;        // answered when a request names no max_tokens
    std::vector<std::string> faults;     // "what@when", see the mocker's README
    std::string api_key;                 // not empty: requests without this bearer token get 401
    // Workers of a Dynamo deployment instead of HTTP servers.
    bool dynamo = false, prefill_worker = false, decode_worker = false;
    std::string role;                    // agg | prefill | decode; empty: as prefill_worker and decode_worker say
    std::string model_path;              // folder with tokenizer.json and so on
    std::string ns = "dynamo", endpoint; // "dyn://namespace.component.endpoint"; empty: of `ns`, by the role
    std::string store;                   // of file discovery; empty: dynamo_store_kv in the folder for temporary files
    std::string codec = "msgpack";       // of payloads: msgpack | json
    uint32_t grace_s = 900;              // running answers get so long to end after SIGTERM
};

struct RunConfig {
    uint32_t cores = 0;                  // data cores; 0: one per hardware thread
    std::string dump_to;                 // the resolved configuration is written here at start
    std::string compat_defaults;         // "" (the seed's defaults) or "1.6.1"
};

struct Config {
    Command command = Command::frontend;
    Dialect dialect = Dialect::frontend;
    ListenConfig listen;
    TlsConfig tls;
    WorkersConfig workers;
    DiscoveryConfig discovery;
    PlanesConfig planes;
    RouterConfig router;
    KvConfig kv;
    PoliciesConfig policies;
    MetricsConfig metrics;
    LimitsConfig limits;
    ShutdownConfig shutdown;
    ApiConfig api;
    PathsConfig paths;
    LogConfig log;
    TextConfig text;
    HubConfig hub;
    MockerConfig mocker;
    RunConfig run;
};

}  // namespace weir
