// Records of this process alone: tests, --demo-engines, a gateway that is told its workers.
#include <map>

#include "discovery/discovery.h"
#include "net/core.h"

namespace weir {
namespace {

class MemoryDiscovery final : public Discovery {
public:
    Task<void> run(RecordSink& sink) override {
        sink_ = &sink;
        struct Leave { MemoryDiscovery& d; ~Leave() { d.sink_ = nullptr; } } leave{*this};
        for (auto& [key, value] : records_) sink.put({key.first, key.second, value});
        sink.synced();
        Signal never;
        co_await never.wait();
    }
    Task<Result<void>> publish(Record record) override {
        if (record.value.size() > record_value_max || records_.size() >= records_max) co_return Failure(Code::internal, "too many records, or too large");
        std::string& value = records_[{record.bucket, record.key}];
        if (value == record.value) co_return Nothing{};
        value = record.value;
        if (sink_) sink_->put(record);
        co_return Nothing{};
    }
    Task<void> retire() override {
        auto all = std::exchange(records_, {});
        for (auto& [key, value] : all)
            if (sink_) sink_->gone(key.first, key.second);
        co_return;
    }

private:
    std::map<std::pair<Bucket, std::string>, std::string> records_;
    RecordSink* sink_ = nullptr;
};

}  // namespace

const char* path(Bucket bucket) {
    static constexpr const char* paths[] = {"v1/instances", "v1/mdc", "v1/event_channels", "v1/event_sources"};
    return paths[static_cast<size_t>(bucket)];
}

std::unique_ptr<Discovery> memory_discovery() { return std::make_unique<MemoryDiscovery>(); }

}  // namespace weir
