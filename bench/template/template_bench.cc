// What a chat template costs: compile, render from JSON text, render from values that are parsed already.
//
//     template_bench CASES.json check             the texts, as JSON lines
//     template_bench CASES.json time MILLISECONDS     "name<TAB>ns from JSON<TAB>ns from values<TAB>ns to compile" a line
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "template/chat_template.h"
#include "template/conversation.h"
#include "template/json_value.h"
#include "template/render.h"
#include "wire/json_write.h"

namespace {

using Clock = std::chrono::steady_clock;
using weir::jinja::Value;

template <class F>
double best_ns(int budget_ms, F once) {
    double best = 1e18;
    const auto end = Clock::now() + std::chrono::milliseconds(budget_ms);
    do {
        const auto from = Clock::now();
        for (int k = 0; k < 20; ++k) once();
        best = std::min(best, std::chrono::duration<double, std::nano>(Clock::now() - from).count() / 20);
    } while (Clock::now() < end);
    return best;
}

std::string json_of(weir::jinja::Heap& heap, const Value* v) {
    if (!v || v->is(weir::jinja::Kind::none)) return {};
    weir::jinja::Out out(heap, 64 << 20);
    weir::jinja::write_json(out, *v, {});
    return std::string(out.since(0));
}

struct Case {
    std::string name, source, messages, tools, kwargs, bos, eos;
    weir::ChatInput input;

    Case(weir::jinja::Heap& heap, const weir::jinja::Dict& d) {
        name = d.find("name")->str();
        source = d.find("template")->str();
        const weir::jinja::Dict& context = *d.find("context")->dict;
        messages = json_of(heap, context.find("messages"));
        tools = json_of(heap, context.find("tools"));
        bos = context.find("bos_token")->str();
        eos = context.find("eos_token")->str();
        input = {.messages = messages, .tools = tools, .add_generation_prompt = weir::jinja::truthy(*context.find("add_generation_prompt")),
                 .bos_token = bos, .eos_token = eos, .now = "2026-07-26T12:34:56"};
    }
    Case(const Case&) = delete;
};

// The part of a render that is left when the values are there: as ChatTemplate does it, without reading JSON.
double from_values_ns(const Case& c, int budget_ms) {
    const auto program = weir::jinja::parse_program(c.source);
    weir::jinja::Heap heap(size_t{1} << 30);
    const auto talk = weir::jinja::read_conversation(heap, c.input, c.source);
    weir::jinja::FunctionObject functions[16];
    std::vector<Value> context(program->context.size());
    std::string text;
    return best_ns(budget_ms, [&] {
        weir::jinja::Render r(*program, {});
        r.now = {2026, 7, 26, 12, 34, 56, 0};
        for (size_t k = 0; k < context.size(); ++k) {
            const auto name = program->context[k];
            const auto id = weir::jinja::find_global(name);
            if (name == "messages") context[k] = talk.messages;
            else if (name == "tools") context[k] = talk.tools;
            else if (name == "add_generation_prompt") context[k] = Value::boolean(c.input.add_generation_prompt);
            else if (name == "bos_token") context[k] = Value::string(c.bos);
            else if (name == "eos_token") context[k] = Value::string(c.eos);
            else if (id != weir::jinja::Global::none) {
                functions[static_cast<size_t>(id)].id = id;
                context[k] = Value::of_object(weir::jinja::Kind::function, &functions[static_cast<size_t>(id)]);
            } else context[k] = {};
        }
        r.run(context);
        text.assign(r.out.since(0));
    });
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    std::ifstream file(argv[1], std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    weir::jinja::Heap heap(size_t{1} << 30);
    const Value cases = weir::jinja::read_json(heap, text, "the cases");
    for (const Value& v : cases.span()) {
        const Case c(heap, *v.dict);
        auto compiled = weir::ChatTemplate::compile(c.source);
        if (!compiled) return std::fprintf(stderr, "%s: %s\n", c.name.c_str(), compiled.error()->message.c_str()), 1;
        std::string out, line;
        if (std::string_view(argv[2]) == "check") {
            auto good = (*compiled)->render(c.input, {}, out);
            weir::JsonWriter w(line);
            w.object().member("name", c.name).member(good ? "text" : "error", good ? out : good.error()->message).end_object();
            std::puts(line.c_str());
            continue;
        }
        const int budget_ms = argc > 3 ? std::atoi(argv[3]) : 100;
        const double json_ns = best_ns(budget_ms, [&] { (void)(*compiled)->render(c.input, {}, out); });
        const double compile_ns = best_ns(5, [&] { (void)weir::ChatTemplate::compile(c.source); });
        std::printf("%s\t%.0f\t%.0f\t%.0f\n", c.name.c_str(), json_ns, from_values_ns(c, budget_ms), compile_ns);
    }
}
