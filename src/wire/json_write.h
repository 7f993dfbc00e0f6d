// Writing JSON by appending to a string: no tree, no allocation beyond the string's own growth.
#pragma once
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// Text must be valid UTF-8 (utf8_valid); it is copied as it is, only '"', '\\' and control characters are escaped.
void append_json_escaped(std::string& out, std::string_view text);   // without the quotes
void append_json_string(std::string& out, std::string_view text);    // with them
void append_json_number(std::string& out, int64_t value);
void append_json_number(std::string& out, uint64_t value);
void append_json_number(std::string& out, double value);   // shortest text that reads back the same, "1.0" for 1; null for NaN and infinity
void append_json_number(std::string& out, float value);

// The text of a JSON string (raw: between the quotes). False, and `out` unspecified, when an escape is malformed or a surrogate alone.
bool json_unescape(std::string_view raw, std::string& out);
// The same without a copy when there is nothing to unescape; else the view is into `scratch`. Malformed: empty with null data().
std::string_view json_unescaped(std::string_view raw, std::string& scratch);

// Writes commas by itself:  JsonWriter w(out); w.object().member("id", id).key("choices").array()...close().close();
// Nothing checks that the calls nest properly: a wrong order gives wrong JSON.
class JsonWriter {
public:
    explicit JsonWriter(std::string& out) : out_(out), start_(out.size()) {}
    JsonWriter& object() { return comma(), put('{'); }
    JsonWriter& array() { return comma(), put('['); }
    JsonWriter& end_object() { return put('}'); }
    JsonWriter& end_array() { return put(']'); }
    JsonWriter& key(std::string_view name) { return comma(), append_json_string(out_, name), put(':'); }   // any text
    JsonWriter& text(std::string_view value) { return comma(), append_json_string(out_, value), *this; }
    JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
    JsonWriter& null() { return raw("null"); }
    JsonWriter& raw(std::string_view json) { return comma(), out_.append(json), *this; }   // one JSON value, not checked, not empty
    template <class T> requires std::is_arithmetic_v<T>
    JsonWriter& number(T value) {
        comma();
        if constexpr (std::floating_point<T>) append_json_number(out_, value);
        else if constexpr (std::signed_integral<T>) append_json_number(out_, static_cast<int64_t>(value));
        else append_json_number(out_, static_cast<uint64_t>(value));
        return *this;
    }
    JsonWriter& member(std::string_view name, std::string_view value) { return key(name).text(value); }
    JsonWriter& member(std::string_view name, const char* value) { return key(name).text(value); }
    JsonWriter& member(std::string_view name, bool value) { return key(name).boolean(value); }
    JsonWriter& member(std::string_view name, std::nullptr_t) { return key(name).null(); }
    template <class T> requires(std::is_arithmetic_v<T> && !std::same_as<T, bool>)
    JsonWriter& member(std::string_view name, T value) { return key(name).number(value); }

private:
    // A value or key needs a comma unless it opens the text or follows an opening bracket, a colon or a comma.
    void comma() {
        if (out_.size() == start_) return;
        const char last = out_.back();
        if (last != '{' && last != '[' && last != ':' && last != ',') out_.push_back(',');
    }
    JsonWriter& put(char c) { return out_.push_back(c), *this; }

    std::string& out_;
    size_t start_;
};

}  // namespace weir
