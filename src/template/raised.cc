#include "template/raised.h"

namespace weir::jinja {

const char* class_name(Error kind) {
    switch (kind) {
        case Error::template_syntax: return "TemplateSyntaxError";
        case Error::template_assertion: return "TemplateAssertionError";
        case Error::template_runtime: return "TemplateRuntimeError";
        case Error::template_error: return "TemplateError";
        case Error::undefined: return "UndefinedError";
        case Error::security: return "SecurityError";
        case Error::filter_argument: return "FilterArgumentError";
        case Error::template_not_found: return "TemplateNotFound";
        case Error::type: return "TypeError";
        case Error::value: return "ValueError";
        case Error::key: return "KeyError";
        case Error::index: return "IndexError";
        case Error::attribute: return "AttributeError";
        case Error::zero_division: return "ZeroDivisionError";
        case Error::overflow: return "OverflowError";
        case Error::recursion: return "RecursionError";
        case Error::memory: return "MemoryError";
        case Error::assertion: return "AssertionError";
        case Error::syntax: return "SyntaxError";
        case Error::not_implemented: return "NotImplementedError";
        case Error::lookup: return "LookupError";
        case Error::json: return "JSONDecodeError";
        case Error::limit: return "LimitError";
    }
    return "TemplateError";
}

void raise(Error kind, std::string message) { throw Raised{kind, std::move(message)}; }
void raise_at(uint32_t line, Error kind, std::string message) { throw Raised{kind, std::move(message), line}; }

}  // namespace weir::jinja
