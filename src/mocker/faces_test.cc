// The shapes of answers: golden files of requests and what comes back.
#include <gtest/gtest.h>

#include "mocker/broken.h"
#include "mocker/drive_test.h"
#include "tests/support/golden.h"

namespace weir::mocker {
namespace {

// "vllm POST /v1/completions [fault rules]", then the body.
std::string run_case(const std::string& input) {
    std::istringstream text(input);
    std::string kind, method, path, fault, body, more;
    text >> kind >> method >> path;
    std::getline(text, fault);
    while (!fault.empty() && fault[0] == ' ') fault.erase(0, 1);
    std::getline(text, body);
    EngineSettings s = instant_engine(kind.starts_with("sglang") ? EngineKind::sglang : EngineKind::vllm);
    s.strict = kind.ends_with("-strict");
    s.aliases = {"mock-alias"};
    Bench bench(s);
    Outcome o = bench.begin(path, body, fault, method);
    const bool unary = o.generation && !o.generation->stream();
    const std::string length = unary ? "length" : "";
    Driven d = bench.finish(std::move(o));
    static constexpr const char* ends[] = {"-- waits", "", "-- close", "-- reset"};
    std::string out = std::to_string(d.status) + "\n" + d.lines + "\n" + d.body + "\n";
    for (size_t at; (at = out.find('\r')) != out.npos;) out.erase(at, 1);
    return out + (d.hangs ? "-- hangs" : ends[d.then]) + "\n";
}

TEST(Faces, Chat) { golden::check("mocker/chat.txt", run_case); }
TEST(Faces, CompletionsAndEmbeddings) { golden::check("mocker/completions.txt", run_case); }
TEST(Faces, Generate) { golden::check("mocker/generate.txt", run_case); }
TEST(Faces, Pages) { golden::check("mocker/pages.txt", run_case); }
TEST(Faces, Errors) { golden::check("mocker/errors.txt", run_case); }
TEST(Faces, Faults) { golden::check("mocker/faults.txt", run_case); }

TEST(Faces, BrokenAnswers) {
    golden::check("mocker/broken.txt", [](const std::string& kind) {
        auto rules = sim::parse_faults(kind);
        EXPECT_TRUE(rules);
        const sim::Fault::Wrong wrong = rules->front().what.wrong;
        EXPECT_TRUE(breaks_http(wrong));
        std::string out = broken_answer(wrong, 200, "content-type: application/json\r\n", "{\"text\":\"hello\"}"), shown;
        for (char c : out) {
            if (c == '\r') shown += "\\r";
            else if (c < 0x20 && c != '\n') shown += "\\x" + std::to_string(c);
            else shown += c;
        }
        return shown + "|\n";
    });
}

}  // namespace
}  // namespace weir::mocker
