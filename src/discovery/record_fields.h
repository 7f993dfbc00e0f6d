// Members of a record's JSON object by name and kind; a missing or null one is not there.
#pragma once
#include <limits>

#include "base/result.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"

namespace weir {

class Fields {
public:
    // `text`: one valid value. Anything but an object has no members.
    explicit Fields(Str text) : object_(!text.empty() && json_kind(text) == JsonKind::object ? text : Str()) {}
    static Result<Fields> parse(Str json) {
        if (auto ok = check_json(json); !ok) return std::move(ok).error();
        const size_t from = json.find_first_not_of(" \t\r\n"), to = json.find_last_not_of(" \t\r\n");
        const Str value = json.substr(from, to - from + 1);
        if (json_kind(value) != JsonKind::object) return Failure(Code::bad_field, "the record is no object");
        return Fields(value);
    }
    explicit operator bool() const { return !object_.empty(); }
    Str raw() const { return object_; }
    Str value(Str key) const {         // empty: not there, or null
        const Str v = object_.empty() ? Str() : json_member(object_, key);
        return v.empty() || json_kind(v) == JsonKind::null ? Str() : v;
    }
    Fields object(Str key) const { return Fields(value(key)); }
    static std::string text_of(Str v) {
        std::string out;
        if (!v.empty() && json_kind(v) == JsonKind::string && !json_unescape(json_inside(v), out)) out.clear();
        return out;
    }
    std::string text(Str key) const { return text_of(value(key)); }
    std::optional<uint64_t> number(Str key) const {
        const Str v = value(key);
        return !v.empty() && json_kind(v) == JsonKind::number ? json_uint(v) : std::nullopt;
    }
    template <class T>
    T number_or(Str key, T otherwise) const {   // too large counts as the largest
        const auto n = number(key);
        return n ? static_cast<T>(std::min<uint64_t>(*n, std::numeric_limits<T>::max())) : otherwise;
    }
    bool flag(Str key, bool otherwise = false) const {
        const Str v = value(key);
        return !v.empty() && json_kind(v) == JsonKind::boolean ? v.front() == 't' : otherwise;
    }
    template <class F>
    void each(Str key, F f) const {    // items of a list
        const Str v = value(key);
        if (v.empty() || json_kind(v) != JsonKind::array) return;
        for (JsonItems items(v); items.next();) f(items.value);
    }
    std::vector<std::string> texts(Str key) const {
        std::vector<std::string> all;
        each(key, [&](Str v) { all.push_back(text_of(v)); });
        return all;
    }

private:
    Str object_;
};

inline Failure missing_field(const char* record, const char* field) {
    return Failure(Code::bad_field, std::string(record) + ": `" + field + "` is missing or of a wrong kind", field);
}

}  // namespace weir
