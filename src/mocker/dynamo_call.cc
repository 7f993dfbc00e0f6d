#include "mocker/dynamo_call.h"

#include <algorithm>
#include <charconv>

#include "mocker/pace.h"
#include "sim/text.h"
#include "wire/two_part.h"

namespace weir::mocker {
namespace {

constexpr uint64_t connect_ms = 5'000, farewell_ms = 5'000;
constexpr size_t batch_bytes = 64 * 1024;      // of one write
constexpr uint64_t long_ms = 3'600'000;
constexpr Str garbage = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

bool known_here(const sim::FaultRule& r) {
    if (r.kind == sim::FaultRule::close_each || r.kind == sim::FaultRule::close_idle || r.kind == sim::FaultRule::refuse) return false;
    return r.kind != sim::FaultRule::wrong || r.what.wrong != sim::Fault::bad_utf8;
}

const char* name_of(sim::Finish f) { return f == sim::Finish::stop ? "eos" : "length"; }

}  // namespace

Result<void> check_faults(const std::vector<sim::FaultRule>& rules) {
    for (const sim::FaultRule& r : rules)
        if (!known_here(r)) return Failure(Code::bad_field, "a fault of HTTP servers that workers of Dynamo cannot have", "fault");
    return Nothing{};
}

Task<Result<int>> dial_home(Resolver& resolver, std::string address) {
    const size_t colon = address.rfind(':');
    uint16_t port = 0;
    const char *first = address.data() + std::min(address.size(), colon) + (colon == address.npos ? 0 : 1), *last = address.data() + address.size();
    const auto parsed = std::from_chars(first, last, port);
    if (parsed.ec != std::errc() || parsed.ptr != last || port == 0) co_return Failure(Code::connect_failed, "not an address: " + address.substr(0, 300));
    std::string host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    CO_TRY(auto addresses, co_await resolver.resolve(std::move(host), port, connect_ms));
    co_return co_await connect_any(std::move(addresses), connect_ms);
}

DynamoCall::DynamoCall(ControlHeader control, const ItemWriter& items, sim::Fault fault, Instant now)
    : control_(std::move(control)), items_(items), fault_(fault), start_(now) {
    alarm_.call = this;
    alarm_.fire = [](Timer& t) { static_cast<Alarm&>(t).call->news_.notify(); };
}

DynamoCall::~DynamoCall() {
    if (running_ > 0) model_->cancel(id_);
}

void DynamoCall::refuse(std::string kind, std::string message) {
    refusal_kind_ = std::move(kind);
    refusal_ = std::move(message);
}

Result<void> DynamoCall::submit(sim::EngineModel& model, TokenAsk ask, uint64_t id, const CallSettings& s, Instant now) {
    model_ = &model;
    id_ = id;
    prompt_ = static_cast<uint32_t>(ask.tokens.size());
    logprobs_ = ask.logprobs;
    prefill_ = s.prefill;
    seed_ = ask.seed.value_or(s.seed);
    sim::RequestSpec spec;
    spec.id = id;
    spec.user = this;
    spec.seed = seed_;
    spec.hash_seed = sim::hash_seed(ask.lora, ask.cache_salt);
    spec.n = static_cast<uint16_t>(ask.n);
    spec.n_first = prompt_;              // the place in the whole sequence: a continuation finds itself where the answer was
    spec.max_tokens = ask.max_tokens.value_or(model.context_max());
    if (!ask.max_tokens && !ask.ignore_eos) {
        uint32_t n = 1;
        while (n < model.context_max() && (n < ask.min_tokens || sim::draw(~seed_, uint64_t{prompt_} + n) % s.tokens_mean != 0)) ++n;
        spec.natural_tokens = n;
    }
    spec.tokens = std::move(ask.tokens);
    spec.avoid = std::move(ask.ends);
    TRY_OK(model.submit(std::move(spec), now));
    choices_ = running_ = ask.n;
    begun_.assign(choices_, false);
    return Nothing{};
}

void DynamoCall::on_token(const sim::TokenEvent& e) {
    if (e.finish != sim::Finish::none) --running_;
    if (stop_said_) return;
    pending_.push_back(e);
    news_.notify();
}

// May it be said now? Else the alarm is set for when to look again.
bool DynamoCall::due(Instant now, const sim::TokenEvent& e) {
    Instant at = e.at;
    if (fault_.slow != 1 && e.at > start_) at = start_ + static_cast<Instant>(static_cast<double>(e.at - start_) * fault_.slow);
    if (fault_.stall_ms && fault_.stall_after && !stalled_ && tokens_out_ >= fault_.stall_after) {
        if (fault_.stall_ms == sim::forever_ms) return false;
        if (!stall_until_) stall_until_ = std::max(now, at) + fault_.stall_ms * ns_per_ms;
    }
    at = std::max(at, stall_until_);
    if (at > now) return Core::here().arm(alarm_, ms_until(at, now)), false;
    if (stall_until_) stalled_ = true;
    return true;
}

void DynamoCall::say(const sim::TokenEvent& e, std::string& out) {
    const bool first = !begun_[e.choice];
    begun_[e.choice] = true;
    if (!first && logprobs_ < 0 && choices_ == 1) return items_.token(out, e.token);
    const ItemUsage usage{e.prompt_tokens, e.index + 1, e.cached_tokens};
    Item item;
    item.token = &e.token;
    item.usage = first ? &usage : nullptr;
    item.index = choices_ > 1 ? e.choice : -1;
    item.prefilled = first && prefill_;
    item.logprobs = logprobs_;
    item.seed = sim::choice_seed(seed_, e.choice);
    item.n = uint64_t{prompt_} + e.index;
    items_.item(out, item);
}

void DynamoCall::finish(const sim::TokenEvent& e, std::string& out) {
    const ItemUsage usage{e.prompt_tokens, e.index + (e.has_token ? 1 : 0), e.cached_tokens};
    Item item;
    item.finish = name_of(e.finish);
    item.usage = &usage;
    item.index = choices_ > 1 ? e.choice : -1;
    items_.item(out, item);
}

// The fault that is to spoil the frame just written at `frame_at`.
DynamoCall::Then DynamoCall::cut(std::string& out, size_t frame_at) {
    constexpr size_t body_length_at = 8;
    std::string frame = out.substr(frame_at);
    out.resize(frame_at);
    switch (fault_.wrong) {
    case sim::Fault::bad_json:           // a frame as long as the right one, of bytes that are no value
        out.append(frame, 0, two_part_prefix).append(frame.size() - two_part_prefix, '\xc1');
        return wait;
    case sim::Fault::short_length:
    case sim::Fault::long_length: {      // the length is wrong by so much that what follows is misread, or never comes
        auto& low = reinterpret_cast<unsigned char&>(frame[body_length_at + 7]);
        low = static_cast<unsigned char>(fault_.wrong == sim::Fault::short_length ? low / 2 : low ^ 0x80);
        if (fault_.wrong == sim::Fault::long_length) frame[body_length_at + 6] = static_cast<char>(frame[body_length_at + 6] + 1);
        out.append(frame);
        return close;
    }
    case sim::Fault::cut_sse:            // a proper end of the stream, though the answer had none
        append_stream_word(out, StreamWord::sentinel);
        return end;
    default: out.append(frame, 0, frame.size() / 2); return close;
    }
}

DynamoCall::Then DynamoCall::take(const sim::TokenEvent& e, std::string& out) {
    const size_t frame_at = out.size();
    if (e.has_token) {
        say(e, out);
        ++tokens_out_;
    }
    if (fault_.wrong != sim::Fault::none && e.has_token && tokens_out_ == fault_.wrong_after + 1)
        if (const Then then = cut(out, frame_at); then != wait) return then;
    if (fault_.drop != sim::Fault::stay && tokens_out_ >= fault_.drop_after) return fault_.drop == sim::Fault::fin ? close : abort;
    if (e.finish != sim::Finish::none) finish(e, out);
    return wait;
}

DynamoCall::Then DynamoCall::next(Instant now, std::string& out) {
    if (stopped_) {
        if (running_ > 0) model_->cancel(id_);
        running_ = 0;
        stop_said_ = true;
        Item item;
        item.finish = "cancelled";
        items_.item(out, item);
        items_.end(out);
        return end;
    }
    if (fault_.drop != sim::Fault::stay && fault_.drop_after == 0) return fault_.drop == sim::Fault::fin ? close : abort;
    while (at_ < pending_.size()) {
        if (out.size() >= batch_bytes) return more;
        const sim::TokenEvent& e = pending_[at_];
        if (!due(now, e)) return wait;
        ++at_;
        if (const Then then = take(e, out); then != wait) return then;
    }
    pending_.clear();
    at_ = 0;
    if (running_ > 0) return wait;
    items_.end(out);
    return end;
}

Task<void> DynamoCall::run(Resolver& resolver) {
    if (fault_.stall_ms && fault_.stall_after == 0) {   // taken, and then silence: no call
        while (fault_.stall_ms == sim::forever_ms) co_await sleep_ms(long_ms);
        co_await sleep_ms(fault_.stall_ms);
    }
    auto fd = co_await dial_home(resolver, control_.address);
    if (!fd) co_return;
    socket_.emplace(*fd);
    std::string hello;
    if (fault_.wrong == sim::Fault::garbage_head) {
        socket_->send(garbage);
        co_return;
    }
    append_handshake(hello, control_.subject);
    listening_.spawn(listen());
    if (refusal_.empty()) {
        append_prologue(hello, {});
        co_await talk(std::move(hello));
    } else {
        append_refusal(hello, refusal_kind_, refusal_);
        socket_->send(hello);
        socket_->finish_send();
    }
    socket_->deadline_in(farewell_ms);
    while (!left_) co_await news_.wait();   // who closes first keeps the port busy: that is the frontend's part
}

// Says what there is until the end, or until the frontend has left. What came meanwhile goes out with the hello.
Task<void> DynamoCall::talk(std::string hello) {
    Core& core = Core::here();
    for (;;) {
        std::string& out = core.write_buffer();
        out = std::exchange(hello, {});
        const Then then = next(core.now_exact(), out);
        if (!out.empty() && !socket_->send(out)) left_ = true;
        if (then == abort) socket_->reset();
        if (then == close) socket_->finish_send();
        if (then == close || then == abort) left_ = true;
        if (then == end || left_) co_return;
        if (socket_->blocked()) {
            const bool on = co_await socket_->drained();
            if (!on) left_ = true;
        } else if (then == wait) {
            co_await news_.wait();
        }
        if (left_) co_return;
    }
}

// What the frontend says meanwhile. Its silence at the end is the deadline's business.
Task<void> DynamoCall::listen() {
    TwoPartReader reader(control_header_max, 0);
    for (bool go = true; go;) {
        auto got = co_await socket_->recv();
        if (got.n <= 0) break;
        Str bytes = got.view();
        for (TwoPart m; go && reader.next(bytes, m);) {
            const StreamWord word = stream_word(m.header);
            if (word == StreamWord::stop) stopped_ = true, news_.notify();
            else go = false;
        }
        go = go && !reader.bad();
    }
    left_ = true;
    news_.notify();
}

}  // namespace weir::mocker
