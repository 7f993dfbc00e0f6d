// tests/abuse/http1.txt as far as the parser alone decides: what it refuses, where messages end, whether the connection stays.
#include "tests/support/abuse.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/split.h"
#include "wire/http1.h"
#include "wire/json_top.h"

namespace weir {
namespace {

// One connection: "400 close" for what the parser refuses, "ok keep" for a request that is handed on, "wait" for the rest.
std::string serve(std::string_view bytes, std::vector<std::string>* bodies = nullptr) {
    auto space = std::make_unique<HeaderSpace>();
    std::string said;
    while (true) {
        RequestHead head;
        BadHead bad;
        const Parse parse = parse_request_head(bytes, *space, head, bad);
        if (parse == Parse::bad) return said + std::to_string(bad.status) + " close";
        if (parse == Parse::need_more) return said + (bytes.empty() && !said.empty() ? "" : "wait");
        bytes.remove_prefix(head.head_bytes);
        BodyFramer framer;
        framer.start(head);
        std::string body;
        while (!bytes.empty() && !framer.done() && !framer.bad()) {
            std::string_view payload;
            bytes.remove_prefix(framer.next(bytes, payload));
            body += payload;
        }
        if (framer.bad()) return said + std::to_string(framer.status()) + " close";
        if (!framer.done()) return said + "wait";
        if (bodies) bodies->push_back(body);
        said += head.keep_alive ? "ok keep; " : "ok close";
        if (!head.keep_alive) return said;
    }
}

bool parser_decides(const abuse::Expected& e) {
    static const std::set<int> statuses{400, 414, 417, 431, 501, 505};
    return !e.endpoint && statuses.contains(e.status);
}

std::string wanted(const abuse::Case& c) {
    std::string text;
    for (const abuse::Expected& e : c.answers) {
        if (e.wait) text += "wait";
        else if (parser_decides(e)) text += std::to_string(e.status) + " close";
        else text += e.close ? "ok close" : "ok keep; ";
    }
    return text;
}

std::vector<abuse::Case> table() { return abuse::load(WEIR_SOURCE_DIR "/tests/abuse/http1.txt"); }

TEST(AbuseTable, IsLargeAndEveryCaseSaysWhatItExpects) {
    std::set<std::string> names;
    const auto cases = table();
    EXPECT_GE(cases.size(), 210u);
    EXPECT_GE(std::count_if(cases.begin(), cases.end(), [](const abuse::Case& c) { return parser_decides(c.answers.back()); }), 110);
    for (const abuse::Case& c : cases) {
        EXPECT_TRUE(names.insert(c.name).second) << "twice: " << c.name;
        EXPECT_FALSE(c.answers.empty()) << c.name;
        for (const abuse::Expected& e : c.answers) EXPECT_TRUE(e.wait || !parser_decides(e) || e.close) << c.name;
    }
}

TEST(AbuseTable, TheParserAnswersAsTheTableSays) {
    for (const abuse::Case& c : table()) {
        if (c.answers.back().status == 413) continue;   // refused by a limit of the server, before the body is there
        EXPECT_EQ(serve(c.bytes), wanted(c)) << "line " << c.line << ": " << c.name;
    }
}

TEST(AbuseTable, RefusalsDoNotDependOnHowTheBytesCome) {
    for (const abuse::Case& c : table()) {
        if (!parser_decides(c.answers.front()) || c.bytes.size() > 2'000) continue;
        auto run = [](std::span<const std::string_view> pieces) {
            std::string so_far, said = "wait";
            for (std::string_view piece : pieces) {
                so_far += piece;
                said = serve(so_far);
                if (said != "wait") break;
            }
            return said;
        };
        EXPECT_EQ(split::difference(c.bytes, run, {.random_runs = 5}), "") << c.name;
    }
}

TEST(AbuseTable, InvalidJsonIsSeenByTheScan) {
    std::vector<Member> members(limits::json_members_max);
    for (const abuse::Case& c : table()) {
        const abuse::Expected& e = c.answers.front();
        if (!e.endpoint || (e.code != "invalid_json" && e.status != 200)) continue;
        std::vector<std::string> bodies;
        serve(c.bytes, &bodies);
        ASSERT_FALSE(bodies.empty()) << c.name;
        auto scanned = scan_top(bodies.front(), members);
        EXPECT_EQ(static_cast<bool>(scanned), e.status == 200) << c.name;
        if (!scanned) {
            EXPECT_EQ(scanned.error()->code, Code::bad_json) << c.name << ": " << scanned.error()->message;
        }
    }
}

TEST(AbuseFormat, ReadsEscapesAndExpectations) {
    EXPECT_EQ(abuse::unescape("a\\r\\n\\t\\\\\\x00{repeat:3:\\x41b}{x}"), std::string("a\r\n\t\\\0AbAbAb{x}", 15));
    EXPECT_THROW(abuse::unescape("\\q"), std::runtime_error);
    EXPECT_THROW(abuse::unescape("{repeat:3"), std::runtime_error);
    const abuse::Expected e = abuse::expected("400/invalid_type/model keep");
    EXPECT_TRUE(e.endpoint && e.status == 400 && e.code == "invalid_type" && e.param == "model" && !e.close);
    EXPECT_THROW(abuse::expected("400"), std::runtime_error);
    EXPECT_THROW(abuse::expected("400 maybe"), std::runtime_error);
    EXPECT_EQ(abuse::posted("/p {}"), "POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

}  // namespace
}  // namespace weir
