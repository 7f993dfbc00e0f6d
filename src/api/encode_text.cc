// Chat and text completions, streamed and unary. A chunk is made of the consecutive events of one frame and one choice.
#include <array>

#include "api/encode_parts.h"
#include "api/error_body.h"
#include "wire/sse.h"

namespace weir::api {
namespace {

struct ToolPiece { uint32_t index; const ToolHead* head; Str arguments; bool has_arguments; };

// What one choice gets in one frame. Views into the batch.
struct Step {
    bool any = false, role = false, has_text = false;
    uint16_t choice = 0;
    Str text, reasoning, refusal, message_extra, choice_extra;
    std::vector<ToolPiece> tools;
    const Logprobs* logprobs = nullptr;
    const Event* finish = nullptr;
    const Event* usage = nullptr;
    Str answer_extra;
    void clear() {
        auto keep = std::move(tools);   // its memory
        keep.clear();
        *this = Step{};
        tools = std::move(keep);
    }
};

// Puts the event into the step. False: it does not fit beside what is there, the step must be written first.
bool add(Step& s, const Event& e) {
    bool of_choice = e.kind != Event::usage && e.kind != Event::begin && !(e.kind == Event::item && e.index == static_cast<uint32_t>(ItemKind::answer));
    if (of_choice && s.any && s.choice != e.choice) return false;
    auto once = [](Str& place, Str value) { return place.data() ? false : (place = value.data() ? value : Str(""), true); };
    bool fits = true;
    switch (e.kind) {
        case Event::text:
            if (e.flags & Event::null_text) s.role |= (e.flags & Event::role) != 0;
            else if ((fits = once(s.text, e.data))) s.has_text = true, s.role |= (e.flags & Event::role) != 0;
            break;
        case Event::reasoning: fits = once(s.reasoning, e.data); break;
        case Event::refusal: fits = once(s.refusal, e.data); break;
        case Event::tool_begin: s.tools.push_back({e.index, e.as<ToolHead>(), {}, false}); break;
        case Event::tool_args:
            if (s.tools.empty() || s.tools.back().index != e.index || s.tools.back().has_arguments) s.tools.push_back({e.index, nullptr, {}, false});
            s.tools.back().arguments = e.data;
            s.tools.back().has_arguments = true;
            break;
        case Event::item:
            fits = once(e.index == static_cast<uint32_t>(ItemKind::message) ? s.message_extra : of_choice ? s.choice_extra : s.answer_extra, e.data);
            break;
        case Event::finish: fits = !s.finish; s.finish = fits ? &e : s.finish; break;
        case Event::usage: s.usage = &e; return true;
        default: return true;
    }
    if (fits && of_choice) s.any = true, s.choice = e.choice;
    if (fits && (e.kind == Event::text || e.kind == Event::reasoning) && e.more) s.logprobs = e.as<Logprobs>();
    return fits;
}

struct Tool { uint32_t index; std::string id, name, arguments; };
struct Fold {                            // a choice of a unary answer so far
    bool seen = false, has_text = false, has_reasoning = false, has_refusal = false;
    std::string text, reasoning, refusal, message_extra, choice_extra, finish;
    std::vector<Tool> tools;
    LogprobsFold logprobs;
};

void join(std::string& list, Str members) {
    if (members.empty()) return;
    if (!list.empty()) list += ',';
    list += members;
}

class TextEncoder final : public Encoder {
public:
    TextEncoder(const Options& options, const Tail& tail, int64_t now_s)
        : options_(options), api_(tail.api), wants_(tail.wants), launch_(options.dialect == Dialect::launch),
          bare_role_(tail.bare_role && tail.api == Api::chat), head_(first_head(tail, now_s)) {
        if (!streaming()) folds_.reserve(tail.choices);
    }

    void events(const Batch& batch, std::string& out) override {
        for (const Event& e : batch.events) {
            if (done_) return;
            if (e.kind == Event::failure) {
                flush(out);
                return failed(e, out);
            }
            if (e.kind == Event::begin) head_.take(*e.as<BeginHead>());
            if (!add(step_, e)) {
                flush(out);
                add(step_, e);
            }
            if (e.flags & Event::end_of_frame) flush(out);
        }
        flush(out);
    }

    void end(std::string& out) override {
        if (done_) return;
        done_ = true;
        if (!streaming()) return put_body(out);
        if (has_usage_ && !usage_sent_ && (wants_ & wants::include_usage)) put_last_usage(out);
        out += sse_done;
    }

