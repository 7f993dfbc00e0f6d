#include "prepare/chat_prompt.h"

#include <utility>

#include "prepare/untrusted.h"
#include "wire/json_walk.h"

namespace weir::prepare {
namespace {

// The texts of a message's content, a line break between them; false: it is no list of texts only.
bool joined_parts(Str content, std::string& out) {
    if (json_kind(content) != JsonKind::array) return false;
    std::string scratch;
    bool first = true;
    for (JsonItems parts(content); parts.next();) {
        const Str part = parts.value, text = json_kind(part) == JsonKind::object ? json_member(part, "text") : Str();
        if (json_kind(text) != JsonKind::string || json_member(part, "type") != "\"text\"") return false;
        if (!std::exchange(first, false)) out += "\\n";
        out += json_inside(text);
    }
    return !first;
}

// Messages for a template that takes content as text: lists of texts become one. Empty: they are such already.
std::string flat_messages(Str messages) {
    std::string out;
    bool changed = false;
    for (JsonItems all(messages); all.next();) {
        out += out.empty() ? '[' : ',';
        std::string text;
        if (json_kind(all.value) != JsonKind::object || !joined_parts(json_member(all.value, "content"), text)) {
            out += all.value;
            continue;
        }
        changed = true;
        char sep = '{';
        for (JsonMembers m(all.value); m.next();) {
            out.append(1, std::exchange(sep, ',')).append("\"").append(m.key).append("\":");
            if (m.key == "content") out.append("\"").append(text).append("\"");
            else out += m.value;
        }
        out += '}';
    }
    if (!changed) return {};
    return out += ']';
}

}  // namespace

// The prompt of a body with `messages`, as vLLM's /tokenize takes it.
Result<Rendered> render_prompt(const Model& model, std::string_view body, bool special_as_text) {
    auto is_true = [&](Str name, bool otherwise) {
        Str value = json_member(body, name);
        return value.empty() || value == "null" ? otherwise : value == "true";
    };
    auto given = [&](Str name) {
        Str value = json_member(body, name);
        return value == "null" ? Str{} : value;
    };
    Str messages = given("messages"), tools = given("tools"), kwargs = given("chat_template_kwargs");
    if (json_kind(messages) != JsonKind::array) return Failure(Code::bad_field, "messages must be a list", "messages");
    if (!tools.empty() && json_kind(tools) != JsonKind::array) return Failure(Code::bad_field, "tools must be a list", "tools");
    if (!kwargs.empty() && json_kind(kwargs) != JsonKind::object)
        return Failure(Code::bad_field, "chat_template_kwargs must be an object", "chat_template_kwargs");
    if (!given("chat_template").empty()) return Failure(Code::unsupported_field, "chat_template: the model's own is used", "chat_template");
    TRY(const ChatTemplate* chat, model.template_for(!tools.empty()));
    auto token = [](const std::string& text) { return text.empty() ? std::string_view() : std::string_view(text); };
    ChatInput input;
    const std::string flat = chat->content_format() == ContentFormat::string ? flat_messages(messages) : std::string();
    input.messages = flat.empty() ? messages : Str(flat);
    input.tools = tools;
    input.documents = given("documents");
    input.kwargs = kwargs;
    input.add_generation_prompt = is_true("add_generation_prompt", true);
    input.continue_final_message = is_true("continue_final_message", false);
    input.bos_token = token(model.files.bos);
    input.eos_token = token(model.files.eos);
    input.pad_token = token(model.files.pad);
    input.unk_token = token(model.files.unk);
    Rendered out;
    if (!special_as_text) {
        TRY_OK(chat->render(input, {}, out.text));
        return out;
    }
    std::vector<OutputSpan> spans;
    std::vector<uint32_t> ids;
    TRY_OK(chat->render_spans(input, {}, out.text, spans));
    auto scratch = model.tokenizer->scratch();
    TRY_OK(encode_untrusted(*model.tokenizer, out.text, spans, *scratch, ids));
    out.ids = std::make_shared<const std::vector<uint32_t>>(std::move(ids));
    return out;
}

}  // namespace weir::prepare
