#include "tokenizer/gguf_metadata.h"

#include <cstring>

#include "tokenizer/gguf.h"

namespace weir::tok {
namespace {

constexpr uint8_t item_sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};   // by GgufType; 0: strings and arrays
constexpr int depth_max = 4;

template <class T>
T load(std::string_view bytes) {
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

class Cursor {
public:
    explicit Cursor(std::string_view file) : file_(file) {}

    bool take(uint64_t size, std::string_view& out) {
        if (size > file_.size() - at_) return truncated_ = true, false;
        out = file_.substr(at_, size);
        at_ += size;
        return true;
    }
    template <class T>
    bool number(T& out) {
        std::string_view bytes;
        return take(sizeof(T), bytes) && (out = load<T>(bytes), true);
    }
    bool string(std::string_view& out) {
        uint64_t size = 0;
        return number(size) && (size <= gguf_metadata_max || bad("a string is too long")) && take(size, out);
    }
    bool bad(const char* what) { return what_ = what, false; }
    bool type(GgufType& out) {
        uint32_t value = 0;
        if (!number(value)) return false;
        if (value > static_cast<uint32_t>(GgufType::f64)) return bad("a value is of an unknown type");
        out = static_cast<GgufType>(value);
        return true;
    }
    // All items of an array, as one view.
    bool items(GgufType item, uint64_t count, std::string_view& out, int depth) {
        const size_t begin = at_;
        if (const uint64_t size = item_sizes[static_cast<size_t>(item)]) {
            if (count > gguf_metadata_max / size) return bad("an array is too long");
            return take(count * size, out);
        }
        if (count > gguf_metadata_max / 8) return bad("an array is too long");
        for (uint64_t i = 0; i < count; ++i) {
            std::string_view inner;
            if (item == GgufType::string) {
                if (!string(inner)) return false;
                continue;
            }
            GgufType inner_type = GgufType::u8;
            uint64_t inner_count = 0;
            if (depth == depth_max) return bad("arrays are nested too deep");
            if (!type(inner_type) || !number(inner_count) || !items(inner_type, inner_count, inner, depth + 1)) return false;
        }
        out = file_.substr(begin, at_ - begin);
        return true;
    }
    bool truncated() const { return truncated_; }
    const char* what() const { return what_; }

private:
    std::string_view file_;
    size_t at_ = 0;
    bool truncated_ = false;
    const char* what_ = "it is truncated";
};

bool read_value(Cursor& in, GgufMetadata::Value& value) {
    if (!in.string(value.key)) return false;
    if (value.key.empty() || value.key.size() > 65'535) return in.bad("a key is empty or too long");
    if (!in.type(value.type)) return false;
    if (value.type == GgufType::string) return in.string(value.bytes);
    if (value.type != GgufType::array) return in.take(item_sizes[static_cast<size_t>(value.type)], value.bytes);
    return in.type(value.item) && in.number(value.count) && in.items(value.item, value.count, value.bytes, 1);
}

bool read_all(Cursor& in, std::vector<GgufMetadata::Value>& values) {
    std::string_view magic;
    uint32_t version = 0;
    uint64_t tensors = 0, count = 0;
    if (!in.take(4, magic)) return false;
    if (magic != "GGUF") return in.bad("it does not begin with GGUF");
    if (!in.number(version)) return false;
    if ((version & 0xFFFF) == 0) return in.bad("it is written for a big-endian machine");
    if (version != 2 && version != 3) return in.bad("its version is neither 2 nor 3");
    if (!in.number(tensors) || !in.number(count)) return false;
    if (count > gguf_keys_max) return in.bad("it has too many keys");
    for (uint64_t i = 0; i < count; ++i) {
        GgufMetadata::Value value;
        if (!read_value(in, value)) return false;
        values.push_back(value);
    }
    return true;
}

// An integer item of any type; nullopt for others.
std::optional<int64_t> integer(GgufType type, std::string_view bytes) {
    switch (type) {
        case GgufType::u8: return load<uint8_t>(bytes);
        case GgufType::i8: return load<int8_t>(bytes);
        case GgufType::u16: return load<uint16_t>(bytes);
        case GgufType::i16: return load<int16_t>(bytes);
        case GgufType::u32: return load<uint32_t>(bytes);
        case GgufType::i32: return load<int32_t>(bytes);
        case GgufType::i64: return load<int64_t>(bytes);
        case GgufType::u64: {
            const auto value = load<uint64_t>(bytes);
            if (value > INT64_MAX) return std::nullopt;
            return static_cast<int64_t>(value);
        }
        default: return std::nullopt;
    }
}

}  // namespace

bool looks_like_gguf(std::string_view bytes) { return bytes.starts_with("GGUF"); }

GgufMetadata::Outcome GgufMetadata::read(std::string_view file, const char*& what) {
    values_.clear();
    Cursor in(file);
    if (read_all(in, values_)) return Outcome::ok;
    what = in.what();
    return in.truncated() ? Outcome::truncated : Outcome::bad;
}

const GgufMetadata::Value* GgufMetadata::find(std::string_view key) const {
    for (const Value& value : values_)
        if (value.key == key) return &value;
    return nullptr;
}

std::optional<std::string_view> GgufMetadata::text(std::string_view key) const {
    const Value* value = find(key);
    if (!value || value->type != GgufType::string) return std::nullopt;
    return value->bytes;
}

std::optional<uint64_t> GgufMetadata::number(std::string_view key) const {
    const Value* value = find(key);
    if (!value) return std::nullopt;
    const auto n = integer(value->type, value->bytes);
    if (!n || *n < 0) return std::nullopt;
    return static_cast<uint64_t>(*n);
}

std::optional<bool> GgufMetadata::flag(std::string_view key) const {
    const Value* value = find(key);
    if (!value || value->type != GgufType::boolean) return std::nullopt;
    return value->bytes[0] != 0;
}

bool GgufMetadata::strings(std::string_view key, std::vector<std::string_view>& out) const {
    const Value* value = find(key);
    if (!value || value->type != GgufType::array || value->item != GgufType::string) return false;
    Cursor in(value->bytes);
    out.clear();
    out.reserve(value->count);
    for (uint64_t i = 0; i < value->count; ++i) {
        std::string_view text;
        if (!in.string(text)) return false;
        out.push_back(text);
    }
    return true;
}

bool GgufMetadata::floats(std::string_view key, std::vector<float>& out) const {
    const Value* value = find(key);
    if (!value || value->type != GgufType::array || (value->item != GgufType::f32 && value->item != GgufType::i32)) return false;
    out.clear();
    for (uint64_t i = 0; i < value->count; ++i) {
        const std::string_view item = value->bytes.substr(i * 4, 4);
        out.push_back(value->item == GgufType::f32 ? load<float>(item) : static_cast<float>(load<int32_t>(item)));
    }
    return true;
}

bool GgufMetadata::integers(std::string_view key, std::vector<int64_t>& out) const {
    const Value* value = find(key);
    if (!value || value->type != GgufType::array) return false;
    const size_t size = item_sizes[static_cast<size_t>(value->item)];
    out.clear();
    for (uint64_t i = 0; size && i < value->count; ++i) {
        const auto n = integer(value->item, value->bytes.substr(i * size, size));
        if (!n) return false;
        out.push_back(*n);
    }
    return size != 0;
}

}  // namespace weir::tok
