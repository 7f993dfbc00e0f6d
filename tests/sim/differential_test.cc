// The same request and the same engine's answer through both paths of the flow: bytes forwarded, and decode-Event-encode. The client
// must read the same, chunk by chunk. What may differ, and why, is the table `allowed` and nothing else.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "obs/log.h"
#include "tests/sim/sim_world.h"
#include "tests/support/golden.h"

namespace weir::sim {
namespace {

using nlohmann::json;

struct Case {
    std::string name, path, request;
    int status = 200;
    std::string type, answer;            // the engine's, without framing
    bool stream() const { return type.starts_with("text/event-stream"); }
};

// One gateway with one worker that gives a canned answer.
struct Bench {
    ManualClock clock;
    SimNet net{clock, 1};
    Metrics metrics{1};
    LoadCells cells;
    Budget bodies{"bodies", 1u << 24};
    ServerLimits limits;
    std::atomic<bool> draining{false};
    Core core{0, clock, std::make_unique<SimPoller>(net), 1};
    Core::Enter enter{core};
    std::unique_ptr<CoreState> state;
    std::unique_ptr<Flow> flow;
    Weather weather;
    const Case* c = nullptr;
    std::string worker_got;
    AnswerReader reader;
    Nursery engine, server, client;

    Bench(Dialect dialect, FlowOptions::Path path) {
        limits.bodies = &bodies;
        state = std::make_unique<CoreState>(core, UpstreamLimits{}, metrics, nullptr);
        state->pool.connect_through(&Bench::connect, this);
        Registry registry(cells, nullptr, false, [this](FleetViewRef view) { state->fleet = std::move(view); });
        WorkerSpec spec;
        spec.url = "http://worker:8000";
        spec.ready = true;
        EXPECT_TRUE(static_cast<bool>(registry.add(std::move(spec))));
        FlowOptions o;
        o.api.dialect = dialect;
        o.api.ignore_unsupported = true;
        o.request_id_headers = {"x-request-id"};
        o.path = path;
        auto routes = api::Routes::make(o.api, {});
        flow = std::make_unique<Flow>(o, *routes, route::only(find_policy("round_robin")->make({"round_robin"}), "round_robin"), metrics, draining);
        flow->add_core(state.get());
    }

