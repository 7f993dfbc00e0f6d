// Is what a client got of an answer what the worker told, whole, in order, once; or exactly one error?
#include <nlohmann/json.hpp>

#include "tests/sim/sim_world.h"

namespace weir::sim {
namespace {

using nlohmann::json;

struct Stream {
    std::string text;
    int errors = 0, done = 0, finishes = 0, usages = 0, junk = 0;
    int errors_max = 1;                  // the worker's own and, when it broke off behind that, the gateway's
    bool late_error = false;
    std::string wrong;
};

std::string text_of(const json& choice) {
    if (choice.contains("text")) return choice.value("text", "");
    const json& body = choice.contains("delta") ? choice["delta"] : choice.contains("message") ? choice["message"] : json::object();
    return body.contains("content") && body["content"].is_string() ? body["content"].get<std::string>() : "";
}

void take_event(const std::string& data, const Ask& ask, Stream& s) {
    // Cut within the very end of its framing, an answer may be followed by the news of that.
    if (s.done && !s.late_error && data.find("\"error\"") != std::string::npos) {
        s.late_error = true;
        return;
    }
    if (s.done > (s.late_error ? 1 : 0)) s.wrong = "an event behind [DONE]: " + data;
    if (data == "[DONE]") {
        s.done++;
        return;
    }
    if (s.errors == s.errors_max) s.wrong = "an event behind the error: " + data;
    json j = json::parse(data, nullptr, false);
    if (j.is_discarded()) {
        s.junk++;   // an event that the worker broke off; only an error may follow
        return;
    }
    if (s.errors && !j.contains("error")) s.wrong = "an event behind the error: " + data;
    if (s.junk) s.wrong = s.wrong.empty() && !j.contains("error") ? "an event behind a broken one" : s.wrong;
    if (j.contains("error")) {
        s.errors++;
        return;
    }
    if (j.value("id", "") != "id-" + ask.name()) s.wrong = "another answer's event: " + data;
    s.usages += j.contains("usage") && j["usage"].is_object();
    for (auto& c : j["choices"]) {
        s.text += text_of(c);
        s.finishes += c.contains("finish_reason") && c["finish_reason"].is_string();
    }
}

Stream read_stream(const std::string& body, const Ask& ask, bool worker_errs) {
    Stream s;
    s.errors_max = worker_errs ? 2 : 1;
    size_t at = 0;
    for (size_t end; (end = body.find("\n\n", at)) != std::string::npos; at = end + 2) {
        while (at < end && body[at] == '\n') at++;   // empty lines between events mean nothing
        std::string event = body.substr(at, end - at);
        if (event.empty() || event[0] == ':') continue;   // a keep-alive, or the empty line that ends a broken event
        if (event.compare(0, 6, "data: ") != 0) {
            s.junk++;
            continue;
        }
        take_event(event.substr(6), ask, s);
    }
    if (at < body.size()) s.junk++;
    return s;
}

std::string whole_text(const Told& told) {
    std::string all;
    for (auto& t : told.tokens) all += t;
    return all;
}

// A body that ends with its connection, whose worker died: nobody can tell its cut from its end.
bool cut_like_an_end(const Told& told) { return told.until_close && !told.finished; }

std::string judge_stream(const Ask& ask, const Told& told, const Answer& answer, bool explained, bool forwarded, Counts& counts) {
    Stream s = read_stream(answer.body, ask, forwarded && told.fault == Fault::error_frame);
    bool cut_unseen = told.fault == Fault::length_short || cut_like_an_end(told);   // as far as anybody can tell this was all
    std::string whole = whole_text(told);
    if (!s.wrong.empty() && told.fault != Fault::bad_event) return s.wrong;
    if (whole.compare(0, s.text.size(), s.text) != 0) return "text lost, doubled or another's: " + s.text.substr(0, 300);
    if (s.errors > s.errors_max || s.done > (s.late_error ? 2 : 1) || s.finishes > 1 || s.usages > 1) return "more than one end";
    bool all_here = s.text == whole && s.finishes == 1 && s.done == 1 && s.errors == 0 && s.usages == (ask.usage ? 1 : 0);
    if (answer.complete && all_here && (s.junk == 0 || told.fault == Fault::bad_event)) {
        counts.whole++;
        return {};
    }
    if (!explained) return "not whole, without a reason (" + std::to_string(s.errors) + " errors)";
    if (answer.complete && s.errors == 0 && !s.late_error && !cut_unseen) return "an end without [DONE] and without an error";
    (answer.complete ? counts.stream_errors : counts.broken)++;
    return {};
}

std::string judge_unary(const Ask& ask, const Told& told, const Answer& answer, Counts& counts) {
    const bool as_sent = told.payload.starts_with(answer.body);   // forwarded as it is
    if (told.fault == Fault::not_json || told.fault == Fault::length_short) return as_sent ? "" : "not what the worker sent";
    if (cut_like_an_end(told) && as_sent) return {};
    json j = json::parse(answer.body, nullptr, false);
    if (j.is_discarded()) return "no JSON";
    if (ask.kind == Kind::embeddings) {
        json want = {ask.id, told.tokens.size()};
        if (j["data"].size() != 1 || j["data"][0]["embedding"] != want) return "another vector";
    } else {
        if (j.value("id", "") != "id-" + ask.name()) return "another answer";
        if (j["choices"].size() != 1 || text_of(j["choices"][0]) != whole_text(told)) return "another text";
        if (j["usage"]["completion_tokens"] != told.tokens.size()) return "another usage";
    }
    counts.whole++;
    return {};
}

}  // namespace

std::string judge_answer(const Ask& ask, const Told& told, const Answer& answer, bool explained, const FlowOptions& flow, Counts& counts) {
    const bool launch = flow.api.dialect == Dialect::launch;
    if (told.poisoned) return {};
    if (told.heard) counts.faults[static_cast<size_t>(told.fault)]++;
    if (answer.status == 200) {
        if (told.status != 200) return "a 200 that no worker gave";
        bool sse = answer.field("content-type").starts_with("text/event-stream");
        if (sse != ask.stream) return "the other content type";
        if (ask.stream) return judge_stream(ask, told, answer, explained, flow.path == FlowOptions::Path::forward, counts);
        if (answer.complete) return judge_unary(ask, told, answer, counts);
        if (!explained) return "broken off without a reason";
        counts.broken++;
        return {};
    }
    if (!explained) return "status " + std::to_string(answer.status) + (answer.complete ? "" : ", not whole") + ", without a reason";
    if (!answer.complete) {
        counts.broken++;
        return {};
    }
    counts.unary_errors++;
    if (cut_like_an_end(told) && answer.status == told.status && launch)
        return told.payload.starts_with(answer.body) ? "" : "not what the worker sent";
    if (answer.body.empty() || json::parse(answer.body, nullptr, false).is_discarded()) return "an error that is no JSON";
    if (told.fault == Fault::error_status && told.heard && told.finished) {
        if (answer.status != told.status) return "the worker said " + std::to_string(told.status);
        if (launch && answer.body != told.payload) return "not the worker's own words";
    } else if (answer.status == 500 && told.status != 500) {
        return "an internal error";
    }
    return {};
}

std::string compare_request(const Ask& ask, const std::string& body, bool byte_for_byte) {
    if (body == ask.body) return {};
    if (byte_for_byte) return "bytes differ: " + body.substr(0, 300);
    json got = json::parse(body, nullptr, false), sent = json::parse(ask.body);
    if (got.is_discarded()) return "no JSON: " + body.substr(0, 300);
    return got == sent ? "" : "members differ: " + json::diff(sent, got).dump().substr(0, 300);
}

}  // namespace weir::sim
