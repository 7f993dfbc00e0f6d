#include "prepare/routing_text.h"

#include <gtest/gtest.h>

#include "wire/json_top.h"

namespace weir::prepare {
namespace {

Said said(const std::string& body) {
    std::vector<Member> members(32);
    Call call;
    call.doc.body = body;
    auto scan = scan_top(body, members);
    EXPECT_TRUE(scan);
    if (scan) call.doc.top = std::span(members).first(scan->members);
    Said out;
    read_said(call, out);
    return out;
}

TEST(RoutingText, TextOfAllMessagesWithoutRoles) {
    EXPECT_EQ(said(R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"a\n"},
        {"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"b"}]},{"role":"assistant","content":null,"reasoning_content":"hm"},
        {"role":"user","content":"c"}],"prompt":"no"})").text, "Be brief. a\n b hm c");
}

TEST(RoutingText, Prompts) {
    EXPECT_EQ(said(R"({"prompt":"once"})").text, "once");
    EXPECT_EQ(said(R"({"prompt":["a","b"]})").text, "a b");
    EXPECT_EQ(said(R"({"input":["x"]})").text, "x");
    EXPECT_EQ(said(R"({"prompt":[1,2,3]})").ids, (std::vector<uint32_t>{1, 2, 3}));
    EXPECT_EQ(said(R"({"prompt":[[1,2],[3]]})").ids, (std::vector<uint32_t>{1, 2}));
    EXPECT_EQ(said(R"({"messages":[{"role":"user","content":"x"}],"input_ids":[7]})").ids, (std::vector<uint32_t>{7}));
    EXPECT_TRUE(said(R"({"messages":[{"role":"user","content":"x"}],"input_ids":[7]})").text.empty()) << "ids win";
}

TEST(RoutingText, OddBodiesSayNothing) {
    for (const char* body : {"{}", R"({"messages":"x"})", R"({"messages":[1,null,{"content":5}]})", R"({"prompt":{}})", R"({"prompt":null})",
                             R"({"prompt":[{}]})", R"({"input_ids":"x"})", R"({"input_ids":[-1,4294967296,1.5]})"}) {
        Said s = said(body);
        EXPECT_TRUE(s.text.empty() && s.ids.empty()) << body;
    }
}

}  // namespace
}  // namespace weir::prepare
