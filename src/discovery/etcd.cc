// Records as keys of an etcd cluster: listed, then watched from that revision on; whatever ends the watch, all is listed anew and compared
// with what was told. What we publish hangs on one lease.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "discovery/etcd_client.h"
#include "discovery/etcd_messages.h"
#include "obs/log.h"
#include "wire/json_top.h"

namespace weir {
namespace {

constexpr uint64_t retry_first_ms = 100, retry_max_ms = 3'000;
constexpr uint64_t quiet_ms = 10'000, sign_of_life_ms = 5'000;   // a silent watch is asked whether it lives
constexpr int64_t page_keys = 256;
constexpr int put_tries = 4;
constexpr size_t leases_kept = 16;
constexpr Str prefix = "v1/";

class EtcdDiscovery final : public Discovery {
public:
    EtcdDiscovery(std::unique_ptr<etcd::Client> client, uint64_t lease_ttl_s) : client_(std::move(client)), ttl_s_(std::max<uint64_t>(lease_ttl_s, 2)) {}

    Task<void> run(RecordSink& sink) override;
    Task<Result<void>> publish(Record record) override;
    Task<void> retire() override;

private:
    using Place = std::pair<Bucket, std::string>;
    using Values = std::map<Place, std::string>;
    struct Tick final : Timer {
        Signal signal;
        Tick() {
            fire = [](Timer& t) { static_cast<Tick&>(t).signal.notify(); };
        }
    };

    Task<Result<void>> follow(RecordSink& sink, bool& watched);
    Task<Result<int64_t>> list(RecordSink& sink);
    Task<Result<int64_t>> list_pages(Values& now);
    void take(const etcd::KeyValue& kv, Values& into) const;
    void tell(const etcd::WatchEvent& event, RecordSink& sink);
    void tell_gone(const Place& place, RecordSink& sink);
    Task<void> keep();
    Task<void> beat();
    Task<Result<int64_t>> lease();
    Task<Result<void>> put(Bucket bucket, std::string key, std::string value);

