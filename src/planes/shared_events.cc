#include "planes/shared_events.h"

#include <vector>

#include "wire/big_endian.h"

namespace weir {
namespace {

constexpr size_t frames_of_event = 4, number_bytes = 8;

}  // namespace

struct SharedEvents::Tap {
    EventListener& listener;
    bool told = false;                 // that it is connected
};

class SharedEvents::Subject final : public EventListener {
public:
    std::multimap<uint64_t, Tap*> taps;
    bool up = false;
    Nursery hearing;

    void connected() override {
        up = true;
        for (Tap* tap : all()) tell(*tap);
    }
    void lost() override {
        up = false;
        for (Tap* tap : all())
            if (std::exchange(tap->told, false)) tap->listener.lost();
    }
    void message(const std::vector<std::string>& frames) override {
        if (frames.size() != frames_of_event || frames[1].size() != number_bytes) return;
        const auto [from, to] = taps.equal_range(read_big_endian(frames[1]));
        for (auto at = from; at != to;) (at++)->second->listener.message(frames);
    }
    void tell(Tap& tap) {
        if (up && !std::exchange(tap.told, true)) tap.listener.connected();
    }

private:
    std::vector<Tap*> all() const {
        std::vector<Tap*> out;
        for (auto& [publisher, tap] : taps) out.push_back(tap);
        return out;
    }
};

SharedEvents::SharedEvents(Hear hear) : hear_(std::move(hear)) {}
SharedEvents::~SharedEvents() = default;

Task<void> SharedEvents::subscribe(std::string subject, uint64_t publisher, EventListener& listener) {
    auto& there = subjects_[subject];
    const bool first = there == nullptr;
    if (first) there = std::make_unique<Subject>();
    Subject& s = *there;
    Tap tap{listener};
    struct Place {
        SharedEvents& shared;
        const std::string& subject;
        Subject& s;
        std::multimap<uint64_t, Tap*>::iterator at;
        ~Place() {
            if (at->second->told) at->second->listener.lost();
            s.taps.erase(at);
            if (s.taps.empty()) shared.subjects_.erase(subject);
        }
    } place{*this, subject, s, s.taps.emplace(publisher, &tap)};
    if (first) s.hearing.spawn(hear_(subject, s));
    s.tell(tap);
    Signal never;
    co_await never.wait();
}

}  // namespace weir
