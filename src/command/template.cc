// weir template: a conversation to the text the model reads.
#include <unistd.h>

#include <cstdio>
#include <map>

#include "command/command.h"
#include "command/lines.h"
#include "hub/model_files.h"
#include "template/chat_template.h"
#include "tokenizer/gguf.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"
#include "wire/utf8.h"

namespace weir {
namespace {

// One line of input; views into it, or into `arena`.
struct Request {
    ChatInput input;
    std::string_view wanted;   // "template": one of several by name
};

Result<bool> flag(Str value, const char* name) {
    if (json_kind(value) != JsonKind::boolean) return Failure(Code::bad_field, std::string(name) + ": is not true or false", name);
    return value == "true";
}

Result<void> read(Str line, Arena& arena, Request& out) {
    TRY_OK(check_json(line));
    const size_t from = line.find_first_not_of(" \t\r");
    line = line.substr(from, json_skip(line, from) - from);
    if (json_kind(line) != JsonKind::object) return Failure(Code::bad_field, "a line is not a JSON object");
    struct Text { Str name; std::string_view* to; };
    ChatInput& in = out.input;
    const Text texts[] = {{"bos_token", &in.bos_token}, {"eos_token", &in.eos_token}, {"pad_token", &in.pad_token}, {"unk_token", &in.unk_token},
                          {"now", &in.now}, {"template", &out.wanted}};
    const Text raws[] = {{"messages", &in.messages}, {"tools", &in.tools}, {"documents", &in.documents}, {"kwargs", &in.kwargs}};
    for (JsonMembers m(line); m.next();) {
        const bool null = json_kind(m.value) == JsonKind::null;
        bool known = false;
        for (const Text& t : texts) {
            if (t.name != m.key) continue;
            known = true;
            if (!null && json_kind(m.value) != JsonKind::string)
                return Failure(Code::bad_field, std::string(t.name) + ": is not a string", std::string(t.name));
            *t.to = null ? Str() : json_text(m.value, arena);
            if (!null && !t.to->data()) *t.to = "";
        }
        for (const Text& t : raws)
            if (t.name == m.key) known = true, *t.to = null ? Str() : m.value;
        if (known) continue;
        if (m.key == "add_generation_prompt") {
            TRY(in.add_generation_prompt, flag(m.value, "add_generation_prompt"));
        } else if (m.key == "continue_final_message") {
            if (json_kind(m.value) == JsonKind::string) {   // the field that is continued
                in.continue_field = json_text(m.value, arena);
                in.continue_final_message = !in.continue_field.empty();
            } else {
                TRY(in.continue_final_message, flag(m.value, "continue_final_message"));
            }
        } else {
            return Failure(Code::unsupported_field, "'" + std::string(m.key) + "' is unknown; there are messages, tools, documents, add_generation_prompt, "
                                                    "continue_final_message, bos_token, eos_token, pad_token, unk_token, now, kwargs and template");
        }
    }
    if (in.messages.empty()) return Failure(Code::missing_field, "messages: is missing", "messages");
    return {};
}

struct Model {
    std::vector<NamedTemplate> templates;
    std::string bos, eos, pad, unk;
};

void take(std::vector<std::pair<std::string, std::string>> named, std::vector<NamedTemplate>& out) {
    for (auto& [name, text] : named) out.push_back({std::move(name), std::move(text)});
}

Result<Model> load(const std::string& path, const std::string& file) {
    Model out;
    if (!path.empty()) {
        TRY(ModelFiles files, read_model_files(path, false));
        if (files.templates.empty() && files.tokenizer.ends_with(".gguf")) {
            TRY(tok::GgufFile gguf, tok::read_gguf_file(files.tokenizer));
            if (!gguf.info.chat_template.empty()) files.templates.emplace_back("default", gguf.info.chat_template);
            files.templates.insert(files.templates.end(), gguf.info.named_templates.begin(), gguf.info.named_templates.end());
        }
        if (file.empty() && files.templates.empty())
            return Failure(Code::bad_field, "'" + path + "' has no chat template: no chat_template.jinja, none in tokenizer_config.json");
        if (file.empty()) take(std::move(files.templates), out.templates);
        out.bos = files.bos, out.eos = files.eos, out.pad = files.pad, out.unk = files.unk;
    }
    if (!file.empty()) {
        TRY(auto named, read_template_file(file));
        take(std::move(named), out.templates);
    }
    return out;
}

class Renderer {
public:
    explicit Renderer(Model model) : model_(std::move(model)) {}

