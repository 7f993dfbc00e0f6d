// Chat templates: Jinja as transformers' apply_chat_template runs it, byte for byte.
#pragma once
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weir {

enum class ContentFormat : uint8_t { string, parts };   // of message["content"]: what the template expects

// Bounds of one render; what goes beyond ends with an error of kind LimitError, RecursionError or MemoryError.
struct RenderLimits {
    uint64_t steps_max = 10'000'000;     // statements, loop turns, calls, and text work by the 64 bytes
    uint32_t depth_max = 200;            // macros and recursive loops in one another
    size_t output_max = 16 << 20;        // bytes
    size_t memory_max = 64 << 20;        // bytes of values made while rendering
};

// All JSON texts must be UTF-8 and outlive the call. Empty: not given (the template sees None for tools and documents).
struct ChatInput {
    std::string_view messages;           // array of objects
    std::string_view tools, documents;   // arrays of objects
    std::string_view kwargs;             // object: further variables (chat_template_kwargs); wins over the tokens below
    bool add_generation_prompt = false;
    bool continue_final_message = false; // the text ends where the last message's content ends
    std::string_view continue_field = "content";   // or "reasoning_content", "thinking", "reasoning"
    std::string_view bos_token, eos_token, pad_token, unk_token;   // null data(): undefined in the template
    std::string_view now;                // local time for strftime_now, "2026-07-26T12:34:56"; empty: the system's clock
};

struct OutputSpan { size_t begin, end; bool trusted; };   // bytes; trusted: not out of messages, tools, documents

// Immutable, shared by all cores.
class ChatTemplate {
public:
    // A Failure of Code::bad_field; `reason` is Python's exception class ("TemplateSyntaxError"), `message` its message.
    static Result<std::shared_ptr<const ChatTemplate>> compile(std::string_view source);
    virtual ~ChatTemplate() = default;

    // Replaces `out`. Failure: Code::bad_request, `reason` Python's exception class ("TemplateError" is raise_exception),
    // `message` its message. Any thread; uses up to 1 MB of stack.
    virtual Result<void> render(const ChatInput&, const RenderLimits&, std::string& out) const = 0;

    // The same, and which bytes the user sent: the spans cover `out` in order. Followed through output, slices, trim, split, concatenation,
    // join, replace, tojson and captured blocks. A string that another function makes of the user's text (upper, format) counts as the
    // user's as a whole. Numbers, names of types and what the template compares and then writes itself are trusted.
    virtual Result<void> render_spans(const ChatInput&, const RenderLimits&, std::string& out, std::vector<OutputSpan>& spans) const = 0;

    virtual ContentFormat content_format() const = 0;
    virtual std::string_view source() const = 0;
};

// A model may come with several templates. With tools "tool_use" is taken where there is one, else "default"; transformers' rule.
struct NamedTemplate { std::string name, source; };
Result<const NamedTemplate*> choose_template(std::span<const NamedTemplate>, bool has_tools, std::string_view wanted = {});
// The value of "chat_template" in tokenizer_config.json: a string, or a list of {name, template}.
Result<std::vector<NamedTemplate>> read_named_templates(std::string_view json);

}  // namespace weir