    void fail(const FailureBody& failure, std::string& out) override {
        if (done_) return;
        done_ = true;
        failure_ = failure;
        if (streaming()) append_error_frame(options_, failure, out);
    }

    Str content_type() const override { return streaming() ? "text/event-stream" : "application/json"; }

private:
    bool streaming() const { return wants_ & wants::stream; }
    bool chat() const { return api_ == Api::chat; }

    void failed(const Event& e, std::string& out) {
        FailureBody failure;
        if (e.more) failure = *e.as<FailureBody>();
        failure.code = e.code();
        if (streaming() && launch_ && !e.data.empty()) {   // the engine's own words pass in this dialect
            out.append("data: ").append(e.data).append("\n\n").append(sse_done);
            done_ = true;
            failure_ = failure;
            return;
        }
        fail(failure, out);
    }

    void flush(std::string& out) {
        if (step_.usage) keep_usage(*step_.usage);
        if (streaming()) put_chunk(step_, out);
        else fold(step_);
        step_.clear();
    }

    void keep_usage(const Event& e) {
        usage_ = e.more ? *e.as<Usage>() : Usage{};
        usage_raw_.assign(e.data);
        has_usage_ = true;
    }

    // The engine put its counts on the last choice; this dialect gives them a chunk of their own.
    void put_last_usage(std::string& out) {
        Event e = usage_event();
        Step s;
        s.usage = &e;
        put_chunk(s, out);
    }

    Event usage_event() const {
        Event e;
        e.kind = Event::usage;
        e.data = usage_raw_;
        e.more = &usage_;
        return e;
    }

    bool& role_sent(uint16_t choice) {
        if (roles_.size() <= choice) roles_.resize(choice + 1u);
        return roles_[choice].sent;
    }

    // ---- streamed

    void put_head(const char* object, std::string& out) {
        auto created = [&] { out.append(",\"created\":").append(std::to_string(head_.created)); };
        out += "{\"id\":";
        append_json_string(out, head_.id);
        if (launch_) {
            out.append(",\"object\":\"").append(object).append("\"");
            created();
            put_model(out);
        }
    }
    void put_model(std::string& out) {
        out += ",\"model\":";
        append_json_string(out, head_.model);
        if (!head_.fingerprint.empty()) out.append(",\"system_fingerprint\":").append(head_.fingerprint);
        else if (!launch_ && !chat()) out += ",\"system_fingerprint\":null";
    }
    void put_foot(const char* object, std::string& out) {
        if (launch_) return;
        out.append(",\"created\":").append(std::to_string(head_.created));
        put_model(out);
        out.append(",\"object\":\"").append(object).append("\"");
    }

    void put_chunk(const Step& s, std::string& out) {
        bool usage = s.usage && (launch_ || (wants_ & (s.any ? wants::continuous_usage : wants::include_usage)));
        Str extra = head_sent_ ? s.answer_extra : Str(head_.extra);
        bool empty_role = !launch_ && s.any && s.text.empty() && !s.finish && s.reasoning.empty() && s.refusal.empty() && s.tools.empty() && !s.logprobs;
        if (empty_role && bare_role_ && !role_sent(s.choice)) empty_role = false;
        if ((!s.any || empty_role) && !usage && s.answer_extra.empty()) return;
        const char* object = chat() ? "chat.completion.chunk" : "text_completion";
        out += "data: ";
        put_head(object, out);
        out += ",\"choices\":[";
        if (s.any) chat() ? put_delta(s, out) : put_text_choice(s, out);
        out += ']';
        put_foot(object, out);
        if (usage) {
            out += ",\"usage\":";
            put_usage(options_, api_, *s.usage, out);
            usage_sent_ = true;
        } else if (!launch_ && !chat()) {
            out += ",\"usage\":null";
        }
        put_members(extra, launch_, out);
        head_sent_ = true;
        out += "}\n\n";
    }

