// From records to workers: instances joined with their cards, filtered by namespace, sets kept consistent, models judged ready or not.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "discovery/discovery.h"
#include "discovery/dynamo_records.h"

namespace weir {

struct DynamoFilter {
    std::string ns, ns_prefix;         // only this namespace; only namespaces that begin so (wins); both empty: all
    std::string model_name;            // what models are served as, instead of their cards' names; empty: as the cards say
    bool takes(Str of) const { return !ns_prefix.empty() ? of.starts_with(ns_prefix) : ns.empty() || of == ns; }
    const std::string& served(const ModelCard& card) const { return model_name.empty() ? card.name : model_name; }
};

// A worker that can be sent requests: it listens, and says what it serves. One per (instance, card): a LoRA's card is one of its own.
struct FoundWorker {
    std::string key;                   // of its card's record
    std::string model;                 // as served; aliases are in the card
    DynamoInstance instance;
    std::shared_ptr<const ModelCard> card;
};

// Called on the core of the watch.
class FoundSink {
public:
    virtual ~FoundSink() = default;
    virtual void put(const FoundWorker&) = 0;              // new, or changed (its address, its taints)
    virtual void gone(const FoundWorker&) = 0;             // as it was last put
    virtual void model(const std::string& name, bool ready) = 0;   // changes only; ready: each worker type there has what it needs
    virtual void channel(const EventChannel&, bool there) = 0;
    virtual void source(const EventSource&, bool there) = 0;
    virtual void synced() = 0;
};

class DynamoFleet final : public RecordSink {
public:
    DynamoFleet(DynamoFilter filter, FoundSink& sink) : filter_(std::move(filter)), sink_(sink) {}
    void put(const Record&) override;
    void gone(Bucket, const std::string& key) override;
    void synced() override { sink_.synced(); }
    size_t workers() const { return found_.size(); }
    size_t refused() const { return refused_; }            // records that were not taken: malformed, changed though fixed, of another set

private:
    void put_card(const std::string& key, Str json);
    void join(const std::string& card_key);
    void part(const std::string& card_key);
    void judge(const std::string& model);
    void refuse(const std::string& key, const std::string& why);
    static std::string instance_key(const ModelCard&);
    static std::string set_key(const FoundWorker&);

    const DynamoFilter filter_;
    FoundSink& sink_;
    std::map<std::string, DynamoInstance> instances_;
    std::map<std::string, std::shared_ptr<const ModelCard>> cards_;
    std::map<std::string, FoundWorker> found_;             // by card key
    struct Set { std::string digest; size_t workers = 0; };
    std::map<std::string, Set> sets_;
    std::map<std::string, std::multiset<WorkerType>> types_;   // by model: of its workers
    std::set<std::string> ready_;
    std::map<std::string, EventChannel> channels_;
    std::map<std::string, EventSource> sources_;
    size_t refused_ = 0;
};

}  // namespace weir
