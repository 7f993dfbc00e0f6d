#include "prepare/routing_text.h"

#include "base/arena.h"
#include "wire/json_walk.h"

namespace weir::prepare {
namespace {

class Reader {
public:
    explicit Reader(Said& out) : out_(out) {}

    void messages(Str list) {
        for (JsonItems items(list); items.next();) {
            if (json_kind(items.value) != JsonKind::object) continue;
            for (JsonMembers m(items.value); m.next();) {
                if (m.key == "content") content(m.value);
                else if (m.key == "reasoning_content") text(m.value);
            }
        }
    }
    // "text", ["text", ...], [1, 2] or [[1, 2], ...]
    void prompt(Str value) {
        if (json_kind(value) == JsonKind::string) return text(value);
        if (json_kind(value) != JsonKind::array) return;
        for (JsonItems items(value); items.next();) {
            switch (json_kind(items.value)) {
                case JsonKind::string: text(items.value); break;
                case JsonKind::number: id(items.value); break;
                case JsonKind::array: for (JsonItems ids(items.value); ids.next();) id(ids.value); return;   // of a batch, the first counts
                default: return;
            }
        }
    }

private:
    void content(Str value) {
        if (json_kind(value) == JsonKind::string) return text(value);
        if (json_kind(value) != JsonKind::array) return;
        for (JsonItems parts(value); parts.next();) {
            if (json_kind(parts.value) != JsonKind::object) continue;
            if (Str t = json_member(parts.value, "text"); !t.empty()) text(t);
        }
    }
    void text(Str value) {
        if (json_kind(value) != JsonKind::string) return;
        if (!out_.text.empty()) out_.text.push_back(' ');
        out_.text.append(json_text(value, arena_));
    }
    void id(Str value) {
        if (json_kind(value) != JsonKind::number) return;
        if (auto n = json_uint(value); n && *n <= UINT32_MAX) out_.ids.push_back(static_cast<uint32_t>(*n));
    }
    Said& out_;
    Arena arena_;
};

}  // namespace

Str top_member(const Doc& doc, Str name) {
    Str found;
    for (const Member& m : doc.top)
        if (doc.at(m.key) == name) found = doc.at(m.value);
    return found;
}

void read_said(const Call& call, Said& out) {
    Reader reader(out);
    auto of = [&](Str name) {
        Str value = top_member(call.doc, name);
        return value == "null" ? Str{} : value;
    };
    if (Str ids = of("input_ids"); json_kind(ids.empty() ? Str("null") : ids) == JsonKind::array) reader.prompt(ids);
    if (!out.ids.empty()) return;
    Str messages = of("messages");
    if (!messages.empty() && json_kind(messages) == JsonKind::array) return reader.messages(messages);
    for (Str name : {"prompt", "input", "text"})
        if (Str value = of(name); !value.empty()) return reader.prompt(value);
}

}  // namespace weir::prepare
