#include "tests/sim/sim_engine.h"

#include <algorithm>

#include "tests/sim/sim_world.h"

namespace weir::sim {
namespace {

constexpr uint64_t stall_ms = 20'000;   // then the worker gives up and closes

std::string hex(size_t n) {
    char digits[20];
    std::snprintf(digits, sizeof digits, "%zx", n);
    return digits;
}

std::string event(const std::string& json) { return "data: " + json + "\n\n"; }

std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return text;
}

std::string field(const std::string& head, const std::string& name) {
    size_t at = head.find("\r\n" + name + ":");
    if (at == std::string::npos) return {};
    at = head.find_first_not_of(' ', at + name.size() + 3);
    return head.substr(at, head.find("\r\n", at) - at);
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

// One choice of a chunk or of a whole answer, with the text in its place.
std::string choice(const Ask& ask, bool chunk, const std::string& text, const char* finish) {
    std::string body = ask.kind == Kind::completions ? "\"text\":" + quoted(text)
                       : chunk ? "\"delta\":{" + (text.empty() ? std::string() : "\"content\":" + quoted(text)) + "}"
                               : "\"message\":{\"role\":\"assistant\",\"content\":" + quoted(text) + "}";
    return "{\"index\":0," + body + ",\"logprobs\":null,\"finish_reason\":" + (finish ? quoted(finish) : "null") + "}";
}

std::string answer(const Ask& ask, bool chunk, const std::string& choices, const std::string& usage) {
    const char* object = ask.kind == Kind::completions ? "text_completion" : chunk ? "chat.completion.chunk" : "chat.completion";
    return "{\"id\":\"id-" + ask.name() + "\",\"object\":\"" + object + "\",\"created\":7,\"model\":\"m\",\"choices\":[" + choices + "]" +
           (usage.empty() ? "" : ",\"usage\":" + usage) + "}";
}

}  // namespace

const char* name(Fault f) {
    static const char* const names[] = {"none", "slow", "close_after", "extra_after", "early_answer", "error_status", "cut_close", "cut_reset", "cut_stall",
                                        "garbage_head", "bad_chunk", "length_short", "length_long", "bad_event", "error_frame", "not_json"};
    return names[static_cast<size_t>(f)];
}

std::vector<std::string> SimEngine::payload(const Ask& ask, Fault fault, Told& told) {
    Random& r = world_.random;
    size_t n = 1 + r.below(12);
    std::string pad = world_.options.big_answers ? std::string(1 + r.below(4'000), 'x') : "";
    for (size_t i = 0; i < n; i++) told.tokens.push_back(ask.name() + ":" + std::to_string(i) + " \u00e9" + pad + ";");
    std::string all, usage = "{\"prompt_tokens\":3,\"completion_tokens\":" + std::to_string(n) + ",\"total_tokens\":" + std::to_string(n + 3) + "}";
    for (auto& t : told.tokens) all += t;
    std::vector<std::string> out;
    if (ask.kind == Kind::embeddings) {
        out.push_back("{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[" + std::to_string(ask.id) + "," +
                std::to_string(n) +
                      "]}],\"model\":\"m\",\"usage\":{\"prompt_tokens\":3,\"total_tokens\":3}}");
    } else if (!ask.stream) {
        out.push_back(answer(ask, false, choice(ask, false, all, "stop"), usage));
    } else {
        size_t odd = r.below(n);   // where a faulty event goes
        if (ask.kind == Kind::chat)
            out.push_back(event(answer(ask, true, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}", "")));
        for (size_t i = 0; i < n; i++) {
            if (fault == Fault::bad_event && i == odd) out.push_back("data: {\"id\":\n\n");
            if (fault == Fault::error_frame && i == odd) {
                out.push_back(event("{\"error\":{\"message\":\"engine broke\",\"type\":\"X\",\"code\":500}}"));
                out.push_back("data: [DONE]\n\n");
                return out;
            }
            out.push_back(event(answer(ask, true, choice(ask, true, told.tokens[i], nullptr), "")));
        }
        out.push_back(event(answer(ask, true, choice(ask, true, "", "stop"), "")));
        if (ask.usage) out.push_back(event(answer(ask, true, "", usage)));
        out.push_back("data: [DONE]\n\n");
    }
    if (fault == Fault::not_json && !ask.stream) out = {"<html>busy</html>"};
    return out;
}

// Head and framed body as frames that are written one by one.
void SimEngine::frame(const std::vector<std::string>& pieces, const std::string& type, int status, Script& script) {
    Random& r = world_.random;
    size_t total = 0;
    for (auto& p : pieces) total += p.size();
    enum { chunked, length, until_close } framing = static_cast<decltype(framing)>(r.below(8) < 5 ? chunked : r.below(4) < 3 ? length : until_close);
    Fault f = script.fault;
    if (f == Fault::bad_chunk) framing = chunked;
    if (f == Fault::length_short || f == Fault::length_long) framing = length;
    // A cut in a body that ends with its connection cannot be told from its end.
    if ((f == Fault::cut_close || f == Fault::cut_stall || f == Fault::extra_after) && framing == until_close) framing = chunked;
    std::string head = "HTTP/1.1 " + std::to_string(status) + " Whatever\r\ncontent-type: " + type + "\r\nserver: sim\r\n";
    script.until_close = framing == until_close;
    script.closes |= f == Fault::close_after || script.until_close;
    if (script.closes) head += "connection: close\r\n";
    if (framing == chunked) head += "transfer-encoding: chunked\r\n";
    if (framing == length) {
        size_t said = f == Fault::length_short ? r.below(total) : f == Fault::length_long ? total + 1 + r.below(50) : total;
        head += "content-length: " + std::to_string(said) + "\r\n";
    }
    if (r.below(8) == 0) script.frames.push_back({"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"});
    script.frames.push_back({head + "\r\n", r.below(4) == 0 ? r.below(20) : 0});
    size_t bad = f == Fault::bad_chunk ? r.below(pieces.size()) : SIZE_MAX;
    for (size_t i = 0; i < pieces.size(); i++) {
        std::string bytes = framing == chunked ? (i == bad ? "zz" : hex(pieces[i].size())) + "\r\n" + pieces[i] + "\r\n" : pieces[i];
        uint64_t wait = f == Fault::slow ? r.below(60) : r.below(4) == 0 ? r.below(10) : 0;
        script.frames.push_back({std::move(bytes), wait});
    }
    if (framing == chunked) script.frames.push_back({"0\r\n\r\n", r.below(6) == 0 ? r.below(5) : 0});
    if (f == Fault::length_long) script.closes = true;
}

// Keeps a random, proper prefix of the bytes.
void SimEngine::cut(Script& script) {
    size_t total = 0;
    for (auto& f : script.frames) total += f.bytes.size();
    size_t keep = world_.random.below(4) == 0 ? 0 : world_.random.below(total);
    for (size_t i = 0; i < script.frames.size(); i++) {
        if (script.frames[i].bytes.size() > keep) {
            script.frames[i].bytes.resize(keep);
            script.frames.resize(i + 1);
            return;
        }
        keep -= script.frames[i].bytes.size();
    }
}

SimEngine::Script SimEngine::write(const Ask& ask, Told& told) {
    Random& r = world_.random;
    Script script;
    if (r.below(100) < world_.options.fault_percent) script.fault = static_cast<Fault>(r.below(static_cast<uint64_t>(Fault::count_)));
    Fault& f = script.fault;
    if (!ask.stream && (f == Fault::bad_event || f == Fault::error_frame)) f = Fault::not_json;
    if (ask.stream && f == Fault::not_json) f = Fault::bad_event;
    told.fault = f;
    told.tokens.clear();
    if (f == Fault::garbage_head) {
        script.frames.push_back({r.below(2) ? "SSH-2.0-OpenSSH_9.2\r\n" : "HTTP/1.1 2OO OK\r\n\r\n", r.below(10)});
        script.closes = true;
        return script;
    }
    if (f == Fault::error_status) {
        int statuses[] = {400, 429, 500, 503};
        told.status = statuses[r.below(4)];
        told.payload = "{\"object\":\"error\",\"message\":\"" +
                       ask.name() + " refused\",\"type\":\"E\",\"param\":null,\"code\":" + std::to_string(told.status) +
                "}";
        frame({told.payload}, "application/json", told.status, script);
        return script;
    }
    told.status = 200;
    auto pieces = payload(ask, f, told);
    told.payload.clear();
    for (auto& p : pieces) told.payload += p;
    frame(pieces, ask.stream ? "text/event-stream; charset=utf-8" : "application/json", 200, script);
    if (f == Fault::cut_close || f == Fault::cut_reset || f == Fault::cut_stall) {
        cut(script);
        script.closes = true;
        script.stalls = f == Fault::cut_stall;
    }
    if (f == Fault::bad_chunk || f == Fault::length_short) script.closes = r.below(2);
    if (f == Fault::extra_after) script.frames.push_back({"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlost", r.below(2) * r.below(5)});
    return script;
}

Task<bool> SimEngine::read_head(SimTransport& t, std::string& in, Heard& heard) {
    size_t end;
    while ((end = in.find("\r\n\r\n")) == std::string::npos) {
        auto got = co_await t.recv();
        if (got.n <= 0) co_return false;
        in.append(got.view());
    }
    std::string line = in.substr(0, in.find("\r\n")), head = lower(in.substr(0, end + 2));
    size_t space = line.find(' ');
    heard.method = line.substr(0, space);
    heard.path = line.substr(space + 1, line.rfind(' ') - space - 1);
    heard.id = field(head, "x-request-id");
    std::string length = field(head, "content-length");
    if (!line.ends_with(" HTTP/1.1") || length.empty() || field(head, "host").empty()) world_.violation("a worker got a strange head: " + head);
    heard.length = length.empty() ? 0 : std::stoul(length);
    in.erase(0, end + 4);
    co_return true;
}

Task<bool> SimEngine::read_body(SimTransport& t, std::string& in, size_t length, std::string& body) {
    while (in.size() < length) {
        auto got = co_await t.recv();
        if (got.n <= 0) co_return false;
        in.append(got.view());
    }
    body = in.substr(0, length);
    in.erase(0, length);
    co_return true;
}

Task<void> SimEngine::stall(SimTransport& t, Told& told) {
    told.stalled = world_.net.now();
    t.deadline_in(stall_ms);
    for (;;) {
        auto got = co_await t.recv();
        if (got.n > 0) continue;
        told.noticed = world_.net.now();
        co_return;
    }
}

// True: the connection can take another request.
Task<bool> SimEngine::play(SimTransport& t, Script& script, Told& told) {
    for (auto& f : script.frames) {
        if (f.wait_ms) co_await sleep_ms(f.wait_ms);
        if (f.bytes.empty()) continue;
        if (!t.send(f.bytes)) co_return false;
        bool out = co_await t.drained();
        if (!out) co_return false;
    }
    if (script.stalls) {
        auto stalling = stall(t, told);
        co_await stalling;
        co_return false;
    }
    told.finished = script.fault <= Fault::error_status;
    if (script.fault == Fault::cut_reset) t.reset();
    co_return !script.closes;
}

// The request that a connection is about, from its head to the next one's: it is lost when the worker crashes.
struct SimEngine::AtWork {
    World& world;
    Told* told = nullptr;
    ~AtWork() {
        if (told && world.crashing) told->crashed = true;
    }
};

Task<void> SimEngine::serve(std::unique_ptr<SimTransport> transport) {
    SimTransport& t = *transport;
    std::string in, body;
    AtWork at_work{world_};
    bool poisoned = false;   // bytes behind an answer left: whoever asks here again gets them for an answer, and later ones their predecessors'
    for (;;) {
        Heard heard;
        bool closes_idle = world_.random.below(100) < world_.options.fault_percent / 4;
        if (closes_idle) t.deadline_in(1 + world_.random.below(200));
        bool asked = co_await read_head(t, in, heard);
        if (!asked) {
            world_.silent_closes += closes_idle;
            co_return;
        }
        t.deadline_in(0);
        const Ask* ask = world_.ask(heard.id);
        if (!ask) {
            world_.violation("a worker got a request nobody made: " + heard.id);
            co_return;
        }
        Told& told = world_.told(ask->id);
        at_work.told = &told;
        told.heard++;
        told.poisoned = poisoned;
        if (t.strays_ignored())
            world_.violation("a connection with bytes nobody asked for was used again, for " + heard.id);
        Script script = write(*ask, told);
        told.until_close = script.until_close;
        world_.trace("worker " + std::to_string(index_) + " got " + heard.id + ", plays " + name(script.fault));
        if (script.fault == Fault::early_answer) {   // before the body is read; then reads the rest and closes
            script.closes = true;
            co_await play(t, script, told);
            t.finish_send();
            world_.silent_closes++;
            bool whole = co_await read_body(t, in, heard.length, body);
            if (!whole) co_return;
            co_return;
        }
        bool whole = co_await read_body(t, in, heard.length, body);
        if (!whole) {
            told.fault = Fault::cut_close;   // the gateway left within the request
            co_return;
        }
        world_.check_request(*ask, heard.method, heard.path, body);
        bool on = co_await play(t, script, told);
        world_.silent_closes += script.fault == Fault::length_short && script.closes;
        if (!on) co_return;
        bool strays = script.fault == Fault::extra_after || script.fault == Fault::length_short;
        world_.extras += strays;
        poisoned |= strays;
        if (poisoned) t.sent_strays();
    }
}

}  // namespace weir::sim
