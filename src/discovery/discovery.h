// Where workers are announced: records in four buckets, watched and published, whatever keeps them (memory, a folder, etcd, ...).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "types/doc.h"

namespace weir {

enum class Bucket : uint8_t { instances, cards, event_channels, event_sources };
inline constexpr Bucket buckets[] = {Bucket::instances, Bucket::cards, Bucket::event_channels, Bucket::event_sources};
const char* path(Bucket);              // "v1/instances", "v1/mdc", ...

struct Record {
    Bucket bucket = Bucket::instances;
    std::string key;                   // relative to the bucket: "dynamo/backend/generate/1f"
    std::string value;                 // JSON
};
inline constexpr size_t record_value_max = 4 * 1024 * 1024, records_max = 100'000;   // of one record; of one bucket

// Called on the core that runs the watch. A value equal to the last one is not told again.
class RecordSink {
public:
    virtual ~RecordSink() = default;
    virtual void put(const Record&) = 0;               // new, or changed
    virtual void gone(Bucket, const std::string& key) = 0;
    virtual void synced() = 0;                         // all that was there at the start has been told; once
};

// One core (ctl), outlives what it runs. Keeps going over faults: it logs, and lists anew.
class Discovery {
public:
    virtual ~Discovery() = default;                    // like a crash: what was published stays until its time is over
    virtual Task<void> run(RecordSink& sink) = 0;      // until destroyed; also keeps what was published alive
    // Create, or replace our own. Failure: bad_request (somebody else holds that key), internal.
    virtual Task<Result<void>> publish(Record record) = 0;
    virtual Task<void> retire() = 0;                   // takes back everything published
};

std::unique_ptr<Discovery> memory_discovery();         // within this process

struct FileDiscoveryOptions {
    std::string root;                  // $DYN_FILE_KV, else dynamo_store_kv in the folder for temporary files
    uint64_t ttl_ms = 10'000;          // a file whose owner has not touched it for so long is dead, and anybody may delete it
};
std::unique_ptr<Discovery> file_discovery(FileDiscoveryOptions options);

struct EtcdDiscoveryOptions {
    std::vector<std::string> endpoints{"http://localhost:2379"};   // of one cluster; https:// for TLS, the port 2379 unless given
    std::string user, password;        // empty: none
    std::string tls_ca, tls_cert, tls_key;   // PEM files; ca empty: the system's. An endpoint without scheme is https when any is given
    uint64_t lease_ttl_s = 30;         // what we published dies so long after we do
};
// Used and destroyed on one core. synced() waits until etcd can be reached. Failure: bad_field (an address, a file).
Result<std::unique_ptr<Discovery>> etcd_discovery(EtcdDiscoveryOptions options);

// A key as one file name: every byte that is no letter or digit becomes %XX. And back; false: not such a name.
std::string file_name_of_key(std::string_view key);
bool key_of_file_name(std::string_view name, std::string& key);

}  // namespace weir
