#include "config/router_policy.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <set>
#include <yaml-cpp/yaml.h>

#include "config/value.h"

namespace weir::config {
namespace {

using Fields = std::map<std::string, YAML::Node>;

Failure bad(const std::string& where, const std::string& why) { return Failure(Code::bad_field, where + " " + why); }

// Members of a map; an unknown one is a mistake.
Result<Fields> fields_of(const YAML::Node& node, const std::string& where, std::initializer_list<Str> known) {
    if (!node.IsMap()) return bad(where, "must be a map");
    Fields out;
    for (const auto& item : node) {
        const std::string key = item.first.IsScalar() ? item.first.Scalar() : std::string();
        if (std::ranges::find(known, key) == known.end()) return bad(where, "has an unknown member '" + printable(key) + "'");
        if (!out.emplace(key, item.second).second) return bad(where, "has '" + key + "' twice");
    }
    std::erase_if(out, [](const auto& field) { return field.second.IsNull(); });
    return out;
}

Result<std::string> text_of(const Fields& fields, const std::string& where, const char* key, bool needed) {
    const auto at = fields.find(key);
    if (at == fields.end()) return needed ? Result<std::string>(bad(where, std::string("needs ") + key)) : Result<std::string>(std::string());
    if (!at->second.IsScalar() || at->second.Scalar().empty()) return bad(where, std::string(key) + " must be text");
    return at->second.Scalar();
}

Result<std::string> name_of(const Fields& fields, const std::string& where, const char* key, bool needed) {
    TRY(std::string name, text_of(fields, where, key, needed));
    const auto fine = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-'; };
    if (name.size() > 128 || !std::ranges::all_of(name, fine)) return bad(where, std::string(key) + " must match [A-Za-z0-9_.-]+");
    return name;
}

template <class T>
Result<std::optional<T>> number_of(const Fields& fields, const std::string& where, const char* key) {
    const auto at = fields.find(key);
    if (at == fields.end()) return std::optional<T>();
    const std::string text = at->second.IsScalar() ? at->second.Scalar() : std::string();
    T n{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (text.empty() || ec != std::errc{} || end != text.data() + text.size() || !std::isfinite(static_cast<double>(n)) || n < T{})
        return bad(where, std::string(key) + ": '" + printable(text) + "' is not a number from 0");
    return std::optional<T>(n);
}

std::string place(const std::string& where, const char* list, size_t i) { return where + list + "[" + std::to_string(i) + "]"; }

Result<PolicyClass> read_class(const YAML::Node& node, const std::string& where) {
    TRY(Fields f, fields_of(node, where, {"name", "policy_family", "cache_bucket", "queue_policy", "quantum", "prefill_busy_threshold",
                                          "prefill_busy_threshold_frac", "request_queue_limit_per_worker", "raw_isl_token_queue_limit_per_worker",
                                          "cached_token_queue_limit_per_worker"}));
    PolicyClass c;
    TRY(c.name, name_of(f, where, "name", true));
    TRY(c.family, name_of(f, where, "policy_family", false));
    TRY(c.bucket, name_of(f, where, "cache_bucket", false));
    if (c.family.empty() != c.bucket.empty()) return bad(where, "needs policy_family and cache_bucket, or neither");
    TRY(std::string order, text_of(f, where, "queue_policy", false));
    if (!order.empty()) c.queue_policy = order;
    if (c.queue_policy != "fcfs" && c.queue_policy != "wspt" && c.queue_policy != "lcfs") return bad(where, "queue_policy must be fcfs, wspt or lcfs");
    TRY(auto quantum, number_of<uint32_t>(f, where, "quantum"));
    if (!quantum || *quantum == 0) return bad(where, "needs a quantum above 0");
    c.quantum = *quantum;
    TRY(c.busy_tokens, number_of<uint32_t>(f, where, "prefill_busy_threshold"));
    TRY(c.busy_frac, number_of<double>(f, where, "prefill_busy_threshold_frac"));
    TRY(c.requests_per_worker, number_of<uint32_t>(f, where, "request_queue_limit_per_worker"));
    TRY(c.tokens_per_worker, number_of<uint32_t>(f, where, "raw_isl_token_queue_limit_per_worker"));
    TRY(c.cached_per_worker, number_of<uint32_t>(f, where, "cached_token_queue_limit_per_worker"));
    return c;
}

Result<void> read_buckets(const YAML::Node& node, const std::string& where, std::vector<PolicyProfile::Bucket>& out) {
    if (!node.IsSequence() || node.size() == 0 || node.size() > policy_classes_max) return bad(where, "uncached_isl_buckets must be a list of 1 to 256");
    for (const auto& item : node) {
        const std::string here = place(where, "uncached_isl_buckets", out.size());
        TRY(Fields f, fields_of(item, here, {"min_tokens", "bucket"}));
        TRY(auto from, number_of<uint32_t>(f, here, "min_tokens"));
        TRY(std::string name, name_of(f, here, "bucket", true));
        if (!from || (out.empty() ? *from != 0 : *from <= out.back().from)) return bad(here, "min_tokens must begin at 0 and ascend");
        if (std::ranges::find(out, name, &PolicyProfile::Bucket::name) != out.end()) return bad(here, "bucket '" + name + "' is there twice");
        out.push_back({*from, std::move(name)});
    }
    return Nothing{};
}

Result<void> check_matrix(const PolicyProfile& p, const std::string& where) {
    std::set<std::string> names, families;
    std::set<std::pair<std::string, std::string>> filled;
    for (const PolicyClass& c : p.classes) {
        const std::string here = where + "policy class '" + c.name + "'";
        if (!names.insert(c.name).second) return bad(here, "is there twice");
        if (c.family.empty()) continue;
        families.insert(c.family);
        if (std::ranges::find(p.buckets, c.bucket, &PolicyProfile::Bucket::name) == p.buckets.end())
            return bad(here, "is for an unknown cache_bucket '" + c.bucket + "'");
        if (!filled.emplace(c.family, c.bucket).second) return bad(here, "is the second of its family for that bucket");
    }
    for (const PolicyClass& c : p.classes)
        if (c.family.empty() && families.contains(c.name)) return bad(where + "policy class '" + c.name + "'", "has the name of a family");
    if (!families.contains(p.default_family)) return bad(where + "default_policy_family", "'" + p.default_family + "' has no class");
    for (const std::string& family : families)
        for (const auto& bucket : p.buckets)
            if (!filled.contains({family, bucket.name}))
                return bad(where + "policy_classes", "has none of family '" + family + "' for bucket '" + bucket.name + "'");
    return Nothing{};
}

// `where`: ends with a blank, or is empty.
Result<PolicyProfile> read_profile(const Fields& f, const std::string& where) {
    PolicyProfile p;
    for (const char* key : {"default_policy_family", "uncached_isl_buckets", "policy_classes"})
        if (!f.contains(key)) return bad(where + "profile", std::string("needs ") + key);
    TRY(p.default_family, name_of(f, where + "profile:", "default_policy_family", true));
    TRY_OK(read_buckets(f.at("uncached_isl_buckets"), where, p.buckets));
    const YAML::Node& classes = f.at("policy_classes");
    if (!classes.IsSequence() || classes.size() == 0 || classes.size() > policy_classes_max) return bad(where + "policy_classes", "must be a list of 1 to 256");
    for (const auto& item : classes) {
        TRY(PolicyClass c, read_class(item, place(where, "policy_classes", p.classes.size())));
        p.classes.push_back(std::move(c));
    }
    TRY_OK(check_matrix(p, where));
    return p;
}

Result<void> read_selection(const YAML::Node& node, RouterPolicy& out) {
    const std::string where = "worker_selection";
    TRY(Fields f, fields_of(node, where, {"aggregated", "prefill", "decode", "encode", "instances"}));
    if (f.empty()) return bad(where, "names no instance");
    struct Instance { std::string type; std::map<std::string, double> parameters; };
    std::map<std::string, Instance> instances;
    if (f.contains("instances") && (!f["instances"].IsSequence() || f["instances"].size() > policy_classes_max)) return bad(where, "instances must be a list");
    if (f.contains("instances"))
        for (const auto& item : f["instances"]) {
            const std::string here = place(where, ".instances", instances.size());
            TRY(Fields one, fields_of(item, here, {"name", "type", "parameters"}));
            TRY(std::string name, name_of(one, here, "name", true));
            Instance made;
            TRY(made.type, name_of(one, here, "type", true));
            if (name == "default") return bad(here, "'default' is the built-in selection");
            if (one.contains("parameters")) {
                if (!one["parameters"].IsMap()) return bad(here, "parameters must be a map");
                for (const auto& p : one["parameters"]) {
                    const std::string key = p.first.IsScalar() ? p.first.Scalar() : std::string();
                    TRY(auto value, number_of<double>({{key, p.second}}, here + ".parameters", key.c_str()));
                    made.parameters[key] = value.value_or(0);
                }
            }
            if (!instances.emplace(name, std::move(made)).second) return bad(here, "'" + name + "' is there twice");
        }
    for (const char* stage : {"aggregated", "prefill", "decode", "encode"}) {
        TRY(std::string name, name_of(f, where, stage, false));
        if (name.empty()) continue;
        const auto at = instances.find(name);
        if (name != "default" && at == instances.end()) return bad(where, std::string(stage) + " names '" + name + "', which is not among its instances");
        if (Str(stage) != "aggregated") {
            if (name != "default") out.notes.push_back("worker_selection." + std::string(stage) + " has no effect: workers here take whole requests");
        } else if (name == "default") {
            out.selection = name;
        } else {
            out.selection = at->second.type, out.parameters = at->second.parameters;
        }
    }
    return Nothing{};
}

Result<RouterPolicy> read_root(const YAML::Node& node) {
    TRY(Fields f, fields_of(node, "the file", {"default_policy_family", "policy_classes", "uncached_isl_buckets", "models", "worker_selection"}));
    RouterPolicy out;
    if (f.contains("default_policy_family") || f.contains("policy_classes") || f.contains("uncached_isl_buckets")) {
        TRY(out.root, read_profile(f, ""));
    }
    if (f.contains("models")) {
        if (!f["models"].IsMap() || f["models"].size() > policy_models_max) return bad("models", "must be a map of profiles");
        for (const auto& item : f["models"]) {
            const std::string name = item.first.IsScalar() ? item.first.Scalar() : std::string(), where = "model '" + printable(name) + "': ";
            if (name.empty()) return bad("models", "has an empty name");
            TRY(Fields own, fields_of(item.second, where, {"default_policy_family", "policy_classes", "uncached_isl_buckets"}));
            TRY(PolicyProfile p, read_profile(own, where));
            out.models.emplace(name, std::move(p));
        }
    }
    if (f.contains("worker_selection")) TRY_OK(read_selection(f["worker_selection"], out));
    if (!out.root && out.models.empty() && !f.contains("worker_selection"))
        return bad("the file", "has neither a profile, nor models, nor worker_selection");
    return out;
}

}  // namespace

Result<RouterPolicy> read_router_policy(const std::string& text, const std::string& file) {
    try {
        auto read = read_root(YAML::Load(text));
        if (!read) return Failure(Code::bad_field, file + ": " + read.error()->message);
        return read;
    } catch (const YAML::Exception& e) {
        return Failure(Code::bad_field, file + ": " + printable(e.what(), 200));
    }
}

}  // namespace weir::config
