// etcd's answers from any bytes: no reader may fall over, and what they show lies inside the message.
#include <cstdlib>

#include "discovery/etcd_messages.cc"
#include "wire/protobuf.cc"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace weir;
    const std::string text(reinterpret_cast<const char*>(data), size);
    auto inside = [&](Str view) {
        if (!view.empty() && (view.data() < text.data() || view.data() + view.size() > text.data() + text.size())) abort();
    };
    if (auto range = etcd::read_range(text))
        for (auto& kv : range->kvs) inside(kv.key), inside(kv.value);
    if (auto watch = etcd::read_watch(text))
        for (auto& event : watch->events) inside(event.kv.key), inside(event.kv.value);
    static_cast<void>(etcd::read_put_if(text));
    static_cast<void>(etcd::read_lease(text));
    static_cast<void>(etcd::read_token(text));
    const std::string end = etcd::end_of_prefix(text);
    if (end != std::string(1, '\0') && !(text < end)) abort();
    return 0;
}
