#include "engine/openai_codec.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/usage_tail.h"

namespace weir::engine {
namespace {

Failure garbage(std::string detail) { return Failure(Code::engine_garbage, "the worker's answer could not be understood").detail(std::move(detail)); }

bool null(Str value) { return value.empty() || json_kind(value) == JsonKind::null; }

// Some engines send a fraction; what no clock says counts as unsaid.
int64_t seconds(Str number) {
    double v = json_double(number).value_or(0);
    return v > 0 && v < 1e12 ? static_cast<int64_t>(v) : 0;
}

FinishReason finish_reason(Str word) {
    for (auto r : {FinishReason::stop, FinishReason::length, FinishReason::tool_calls, FinishReason::content_filter, FinishReason::function_call,
                   FinishReason::error, FinishReason::abort})
        if (word == name(r)) return r;
    return FinishReason::other;
}

// Gathers members nobody here understands as JSON text `"k":v,"k":v`. In a stream those that are null say nothing.
class Extra {
public:
    explicit Extra(bool stream) : stream_(stream) {}
    void add(const JsonMembers& m) {
        if (stream_ && null(m.value)) return;
        if (!text_.empty()) text_ += ',';
        text_.append("\"").append(m.key).append("\":").append(m.value);
    }
    Str take(Arena& arena) const { return arena.copy(text_); }

private:
    const bool stream_;
    std::string text_;
};

}  // namespace

// Turns one JSON chunk or body into Events.
class OpenAiAnswer {
public:
    OpenAiAnswer(OpenAiDecoder& decoder, Batch& out) : d_(decoder), out_(out) {}

    Result<void> run(Str json);

private:
    Result<void> choices(Str list);
    Result<void> choice(Str value);
    Result<void> message(Str value, uint16_t index, const Logprobs* logprobs);
    Result<void> tools(Str list, uint16_t index);
    Result<void> rows(Str list);
    Result<void> number(Str object, size_t otherwise, size_t most, uint16_t& index);
    void error(Str json, Str error);
    void begin(BeginHead&& head);
    Event& add(Event::Kind kind, uint16_t choice = 0) { return out_.add(kind, choice); }
    Str text(Str value) { return json_text(value, out_.arena); }
    Result<Str> string_of(Str value, const char* name) {
        if (json_kind(value) != JsonKind::string) return garbage(std::string(name) + " is no string");
        Str t = text(value);
        return t.data() ? t : Str("");
    }