    // {"index":0,"delta":{...},"logprobs":...,"finish_reason":...}
    void put_delta(const Step& s, std::string& out) {
        out.append("{\"index\":").append(std::to_string(s.choice)).append(",\"delta\":");
        std::string delta;
        bool& sent = role_sent(s.choice);
        bool role = launch_ ? s.role : !sent;   // the frontend's first delta names it, whatever the engine did
        sent = true;
        if (launch_ && role) delta += ",\"role\":\"assistant\"";
        if (s.has_text && (launch_ || !s.text.empty())) put_string(",\"content\":", s.text, delta);
        if (!s.tools.empty()) put_tools(s, delta);
        if (!launch_ && role) delta += ",\"role\":\"assistant\"";
        if (s.refusal.data()) put_string(",\"refusal\":", s.refusal, delta);
        if (s.reasoning.data()) put_string(",\"reasoning_content\":", s.reasoning, delta);
        put_members(s.message_extra, launch_, delta);
        if (delta.empty()) delta = "{";
        else delta[0] = '{';
        out.append(delta).append("}");
        std::string reason;
        if (s.finish) append_json_string(reason, finish_word(*s.finish));
        else reason = "null";
        if (!launch_) out.append(",\"finish_reason\":").append(reason);
        if (s.logprobs || !launch_) {
            out += ",\"logprobs\":";
            if (s.logprobs) put_logprobs(api_, *s.logprobs, out);
            else out += "null";
        }
        if (launch_) out.append(",\"finish_reason\":").append(reason);
        put_members(s.choice_extra, launch_, out);
        out += '}';
    }

    static void put_string(const char* name, Str text, std::string& out) {
        out += name;
        append_json_string(out, text);
    }

    static void put_tools(const Step& s, std::string& out) {
        out += ",\"tool_calls\":[";
        for (size_t i = 0; i < s.tools.size(); ++i) {
            const ToolPiece& t = s.tools[i];
            if (i) out += ',';
            out.append("{\"index\":").append(std::to_string(t.index));
            if (t.head && !t.head->id.empty()) put_string(",\"id\":", t.head->id, out);
            if (t.head) out += ",\"type\":\"function\"";
            out += ",\"function\":{";
            if (t.head && !t.head->name.empty()) put_string("\"name\":", t.head->name, out);
            if (t.has_arguments) put_string(t.head && !t.head->name.empty() ? ",\"arguments\":" : "\"arguments\":", t.arguments, out);
            out += "}}";
        }
        out += ']';
    }

    // {"index":0,"text":"...","logprobs":...,"finish_reason":...}
    void put_text_choice(const Step& s, std::string& out) {
        std::string index = "\"index\":" + std::to_string(s.choice);
        if (launch_) out.append("{").append(index);
        put_string(launch_ ? ",\"text\":" : "{\"text\":", s.text, out);
        if (!launch_) out.append(",").append(index);
        if (s.logprobs) {
            out += ",\"logprobs\":";
            put_logprobs(api_, *s.logprobs, out);
        } else if (launch_ && s.choice_extra.find("\"logprobs\":") == Str::npos) {
            out += ",\"logprobs\":null";
        }
        if (s.finish) put_string(",\"finish_reason\":", finish_word(*s.finish), out);
        else if (launch_) out += ",\"finish_reason\":null";
        put_members(s.choice_extra, launch_, out);
        out += '}';
    }

    // ---- unary

    void fold(const Step& s) {
        join(answer_extra_, s.answer_extra);
        if (!s.any) return;
        if (folds_.size() <= s.choice) folds_.resize(s.choice + 1u);
        Fold& f = folds_[s.choice];
        f.seen = true;
        f.has_text |= s.has_text;
        f.has_reasoning |= s.reasoning.data() != nullptr;
        f.has_refusal |= s.refusal.data() != nullptr;
        f.text += s.text;
        f.reasoning += s.reasoning;
        f.refusal += s.refusal;
        join(f.message_extra, s.message_extra);
        join(f.choice_extra, s.choice_extra);
        for (const ToolPiece& t : s.tools) fold_tool(f, t);
        if (s.logprobs) f.logprobs.add(api_, *s.logprobs);
        if (s.finish) f.finish = finish_word(*s.finish);
    }

    static void fold_tool(Fold& f, const ToolPiece& t) {
        Tool* tool = nullptr;
        for (Tool& have : f.tools)
            if (have.index == t.index) tool = &have;
        if (!tool) tool = &f.tools.emplace_back(Tool{t.index, {}, {}, {}});
        if (t.head && !t.head->id.empty()) tool->id = t.head->id;
        if (t.head && !t.head->name.empty()) tool->name = t.head->name;
        tool->arguments += t.arguments;
    }

