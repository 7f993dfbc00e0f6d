#include "obs/access_log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "obs/escape.h"
#include "obs/log.h"
#include "obs/log_queue.h"
#include "obs/log_thread.h"

namespace weir {
namespace {

constexpr std::string_view ended_words[] = {"engine", "client", "gateway", "worker_lost", "external"};

// Bytes that stand as they are in both formats: printable ASCII without the quoting characters.
constexpr auto plain_bytes = [] {
    std::array<bool, 256> plain{};
    for (unsigned c = 0x21; c < 0x7f; ++c) plain[c] = c != '"' && c != '=' && c != '\\';
    return plain;
}();

// Writes through a cursor: the line's room is made once, since this runs for every request (std::string appends cost three times as much).
class Fields {
public:
    Fields(bool json, char* at) : json_(json), at_(at) {}
    void raw(std::string_view text) {
        std::memcpy(at_, text.data(), text.size());
        at_ += text.size();
    }
    void text(std::string_view key, std::string_view value) {
        if (value.empty()) return;
        start(key);
        if (std::all_of(value.begin(), value.end(), [](char c) { return plain_bytes[static_cast<unsigned char>(c)]; })) {
            if (json_) *at_++ = '"';
            raw(value);
            if (json_) *at_++ = '"';
            return;
        }
        std::string quoted;
        if (json_) append_json(quoted, value);
        else append_word(quoted, value);
        raw(quoted);
    }
    void number(std::string_view key, uint64_t value) {
        start(key);
        at_ = std::to_chars(at_, at_ + 20, value).ptr;
    }
    void number_if(std::string_view key, uint64_t value) {
        if (value != 0) number(key, value);
    }
    void flag(std::string_view key, bool value) {
        start(key);
        raw(value ? "true" : "false");
    }
    char* end() const { return at_; }

private:
    void start(std::string_view key) {
        raw(json_ ? ",\"" : " ");
        raw(key);
        raw(json_ ? "\":" : "=");
    }
    const bool json_;
    char* at_;
};

// What the fixed words, static texts and numbers of a line take at most; another text takes 6 bytes for each of its own when all are escaped.
constexpr size_t line_room = 1024;

}  // namespace

void format_access(const AccessRecord& r, bool json, bool local_time, std::string& out) {
    if (json) out += "{\"timestamp\":\"";
    format_time(r.at * 1'000, local_time, out);
    out += json ? "\",\"level\":\"INFO\",\"module\":\"access\",\"message\":\"request\"" : "  INFO access:";
    const size_t before = out.size();
    out.resize(before + line_room + 6 * (size_t{r.request_id.len} + r.model.len + r.worker.len + r.client.len));
    Fields f(json, out.data() + before);
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
    f.raw(json ? "}\n" : "\n");
    out.resize(static_cast<size_t>(f.end() - out.data()));
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
