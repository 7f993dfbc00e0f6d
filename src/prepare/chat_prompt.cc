#include "prepare/chat_prompt.h"

#include "prepare/untrusted.h"
#include "wire/json_walk.h"

namespace weir::prepare {

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
    input.messages = messages;
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
