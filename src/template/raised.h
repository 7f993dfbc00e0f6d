// What a template raises while it is compiled or rendered: Python's exception class by name, and its message.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir::jinja {

enum class Error : uint8_t {
    template_syntax, template_assertion, template_runtime, template_error, undefined, security, filter_argument, template_not_found,
    type, value, key, index, attribute, zero_division, overflow, recursion, memory, assertion, syntax, not_implemented,
    lookup, json, limit,
};
const char* class_name(Error);   // "TemplateSyntaxError", "TypeError", ...

// Thrown inside this folder only: ChatTemplate catches it at the seam. Templates fail rarely and unwind many frames,
// so that the way that does not fail pays nothing.
struct Raised {
    Error kind;
    std::string message;
    uint32_t line = 0;   // of the template's source, where known (syntax errors)
};
[[noreturn]] void raise(Error kind, std::string message);
[[noreturn]] void raise_at(uint32_t line, Error kind, std::string message);

}  // namespace weir::jinja
