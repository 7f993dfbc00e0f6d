// The key-value part of a GGUF file: views into its bytes, every length checked.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weir::tok {

enum class GgufType : uint8_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

class GgufMetadata {
public:
    struct Value {
        std::string_view key;
        GgufType type = GgufType::u8;
        GgufType item = GgufType::u8;      // array
        uint64_t count = 0;                // array: items
        std::string_view bytes;            // string: its text; array: all items; else the number's bytes
    };
    enum class Outcome : uint8_t { ok, truncated, bad };

    // truncated: it may be well with more bytes.
    Outcome read(std::string_view file, const char*& what);

    const Value* find(std::string_view key) const;
    const std::vector<Value>& values() const { return values_; }
    // Values of the type asked for; nullopt when absent or of another type. Integers of any width and sign that fit.
    std::optional<std::string_view> text(std::string_view key) const;
    std::optional<uint64_t> number(std::string_view key) const;
    std::optional<bool> flag(std::string_view key) const;
    // Arrays. False: absent, or of other items.
    bool strings(std::string_view key, std::vector<std::string_view>& out) const;
    bool floats(std::string_view key, std::vector<float>& out) const;       // f32, or i32
    bool integers(std::string_view key, std::vector<int64_t>& out) const;   // u8 to i64

private:
    std::vector<Value> values_;
};

}  // namespace weir::tok
