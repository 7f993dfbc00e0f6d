// Dynamo's --router-policy-config: a YAML file with classes of the router's queue, for all models or for some, and how workers are chosen.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace weir::config {

struct PolicyClass {
    std::string name;
    std::string family, bucket;          // both, or neither: then requests name the class itself
    std::string queue_policy = "fcfs";   // fcfs, wspt, lcfs
    uint32_t quantum = 1;                // > 0
    std::optional<uint32_t> busy_tokens; // prefill_busy_threshold
    std::optional<double> busy_frac;     // ... of the batch token limit; with neither its requests never wait
    std::optional<uint32_t> requests_per_worker, tokens_per_worker, cached_per_worker;
};

// Each family has exactly one class for each bucket.
struct PolicyProfile {
    struct Bucket { uint32_t from = 0; std::string name; };   // prompt tokens to compute, at least
    std::string default_family;
    std::vector<Bucket> buckets;         // the first from 0, ascending
    std::vector<PolicyClass> classes;
};

struct RouterPolicy {
    std::optional<PolicyProfile> root;
    std::map<std::string, PolicyProfile> models;              // in place of root
    std::string selection;               // type of what `worker_selection.aggregated` names; empty: not said
    std::map<std::string, double> parameters;                 // of it
    std::vector<std::string> notes;      // what has no effect here
    const PolicyProfile* profile_of(const std::string& model) const {
        auto own = models.find(model);
        return own != models.end() ? &own->second : root ? &*root : nullptr;
    }
};

inline constexpr size_t policy_classes_max = 256, policy_models_max = 4'096;
// `file` is only named in messages. Failure: bad_field, which says where.
Result<RouterPolicy> read_router_policy(const std::string& text, const std::string& file);

}  // namespace weir::config
