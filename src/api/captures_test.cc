// The peers' own answers, captured from running processes: our refusals must read the same.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>

#include "api/answers.h"
#include "api/test_calls.h"
#include "tests/support/golden.h"

namespace weir::api {
namespace {

struct Capture { std::string method = "GET", path, body; int status = 0; std::string content_type = "application/json"; std::map<std::string, std::string> headers; std::string answer; };

// Either "### POST /path" + "### body: ..." or "# curl ... URL -d BODY", then the raw response.
Capture read(const std::string& file) {
    Capture c;
    std::istringstream lines(golden::slurp(file));
    bool head = false, body = false;
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (body) {
            c.answer += line + "\n";
        } else if (line.rfind("### body: ", 0) == 0) {
            c.body = line.substr(10);
        } else if (line.rfind("### ", 0) == 0) {
            std::istringstream words(line.substr(4));
            words >> c.method >> c.path;
        } else if (line.rfind("# curl", 0) == 0) {
            size_t url = line.find("http://127.0.0.1:");
            size_t path = line.find('/', url + 8);
            c.path = line.substr(path, line.find(' ', path) - path);
            size_t data = line.find(" -d ");
            if (data != std::string::npos) c.method = "POST", c.body = line.substr(data + 4);
            c.content_type = line.find("-H content-type:application/json") != std::string::npos ? "application/json" : "application/x-www-form-urlencoded";
            if (size_t extra = c.body.find(" -H "); extra != std::string::npos) c.body.resize(extra);
            if (size_t extra = c.body.find(" -w "); extra != std::string::npos) c.body.resize(extra);
            if (line.find("-H content-type: text/plain") != std::string::npos) c.content_type = "text/plain";
        } else if (line.rfind("HTTP/1.1 ", 0) == 0) {
            c.status = std::atoi(line.c_str() + 9);
            head = true;
        } else if (head && line.empty()) {
            body = true;
        } else if (head) {
            c.headers[line.substr(0, line.find(':'))] = line.substr(line.find(':') + 2);
        }
    }
    for (const char* mark : {"[curl rc", "t="})
        if (size_t at = c.answer.rfind(mark); at != std::string::npos && c.answer.find("}", at) == std::string::npos) c.answer.resize(at);
    while (!c.answer.empty() && c.answer.back() == '\n') c.answer.pop_back();
    return c;
}

std::string reference() {
    const char* dir = std::getenv("WEIR_REFERENCE_DIR");
    return dir ? std::string(dir) + "/captures/" : std::string();
}

Api api_of(const std::string& path) {
    return path.ends_with("/completions") && !path.ends_with("chat/completions") ? Api::completions : path.ends_with("/embeddings") ? Api::embeddings : Api::chat;
}

void same(const Reply& got, const Capture& c, const std::string& file) {
    EXPECT_EQ(got.status, c.status) << file;
    EXPECT_EQ(got.body, c.answer) << file;
    auto type = c.headers.find("content-type");
    EXPECT_EQ(got.content_type, type == c.headers.end() ? "" : type->second) << file;
    for (const char* name : {"allow", "x-smg-error-code", "retry-after", "www-authenticate"}) {
        std::string line = c.headers.count(name) ? std::string(name) + ": " + c.headers.at(name) + "\r\n" : "";
        if (line.empty()) EXPECT_EQ(got.headers.find(std::string(name) + ":"), std::string::npos) << file;
        else EXPECT_NE(got.headers.find(line), std::string::npos) << file << "\n" << got.headers;
    }
}

class Captures : public ::testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (reference().empty()) GTEST_SKIP() << "WEIR_REFERENCE_DIR is not set";
        if (!std::filesystem::exists(reference() + GetParam())) GTEST_SKIP() << "no capture " << GetParam();
    }
    Dialect dialect() const { return std::string(GetParam()).starts_with("dynamo/") ? Dialect::frontend : Dialect::launch; }
};

// Bodies the decoder refuses.
TEST_P(Captures, RefusedBody) {
    Capture c = read(reference() + GetParam());
    auto d = testing::decode(testing::options_of(dialect()), api_of(c.path), c.body, false, c.content_type);
    ASSERT_FALSE(d->result) << GetParam();
    same(error_reply(d->options, *d->result.error(), {c.method, c.path, d->call.model}), c, GetParam());
}
INSTANTIATE_TEST_SUITE_P(Bodies, Captures,
                         ::testing::Values("dynamo/err_badjson.txt", "dynamo/err_cmpl_empty.txt", "dynamo/err_cmpl_missing.txt", "dynamo/err_empty_messages.txt",
                                           "dynamo/err_logprobs.txt", "dynamo/err_maxtok0.txt", "dynamo/err_missing_messages.txt",
                                           "dynamo/err_missing_model.txt", "dynamo/err_n.txt", "dynamo/err_neg_maxtok.txt", "dynamo/err_role.txt",
                                           "dynamo/err_temp.txt", "dynamo/err_topp.txt", "dynamo/err_type.txt", "dynamo/respfmt.txt",
                                           "smg/post_chat_badjson.txt", "smg/post_chat_badtemp.txt", "smg/post_chat_badtype.txt",
                                           "smg/post_chat_ct_text.txt", "smg/post_chat_empty_messages.txt", "smg/post_chat_missing_messages.txt",
                                           "smg/post_chat_noct.txt", "smg/post_chat_nomodel.txt"));

