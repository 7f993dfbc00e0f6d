#include "template/chat_template.h"

#include <gmock/gmock.h>

#include "tests/support/golden.h"

namespace weir {
namespace {

constexpr std::string_view noon = "2026-07-26T12:34:56";

// The text, or "Kind: message".
std::string rendered(std::string_view source, ChatInput in, const RenderLimits& limits = {}) {
    auto compiled = ChatTemplate::compile(source);
    if (!compiled) return compiled.error()->reason + ": " + compiled.error()->message;
    if (in.messages.empty()) in.messages = "[]";
    if (in.now.empty()) in.now = noon;
    std::string out;
    auto good = (*compiled)->render(in, limits, out);
    return good ? out : good.error()->reason + ": " + good.error()->message;
}
std::string with(std::string_view source, std::string_view kwargs) { return rendered(source, {.kwargs = kwargs}); }

// Expected texts are jinja2's own. The last input line holds the variables; "messages" among them are the conversation.
std::string golden_case(const std::string& input) {
    const size_t cut = input.rfind('\n');
    const std::string source = input.substr(0, cut), variables = input.substr(cut + 1);
    constexpr std::string_view mark = "{\"messages\":";
    if (variables.starts_with(mark))
        return rendered(source,
                        {.messages = std::string_view(variables).substr(mark.size(), variables.size() - mark.size() - 1)});
    return with(source, variables);
}
TEST(ChatTemplate, StatementsAsJinjaRunsThem) { golden::check("templates/statements.txt", golden_case); }
TEST(ChatTemplate, WhiteSpaceAsJinjaKeepsIt) { golden::check("templates/white_space.txt", golden_case); }
TEST(ChatTemplate, ValuesAsPythonPrintsThem) { golden::check("templates/values.txt", golden_case); }
TEST(ChatTemplate, FiltersAndMethods) { golden::check("templates/filters.txt", golden_case); }

TEST(ChatTemplate, IntegersBeyond64BitsAreExactOrAnError) {
    golden::check("templates/integers.txt", golden_case);
    for (const char* sum : {"x + 1", "1 - x", "x * 2", "x // 2", "x % 2", "x ** 2", "x / 2", "[x, 1]|sum", "x is odd", "x|round(-2)", "'%x' % x",
                            "9223372036854775807 + 1", "3037000500 * 3037000500", "2 ** 63", "-9223372036854775808 // -1", "-9223372036854775808 - 1",
                            "9223372036854775807|round(-3)", "9223372036854775807|round(-19)", "range(9)[::4611686018427387904]"})
        EXPECT_EQ(with("{{ " + std::string(sum) + " }}", R"({"x":18446744073709551616})"), "OverflowError: integers beyond 64 bits are not calculated with")
            << sum;
    EXPECT_EQ(with("{{ " + std::string(5000, '1') + " }}", "{}"), "ValueError: Exceeds the limit (4300 digits) for integer string conversion");
    EXPECT_EQ(with("{{ 0x" + std::string(5000, '1') + " }}", "{}"), "OverflowError: integers beyond 64 bits are not calculated with");
}

// Python prints an address behind each of these.
TEST(ChatTemplate, IteratorsAreNamedAsPythonsTypes) {
    EXPECT_EQ(with("{{ d|reverse }} {{ d.keys()|reverse }} {{ d.values()|reverse }} {{ [d.items()|reverse] }}", R"({"d":{"a":1}})"),
              "<dict_reversekeyiterator object> <dict_reversekeyiterator object> <dict_reversevalueiterator object> [<dict_reverseitemiterator object>]");
    EXPECT_EQ(with("{{ [1]|reverse }} {{ (1, 2)|reverse }} {{ range(3)|reverse }} {{ [1]|map('string') }}", "{}"),
              "<list_reverseiterator object> <reversed object> <range_iterator object> <generator object>");
}

TEST(ChatTemplate, ErrorsHavePythonsNames) {
    golden::check("templates/errors.txt", golden_case);
    EXPECT_EQ(rendered("{% break %}", {}), "SyntaxError: 'break' outside loop");
    EXPECT_EQ(rendered("{% for x in y %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}", {}), "SyntaxError: 'continue' not properly in loop");
}

constexpr std::string_view plain = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}";
constexpr std::string_view trims = "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}</>{% endfor %}";
constexpr std::string_view open_answer = R"([{"role":"u","content":"Write"},{"role":"a","content":"Once upon a "}])";

TEST(ChatTemplate, TakesTheConversation) {
    EXPECT_EQ(rendered(plain, {.messages = R"([{"role":"u","content":"Hi \u00e9\n"}])", .add_generation_prompt = true}), "<u>Hi é\n<a>");
    EXPECT_EQ(rendered("{{ bos_token }}{{ eos_token }}{{ tools }}{{ documents }}", {.bos_token = "<s>"}), "<s>NoneNone");
    EXPECT_EQ(rendered("{{ tools[0].x }}{{ documents[0].t }}{{ date }}",
                       {.tools = R"([{"x":1}])", .documents = R"([{"t":2}])", .kwargs = R"({"date":"d"})"}),
              "12d");
    EXPECT_EQ(rendered("{{ bos_token }}", {.kwargs = R"({"bos_token":"mine"})", .bos_token = "<s>"}), "mine");
}

TEST(ChatTemplate, ContinuesTheFinalMessage) {
    EXPECT_EQ(rendered(plain, {.messages = open_answer, .continue_final_message = true}), "<u>Write<a>Once upon a ");
    EXPECT_EQ(rendered(trims, {.messages = open_answer, .continue_final_message = true}), "<u>Write</><a>Once upon a");
    EXPECT_EQ(rendered(plain, {.continue_final_message = true}), "ValueError: continue_final_message is set but the conversation is empty!");
    EXPECT_THAT(rendered("{{ messages[0].content }}", {.messages = open_answer, .continue_final_message = true}), testing::StartsWith("ValueError: "));
    EXPECT_EQ(rendered("{% for p in messages[0].content %}{{ p.text }};{% endfor %}",
                       {.messages = R"([{"role":"a","content":[{"text":"one"},{"text":"two"},{"type":"image"}]}])", .continue_final_message = true}),
              "one;two");
}

TEST(ChatTemplate, ReasoningGoesByAllItsNames) {
    for (std::string name : {"reasoning_content", "thinking", "reasoning"})
        EXPECT_EQ(rendered("{{ messages[0].thinking }}{{ messages[0].reasoning_content }}", {.messages = R"([{"role":"a",")" + name + R"(":"r"}])"}), "rr");
}

TEST(ChatTemplate, WhatItRefusesToRead) {
    EXPECT_THAT(rendered(plain, {.messages = "{}"}), testing::StartsWith("TypeError: "));
    EXPECT_THAT(rendered(plain, {.messages = R"(["x"])"}), testing::StartsWith("TypeError: "));
    EXPECT_THAT(rendered(plain, {.messages = "[{]"}), testing::StartsWith("JSONDecodeError: "));
    EXPECT_THAT(rendered(plain, {.tools = R"(["x"])"}), testing::StartsWith("ValueError: "));
    EXPECT_THAT(rendered(plain, {.documents = R"(["x"])"}), testing::StartsWith("TypeError: "));
    EXPECT_THAT(rendered(plain, {.now = "yesterday"}), testing::StartsWith("ValueError: "));
    EXPECT_THAT(rendered("{% include 'x' %}", {}), testing::StartsWith("TypeError: a chat template has no other templates"));
    std::string deep(300, '[');
    deep += std::string(300, ']');
    EXPECT_THAT(with("{{ x }}", "{\"x\":" + deep + "}"), testing::StartsWith("JSONDecodeError: "));
}

// A hostile template ends with an error of its own kind.
struct Hostile { const char *source, *kind; };
class HostileTemplate : public testing::TestWithParam<Hostile> {};
TEST_P(HostileTemplate, EndsWithAnError) { EXPECT_THAT(rendered(GetParam().source, {}), testing::StartsWith(GetParam().kind)); }
INSTANTIATE_TEST_SUITE_P(
    All, HostileTemplate,
    testing::Values(
        Hostile{"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
                "LimitError: the template takes more than"},
        Hostile{"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "RecursionError"},
        Hostile{"{% macro m(x) %}{{ m([x]) ~ '' }}{% endmacro %}{{ m(1) }}", "RecursionError"},
        Hostile{"{{ 'x' * 10**9 }}", "LimitError: the template writes more than"}, Hostile{"{{ [0] * 10**9 }}", "LimitError"},
        Hostile{"{{ [0] * 10**8 }}", "MemoryError"}, Hostile{"{{ '%1000000000d' % 1 }}", "OverflowError"},
        Hostile{"{{ '{:99999999}'.format(1) }}", "ValueError"}, Hostile{"{{ 'x'.center(10**9) }}", "LimitError"},
        Hostile{"{{ range(10**12) }}", "OverflowError"}, Hostile{"{{ 10 ** 100 }}", "OverflowError"},
        Hostile{"{% for i in range(99999) %}{{ 'y' * 1000 }}{% endfor %}", "LimitError: the template writes more than"},
        Hostile{"{% set ns = namespace(s='ab') %}{% for i in range(99999) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                "MemoryError"},
        Hostile{"{% set ns = namespace(l=[1]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
                "RecursionError"},
        Hostile{"{% set ns = namespace(l=[1]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l|tojson }}",
                "RecursionError"},
        Hostile{"{% set ns = namespace(l=(1,)) %}{% for i in range(9999) %}{% set ns.l = (ns.l,) %}{% endfor %}{{ {ns.l: 1} }}",
                "RecursionError"},
        Hostile{"{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% set ns.m = [ns.m] "
                "%}{% endfor %}{{ ns.l == ns.m }}",
                "RecursionError"},
        Hostile{"{% set ns = namespace(d={}) %}{% set t = [1] %}{% for x in t recursive %}{{ loop(t) }}{% endfor %}",
                "RecursionError"}));

TEST(ChatTemplate, DeepSourceIsRefused) {
    EXPECT_THAT(rendered("{{ " + std::string(5000, '(') + "1" + std::string(5000, ')') + " }}", {}), testing::StartsWith("RecursionError"));
    EXPECT_THAT(rendered("{{ " + std::string(5000, '-') + "1 }}", {}), testing::StartsWith("RecursionError"));
    std::string chain = "{{ x", sums = "{{ 1", tests = "{{ 1", nested;
    for (int k = 0; k < 5000; ++k) chain += ".a", sums += " - 1", tests += "|abs", nested += "{% if x %}";
    for (const std::string& source : {chain + " }}", sums + " }}", tests + " }}", nested})
        EXPECT_THAT(rendered(source, {}), testing::StartsWith("RecursionError"));
}

TEST(ChatTemplate, LimitsAreTheCallers) {
    EXPECT_THAT(rendered("{% for a in range(100) %}{% endfor %}", {}, {.steps_max = 50}), testing::StartsWith("LimitError"));
    EXPECT_EQ(rendered("{% for a in range(100) %}{% endfor %}ok", {}, {.steps_max = 500}), "ok");
    EXPECT_THAT(rendered("{{ 'x' * 5000 }}", {}, {.output_max = 4999}), testing::StartsWith("LimitError"));
    EXPECT_THAT(rendered("{{ ['x'] * 5000 }}", {}, {.memory_max = 20'000}), testing::StartsWith("MemoryError"));
    EXPECT_THAT(rendered("{% macro a(n) %}{{ a(n - 1) if n }}{% endmacro %}{{ a(9) }}", {}, {.depth_max = 5}), testing::StartsWith("RecursionError"));
}

// Which bytes the user sent, marked with [ and ].
std::string marked(std::string_view source, std::string_view messages) {
    auto compiled = ChatTemplate::compile(source);
    std::string out, text;
    std::vector<OutputSpan> spans;
    if (!(*compiled)->render_spans({.messages = messages, .now = noon}, {}, out, spans)) return "failed";
    size_t at = 0;
    for (const OutputSpan& s : spans) {
        EXPECT_EQ(s.begin, at);
        at = s.end;
        text += (s.trusted ? "" : "[") + out.substr(s.begin, s.end - s.begin) + (s.trusted ? "" : "]");
    }
    EXPECT_EQ(at, out.size());
    return text;
}
TEST(ChatTemplate, TellsWhatTheUserSent) {
    const std::string_view user = R"([{"role":"user","content":" <|end|> \n","n":5}])";
    EXPECT_EQ(marked("<s>{% for m in messages %}<{{ m.role }}>{{ m.content|trim }}<|end|>{% endfor %}", user), "<s><[user]>[<|end|>]<|end|>");
    EXPECT_EQ(marked("{{ 'a' + messages[0].content.strip() + 'b' ~ messages[0].role }}", user), "a[<|end|>]b[user]");
    EXPECT_EQ(marked("{% set x %}({{ messages[0].role }}){% endset %}{{ x }}{{ x|replace('s', 'S') }}", user), "([user])([u]S[er])");
    EXPECT_EQ(marked("{{ messages[0]|tojson }}", user), R"({"[role]": "[user]", "[content]": "[ <|end|> ]\n", "[n]": 5})");
    EXPECT_EQ(marked("{{ messages[0].role|upper }}{{ ['x', messages[0].role]|join('-') }}{{ messages[0].n }}", user), "[USER]x-[user]5");
    EXPECT_EQ(marked("{% macro m(c) %}<{{ c }}>{% endmacro %}{{ m(messages[0].role) ~ m('t') }}", user), "<[user]><t>");
    EXPECT_EQ(marked("{{ 'user' if messages[0].role == 'user' }}{{ messages[0].content[1:3] }}", user), "user[<|]");
}

TEST(ChatTemplate, KnowsWhetherContentComesInParts) {
    auto format = [](std::string_view source) { return (*ChatTemplate::compile(source))->content_format(); };
    EXPECT_EQ(format(plain), ContentFormat::string);
    EXPECT_EQ(format("{% for m in messages %}{% for p in m['content'] %}{{ p.text }}{% endfor %}{% endfor %}"), ContentFormat::parts);
    EXPECT_EQ(format("{% for m in messages[1:] %}{% for p in m.content|list %}{{ p }}{% endfor %}{% endfor %}"), ContentFormat::parts);
    EXPECT_EQ(format("{% set ms = messages %}{% for m in ms %}{% set c = m.content %}{% if c is string %}{{ c }}{% else %}{% for "
                     "p in c %}{% endfor %}{% endif %}{% endfor %}"),
              ContentFormat::parts);
    EXPECT_EQ(
        format("{% macro r(c) %}{% for p in c %}{% endfor %}{% endmacro %}{% for m in messages %}{{ r(m.content) }}{% endfor %}"),
        ContentFormat::parts);
    EXPECT_EQ(format("{% for m in messages %}{% for t in m.tool_calls %}{% endfor %}{% endfor %}"), ContentFormat::string);
}

TEST(ChatTemplate, ChoosesAmongNamedOnes) {
    auto named = read_named_templates(R"([{"name":"default","template":"d"},{"name":"tool_use","template":"t"},{"name":"rag","template":"r"}])");
    ASSERT_TRUE(named);
    EXPECT_EQ((*choose_template(*named, false))->source, "d");
    EXPECT_EQ((*choose_template(*named, true))->source, "t");
    EXPECT_EQ((*choose_template(*named, true, "rag"))->source, "r");
    EXPECT_THAT(choose_template(*named, false, "x").error()->message, testing::HasSubstr("default, tool_use, rag"));
    EXPECT_EQ(read_named_templates("\"only\"")->at(0).source, "only");
    EXPECT_FALSE(read_named_templates("5"));
    EXPECT_FALSE(choose_template(std::vector<NamedTemplate>{{"rag", "r"}}, false));
}

}  // namespace
}  // namespace weir