    void put_body(std::string& out) {
        const char* object = chat() ? "chat.completion" : "text_completion";
        put_head(object, out);
        out += ",\"choices\":[";
        bool first = true;
        for (size_t i = 0; i < folds_.size(); ++i) {
            if (!folds_[i].seen) continue;
            if (!std::exchange(first, false)) out += ',';
            chat() ? put_message(folds_[i], i, out) : put_text(folds_[i], i, out);
        }
        out += ']';
        put_foot(object, out);
        if (has_usage_) {
            out += ",\"usage\":";
            put_usage(options_, api_, usage_event(), out);
        }
        std::string extra = head_.extra;
        join(extra, answer_extra_);
        put_members(extra, launch_, out);
        out += '}';
    }

    void put_reason(const Fold& f, std::string& out) {
        if (f.finish.empty()) out += ",\"finish_reason\":null";
        else put_string(",\"finish_reason\":", f.finish, out);
    }
    void put_fold_logprobs(const Fold& f, std::string& out) {
        if (!f.logprobs.empty()) f.logprobs.put(out += ",\"logprobs\":");
        else if (!(api_ == Api::completions && !launch_)) out += ",\"logprobs\":null";
    }

    // {"index":0,"message":{...},"finish_reason":...,"logprobs":...}
    void put_message(const Fold& f, size_t index, std::string& out) {
        out.append("{\"index\":").append(std::to_string(index)).append(",\"message\":{");
        if (launch_) out += "\"role\":\"assistant\",";
        if (f.has_text && (launch_ || !f.text.empty() || f.tools.empty())) put_string("\"content\":", f.text, out);
        else out += "\"content\":null";
        if (f.has_refusal) put_string(",\"refusal\":", f.refusal, out);
        else if (!launch_) out += ",\"refusal\":null";
        if (!f.tools.empty()) put_fold_tools(f, out);
        if (!launch_) out += ",\"role\":\"assistant\"";
        if (f.has_reasoning) put_string(",\"reasoning_content\":", f.reasoning, out);
        static constexpr std::array<Str, 2> always = {"content", "role"};
        std::vector<Str> taken(always.begin(), always.end());
        if (f.has_refusal || !launch_) taken.push_back("refusal");
        if (!f.tools.empty()) taken.push_back("tool_calls");
        if (f.has_reasoning) taken.push_back("reasoning_content");
        put_members_once(f.message_extra, launch_, taken, out);
        out += '}';
        if (!launch_) put_reason(f, out);
        put_fold_logprobs(f, out);
        if (launch_) put_reason(f, out);
        static constexpr std::array<Str, 2> said = {"logprobs", "finish_reason"};
        put_members_once(f.choice_extra, launch_, said, out);
        out += '}';
    }

    static void put_fold_tools(const Fold& f, std::string& out) {
        out += ",\"tool_calls\":[";
        for (size_t i = 0; i < f.tools.size(); ++i) {
            const Tool& t = f.tools[i];
            put_string(i ? ",{\"id\":" : "{\"id\":", t.id, out);
            put_string(",\"type\":\"function\",\"function\":{\"name\":", t.name, out);
            put_string(",\"arguments\":", t.arguments, out);
            out += "}}";
        }
        out += ']';
    }

    void put_text(const Fold& f, size_t index, std::string& out) {
        std::string number = "\"index\":" + std::to_string(index);
        if (launch_) out.append("{").append(number);
        put_string(launch_ ? ",\"text\":" : "{\"text\":", f.text, out);
        if (!launch_) out.append(",").append(number);
        put_fold_logprobs(f, out);
        put_reason(f, out);
        static constexpr std::array<Str, 2> said = {"logprobs", "finish_reason"};
        put_members_once(f.choice_extra, launch_, said, out);
        out += '}';
    }

    struct Sent { bool sent = false; };
    const Options options_;
    const Api api_;
    const uint32_t wants_;
    const bool launch_, bare_role_;
    Head head_;
    Step step_;
    bool done_ = false, head_sent_ = false, has_usage_ = false, usage_sent_ = false;
    std::vector<Sent> roles_;            // streamed
    std::vector<Fold> folds_;            // unary
    Usage usage_;
    std::string usage_raw_, answer_extra_;
};

}  // namespace

std::unique_ptr<Encoder> make_text_encoder(const Options& options, const Tail& tail, int64_t now_s) {
    return std::make_unique<TextEncoder>(options, tail, now_s);
}

}  // namespace weir::api
