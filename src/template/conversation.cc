#include "template/conversation.h"

#include <algorithm>

#include "template/json_value.h"
#include "template/print.h"
#include "template/unicode.h"

namespace weir::jinja {
namespace {

constexpr Str tag = "CONTINUE_FINAL_MESSAGE_TAG ";
constexpr Str bare_tag = tag.substr(0, tag.size() - 1);
constexpr Str reasoning_names[] = {"reasoning_content", "thinking", "reasoning"};   // the first is what templates read

Dict* copied(Heap& heap, const Dict& from, size_t more) {
    Dict* to = heap.dict(from.size + more);
    for (const DictEntry& e : from.all()) to->set(e.key, e.value);
    return to;
}

Value with_reasoning(Heap& heap, Value message) {
    const Value* reasoning = nullptr;
    for (Str name : reasoning_names) {
        const Value* v = message.dict->find(name);
        if (!reasoning && v && !v->is(Kind::none)) reasoning = v;
    }
    if (!reasoning) return message;
    Dict* to = heap.dict(message.dict->size + 2);
    to->set(key_string("thinking"), *reasoning);
    for (const DictEntry& e : message.dict->all()) to->set(e.key, e.value);
    to->set(key_string("reasoning_content"), *reasoning);
    return Value::of_dict(to);
}

Value tagged(Heap& heap, Value text) {
    if (!text.is_string()) raise(Error::type, "unsupported operand type(s) for +: '" + std::string(type_name(text)) + "' and 'str'");
    return Value::string(heap.concat(text.str(), tag));
}

// The last text part of a list gets the tag.
Value tag_parts(Heap& heap, Value parts, Str& final_text) {
    const auto to = heap.values(parts.span());
    for (size_t k = to.size(); k-- > 0;) {
        if (to[k].is_string() && to[k].str().find("text") != Str::npos) raise(Error::type, "string indices must be integers, not 'str'");
        if (!to[k].is(Kind::dict)) {
            if (to[k].is_string() || to[k].is_sequence()) continue;
            raise(Error::type, "argument of type '" + std::string(type_name(to[k])) + "' is not iterable");
        }
        const Value* text = to[k].dict->find("text");
        if (!text) continue;
        Dict* part = copied(heap, *to[k].dict, 0);
        part->set(key_string("text"), tagged(heap, *text));
        final_text = text->str();
        to[k] = Value::of_dict(part);
        return Value::list(to);
    }
    raise(Error::value, "continue_final_message is set but we could not find any text to continue in the final message!");
}

void tag_final(Heap& heap, std::span<Value> messages, Str field, Str source, Conversation& talk) {
    if (messages.empty()) raise(Error::value, "continue_final_message is set but the conversation is empty!");
    Dict* message = copied(heap, *messages.back().dict, 0);
    const Value* found = message->find(field);
    if (!found || found->is(Kind::none))
        raise(Error::value, "continue_final_message is set but the final message has no \"" + std::string(field) + "\" to continue!");
    const Value final_message = *found;
    std::vector<Str> fields{field};
    if (std::find(std::begin(reasoning_names), std::end(reasoning_names), field) != std::end(reasoning_names)) {
        fields.clear();
        for (Str name : reasoning_names)
            if (const Value* v = message->find(name); v && equal(*v, final_message)) fields.push_back(name);
    }
    bool accepted = false;
    for (Str name : fields) accepted |= source.find(name) != Str::npos;
    if (!accepted)
        raise(Error::value, "continue_final_message is set to \"" + std::string(field) + "\" but this is not an accepted field in the chat_template");
    if (final_message.is(Kind::list)) {
        message->set(key_string(field), tag_parts(heap, final_message, talk.final_text));
    } else {
        for (Str name : fields) message->set(key_string(name), tagged(heap, final_message));
        talk.final_text = final_message.str();
    }
    messages.back() = Value::of_dict(message);
    talk.continues = true;
}

Value objects(Heap& heap, Str json, Str what, Error kind, const char* complaint) {
    if (json.empty()) return Value::none();
    const Value v = read_json(heap, json, what);
    if (v.is(Kind::none)) return v;
    if (!v.is(Kind::list)) raise(Error::type, std::string(what) + " must be a list");
    for (const Value& item : v.span())
        if (!item.is(Kind::dict)) raise(kind, complaint);
    return v;
}

}  // namespace

Conversation read_conversation(Heap& heap, const ChatInput& in, Str source) {
    Conversation talk;
    talk.tools = objects(heap, in.tools, "tools", Error::value,
                         "Tools should either be a JSON schema, or a callable function with type hints and a docstring suitable "
                         "for auto-conversion to a schema.");
    talk.documents = objects(heap, in.documents, "documents", Error::type, "Documents should be a list of dicts with 'title' and 'text' keys!");
    const Value given = read_json(heap, in.messages, "messages");
    if (!given.is(Kind::list)) raise(Error::type, "messages must be a list");
    for (const Value& m : given.span())
        if (!m.is(Kind::dict)) raise(Error::type, "Chat messages should be dicts, dataclasses or pydantic models, but got " + repr_text(m) + ".");
    const auto messages = heap.values(given.span());
    for (Value& m : messages) m = with_reasoning(heap, m);
    if (in.continue_final_message) tag_final(heap, messages, in.continue_field, source, talk);
    talk.messages = Value::list(messages);
    return talk;
}

size_t end_of_final_message(const Conversation& talk, Str rendered) {
    const Str wanted = unicode::strip(talk.final_text, true, true);
    const size_t at = rendered.rfind(bare_tag);
    if (rendered.find(wanted) == Str::npos || at == Str::npos)
        raise(Error::value,
              "continue_final_message is set but the final message does not appear in the chat after applying the chat template! "
              "This can "
              "happen if the chat template deletes portions of the final message. Please verify the chat template and final "
              "message in your "
              "chat to ensure they are compatible.Final message to continue: " +
                  std::string(wanted) + "\nRendered chat:\n" + std::string(rendered));
    if (rendered.substr(at, tag.size()) == tag) return at;
    return unicode::strip(rendered.substr(0, at), false, true).size();   // the template trimmed the message
}

}  // namespace weir::jinja
