#include "planes/zmq_broker.h"

#include <algorithm>
#include <unordered_map>

#include "wire/big_endian.h"

namespace weir {
namespace {

constexpr size_t frames_of_event = 4, number_bytes = 8;

Str trimmed(Str text) {
    const size_t from = text.find_first_not_of(' ');
    return from == Str::npos ? Str() : text.substr(from, text.find_last_not_of(' ') - from + 1);
}

class Merged {
public:
    Merged(std::string subject, std::string topic, EventListener& listener) : subject_(std::move(subject)), topic_(std::move(topic)), listener_(listener) {}
    ~Merged() {
        if (up_) listener_.lost();
    }
    void connected() {
        if (up_++ == 0) listener_.connected();
    }
    void lost() {
        if (--up_ == 0) listener_.lost();
    }
    void message(const std::vector<std::string>& frames) {
        if (frames.size() != frames_of_event || frames[0] != subject_ || frames[1].size() != number_bytes || frames[2].size() != number_bytes) return;
        if (publishers_.size() >= broker_publishers_max) publishers_.clear();   // then some may come twice, which does no harm but work
        if (!publishers_[read_big_endian(frames[1])].first_time(read_big_endian(frames[2]))) return;
        std::vector<std::string> out = frames;
        out[0] = topic_;
        listener_.message(out);
    }

private:
    const std::string subject_, topic_;
    EventListener& listener_;
    std::unordered_map<uint64_t, SeenSequences> publishers_;
    size_t up_ = 0;
};

struct OfOneBroker final : EventListener {
    Merged& all;
    explicit OfOneBroker(Merged& all) : all(all) {}
    void connected() override { all.connected(); }
    void lost() override { all.lost(); }
    void message(const std::vector<std::string>& frames) override { all.message(frames); }
};

}  // namespace

Result<ZmqBroker> read_zmq_broker(Str text) {
    auto refused = [&] {
        return Failure(Code::bad_field, "not a ZeroMQ broker of the form xsub=tcp://host:port;... , xpub=...: " + std::string(text.substr(0, 300)));
    };
    ZmqBroker out;
    for (Str rest = text; !rest.empty();) {
        const size_t comma = std::min(rest.find(','), rest.size());
        const Str part = trimmed(rest.substr(0, comma));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
        const bool sub = part.starts_with("xsub=");
        if (!sub && !part.starts_with("xpub=")) return refused();
        for (Str urls = part.substr(5); !urls.empty();) {
            const size_t end = std::min(urls.find(';'), urls.size());
            const Str url = trimmed(urls.substr(0, end));
            if (!read_event_endpoint(url)) return refused();
            (sub ? out.xsub : out.xpub).emplace_back(url);
            urls.remove_prefix(std::min(end + 1, urls.size()));
        }
    }
    if (out.xsub.empty() || out.xpub.empty()) return refused();
    return out;
}

bool SeenSequences::first_time(uint64_t sequence) {
    if (sequence + window < next_ && sequence < window) {   // counts from the beginning again
        seen_.reset();
        next_ = sequence;
    }
    if (sequence + window < next_) return false;
    if (sequence >= next_) {
        if (sequence - next_ >= window) seen_.reset();
        else
            for (uint64_t i = next_; i < sequence; i++) seen_.reset(i % window);
        next_ = sequence + 1;
        seen_.set(sequence % window);
        return true;
    }
    if (seen_.test(sequence % window)) return false;
    seen_.set(sequence % window);
    return true;
}

Task<void> subscribe_broker_events(Resolver& resolver, std::vector<std::string> xpub, std::string subject, std::string topic, EventListener& listener,
                                   EventSubscriberTimes times) {
    Merged all(subject, std::move(topic), listener);
    OfOneBroker one(all);
    Nursery subscriptions;
    for (const std::string& endpoint : xpub) subscriptions.spawn(subscribe_events(resolver, endpoint, subject, one, times));
    Signal never;
    co_await never.wait();
}

}  // namespace weir
