#include "api/table.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "api/answers.h"
#include "api/docs_assets.h"
#include "api/encode.h"
#include "api/test_calls.h"
#include "tests/support/golden.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"

namespace weir::api {
namespace {

using testing::options_of;

std::string found_text(const Found& f) {
    if (f.code != Code::ok) return std::string(name(f.code)) + (f.allow.empty() ? "" : " allow=" + std::string(f.allow));
    return std::string(f.row->path) + (f.rest.empty() ? "" : " rest=" + std::string(f.rest));
}

// "<dialect> <METHOD> <path>"
TEST(Routes, Golden) {
    auto frontend = Routes::make(options_of(Dialect::frontend)), launch = Routes::make(options_of(Dialect::launch));
    ASSERT_TRUE(frontend && launch);
    golden::check("api/routes.txt", [&](const std::string& in) {
        size_t a = in.find(' '), b = in.find(' ', a + 1);
        auto& routes = in.substr(0, a) == "frontend" ? *frontend : *launch;
        return found_text(routes->find(method_of(in.substr(a + 1, b - a - 1)), in.substr(b + 1)));
    });
}

TEST(Routes, PathsCanBeMoved) {
    PathOverride moved[] = {{"chat", "/chat"}, {"models", "/m"}, {"health", "/h"}, {"nothing", "/x"}};
    auto made = Routes::make(options_of(Dialect::frontend), moved);
    ASSERT_TRUE(made);
    const Routes& r = **made;
    EXPECT_EQ(r.find(Method::post, "/chat").row->endpoint, Endpoint::chat);
    EXPECT_EQ(r.find(Method::post, "/v1/chat/completions").code, Code::route_unknown);
    EXPECT_EQ(r.find(Method::get, "/m").row->endpoint, Endpoint::models);
    EXPECT_EQ(r.find(Method::get, "/m/a/b").rest, "a/b");
    EXPECT_EQ(r.find(Method::get, "/h").row->endpoint, Endpoint::health);
    EXPECT_EQ(r.path_of(Endpoint::model), "/m/*");
    Reply doc = openapi_reply(options_of(Dialect::frontend), r);
    EXPECT_NE(doc.body.find("\"/chat\":{\"post\""), std::string::npos);
    EXPECT_NE(doc.body.find("\"/m/{model_id}\":"), std::string::npos);
}

TEST(Routes, BadPathsAreRefused) {
    for (const char* path : {"", "chat", "/a?b", "/a b", "/v1/completions"}) {
        PathOverride moved{"chat", path};
        EXPECT_FALSE(Routes::make(options_of(Dialect::frontend), {&moved, 1})) << path;
    }
}

TEST(Routes, EveryBodyRowDecodesAndEncodes) {
    int bodies = 0;
    for (const Row& row : rows()) {
        EXPECT_EQ(row.decode != nullptr, row.legs != 0) << row.path;
        EXPECT_EQ(row.encoder != nullptr, row.legs != 0) << row.path;
        if (!row.encoder) continue;
        EXPECT_EQ(row_of(row.api), &row);
        Tail tail;
        tail.api = row.api;
        EXPECT_NE(row.encoder(options_of(Dialect::launch), tail, 1), nullptr);
        ++bodies;
    }
    EXPECT_EQ(bodies, 3);
    EXPECT_EQ(row_of(Api::models), nullptr);
}

TEST(OpenApi, GoldenPerDialect) {
    golden::check("api/openapi.txt", [](const std::string& in) {
        Options o = options_of(in == "frontend" ? Dialect::frontend : Dialect::launch);
        auto routes = Routes::make(o);
        std::string body = openapi_reply(o, **routes).body;
        EXPECT_TRUE(check_json(body)) << body;
        EXPECT_EQ(json_member(body, "openapi"), "\"3.0.3\"");
        std::string lines;   // one line a path and a schema
        Str info = json_member(body, "info");
        lines += std::string(json_member(info, "title")) + "\n";
        for (JsonMembers m(json_member(body, "paths")); m.next();) lines += std::string(m.key) + " " + std::string(m.value) + "\n";
        for (JsonMembers m(json_member(json_member(body, "components"), "schemas")); m.next();) {
            lines += std::string(m.key) + "\n";
            for (JsonMembers p(json_member(m.value, "properties")); p.next();) lines += "  " + std::string(p.key) + " " + std::string(p.value) + "\n";
        }
        return lines;
    });
}

// Every reference in the document leads somewhere.
TEST(OpenApi, ReferencesResolve) {
    Options o = options_of(Dialect::launch);
    std::string body = openapi_reply(o, **Routes::make(o)).body;
    Str schemas = json_member(json_member(body, "components"), "schemas");
    size_t seen = 0;
    for (size_t at = 0; (at = body.find("#/components/schemas/", at)) != std::string::npos; ++seen) {
        at += 21;
        EXPECT_FALSE(json_member(schemas, body.substr(at, body.find('"', at) - at)).empty());
    }
    EXPECT_EQ(seen, 11u);
}

TEST(Docs, PageAndAssets) {
    Options o = options_of(Dialect::frontend);
    auto routes = Routes::make(o);
    auto get = [&](Str path, Str accept) {
        Found f = (*routes)->find(Method::get, path);
        EXPECT_EQ(f.code, Code::ok) << path;
        return docs_reply(o, **routes, f.rest, accept, {"GET", path});
    };
    Reply redirect = get("/docs", "");
    EXPECT_EQ(redirect.status, 303);
    EXPECT_EQ(redirect.headers, "location: /docs/\r\n");
    Reply page = get("/docs/", "");
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.body.find("http:"), std::string::npos);   // no outside host
    EXPECT_EQ(page.body.find("https:"), std::string::npos);
    EXPECT_EQ(get("/docs/../etc/passwd", "").status, 404);
    if (docs_assets().empty()) {
        EXPECT_NE(page.body.find("r-cran-swagger"), std::string::npos);
        GTEST_SKIP() << "built without Swagger UI";
    }
    for (const DocsAsset& asset : docs_assets()) {
        EXPECT_NE(page.body.find(asset.name), std::string::npos);
        Reply packed = get("/docs/" + std::string(asset.name), "br, gzip"), plain = get("/docs/" + std::string(asset.name), "identity");
        EXPECT_NE(packed.headers.find("content-encoding: gzip\r\n"), std::string::npos);
        EXPECT_EQ(packed.body, asset.gzip);
        EXPECT_EQ(plain.headers.find("content-encoding"), std::string::npos);
        EXPECT_GT(plain.body.size(), 2 * packed.body.size());
        EXPECT_EQ(get("/docs/" + std::string(asset.name), "gzip;q=0").body.size(), plain.body.size());
        EXPECT_EQ(get("/docs/" + std::string(asset.name), "gzip; q=0.5").body, asset.gzip);
        uint32_t crc = 0, size = 0;   // gzip's own trailer
        std::memcpy(&crc, asset.gzip.data() + asset.gzip.size() - 8, 4);
        std::memcpy(&size, asset.gzip.data() + asset.gzip.size() - 4, 4);
        EXPECT_EQ(size, plain.body.size());
        EXPECT_EQ(crc, crc32(0, reinterpret_cast<const Bytef*>(plain.body.data()), static_cast<uInt>(plain.body.size())));
    }
}

TEST(Health, FrontendSaysWhoIsThere) {
    Options o = options_of(Dialect::frontend);
    InstanceInfo one{"generate", "backend", "dynamo", 18446385850734466672ull, "http://127.0.0.1:9000"};
    Standing s{false, 1, 1, {&one, 1}};
    EXPECT_EQ(health_reply(o, s).body, R"({"status":"healthy","endpoints":["dyn://dynamo.backend.generate"],"instances":[{"component":"backend","endpoint":"generate","namespace":"dynamo","instance_id":18446385850734466672,"transport":{"http":"http://127.0.0.1:9000"}}]})");
    s.draining = true;
    EXPECT_EQ(health_reply(o, s).status, 503);
    EXPECT_EQ(health_reply(o, s).body.substr(0, 43), R"({"status":"not_ready","stage":"draining","e)");
    EXPECT_EQ(live_reply(o, s).status, 503);
}

// Every Code has an answer of its own in both dialects: status, valid JSON or none, nothing of `detail`.
TEST(ErrorBody, EveryCodeInBothDialects) {
    golden::check("api/errors.txt", [](const std::string& in) {
        Options o = options_of(in == "frontend" ? Dialect::frontend : Dialect::launch);
        std::string text;
        for (int i = 1; i <= static_cast<int>(Code::internal); ++i) {
            FailureBody f;
            f.code = static_cast<Code>(i);
            f.detail = "SECRET";
            f.upstream_status = f.code == Code::engine_status ? 502 : 0;
            f.upstream_body = f.upstream_status ? "{\"engine\":1}" : "";
            Reply r = error_reply(o, f, {"GET", "/x", "mod\"el", "POST"});
            EXPECT_TRUE(r.body.empty() || check_json(r.body)) << r.body;
            EXPECT_EQ(status_of(o, f), r.status);
            std::string frame;
            append_error_frame(o, f, frame);
            EXPECT_EQ((testing::text_of(r) + frame).find("SECRET"), std::string::npos);
            text += std::string(name(f.code)) + ": " + testing::text_of(r) + "\n" + frame.substr(0, frame.find('\n')) + "\n";
        }
        return text;
    });
}

TEST(ErrorBody, OptionsAndRetryAfter) {
    FailureBody f;
    f.code = Code::shed;
    Options o = options_of(Dialect::frontend);
    o.overload_status = 503;
    EXPECT_EQ(error_reply(o, f, {}).body, R"({"message":"Service temporarily overloaded","type":"Service Unavailable","code":503})");
    f.retry_after_s = 9;
    EXPECT_EQ(error_reply(o, f, {}).headers, "retry-after: 9\r\n");
    EXPECT_NE(error_reply(options_of(Dialect::launch), f, {}).headers.find("retry-after: 9\r\n"), std::string::npos);
    f = {};
    f.code = Code::engine_status;
    for (auto [engine, status, details] : {std::tuple{400, 400, false}, {404, 404, false}, {429, 429, false}, {500, 500, false}, {502, 500, true},
                                           {503, 503, false}, {529, 529, false}, {200, 502, false}}) {
        f.upstream_status = engine;
        f.upstream_body = "the engine's own words";
        Reply r = error_reply(o, f, {});
        EXPECT_EQ(r.status, status);
        EXPECT_EQ(r.body.find("own words"), std::string::npos);
        EXPECT_EQ(r.body.find("backend_status") != std::string::npos, details) << r.body;
    }
}

}  // namespace
}  // namespace weir::api