    Result<void> render(Str line, std::string& out) {
        Arena arena;
        Request request;
        const auto token = [](const std::string& text) { return text.empty() ? std::string_view() : std::string_view(text); };
        request.input.bos_token = token(model_.bos), request.input.eos_token = token(model_.eos);
        request.input.pad_token = token(model_.pad), request.input.unk_token = token(model_.unk);
        TRY_OK(read(line, arena, request));
        TRY(const NamedTemplate* chosen, pick(request));
        auto& compiled = compiled_[chosen];
        if (!compiled) {
            TRY(compiled, ChatTemplate::compile(chosen->source));
        }
        return compiled->render(request.input, {}, out);
    }

private:
    Result<const NamedTemplate*> pick(const Request& request) const {
        if (model_.templates.size() == 1 && request.wanted.empty()) return &model_.templates[0];
        return choose_template(model_.templates, !request.input.tools.empty(), request.wanted);
    }
    Model model_;
    std::map<const NamedTemplate*, std::shared_ptr<const ChatTemplate>> compiled_;
};

void put_error(std::string& out, const Failure& failure) {
    if (failure->reason.empty()) return append_error(out, failure);
    const Str message = utf8_valid(failure->message) ? Str(failure->message) : Str("the message is not valid UTF-8");
    JsonWriter(out).object().key("error").object().member("kind", failure->reason).member("message", message).end_object().end_object();
}

int lines(Renderer& renderer) {
    Lines in(STDIN_FILENO);
    Output out(STDOUT_FILENO);
    std::string text;
    while (const auto line = in.next()) {
        if (auto good = renderer.render(*line, text); !good) put_error(out.text(), good.error());
        else JsonWriter(out.text()).object().member("text", text).end_object();
        out.line();
        if (in.waiting() && !out.flush()) return 1;
    }
    return out.flush() && !in.failed() ? 0 : 1;
}

// One conversation: an object as above, or just its messages. Ready for a model to answer.
int reader(Renderer& renderer) {
    std::string line = Lines(STDIN_FILENO).rest();
    if (const size_t first = line.find_first_not_of(" \t\r\n"); first != std::string::npos && line[first] == '[')
        line = "{\"messages\":" + line + ",\"add_generation_prompt\":true}";
    std::string text;
    if (auto good = renderer.render(line, text); !good) {
        const FailureBody& f = *good.error();
        std::fprintf(stderr, "weir template: %s%s%s\n", f.reason.c_str(), f.reason.empty() ? "" : ": ", f.message.c_str());
        return 1;
    }
    Output out(STDOUT_FILENO);
    out.text() = std::move(text);
    if (is_terminal(STDOUT_FILENO)) out.text() += '\n';
    return out.flush() ? 0 : 1;
}

}  // namespace

int render_template(const config::ToolCall& call) {
    auto model = load(call.value("--model"), call.value("--chat-template"));
    if (!model) {
        const FailureBody& f = *model.error();
        std::fprintf(stderr, "weir template: %s%s%s\n", f.message.c_str(), f.detail.empty() ? "" : ": ", f.detail.c_str());
        return 1;
    }
    Renderer renderer(std::move(*model));
    return call.has("--jsonl") ? lines(renderer) : reader(renderer);
}

}  // namespace weir