    static Task<Result<std::unique_ptr<Transport>>> connect(void* self, const Target&) {
        Bench& b = *static_cast<Bench*>(self);
        auto [near, far] = b.net.connect(b.weather);
        b.engine.spawn(b.answer(std::move(far)));
        co_return std::unique_ptr<Transport>(std::move(near));
    }
    Task<void> answer(std::unique_ptr<SimTransport> t) {
        for (size_t head_end = 0, length = 0; head_end == 0 || worker_got.size() < head_end + length;) {
            auto got = co_await t->recv();
            if (got.n <= 0) co_return;
            worker_got.append(got.view());
            size_t end = worker_got.find("\r\n\r\n"), at = worker_got.find("content-length: ");
            if (end != std::string::npos) head_end = end + 4, length = std::stoul(worker_got.substr(at + 16));
        }
        worker_got.erase(0, worker_got.find("\r\n\r\n") + 4);
        std::string head = "HTTP/1.1 " + std::to_string(c->status) + " X\r\ncontent-type: " + c->type + "\r\n";
        char size[20];
        std::snprintf(size, sizeof size, "%zx", c->answer.size());
        if (c->stream()) t->send(head + "transfer-encoding: chunked\r\n\r\n" + size + "\r\n" + c->answer + "\r\n0\r\n\r\n");
        else t->send(head + "content-length: " + std::to_string(c->answer.size()) + "\r\n\r\n" + c->answer);
        co_await t->drained();
        auto end = co_await t->recv();
        EXPECT_LE(end.n, 0);
    }
    Task<void> ask(std::unique_ptr<SimTransport> t) {
        t->send("POST " + c->path + " HTTP/1.1\r\nhost: x\r\nx-request-id: r\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: " +
                std::to_string(c->request.size()) + "\r\n\r\n" + c->request);
        std::string in;
        while (!reader.answer.complete && !reader.answer.bad) {
            auto got = co_await t->recv();
            if (got.n <= 0) break;
            in.append(got.view());
            reader.feed(in);
        }
    }
    Answer run(const Case& which) {
        c = &which;
        auto [near, far] = net.connect(weather);
        server.spawn(serve_http1(std::move(far), *flow, limits, draining));
        client.spawn(ask(std::move(near)));
        for (int i = 0; i < 100'000 && client.size(); i++) core.turn(-1);
        return reader.answer;
    }
};

// --- what may differ ---

void drop_empty(json& j) {
    if (j.is_object()) {
        for (auto it = j.begin(); it != j.end();) {
            drop_empty(*it);
            it = it->is_null() || (it->is_array() && it->empty() && it.key() != "choices") ? j.erase(it) : std::next(it);
        }
    } else if (j.is_array()) {
        for (auto& e : j) drop_empty(e);
    }
}

void drop_made(json& j, const json& engine) {
    for (const char* key : {"id", "created", "model"})
        if (!engine.contains(key)) j.erase(key);
}

void frontend_usage(json& j, const json&) {
    if (!j.contains("usage") || !j["usage"].is_object()) return;
    json& u = j["usage"];
    if (u.contains("reasoning_tokens")) {
        u["completion_tokens_details"]["reasoning_tokens"] = u["reasoning_tokens"];
        u.erase("reasoning_tokens");
    }
    if (j.contains("data")) u.erase("completion_tokens"), u.erase("completion_tokens_details");
}

void frontend_role(json& j, const json&) {
    if (!j.contains("choices") || !j["choices"].is_array()) return;
    for (auto& c : j["choices"])
        if (c.contains("delta")) c["delta"].erase("role");
}

void embedding_rows(json& j, const json& engine) {
    if (!j.contains("data") || !j["data"].is_array() || !engine.contains("data") || engine["data"].size() != j["data"].size()) return;
    bool texts = false, lists = false;
    for (auto& row : engine["data"]) (row.value("embedding", json()).is_string() ? texts : lists) = true;
    for (size_t i = 0; i < j["data"].size(); i++) {
        if (!engine["data"][i].contains("object")) j["data"][i].erase("object");
        if (texts && lists) j["data"][i].erase("embedding");
    }
}

// Each is applied to both answers (chunks or whole body) before they are compared; `engine`: the engine's own, or its first chunk.
struct Difference { const char* reason; bool launch, frontend; void (*forget)(json& answer, const json& engine); };
constexpr Difference allowed[] = {
    {"a null or an empty list says nothing: what is written from Events leaves it out", true, true, [](json& j, const json&) { drop_empty(j); }},
    {"an engine that names no id, time or model gets them from the gateway", true, true, drop_made},
    {"rows say what they are, and all in the encoding asked for, even if the engine mixed them", true, true, embedding_rows},
    {"Dynamo's frontend writes usage in OpenAI's shape, whatever shape the engine chose", false, true, frontend_usage},
    {"Dynamo's frontend gives the role with the first text, not in a chunk of its own", false, true, frontend_role},
};
// Beside these: SSE comments are no Events; a chunk with several choices becomes several; the words of an error frame are the dialect's;
// a [DONE] that the engine forgot is written; what is no answer is forwarded as it is, but decoded to a 502 or an error frame.

void forget(json& j, const json& engine, Dialect dialect) {
    for (auto& d : allowed)
        if (dialect == Dialect::launch ? d.launch : d.frontend) d.forget(j, engine);
}

std::vector<json> chunks_of(const std::string& body) {
    std::vector<json> out;
    for (size_t at = 0, end; (end = body.find("\n\n", at)) != std::string::npos; at = end + 2) {
        std::string event = body.substr(at, end - at);
        if (size_t data = event.find("\ndata: "); data != std::string::npos) event.erase(0, data + 1);   // behind other fields
        if (!event.starts_with("data: ")) continue;
        if (!out.empty() && out.back().value("raw", "") == "[DONE]") break;   // what follows it means nothing
        json j = json::parse(event.substr(6), nullptr, false);
        if (j.is_discarded() || !j.is_object()) j = json{{"raw", event.substr(6)}};
        if (j.contains("error") || j.value("object", "") == "error") j = json{{"error", true}};
        if (!out.empty() && out.back().contains("error")) continue;   // its [DONE]
        if (j.contains("choices") && j["choices"].is_array() && j["choices"].size() > 1) {   // one chunk each
            for (auto& choice : j["choices"]) {
                json one = j;
                one["choices"] = json::array({choice});
                out.push_back(std::move(one));
            }
            continue;
        }
        out.push_back(std::move(j));
    }
    return out;
}

std::string list(const std::vector<json>& chunks) {
    std::string out;
    for (auto& c : chunks) out += "  " + c.dump() + "\n";
    return out;
}

// What a client has at the end of a stream, however its chunks were cut: texts joined, lists appended, other members as last seen.
json fold(const std::vector<json>& chunks) {
    json all = json::object();
    auto join = [](json& to, const json& from, auto& self) -> void {
        for (auto& [key, value] : from.items()) {
            json& at = to[key];
            bool text = key == "content" || key == "text" || key == "reasoning_content" || key == "refusal" || key == "arguments";
            if (text && value.is_string() && at.is_string()) at = at.template get<std::string>() + value.template get<std::string>();
            else if (value.is_object() && at.is_object()) self(at, value, self);
            else if (key == "tool_calls") for (auto& call : value) self(at[std::to_string(call.value("index", 0))], call, self);
            else if (value.is_array() && at.is_array()) for (auto& e : value) at.push_back(e);
            else if (!(text && value.is_string() && value == "" && at.is_null())) at = value;
        }
    };
    for (auto& chunk : chunks) {
        json rest = chunk;
        rest.erase("choices");
        join(all, rest, join);
        if (chunk.contains("choices"))
            for (auto& choice : chunk["choices"]) join(all["choices"][std::to_string(choice.value("index", 0))], choice, join);
    }
    drop_empty(all);
    return all;
}

// Whether a 200's body says what its endpoint promises: vectors, or choices that all came to an end.
bool is_answer(const std::string& body) {
    json j = json::parse(body, nullptr, false);
    if (!j.is_object() || j.contains("error")) return false;
    if (j.contains("data")) return j["data"].is_array() && std::all_of(j["data"].begin(), j["data"].end(), [](const json& row) { return row.contains("embedding"); });
    auto ended = [](const json& choice) { return choice.contains("finish_reason") && choice["finish_reason"].is_string(); };
    return j.contains("choices") && j["choices"].is_array() && !j["choices"].empty() && std::all_of(j["choices"].begin(), j["choices"].end(), ended);
}

void compare(const Case& c, Dialect dialect) {
    SCOPED_TRACE(c.name + " " + c.request + (dialect == Dialect::launch ? " (launch)" : " (frontend)"));
    Bench f(dialect, FlowOptions::Path::forward), e(dialect, FlowOptions::Path::events);
    Answer forward = f.run(c), events = e.run(c);
    ASSERT_TRUE(forward.complete && events.complete) << forward.status << " " << events.status;
    if (json sent = json::parse(f.worker_got, nullptr, false); !sent.is_discarded()) {
        EXPECT_EQ(sent, json::parse(e.worker_got, nullptr, false)) << "the workers got different requests";
    }
    auto sent = chunks_of(c.answer);
    bool flawed = c.stream() ? sent.empty() || !sent.front().contains("choices") : !is_answer(c.answer);
    if (c.status == 200 && flawed && forward.status == 200 && events.status >= 400) return;   // see `allowed`
    EXPECT_EQ(forward.status, events.status) << forward.body << "\n" << events.body;
    if (c.stream() && forward.status == 200) {
        auto a = chunks_of(forward.body), b = chunks_of(events.body);
        auto engine = chunks_of(c.answer);
        auto is_error = [](const json& j) { return j.contains("error"); };
        bool only_decoded = !b.empty() && is_error(b.back()) && std::none_of(a.begin(), a.end(), is_error);
        if (only_decoded) {   // what came before the flaw is the same
            b.pop_back();
            a.resize(std::min(a.size(), b.size()));
        }
        if (c.answer.find("[DONE]") == std::string::npos && !b.empty() && b.back().contains("raw")) b.pop_back();
        for (auto* chunks : {&a, &b})
            for (auto& chunk : *chunks) forget(chunk, engine.empty() ? json::object() : engine.front(), dialect);
        if (dialect == Dialect::launch) {   // chunk by chunk; the frontend cuts some otherwise
            EXPECT_EQ(a, b) << "forward:\n" << list(a) << "events:\n" << list(b);
        }
        EXPECT_EQ(fold(a), fold(b)) << "forward:\n" << list(a) << "events:\n" << list(b) << json::diff(fold(a), fold(b)).dump();
        return;
    }
    json a = json::parse(forward.body, nullptr, false), b = json::parse(events.body, nullptr, false), engine = json::parse(c.answer, nullptr, false);
    if (forward.status == 200) {
        forget(a, engine, dialect);
        forget(b, engine, dialect);
    }
    EXPECT_EQ(a, b) << "from forward to events: " << json::diff(a, b).dump();
}

// --- cases ---

std::vector<Case> mocker_cases(const std::string& file) {
    std::vector<Case> out;
    for (auto& g : golden::parse(golden::slurp(std::string(WEIR_SOURCE_DIR) + "/tests/golden/mocker/" + file))) {
        size_t line = g.input.find('\n'), post = g.input.find(" POST ");
        if (line == std::string::npos || post == std::string::npos || post > line) continue;
        Case c;
        c.name = file + ": " + g.input.substr(0, line);
        c.path = g.input.substr(post + 6, line - post - 6);
        c.request = g.input.substr(line + 1);
        if (c.path != "/v1/chat/completions" && c.path != "/v1/completions" && c.path != "/v1/embeddings") continue;
        c.status = std::atoi(g.output.c_str());
        size_t type = g.output.find("content-type: "), body = g.output.find("\n\n");
        if (type == std::string::npos || body == std::string::npos || type > body) continue;
        c.type = g.output.substr(type + 14, g.output.find('\n', type) - type - 14);
        c.answer = g.output.substr(body + 2);
        if (c.stream()) c.answer += "\n";
        else c.answer.erase(c.answer.find_last_not_of('\n') + 1);
        out.push_back(std::move(c));
    }
    return out;
}

std::vector<Case> engine_cases() {
    std::vector<Case> out;
    for (auto& g : golden::parse(golden::slurp(std::string(WEIR_SOURCE_DIR) + "/tests/golden/engine/openai_answers.txt"))) {
        size_t line = g.input.find('\n');
        if (line == std::string::npos) continue;
        std::string kind = g.input.substr(0, line);
        bool stream = kind.ends_with(" stream");
        Case c;
        c.name = "engine: " + kind;
        c.type = stream ? "text/event-stream" : "application/json";
        c.answer = g.input.substr(line + 1) + (stream ? "\n\n" : "");
        std::string more = stream ? R"(,"stream":true,"stream_options":{"include_usage":true}})" : "}";
        if (kind.starts_with("chat")) {
            c.path = "/v1/chat/completions";
            c.request = R"({"model":"m","messages":[{"role":"user","content":"x"}],"unknown":{"a":[1,2]},"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"n":2,"logprobs":true)" + more;
        } else if (kind.starts_with("cmpl")) {
            c.path = "/v1/completions";
            c.request = R"({"model":"m","prompt":["x","y"],"top_k":3,"unknown":1)" + more;
        } else {
            c.path = "/v1/embeddings";
            c.request = R"({"model":"m","input":["x"],"dimensions":2})";
        }
        out.push_back(std::move(c));
    }
    return out;
}

void run_all(const std::vector<Case>& cases, size_t least) {
    for (auto& level : log_levels) level.store(LogLevel::off);
    EXPECT_GE(cases.size(), least);
    for (auto& c : cases)
        for (Dialect dialect : {Dialect::frontend, Dialect::launch}) compare(c, dialect);
}

TEST(Differential, AnswersOfTheMocker) {
    for (const char* file : {"chat.txt", "completions.txt", "errors.txt"}) run_all(mocker_cases(file), 1);
}

TEST(Differential, AnswersOfEngines) { run_all(engine_cases(), 15); }

}  // namespace
}  // namespace weir::sim
