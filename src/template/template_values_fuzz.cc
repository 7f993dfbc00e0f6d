// Any bytes as a conversation, its tools and variables, through templates that look at all of them.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "template/json_value.cc"

#include "template/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const auto everything = *weir::ChatTemplate::compile(
        "{% for m in messages %}{{ m }}{{ m.role }}{{ m['content']|string|trim }}{{ m|tojson }}{% for k, v in m.items() %}{{ "
        "k|upper }}{{ v|length if v is sequence }}"
        "{{ v[1:] if v is string }}{{ v|default('', true)|tojson(indent=2) }}{% endfor %}{% if m.tool_calls is defined and "
        "m.tool_calls is iterable %}"
        "{% for c in m.tool_calls %}{{ c.function.arguments|tojson if c is mapping and c.function is mapping }}{% endfor %}{% "
        "endif %}"
        "{{ m.content.split('</think>')[-1].strip() if m.content is string }}{% endfor %}{{ tools|tojson }}{{ x }}{{ x == "
        "messages }}");
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    const size_t first = std::min(all.find('\0'), all.size()), second = first < all.size() ? std::min(all.find('\0', first + 1), all.size()) : all.size();
    weir::ChatInput in{.messages = all.substr(0, first), .now = "2026-07-26T12:34:56"};
    if (first < all.size()) in.tools = all.substr(first + 1, second - first - 1);
    if (second < all.size()) in.kwargs = all.substr(second + 1);
    std::string out;
    for (const bool continues : {false, true}) {
        in.continue_final_message = continues;
        const auto good = everything->render(in, {.steps_max = 100'000, .output_max = 1 << 20, .memory_max = 8 << 20}, out);
        if (!good && good.error()->reason.empty()) std::abort();
    }
    (void)weir::read_named_templates(all);
    return 0;
}
