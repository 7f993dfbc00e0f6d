#include "obs/access_log.h"

#include "obs/escape.h"
#include "obs/log.h"
#include "obs/log_queue.h"
#include "obs/log_thread.h"

namespace weir {
namespace {

constexpr std::string_view ended_words[] = {"engine", "client", "gateway", "worker_lost", "external"};

class Fields {
public:
    Fields(bool json, std::string& out) : json_(json), out_(out) {}
    void text(std::string_view key, std::string_view value) {
        if (value.empty()) return;
        start(key);
        if (json_) append_json(out_, value);
        else append_word(out_, value);
    }
    void number(std::string_view key, uint64_t value) {
        start(key);
        append_number(out_, value);
    }
    void number_if(std::string_view key, uint64_t value) {
        if (value != 0) number(key, value);
    }
    void flag(std::string_view key, bool value) {
        start(key);
        out_ += value ? "true" : "false";
    }

private:
    void start(std::string_view key) {
        out_ += json_ ? ",\"" : " ";
        out_ += key;
        out_ += json_ ? "\":" : "=";
    }
    const bool json_;
    std::string& out_;
};

}  // namespace

void format_access(const AccessRecord& r, bool json, bool local_time, std::string& out) {
    if (json) out += "{\"timestamp\":\"";
    format_time(r.at * 1'000, local_time, out);
    out += json ? "\",\"level\":\"INFO\",\"module\":\"access\",\"message\":\"request\"" : "  INFO access:";
    Fields f(json, out);
    f.text("method", r.method);
    f.text("route", r.route);
    f.number("status", r.status);
    f.text("model", r.model);
    f.text("worker", r.worker);
    f.text("policy", r.policy);
    f.number("total_us", r.total_us);
    f.number_if("ttft_us", r.ttft_us);
    f.number("overhead_us", r.overhead_us);
    f.number("bytes_in", r.bytes_in);
    f.number("bytes_out", r.bytes_out);
    f.number_if("tokens_in", r.tokens_in);
    f.number_if("tokens_out", r.tokens_out);
    f.number_if("tokens_cached", r.tokens_cached);
    f.flag("stream", r.stream);
    f.number("attempt", r.attempt);
    f.text("ended_by", ended_words[static_cast<size_t>(r.ended_by) % std::size(ended_words)]);
    if (r.code != Code::ok) f.text("code", name(r.code));
    f.text("client", r.client);
    f.number("http", r.http_major);
    f.text("request_id", r.request_id);
    out += json ? "}\n" : "\n";
}

AccessLog::AccessLog(unsigned cores, bool json, bool local_time) : json_(json), local_time_(local_time) {
    for (unsigned i = 0; i < cores; ++i) rings_.push_back(std::make_unique<SpscRing<AccessRecord>>(records_max));
    LogThread::get().attach(*this);
}

AccessLog::~AccessLog() { LogThread::get().detach(*this); }

void AccessLog::push(unsigned core, const AccessRecord& record) {
    if (!log_on(LogModule::access, LogLevel::info)) return;
    SpscRing<AccessRecord>& ring = *rings_[core];
    ring.push(record);
    LogThread::get().wake(ring.pending_guess() > records_max / 2);
}

uint64_t AccessLog::dropped() const {
    uint64_t n = 0;
    for (const auto& ring : rings_) n += ring->dropped();
    return n;
}

size_t AccessLog::drain(std::string& out, size_t records) {
    size_t n = 0;
    for (auto& ring : rings_) n += ring->drain(records, [&](const AccessRecord& r) { format_access(r, json_, local_time_, out); });
    return n;
}

}  // namespace weir
