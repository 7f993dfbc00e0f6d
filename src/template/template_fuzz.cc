// Any source with any values: an error or a text within its bounds, and spans that cover it. The input is a template, a NUL, and JSON
// for its variables; without a NUL the whole is the template.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "template/lexer.cc"
#include "template/parse_expr.cc"
#include "template/parse_stmt.cc"

#include "template/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    const size_t cut = std::min(all.find('\0'), all.size());
    const std::string_view values = cut < all.size() ? all.substr(cut + 1) : R"({"x":1,"s":"a b","xs":[1,"2",{"k":null}]})";
    auto compiled = weir::ChatTemplate::compile(all.substr(0, cut));
    if (!compiled) return compiled.error()->reason.empty() ? std::abort(), 0 : 0;
    (void)(*compiled)->content_format();
    const weir::RenderLimits limits{.steps_max = 20'000, .depth_max = 50, .output_max = 1 << 16, .memory_max = 4 << 20};
    weir::ChatInput in{.messages = R"([{"role":"user","content":"hi <x>"},{"role":"assistant","content":[{"type":"text","text":"yo"}]}])",
                       .kwargs = values, .add_generation_prompt = true, .bos_token = "<s>", .now = "2026-07-26T12:34:56"};
    std::string plain, followed;
    std::vector<weir::OutputSpan> spans;
    const auto one = (*compiled)->render(in, limits, plain);
    const auto two = (*compiled)->render_spans(in, limits, followed, spans);
    if (bool(one) != bool(two)) std::abort();
    if (!one) return one.error()->reason.empty() ? std::abort(), 0 : 0;
    if (plain != followed || plain.size() > limits.output_max) std::abort();
    size_t at = 0;
    for (const weir::OutputSpan& s : spans) {
        if (s.begin != at || s.end <= s.begin) std::abort();
        at = s.end;
    }
    if (at != plain.size()) std::abort();
    in.continue_final_message = true;
    (void)(*compiled)->render(in, limits, plain);
    return 0;
}