// Bodies the peer accepts.
class Accepted : public Captures {};
TEST_P(Accepted, Body) {
    Capture c = read(reference() + GetParam());
    auto d = testing::decode(testing::options_of(dialect()), api_of(c.path), c.body, true, c.content_type.empty() ? "application/json" : c.content_type);
    EXPECT_TRUE(d->result) << GetParam() << ": " << d->result.error()->message;
}
INSTANTIATE_TEST_SUITE_P(Bodies, Accepted,
                         ::testing::Values("dynamo/chat_nonstream.txt", "dynamo/chat_content_parts.txt", "dynamo/chat_stream_usage.txt", "dynamo/cmpl_batch.txt",
                                           "dynamo/cmpl_echo.txt", "dynamo/cmpl_tokens.txt", "dynamo/err_ctype.txt", "dynamo/err_stop.txt", "dynamo/emb.txt",
                                           "dynamo/n2.txt", "dynamo/nvext_all.txt", "dynamo/sysrole.txt", "dynamo/tools.txt", "dynamo/tool_required.txt",
                                           "dynamo/logprobs.txt", "smg/post_chat.txt", "smg/post_chat_unknown_fields.txt", "smg/post_completions.txt",
                                           "smg/post_emb.txt"));

struct Answered { const char* file; Code code; };
class Errors : public ::testing::TestWithParam<Answered> {};
TEST_P(Errors, Reply) {
    if (reference().empty()) GTEST_SKIP() << "WEIR_REFERENCE_DIR is not set";
    std::string file = GetParam().file;
    if (!std::filesystem::exists(reference() + file)) GTEST_SKIP() << "no capture " << file;
    Capture c = read(reference() + file);
    FailureBody f;
    f.code = GetParam().code;
    Asked asked{c.method, c.path};
    std::string model = c.body.substr(std::min(c.body.find("\"model\":\"") + 9, c.body.size()));
    model.resize(std::min(model.find('"'), model.size()));
    asked.model = model;
    if (file.find("model_get_404") != std::string::npos) asked.model = "nope";
    asked.any_model_ever = !c.answer.empty() || c.status != 404;
    std::string allow = c.headers.count("allow") ? c.headers["allow"] : "";
    asked.allow = allow;
    if (file.find("err_worker") != std::string::npos) {
        f.upstream_status = c.status;
        f.upstream_body = c.answer;
        f.upstream_headers = "retry-after: 7\r\nContent-Type: " + c.headers["content-type"] + "\r\ncontent-length: 91\r\n";
    }
    Dialect dialect = file.starts_with("dynamo/") ? Dialect::frontend : Dialect::launch;
    same(error_reply(testing::options_of(dialect), f, asked), c, file);
}
INSTANTIATE_TEST_SUITE_P(
    Peers, Errors,
    ::testing::Values(Answered{"dynamo/err_404.txt", Code::route_unknown}, Answered{"dynamo/err_method.txt", Code::method_not_allowed},
                      Answered{"dynamo/err_model_404.txt", Code::model_unknown}, Answered{"dynamo/model_get_404.txt", Code::model_unknown},
                      Answered{"dynamo/emb.txt", Code::model_unknown}, Answered{"dynamo/workers_gone_after_ttl.txt", Code::model_unknown},
                      Answered{"dynamo/worker_death_unary.txt", Code::lost_mid_stream}, Answered{"dynamo/overload_529.txt", Code::shed},
                      Answered{"smg/get_404.txt", Code::route_unknown}, Answered{"smg/get_chat_405.txt", Code::method_not_allowed},
                      Answered{"smg/post_chat_unknown_model.txt", Code::model_unknown}, Answered{"smg/noworkers_chat.txt", Code::model_unknown},
                      Answered{"smg/oversized.txt", Code::too_large}, Answered{"smg/cb_open.txt", Code::no_worker},
                      Answered{"smg/queue_full.txt", Code::queue_full}, Answered{"smg/queue_timeout.txt", Code::queue_timeout},
                      Answered{"smg/auth_none.txt", Code::unauthenticated}, Answered{"smg/err_worker_400.txt", Code::engine_status},
                      Answered{"smg/err_worker_429.txt", Code::engine_status}, Answered{"smg/err_worker_500.txt", Code::engine_status},
                      Answered{"smg/err_worker_503.txt", Code::engine_status}),
    [](const auto& info) {
        std::string name = info.param.file;
        for (char& ch : name)
            if (!std::isalnum(static_cast<unsigned char>(ch))) ch = '_';
        return name;
    });

TEST(CapturesStatic, ModelsAndHealth) {
    if (reference().empty()) GTEST_SKIP() << "WEIR_REFERENCE_DIR is not set";
    Options frontend = testing::options_of(Dialect::frontend), launch = testing::options_of(Dialect::launch);
    ModelInfo tiny{"tiny", 1795245439, 0}, test{"test-model", 5, 9};
    auto check = [](const Reply& r, const std::string& file) { same(r, read(reference() + file), file); };
    check(models_reply(frontend, {&tiny, 1}), "dynamo/models.txt");
    check(model_reply(frontend, {&tiny, 1}, "tiny", {}), "dynamo/model_get.txt");
    check(health_reply(frontend, {}), "dynamo/health_noworkers.txt");
    check(live_reply(frontend, {}), "dynamo/live.txt");
    check(models_reply(launch, {&test, 1}), "smg/get_v1_models.txt");
    check(model_reply(launch, {&tiny, 1}, "tiny", {}), "smg/model_tiny.txt");
    check(models_reply(launch, {}), "smg/noworkers_models.txt");
    check(health_reply(launch, {}), "smg/get_health.txt");
    check(live_reply(launch, {}), "smg/get_liveness.txt");
    Standing three{false, 3, 3, {}}, draining{true, 3, 3, {}};
    check(readiness_reply(launch, three), "smg/get_readiness.txt");
    check(readiness_reply(launch, {}), "smg/noworkers_readiness.txt");
    check(readiness_reply(launch, draining), "smg/shutdown_readiness.txt");
    check(health_reply(launch, draining), "smg/shutdown_health.txt");
}

}  // namespace
}  // namespace weir::api
