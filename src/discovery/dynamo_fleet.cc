#include "discovery/dynamo_fleet.h"

#include <algorithm>

#include "obs/log.h"

namespace weir {
namespace {

Str namespace_of(Str key) { return key.substr(0, key.find('/')); }   // of keys in instances and cards

std::string hex(uint64_t v) {
    char text[20];
    std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(v));
    return text;
}

}  // namespace

std::string DynamoFleet::instance_key(const ModelCard& c) {
    return c.endpoint.ns + "/" + c.endpoint.component + "/" + c.endpoint.name + "/" + hex(c.instance_id);
}

std::string DynamoFleet::set_key(const FoundWorker& w) {
    const ModelCard& c = *w.card;
    const DynamoEndpoint& e = c.endpoint;
    return w.model + "/" + e.ns + "/" + e.component + "/" + e.name + "/" + std::to_string(c.types) + "/" + name(c.worker_type) + "/" + c.suffix;
}

void DynamoFleet::refuse(const std::string& key, const std::string& why) {
    refused_++;
    LOG_WARN(discovery, "a record is not taken", {"key", key}, {"why", why});
}

void DynamoFleet::put(const Record& record) {
    switch (record.bucket) {
    case Bucket::instances: {
        if (!filter_.takes(namespace_of(record.key))) return;
        auto instance = read_instance(record.value);
        if (!instance) return refuse(record.key, instance.error()->message);
        instances_[record.key] = *std::move(instance);
        for (auto& [key, card] : cards_)
            if (instance_key(*card) == record.key) join(key);
        return;
    }
    case Bucket::cards:
        if (filter_.takes(namespace_of(record.key))) put_card(record.key, record.value);
        return;
    case Bucket::event_channels: {
        auto channel = read_event_channel(record.value);
        if (!channel) return refuse(record.key, channel.error()->message);
        if (!filter_.takes(channel->scope.of.ns)) return;
        if (auto old = channels_.find(record.key); old != channels_.end()) sink_.channel(old->second, false);
        sink_.channel(channels_[record.key] = *std::move(channel), true);
        return;
    }
    case Bucket::event_sources: {
        auto source = read_event_source(record.value);
        if (!source) return refuse(record.key, source.error()->message);
        if (!filter_.takes(source->scope.of.ns)) return;
        if (auto old = sources_.find(record.key); old != sources_.end()) sink_.source(old->second, false);
        sink_.source(sources_[record.key] = *std::move(source), true);
        return;
    }
    }
}

void DynamoFleet::put_card(const std::string& key, Str json) {
    auto card = read_card(json);
    if (!card) return refuse(key, card.error()->message);   // the last good one stays
    auto& known = cards_[key];
    if (known && known->fixed != (*card)->fixed) return refuse(key, "a model card is fixed while its worker lives");
    known = *std::move(card);
    join(key);
}

// Both halves may have come: the worker is found, or what we say of it has changed.
void DynamoFleet::join(const std::string& card_key) {
    const auto& card = cards_.at(card_key);
    const auto instance = instances_.find(instance_key(*card));
    if (instance == instances_.end()) return;
    FoundWorker worker{card_key, filter_.served(*card), instance->second, card};
    if (auto old = found_.find(card_key); old != found_.end()) {   // its set and types are as they were: the card is fixed
        old->second = worker;
        return sink_.put(worker);
    }
    Set& set = sets_[set_key(worker)];
    if (set.workers > 0 && set.digest != card->set) return refuse(card_key, "other files or sizes than the workers of its set");
    set.digest = card->set;
    set.workers++;
    types_[worker.model].insert(card->worker_type);
    sink_.put(found_[card_key] = worker);
    judge(worker.model);
}

void DynamoFleet::part(const std::string& card_key) {
    const auto at = found_.find(card_key);
    if (at == found_.end()) return;
    const FoundWorker worker = std::move(at->second);
    found_.erase(at);
    const std::string key = set_key(worker);
    const bool last = --sets_[key].workers == 0;
    if (last) sets_.erase(key);
    auto& types = types_[worker.model];
    types.erase(types.find(worker.card->worker_type));
    sink_.gone(worker);
    judge(worker.model);
    if (types.empty()) types_.erase(worker.model);
    if (!last) return;
    for (auto& [other, card] : cards_)   // those that were refused for the set's sake may make a new one
        if (!found_.contains(other) && other != card_key) join(other);
}

// Each worker that is there must have one of the sets it needs there too.
void DynamoFleet::judge(const std::string& model) {
    const auto& types = types_[model];
    bool ready = !types.empty();
    for (auto& [key, worker] : found_) {
        if (worker.model != model || worker.card->needs.empty()) continue;
        ready &= std::any_of(worker.card->needs.begin(), worker.card->needs.end(), [&](auto& set) {
            return std::all_of(set.begin(), set.end(), [&](WorkerType t) { return types.contains(t); });
        });
    }
    if (ready == ready_.contains(model)) return;
    if (ready) ready_.insert(model);
    else ready_.erase(model);
    sink_.model(model, ready);
}

void DynamoFleet::gone(Bucket bucket, const std::string& key) {
    switch (bucket) {
    case Bucket::instances:
        if (!instances_.erase(key)) return;
        for (auto& [card_key, card] : cards_)
            if (instance_key(*card) == key) part(card_key);
        return;
    case Bucket::cards:
        part(key);
        cards_.erase(key);
        return;
    case Bucket::event_channels:
        if (auto at = channels_.find(key); at != channels_.end()) {
            sink_.channel(at->second, false);
            channels_.erase(at);
        }
        return;
    case Bucket::event_sources:
        if (auto at = sources_.find(key); at != sources_.end()) {
            sink_.source(at->second, false);
            sources_.erase(at);
        }
        return;
    }
}

}  // namespace weir
