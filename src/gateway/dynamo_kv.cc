#include "gateway/dynamo_kv.h"

#include "obs/log.h"

namespace weir {
namespace {

constexpr Str topic = "kv-events";
constexpr unsigned asking_max = 16, tries_max = 8;   // as the peer has them
constexpr uint64_t retry_first_ms = 200, turn_ms = 20, answer_ms = 30'000;

static_assert(static_cast<int>(engine::KvTier::external) == static_cast<int>(kv::Tier::external));

std::string channel_key(const EventChannel& c) { return event_key(c.scope, c.topic, c.publisher_id); }

struct Nowhere final : engine::KvEventSink {
    void event(const engine::KvEvent&) override {}
};

}  // namespace

// A rank's events, in order, into the index.
struct DynamoKv::Rank final : engine::KvEventSink {
    DynamoKv& kv;
    const uint64_t worker;
    const uint32_t dp_rank;
    const kv::Rank number;
    const EventSource* source = nullptr;         // null: nobody can be asked
    std::unique_ptr<engine::KvFeed> feed;
    std::vector<weir::kv::Block> blocks;
    Nursery asking;
    Rank(DynamoKv& kv, uint64_t worker, uint32_t dp_rank, weir::kv::Rank number)
        : kv(kv), worker(worker), dp_rank(dp_rank), number(number), feed(std::make_unique<engine::KvFeed>(*this, false)) {}

    void event(const engine::KvEvent& e) override {
        const auto tier = static_cast<weir::kv::Tier>(e.tier);
        kv.counts.events++;
        switch (e.kind) {
        case engine::KvEvent::stored:
            blocks.clear();
            for (auto& b : e.blocks) blocks.push_back({b.name, b.local});
            return kv.index_->stored(number, tier, e.has_parent ? &e.parent : nullptr, blocks);
        case engine::KvEvent::removed: return kv.index_->removed(number, tier, e.names);
        case engine::KvEvent::cleared: return kv.index_->cleared(number);
        }
    }
};

struct DynamoKv::Channel final : EventListener {
    DynamoKv& kv;
    const EventChannel of;
    bool up = false;
    Nursery listening;
    Channel(DynamoKv& kv, EventChannel of) : kv(kv), of(std::move(of)) {}