    const std::unique_ptr<etcd::Client> client_;
    const uint64_t ttl_s_;
    Values known_;                     // as last told
    Values own_;                       // published
    std::vector<int64_t> leases_;      // ours, the newest last; records of older ones are ours as well
    int64_t lease_ = 0;                // 0: none, or lost
    bool put_back_ = false;            // something of ours is missing there
    int64_t page_ = page_keys;
    Tick tick_;
    bool down_ = false, synced_ = false;
};

// False: not of our buckets.
bool place_of(Str key, std::pair<Bucket, std::string>& place) {
    for (const Bucket b : buckets) {
        const Str folder = path(b);
        if (key.size() <= folder.size() + 1 || !key.starts_with(folder) || key[folder.size()] != '/') continue;
        place = {b, std::string(key.substr(folder.size() + 1))};
        return true;
    }
    return false;
}

bool compacted(const Failure& failure) { return grpc_code(failure) == GrpcCode::out_of_range; }

Failure lost(const char* why, GrpcCode code) {
    Failure failure(Code::lost_mid_stream, why);
    failure->reason = name(code);
    return failure;
}

void EtcdDiscovery::take(const etcd::KeyValue& kv, Values& into) const {
    Place place;
    if (!place_of(kv.key, place)) return;
    if (kv.value.size() <= record_value_max && check_json(kv.value)) {
        into[std::move(place)] = kv.value;
    } else if (auto told = known_.find(place); told != known_.end()) {   // nonsense: the last good value stays
        into[std::move(place)] = told->second;
    }
}

// All records at one revision, page by page.
Task<Result<int64_t>> EtcdDiscovery::list_pages(Values& now) {
    const std::string end = etcd::end_of_prefix(prefix);
    std::string from(prefix);
    int64_t revision = 0;
    for (bool more = true; more;) {
        auto bytes = co_await client_->call(etcd::range_path, etcd::range_request(from, end, page_, revision));
        if (!bytes) {
            if (grpc_code(bytes.error()) != GrpcCode::resource_exhausted || page_ == 1) co_return std::move(bytes).error();
            page_ = std::max<int64_t>(page_ / 4, 1);   // their message, or ours, would be too large
            continue;
        }
        CO_TRY(etcd::RangeAnswer page, etcd::read_range(*bytes));
        if (!revision) revision = page.revision;
        for (const etcd::KeyValue& kv : page.kvs) take(kv, now);
        more = page.more && !page.kvs.empty();
        if (more) from = std::string(page.kvs.back().key) + '\0';
        if (now.size() > std::size(buckets) * records_max) co_return Failure(Code::too_large, "etcd holds too many records");
    }
    co_return revision;
}

Task<Result<int64_t>> EtcdDiscovery::list(RecordSink& sink) {
    Values now;
    CO_TRY(int64_t revision, co_await list_pages(now));
    std::vector<Place> left;
    for (auto& [place, value] : known_)
        if (!now.contains(place)) left.push_back(place);
    for (const Place& place : left) tell_gone(place, sink);
    for (auto& [place, value] : now) {
        auto told = known_.find(place);
        if (told != known_.end() && told->second == value) continue;
        known_[place] = value;
        sink.put({place.first, place.second, value});
    }
    co_return revision;
}

void EtcdDiscovery::tell_gone(const Place& place, RecordSink& sink) {
    if (own_.contains(place)) {
        put_back_ = true;
        tick_.signal.notify();
    }
    if (known_.erase(place)) sink.gone(place.first, place.second);
}

void EtcdDiscovery::tell(const etcd::WatchEvent& event, RecordSink& sink) {
    Place place;
    if (!place_of(event.kv.key, place)) return;
    if (event.gone) return tell_gone(place, sink);
    Values one;
    take(event.kv, one);
    if (one.empty()) return;
    auto told = known_.find(place);
    if (told != known_.end() && told->second == one.begin()->second) return;
    if (told == known_.end() && known_.size() >= std::size(buckets) * records_max) {
        LOG_WARN(discovery, "too many records", {"bucket", weir::path(place.first)});
        return;
    }
    const std::string& value = known_[place] = one.begin()->second;
    sink.put({place.first, place.second, value});
}

// Lists, then watches until something breaks. `watched`: it had come to that.
Task<Result<void>> EtcdDiscovery::follow(RecordSink& sink, bool& watched) {
    CO_TRY(int64_t revision, co_await list(sink));
    if (!std::exchange(synced_, true)) sink.synced();
    const size_t at = client_->at();
    auto opened = co_await client_->open(etcd::watch_path);
    if (!opened) {
        client_->lost(at);
        co_return std::move(opened).error();
    }
    const std::unique_ptr<GrpcCall> watch = *std::move(opened);
    watch->send(etcd::watch_request(prefix, etcd::end_of_prefix(prefix), revision + 1));
    for (bool asked = false;;) {
        watch->read_in(asked ? sign_of_life_ms : quiet_ms);
        auto more = co_await watch->read();
        if (!more && !asked && grpc_code(more.error()) == GrpcCode::deadline_exceeded) {
            asked = watch->send(etcd::progress_request());
            if (asked) continue;
        }
        if (!more || !*more) {
            client_->lost(at);
            co_return more ? lost("etcd ended the watch", GrpcCode::unavailable) : std::move(more).error();
        }
        asked = false;
        CO_TRY(etcd::WatchAnswer said, etcd::read_watch(watch->message()));
        if (said.canceled) {
            Failure failure = lost("etcd cancelled the watch", said.compact_revision ? GrpcCode::out_of_range : GrpcCode::aborted);
            failure->detail = said.why;
            co_return failure;
        }
        watched = true;
        if (std::exchange(down_, false)) LOG_INFO(discovery, "etcd is back", {"address", client_->address()}, {"records", known_.size()});
        for (const etcd::WatchEvent& event : said.events) tell(event, sink);
    }
}

Task<void> EtcdDiscovery::run(RecordSink& sink) {
    Nursery keeping;
    keeping.spawn(keep());
    for (uint64_t wait_ms = retry_first_ms;;) {
        bool watched = false;
        auto ended = co_await follow(sink, watched);
        if (watched) wait_ms = retry_first_ms;
        if (watched && compacted(ended.error())) {
            LOG_INFO(discovery, "the watch fell behind what etcd keeps: listing anew");
        } else if (!std::exchange(down_, true)) {
            LOG_WARN(discovery, "etcd is lost; what was found stays, and it is tried again", {"address", client_->address()},
                     {"status", ended.error()->reason}, {"detail", ended.error()->detail});
        }
        co_await sleep_ms(wait_ms / 2 + Core::here().random().below(wait_ms / 2 + 1));
        wait_ms = std::min(wait_ms * 2, retry_max_ms);
    }
}

// Keeps the lease, and puts back what was lost with an older one.
Task<void> EtcdDiscovery::keep() {
    uint64_t wait_ms = retry_first_ms;
    for (;;) {
        const bool fine = lease_ != 0 && !put_back_;
        if (fine || own_.empty()) wait_ms = retry_first_ms;
        if (!own_.empty() || lease_) Core::here().arm(tick_, fine ? ttl_s_ * 1'000 / 3 : wait_ms);
        co_await tick_.signal.wait();
        Core::here().disarm(tick_);
        if (!fine) wait_ms = std::min(wait_ms * 2, retry_max_ms);
        co_await beat();
    }
}

Task<void> EtcdDiscovery::beat() {
    if (lease_) {
        const int64_t asked = lease_;
        auto bytes = co_await client_->call(etcd::keep_alive_path, etcd::lease_request(asked));
        if (!bytes) {
            put_back_ = true;   // if it is not back in time; until then this only means: soon again
            co_return;
        }
        auto alive = etcd::read_lease(*bytes);
        if (alive && alive->ttl_s <= 0 && lease_ == asked) {
            LOG_WARN(discovery, "our lease at etcd ran out: publishing anew", {"records", own_.size()});
            lease_ = 0;
            put_back_ = true;
        }
    }
    if (!put_back_) co_return;
    const Values own = own_;
    bool all = true;
    for (auto& [place, value] : own) {
        if (!own_.contains(place)) continue;   // taken back meanwhile
        auto done = co_await put(place.first, place.second, value);
        all &= static_cast<bool>(done);
        if (done) continue;
        LOG_WARN(discovery, "a record of ours is gone and cannot be put back", {"key", place.second}, {"why", done.error()->message},
                 {"detail", done.error()->detail});
    }
    put_back_ = !all;
}

Task<Result<int64_t>> EtcdDiscovery::lease() {
    if (lease_) co_return lease_;
    CO_TRY(std::string bytes, co_await client_->call(etcd::grant_path, etcd::grant_request(static_cast<int64_t>(ttl_s_))));
    CO_TRY(etcd::LeaseAnswer granted, etcd::read_lease(bytes));
    if (!granted.id) co_return Failure(Code::engine_garbage, "etcd granted no lease");
    if (lease_) co_return lease_;      // somebody else was faster; the second one runs out by itself
    lease_ = granted.id;
    if (leases_.size() >= leases_kept) leases_.erase(leases_.begin());
    leases_.push_back(lease_);
    co_return lease_;
}

// Creates, or replaces what hangs on a lease of ours: our own, also when the answer to an earlier try was lost.
Task<Result<void>> EtcdDiscovery::put(Bucket bucket, std::string key, std::string value) {
    const std::string whole = std::string(weir::path(bucket)) + "/" + key;
    int64_t expected = 0;
    for (int i = 0; i < put_tries; i++) {
        CO_TRY(int64_t lease, co_await this->lease());
        auto bytes = co_await client_->call(etcd::txn_path, etcd::put_if_request(whole, value, lease, expected));
        if (!bytes && grpc_code(bytes.error()) == GrpcCode::not_found) {   // the lease is gone
            if (lease_ == lease) lease_ = 0;
            put_back_ = true;
            continue;
        }
        if (!bytes) co_return std::move(bytes).error();
        CO_TRY(etcd::PutIfAnswer answer, etcd::read_put_if(*bytes));
        if (answer.done) co_return Nothing{};
        const bool ours = std::find(leases_.begin(), leases_.end(), answer.lease) != leases_.end();
        if (answer.mod_revision && !ours) co_return Failure(Code::bad_request, "somebody else published " + key);
        expected = answer.mod_revision;
    }
    co_return Failure(Code::internal, "etcd's record changes all the time: " + key);
}

Task<Result<void>> EtcdDiscovery::publish(Record record) {
    if (record.value.size() > record_value_max) co_return Failure(Code::internal, "a record is too large: " + record.key);
    auto done = co_await put(record.bucket, record.key, record.value);
    if (!done && done.error()->code == Code::bad_request) co_return std::move(done).error();
    if (!done) co_return Failure(Code::internal, "cannot publish " + record.key).detail(done.error()->message + ": " + done.error()->detail);
    own_[{record.bucket, record.key}] = record.value;
    tick_.signal.notify();             // there is something to keep alive
    co_return Nothing{};
}

Task<void> EtcdDiscovery::retire() {
    own_.clear();
    put_back_ = false;
    const int64_t lease = std::exchange(lease_, 0);
    if (!lease) co_return;
    auto done = co_await client_->call(etcd::revoke_path, etcd::lease_request(lease));   // takes all that hangs on it along
    if (!done) LOG_WARN(discovery, "what we published at etcd could not be taken back and stays until its lease runs out", {"detail", done.error()->detail});
}

}  // namespace

Result<std::unique_ptr<Discovery>> etcd_discovery(EtcdDiscoveryOptions options) {
    TRY(std::unique_ptr<etcd::Client> client, etcd::Client::make(options));
    return std::unique_ptr<Discovery>(std::make_unique<EtcdDiscovery>(std::move(client), options.lease_ttl_s));
}

}  // namespace weir
