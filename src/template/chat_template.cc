#include "template/chat_template.h"

#include <sys/time.h>

#include <algorithm>
#include <ctime>

#include "template/content_format.h"
#include "template/conversation.h"
#include "template/json_value.h"
#include "template/render.h"
#include "template/strftime.h"

namespace weir {
namespace {

using jinja::Value;

Failure failure(Code code, const jinja::Raised& raised) {
    Failure f(code, raised.message);
    f->reason = jinja::class_name(raised.kind);
    if (raised.line) f->detail = "line " + std::to_string(raised.line);
    return f;
}

jinja::LocalTime system_time() {
    timeval now{};
    ::gettimeofday(&now, nullptr);
    std::tm tm{};
    ::localtime_r(&now.tv_sec, &tm);
    return {tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, static_cast<int>(now.tv_usec)};
}

class Compiled final : public ChatTemplate {
public:
    explicit Compiled(std::string_view source) : source_(source), program_(jinja::parse_program(source)), format_(jinja::content_format(*program_)) {}

    Result<void> render(const ChatInput& in, const RenderLimits& limits, std::string& out) const override { return run(in, limits, out, nullptr); }
    Result<void> render_spans(const ChatInput& in, const RenderLimits& limits, std::string& out, std::vector<OutputSpan>& spans) const override {
        return run(in, limits, out, &spans);
    }
    ContentFormat content_format() const override { return format_; }
    std::string_view source() const override { return source_; }

private:
    Result<void> run(const ChatInput& in, const RenderLimits& limits, std::string& out, std::vector<OutputSpan>* spans) const try {
        out.clear();
        jinja::Render r(*program_, {limits.steps_max, limits.depth_max, limits.output_max, limits.memory_max});
        jinja::Origins origins;
        if (spans) r.heap.origins = &origins;
        jinja::Conversation talk = jinja::read_conversation(r.heap, in, source_);
        if (spans) r.heap.origins = nullptr;
        const Value kwargs = in.kwargs.empty() ? Value() : jinja::read_json(r.heap, in.kwargs, "the template's variables");
        if (in.kwargs.size() && !kwargs.is(jinja::Kind::dict)) raise(jinja::Error::type, "the template's variables must be an object");
        if (spans) r.heap.origins = &origins;
        r.now = in.now.empty() ? system_time() : jinja::parse_time(in.now).value_or(jinja::LocalTime{});
        if (r.now.year == 0) raise(jinja::Error::value, "the time is no ISO date and time: '" + std::string(in.now) + "'");
        std::vector<Value> context(program_->context.size());
        for (size_t k = 0; k < context.size(); ++k) context[k] = variable(r, in, talk, kwargs, program_->context[k]);
        r.run(context);
        const size_t size = talk.continues ? jinja::end_of_final_message(talk, r.out.since(0)) : r.out.size();
        out.assign(r.out.since(0).substr(0, size));
        if (spans) *spans = covered(r.out.user(), size);
        return {};
    } catch (const jinja::Raised& raised) {
        return failure(Code::bad_request, raised);
    }

    static Value variable(jinja::Render& r, const ChatInput& in, const jinja::Conversation& talk, Value kwargs, std::string_view name) {
        if (kwargs.is(jinja::Kind::dict))
            if (const Value* v = kwargs.dict->find(name)) return *v;
        struct Row { std::string_view name; Value value; };
        auto text = [](std::string_view s) { return s.data() ? Value::string(s) : Value(); };
        const Row rows[] = {{"messages", talk.messages}, {"tools", talk.tools}, {"documents", talk.documents},
                            {"add_generation_prompt", Value::boolean(in.add_generation_prompt)}, {"bos_token", text(in.bos_token)},
                            {"eos_token", text(in.eos_token)}, {"pad_token", text(in.pad_token)}, {"unk_token", text(in.unk_token)}};
        for (const Row& row : rows)
            if (row.name == name) return row.value;
        const jinja::Global id = jinja::find_global(name);
        if (id == jinja::Global::none) return {};
        const auto kind = id == jinja::Global::dict ? jinja::Kind::dict_class : jinja::Kind::function;
        return Value::of_object(kind, r.heap.make<jinja::FunctionObject>(jinja::Object{}, id));
    }

    static std::vector<OutputSpan> covered(const std::vector<jinja::Out::Range>& user, size_t size) {
        std::vector<OutputSpan> spans;
        size_t at = 0;
        for (const auto& range : user) {
            const size_t begin = std::min(range.begin, size), end = std::min(range.end, size);
            if (begin > at) spans.push_back({at, begin, true});
            if (end > begin) spans.push_back({begin, end, false});
            at = std::max(at, end);
        }
        if (at < size) spans.push_back({at, size, true});
        return spans;
    }

    std::string source_;
    std::unique_ptr<const jinja::Program> program_;
    ContentFormat format_;
};

}  // namespace

Result<std::shared_ptr<const ChatTemplate>> ChatTemplate::compile(std::string_view source) try {
    return std::shared_ptr<const ChatTemplate>(std::make_shared<Compiled>(source));
} catch (const jinja::Raised& raised) {
    return failure(Code::bad_field, raised);
}

Result<const NamedTemplate*> choose_template(std::span<const NamedTemplate> all, bool has_tools, std::string_view wanted) {
    auto find = [&](std::string_view name) -> const NamedTemplate* {
        for (const NamedTemplate& t : all)
            if (t.name == name) return &t;
        return nullptr;
    };
    if (!wanted.empty()) {
        if (const NamedTemplate* t = find(wanted)) return t;
    } else if (const NamedTemplate* t = has_tools ? find("tool_use") : nullptr) {
        return t;
    } else if (const NamedTemplate* d = find("default")) {
        return d;
    }
    std::string names;
    for (const NamedTemplate& t : all) names += (names.empty() ? "" : ", ") + t.name;
    return Failure(Code::bad_field, wanted.empty() ? "the model has several chat templates and no default one; name one of: " + names
                                                   : "the model has no chat template '" + std::string(wanted) + "'; it has: " + names);
}

Result<std::vector<NamedTemplate>> read_named_templates(std::string_view json) try {
    jinja::Heap heap(64 << 20);
    const Value v = jinja::read_json(heap, json, "chat_template");
    std::vector<NamedTemplate> all;
    if (v.is_string()) all.push_back({"default", std::string(v.str())});
    auto text = [](const Value* x) { return x && x->is_string() ? x->str() : std::string_view(); };
    if (v.is(jinja::Kind::dict))
        for (const auto& e : v.dict->all()) all.push_back({std::string(e.key.str()), std::string(text(&e.value))});
    if (v.is(jinja::Kind::list))
        for (const Value& item : v.span()) {
            if (!item.is(jinja::Kind::dict)) return Failure(Code::bad_field, "chat_template: each must be an object with name and template");
            all.push_back({std::string(text(item.dict->find("name"))), std::string(text(item.dict->find("template")))});
        }
    for (const NamedTemplate& t : all)
        if (t.name.empty() || t.source.empty()) return Failure(Code::bad_field, "chat_template: each must have a name and a template");
    if (all.empty()) return Failure(Code::bad_field, "chat_template is neither a template nor a list of them");
    return all;
} catch (const jinja::Raised& raised) {
    return failure(Code::bad_field, raised);
}

}  // namespace weir