    void connected() override {
        up = true;
        for (auto& [key, rank] : kv.ranks_)
            if (rank->source && rank->source->publisher_id == of.publisher_id) kv.tie(*rank);
    }
    void lost() override { up = false; }
    void message(const std::vector<std::string>& frames) override {
        auto envelope = frames.size() == 4 ? engine::read_event_frame(frames[3]) : Failure(Code::engine_garbage, "frames");
        auto inside = envelope ? engine::read_envelope(*envelope) : Failure(Code::engine_garbage, "envelope");
        struct Live final : engine::KvEventSink {
            DynamoKv& kv;
            explicit Live(DynamoKv& kv) : kv(kv) {}
            void event(const engine::KvEvent& e) override {
                Rank* rank = kv.find(e.worker_id, e.dp_rank);
                if (!rank) return void(kv.counts.unknown++);
                rank->feed->live(e);
                kv.look_into(*rank);
            }
        } live(kv);
        if (!inside || !engine::read_kv_events(inside->payload, live)) kv.counts.bad++;
        else kv.counts.messages++;
    }
};

DynamoKv::DynamoKv(Core& core, Resolver& resolver, DynamoCore& planes, std::shared_ptr<kv::KvIndex> index, std::string only)
    : core_(core), resolver_(resolver), planes_(planes), index_(std::move(index)), only_(std::move(only)) {}

DynamoKv::~DynamoKv() = default;

DynamoKv::Rank* DynamoKv::find(uint64_t worker, uint32_t dp_rank) {
    const auto at = ranks_.find({worker, dp_rank});
    return at == ranks_.end() ? nullptr : at->second.get();
}

void DynamoKv::channel(const EventChannel& c, bool there) {
    if (c.topic != topic) return;
    const std::string key = channel_key(c);
    channels_.erase(key);
    if (!there) return;
    static constexpr const char* transports[] = {"zmq", "nats", "zmq_broker"};
    const Str transport = transports[c.transport];
    if (!only_.empty() && only_ != transport) return;
    if (c.transport == EventChannel::zmq_broker || (c.transport == EventChannel::nats && !planes_.nats)) {
        LOG_WARN(discovery, "KV events are not heard: their transport is not in use here", {"channel", key}, {"transport", transport});
        return;
    }
    auto made = std::make_unique<Channel>(*this, c);
    if (c.transport == EventChannel::nats) made->listening.spawn(over_nats_.subscribe(c.endpoint + "." + c.topic, c.publisher_id, *made));
    else made->listening.spawn(subscribe_events(resolver_, c.endpoint, c.topic, *made));
    channels_.emplace(key, std::move(made));
}

void DynamoKv::source(const EventSource& s, bool there) {
    if (s.topic != topic) return;
    Rank* rank = find(s.worker_id, s.dp_rank);
    if (rank && rank->source && rank->source->publisher_id == s.publisher_id) {
        rank->asking.cancel();
        rank->source = nullptr;
        rank->feed = std::make_unique<engine::KvFeed>(*rank, false);
    }
    sources_.erase(s.publisher_id);
    if (!there) return;
    const EventSource& kept = sources_[s.publisher_id] = s;
    if (!rank || !s.recovery) return;
    rank->asking.cancel();
    rank->source = &kept;
    tie(*rank);
}

void DynamoKv::ranks(uint64_t worker, uint32_t rank_first, uint32_t n, kv::Rank number) {
    std::erase_if(ranks_, [&](auto& r) { return r.first.first == worker && (r.first.second < rank_first || r.first.second >= rank_first + n); });
    for (uint32_t i = 0; i < n; i++) {
        const Key key{worker, rank_first + i};
        auto& rank = ranks_[key];
        if (rank && rank->number == number + i) continue;
        rank = std::make_unique<Rank>(*this, worker, key.second, number + i);
        for (auto& [publisher, source] : sources_)
            if (source.worker_id == worker && source.dp_rank == key.second && source.recovery) rank->source = &source;
        if (rank->source) tie(*rank);
    }
}

void DynamoKv::forget(uint64_t worker) { std::erase_if(ranks_, [&](auto& r) { return r.first.first == worker; }); }

// The rank's source is known: once its channel is up, all it holds is asked for.
void DynamoKv::tie(Rank& rank) {
    const uint64_t publisher = rank.source->publisher_id;
    for (auto& [key, channel] : channels_) {
        if (channel->of.publisher_id != publisher || !channel->up) continue;
        rank.asking.cancel();
        rank.feed = std::make_unique<engine::KvFeed>(rank, true);
        rank.feed->ask_all();
        look_into(rank);
    }
}

void DynamoKv::look_into(Rank& rank) {
    if (rank.feed->asking() && rank.asking.size() == 0) rank.asking.spawn(recover(rank));
}

Task<void> DynamoKv::recover(Rank& rank) {
    uint64_t pause_ms = retry_first_ms;
    for (unsigned tries = 0; rank.feed->asking();) {
        while (asking_ >= asking_max) co_await sleep_ms(turn_ms);
        struct Turn {
            unsigned& n;
            explicit Turn(unsigned& n) : n(n) { n++; }
            ~Turn() { n--; }
        };
        bool answered = false;
        {
            Turn turn(asking_);
            answered = co_await ask(rank);
        }
        if (answered) {
            tries = 0;
            continue;
        }
        if (++tries == tries_max) {
            counts.failed++;
            LOG_WARN(discovery, "a worker does not say what it holds: its blocks count from now on", {"worker", rank.worker}, {"rank", rank.dp_rank});
            rank.feed->failed();
            co_return;
        }
        co_await sleep_ms(pause_ms);
        pause_ms *= 2;
    }
}

// One question. True: the feed has its answer.
Task<bool> DynamoKv::ask(Rank& rank) {
    counts.asked++;
    engine::RecoveryQuestion question{rank.worker, rank.dp_rank, rank.feed->ask_from(), {}};
    std::string body;
    engine::append_recovery_question(body, question);
    auto address = plane_address(*rank.source->recovery);
    if (!address) co_return false;
    PlaneAddress at = *std::move(address);
    PlaneRequest request;
    const std::string id = "kv-" + std::to_string(rank.worker) + "-" + std::to_string(counts.asked);
    request.id = id;
    request.body = body;
    request.instance_id = rank.source->recovery->id;
    PlaneTimes times{answer_ms, answer_ms};
    auto stream = co_await call_worker(planes_.plane, planes_.home, at, request, times);
    if (!stream) {
        LOG_DEBUG(discovery, "a question for KV blocks failed", {"worker", rank.worker}, {"why", stream.error()->message});
        co_return false;
    }
    bool answered = false;
    for (;;) {
        auto more = co_await (*stream)->read();
        if (!more || !*more) co_return answered;
        for (Str frame; (*stream)->take(frame);) {
            Nowhere nowhere;
            auto answer = engine::read_recovery_answer(frame, nowhere);
            if (!answer) co_return answered;
            using Answer = engine::RecoveryAnswer;
            if (answer->kind == Answer::end) {
                (*stream)->whole();
            } else if (answer->kind == Answer::dump) {
                index_->rebuild_begin(rank.number);
                (void)engine::read_recovery_answer(frame, rank);
                index_->rebuild_commit(rank.number);
                counts.dumps++;
                rank.feed->answered_dump(answer->last_event_id);
                answered = true;
            } else if (answer->kind == Answer::events) {
                struct Missed final : engine::KvEventSink {
                    engine::KvFeed& feed;
                    explicit Missed(engine::KvFeed& feed) : feed(feed) {}
                    void event(const engine::KvEvent& e) override { feed.answered_event(e); }
                } missed(*rank.feed);
                (void)engine::read_recovery_answer(frame, missed);
                rank.feed->answered();
                answered = true;
            } else if (answer->kind == Answer::too_new) {   // it began anew, and knows less than we do
                rank.feed->ask_all();
                co_return false;
            } else {
                LOG_WARN(discovery, "a worker refuses to say what it holds", {"worker", rank.worker}, {"rank", rank.dp_rank}, {"why", answer->why});
                co_return answered;
            }
        }
    }
}

}  // namespace weir