    OpenAiDecoder& d_;
    Batch& out_;
};

Result<void> OpenAiAnswer::run(Str json) {
    size_t first = json.find_first_not_of(" \t\r\n");
    json = json.substr(std::min(first, json.size()));
    if (json_kind(json) != JsonKind::object) return garbage("not a JSON object");
    BeginHead head;
    Extra extra(d_.stream_);
    Str choices_list, rows_list, usage;
    for (JsonMembers m(json); m.next();) {
        bool string = json_kind(m.value) == JsonKind::string;
        if (m.key == "error" && !null(m.value)) return error(json, m.value), Result<void>();
        if (m.key == "object" && json_is(m.value, "error")) return error(json, json), Result<void>();
        if (m.key == "object") continue;
        if (m.key == "id" && string) head.id = text(m.value);
        else if (m.key == "model" && string) head.model = text(m.value);
        else if (m.key == "created" && json_kind(m.value) == JsonKind::number) head.created = seconds(m.value);
        else if (m.key == "system_fingerprint") head.fingerprint = m.value;
        else if (m.key == "choices" && d_.api_ != Api::embeddings) choices_list = m.value;
        else if (m.key == "data" && d_.api_ == Api::embeddings) rows_list = m.value;
        else if (m.key == "usage") usage = m.value;
        else extra.add(m);
    }
    Str list = d_.api_ == Api::embeddings ? rows_list : choices_list;
    if (list.empty() && null(usage)) return garbage("neither choices nor usage");
    if (!list.empty() && json_kind(list) != JsonKind::array) return garbage("choices is no list");
    head.extra = extra.take(out_.arena);
    size_t before = out_.events.size();
    begin(std::move(head));
    if (!list.empty())
        if (auto ok = d_.api_ == Api::embeddings ? rows(list) : choices(list); !ok) return ok;
    if (!null(usage)) {
        if (json_kind(usage) != JsonKind::object) return garbage("usage is no object");
        Usage* u = out_.arena.make<Usage>();
        read_usage(usage, *u);
        u->from_engine = true;
        Event& e = add(Event::usage);
        e.data = usage;
        e.more = u;
    }
    if (out_.events.size() > before) out_.events.back().flags |= Event::end_of_frame;
    return {};
}

void OpenAiAnswer::begin(BeginHead&& head) {
    if (d_.begun_) {   // later frames repeat the head; only what is new about the answer is worth an event
        bool news = false;
        for (JsonMembers m(out_.arena.concat({"{", head.extra, "}"})); m.next();) news |= !null(m.value);
        if (!news) return;
        Event& e = add(Event::item);
        e.index = static_cast<uint32_t>(ItemKind::answer);
        e.data = head.extra;
        return;
    }
    d_.begun_ = true;
    add(Event::begin).more = out_.arena.make<BeginHead>(head);
}

void OpenAiAnswer::error(Str json, Str error) {
    Str code = json_kind(error) == JsonKind::object ? json_member(error, "code") : Str{};
    auto status = json_kind(code) == JsonKind::number ? json_int(code) : std::nullopt;
    if (json_is(json_member(error, "type"), "service_unavailable") && !status) status = 503;
    d_.status_.upstream_status = status && *status >= 400 && *status <= 599 ? static_cast<int>(*status) : 500;
    d_.status_.code = Code::engine_status;
    d_.status_.detail = std::string(error.substr(0, 1000));
    d_.status_.upstream_headers = "content-type: application/json\r\n";
    d_.status_.upstream_body = std::string(json.substr(0, limits::error_body_max));
    Event& e = add(Event::failure);
    e.index = static_cast<uint32_t>(Code::engine_status);
    e.more = &d_.status_;
    e.data = json;
    d_.done_ = true;
}

Result<void> OpenAiAnswer::number(Str object, size_t otherwise, size_t most, uint16_t& index) {
    Str value = json_member(object, "index");
    size_t n = otherwise;
    if (!null(value)) {
        auto given = json_kind(value) == JsonKind::number ? json_uint(value) : std::nullopt;
        if (!given) return garbage("index is no number");
        n = *given;
    }
    if (n >= most) return garbage("index " + std::to_string(n) + " is too large");
    index = static_cast<uint16_t>(n);
    return {};
}

Result<void> OpenAiAnswer::choices(Str list) {
    for (JsonItems i(list); i.next();)
        if (auto ok = choice(i.value); !ok) return ok;
    return {};
}

Result<void> OpenAiAnswer::choice(Str value) {
    if (json_kind(value) != JsonKind::object) return garbage("a choice is no object");
    uint16_t index = 0;
    if (auto ok = number(value, 0, limits::choices_max, index); !ok) return ok;
    if (d_.seen_.size() <= index) d_.seen_.resize(index + 1u), d_.choices_.resize(index + 1u);
    d_.seen_[index] = true;
    Str body, finish, spoken;
    const Logprobs* logprobs = nullptr;
    Extra extra(d_.stream_);
    Str body_name = d_.api_ == Api::completions ? "text" : d_.stream_ ? "delta" : "message";
    for (JsonMembers m(value); m.next();) {
        if (m.key == "index") continue;
        if (m.key == body_name) body = m.value;
        else if (m.key == "finish_reason") finish = m.value;
        else if (m.key == "logprobs" && json_kind(m.value) == JsonKind::object) logprobs = out_.arena.make<Logprobs>(Logprobs{{}, {}, m.value});
        else extra.add(m);
    }
    if (d_.api_ == Api::completions) {
        if (!null(body) || logprobs) {
            Str said;
            if (!null(body)) {
                TRY(said, string_of(body, "text"));
            }
            Event& e = add(Event::text, index);
            e.data = said;
            e.more = logprobs;
        }
    } else if (!null(body) || logprobs) {
        if (auto ok = message(null(body) ? Str("{}") : body, index, logprobs); !ok) return ok;
    }
    if (Str members = extra.take(out_.arena); !members.empty()) {
        Event& e = add(Event::item, index);
        e.index = static_cast<uint32_t>(ItemKind::choice);
        e.data = members;
    }
    if (null(finish)) return {};
    TRY(Str word, string_of(finish, "finish_reason"));
    FinishReason reason = finish_reason(word);
    Event& e = add(Event::finish, index);
    e.index = static_cast<uint32_t>(reason);
    if (reason == FinishReason::other) e.more = out_.arena.make<FinishHead>(FinishHead{word});
    d_.choices_[index] = true;
    return {};
}

// A delta or a whole message.
Result<void> OpenAiAnswer::message(Str value, uint16_t index, const Logprobs* logprobs) {
    if (json_kind(value) != JsonKind::object) return garbage("a message is no object");
    Str content, reasoning, refusal, calls;
    bool role = false;
    Extra extra(d_.stream_);
    for (JsonMembers m(value); m.next();) {
        bool string = json_kind(m.value) == JsonKind::string;
        if (m.key == "role" && string) role = true;
        else if (m.key == "content" && string) content = m.value;
        else if (m.key == "content" && !null(m.value)) return garbage("content is no string");
        else if ((m.key == "reasoning_content" || m.key == "reasoning") && string && reasoning.empty()) reasoning = m.value;
        else if (m.key == "reasoning" && string && m.value == reasoning) continue;   // newer vLLM sends both names
        else if (m.key == "refusal" && string) refusal = m.value;
        else if (m.key == "tool_calls" && json_kind(m.value) == JsonKind::array && !json_empty(m.value)) calls = m.value;
        else extra.add(m);
    }
    size_t before = out_.events.size();
    if (role || !content.empty()) {
        Event& e = add(Event::text, index);
        e.flags |= (role ? Event::role : 0) | (content.empty() ? Event::null_text : 0);
        if (!content.empty()) e.data = text(content);
        if (!e.data.data()) e.data = "";
    }
    auto spoken = [&](Event::Kind kind, Str from) {
        if (from.empty()) return;
        Event& e = add(kind, index);
        e.data = text(from);
        if (!e.data.data()) e.data = "";
    };
    spoken(Event::reasoning, reasoning);
    spoken(Event::refusal, refusal);
    if (logprobs) {
        if (out_.events.size() == before || (out_.events[before].kind != Event::text && out_.events[before].kind != Event::reasoning)) {
            Event& e = add(Event::text, index);
            e.flags |= Event::null_text;
            e.more = logprobs;
        } else {
            out_.events[before].more = logprobs;
        }
    }
    if (!calls.empty())
        if (auto ok = tools(calls, index); !ok) return ok;
    if (Str members = extra.take(out_.arena); !members.empty()) {
        Event& e = add(Event::item, index);
        e.index = static_cast<uint32_t>(ItemKind::message);
        e.data = members;
    }
    return {};
}

Result<void> OpenAiAnswer::tools(Str list, uint16_t choice) {
    size_t position = 0;
    for (JsonItems i(list); i.next(); ++position) {
        if (json_kind(i.value) != JsonKind::object) return garbage("a tool call is no object");
        uint16_t index = 0;
        if (auto ok = number(i.value, position, limits::tools_max, index); !ok) return ok;
        Str id = json_member(i.value, "id"), function = json_member(i.value, "function");
        Str name, arguments;
        if (!null(function)) {
            if (json_kind(function) != JsonKind::object) return garbage("function is no object");
            name = json_member(function, "name");
            arguments = json_member(function, "arguments");
        }
        bool whole = !d_.stream_;
        if (!null(id) || !null(name) || whole) {
            ToolHead* head = out_.arena.make<ToolHead>();
            if (!null(id)) {
                TRY(head->id, string_of(id, "tool call id"));
            }
            if (!null(name)) {
                TRY(head->name, string_of(name, "function name"));
            }
            Event& e = add(Event::tool_begin, choice);
            e.index = index;
            e.more = head;
        }
        if (!null(arguments)) {
            TRY(Str fragment, string_of(arguments, "arguments"));
            Event& e = add(Event::tool_args, choice);
            e.index = index;
            e.data = fragment;
        }
    }
    return {};
}

Result<void> OpenAiAnswer::rows(Str list) {
    size_t position = 0;
    for (JsonItems i(list); i.next(); ++position) {
        if (json_kind(i.value) != JsonKind::object) return garbage("a row is no object");
        uint16_t index = 0;
        if (auto ok = number(i.value, position, UINT16_MAX, index); !ok) return ok;
        Str vector;
        Extra extra(d_.stream_);
        for (JsonMembers m(i.value); m.next();) {
            if (m.key == "embedding") vector = m.value;
            else if (m.key != "index" && m.key != "object") extra.add(m);
        }
        Event& e = add(Event::vector, index);
        if (json_kind(vector) == JsonKind::string && !vector.empty()) {
            e.flags = Event::base64;
            e.data = text(vector);
        } else if (json_kind(vector) == JsonKind::array) {
            e.flags = Event::json_list;
            e.data = vector;
        } else {
            return garbage("a row without a vector");
        }
        if (Str members = extra.take(out_.arena); !members.empty()) {
            Event& item = add(Event::item, index);
            item.index = static_cast<uint32_t>(ItemKind::choice);
            item.data = members;
        }
    }
    return {};
}

OpenAiDecoder::OpenAiDecoder(Api api, bool stream, size_t body_max) : api_(api), stream_(stream), body_max_(body_max) {}

bool OpenAiDecoder::finished() const {
    if (seen_.empty()) return false;
    for (size_t i = 0; i < seen_.size(); ++i)
        if (seen_[i] && !choices_[i]) return false;
    return true;
}

Result<void> OpenAiDecoder::frame(Str json, Batch& out) {
    if (auto ok = check_json(json); !ok) return garbage("bad JSON: " + ok.error()->message);
    return OpenAiAnswer(*this, out).run(json);
}

Result<void> OpenAiDecoder::feed(Str bytes, Batch& out) {
    if (done_) return {};
    if (!stream_) {
        if (body_.size() + bytes.size() > body_max_) return garbage("answer larger than " + std::to_string(body_max_) + " bytes");
        body_.append(bytes);
        return {};
    }
    Str fed = bytes;
    SseEvent event;
    while (!done_ && reader_.next(bytes, event)) {
        if (event.data == "[DONE]") {
            done_ = true;
            break;
        }
        if (event.data.empty()) continue;
        bool in_place = event.data.data() >= fed.data() && event.data.data() < fed.data() + fed.size();
        if (auto ok = frame(in_place ? event.data : out.arena.copy(event.data), out); !ok) return ok;
    }
    if (reader_.bad()) return garbage("an event larger than " + std::to_string(limits::sse_event_max) + " bytes");
    return {};
}

Result<void> OpenAiDecoder::finish(Batch& out) {
    if (done_) return {};
    if (!stream_) {
        done_ = true;
        if (auto ok = frame(body_, out); !ok) return ok;
        bool failed = !out.events.empty() && out.events.back().kind == Event::failure;
        if (api_ != Api::embeddings && !failed && !finished()) return Failure(Code::incomplete, "the answer has no finish reason");
        return {};
    }
    done_ = true;
    if (reader_.mid_event() || !finished()) return Failure(Code::incomplete, "the stream ended before the answer did");
    return {};
}

Failure openai_status(int status, Str headers, Str body) {
    Failure f(Code::engine_status, "the worker answered with status " + std::to_string(status));
    f->upstream_status = status;
    f->upstream_headers.assign(headers);
    f->upstream_body.assign(body.substr(0, limits::error_body_max));
    return f;
}

}  // namespace weir::engine
