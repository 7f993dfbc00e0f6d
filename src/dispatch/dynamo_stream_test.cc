#include "dispatch/dynamo_stream.h"

#include <gtest/gtest.h>

#include <cstring>

#include "planes/scripted_worker_test.h"
#include "wire/json_top.h"
#include "wire/msgpack.h"

namespace weir::dispatch {
namespace {

using test::NetLoop;
using W = test::ScriptedWorker;

struct Streams : testing::TestWithParam<PayloadCodec> {
    NetLoop loop;
    Resolver resolver{loop.core};
    W worker{loop};
    RequestPlane plane{loop.core, resolver};
    CallHome home{loop.core, {"127.0.0.1", "127.0.0.1"}};
    std::string said;
    Nursery asking;

    Streams() {
        EXPECT_TRUE(home.listen());
        home.start();
    }
    ~Streams() override { asking.cancel(); }
    Task<void> ask() {
        Call call;
        engine::DynamoAsk ask;
        const uint32_t ids[] = {1, 2, 3};
        ask.model = "m", ask.tokens = ids, ask.max_tokens = 4;
        std::string body;
        EXPECT_TRUE(engine::write_dynamo_request(call, ask, GetParam(), body));
        PlaneRequest request;
        request.id = "r1";
        request.body = body;
        DynamoWorker to{worker.address(), GetParam(), 31};
        auto stream = co_await send_dynamo({plane, home}, to, request, {});
        if (!stream) {
            said += std::string("failed ") + name(stream.error()->code);
            co_return;
        }
        Batch batch;
        for (;;) {
            auto n = co_await (*stream)->next(batch);
            if (!n) said += std::string("lost ") + name(n.error()->code);
            else if (*n == 0) said += "end";
            if (!n || *n == 0) co_return;
            for (const Event& e : batch.events) show(e);
            said += "/";
        }
    }
    void show(const Event& e) {
        if (e.kind == Event::tokens)
            for (size_t i = 0; i < e.data.size(); i += 4) {
                uint32_t id;
                std::memcpy(&id, e.data.data() + i, 4);
                said += std::to_string(id) + " ";
            }
        else said += e.kind == Event::begin ? "begin " : e.kind == Event::finish ? "finish " : e.kind == Event::failure ? "failure " : "? ";
    }
    std::string frame(std::string_view json) {
        std::string body;
        if (GetParam() == PayloadCodec::json) body = json;
        else EXPECT_TRUE(check_json(json) && json_to_msgpack(json, body));
        return W::frame(body);
    }
    void begin(const std::string& frames) {
        asking.spawn(ask());
        ASSERT_TRUE(loop.until([&] { return worker.requests.size() == 1; }));
        worker.ack(0);
        worker.call_home(0, W::hello(worker.requests[0].control.subject) + frames);
    }
    void hears(const std::string& text) {
        loop.until([&] { return said == text; });
        EXPECT_EQ(said, text);
    }
};
constexpr Str last = R"({"complete_final":true})";

TEST_P(Streams, TokensOfOneReadAreOneBatch) {
    begin(frame(R"({"data":{"data":{"token_ids":[7,8]}},"complete_final":false})") + frame(R"({"data":{"data":{"token_ids":[9]}},"complete_final":false})"));
    hears("begin 7 8 9 /");
    EXPECT_EQ(worker.requests[0].control.codec, GetParam());
    worker.calls[0].socket->send(frame(R"({"data":{"data":{"token_ids":[],"finish_reason":"length"}},"complete_final":false})") + frame(last) + W::word(StreamWord::sentinel));
    hears("begin 7 8 9 /finish /end");
    EXPECT_TRUE(loop.until([&] { return worker.calls[0].ended; }));
    EXPECT_EQ(worker.calls[0].said, "");
}

TEST_P(Streams, AWholeAnswerWithoutSentinelIsWhole) {
    begin(frame(R"({"data":{"data":{"token_ids":[7],"finish_reason":"stop"}},"complete_final":false})") + frame(last));
    ASSERT_TRUE(loop.until([&] { return said.starts_with("begin 7 finish /"); }));
    ::shutdown(worker.calls[0].socket->fd(), SHUT_WR);
    hears("begin 7 finish /end");
    EXPECT_EQ(worker.calls[0].said, "");
}

TEST_P(Streams, ACutAnswerIsLost) {
    begin(frame(R"({"data":{"data":{"token_ids":[7]}},"complete_final":false})") + W::word(StreamWord::sentinel));
    hears("begin 7 /lost lost_mid_stream");
}

TEST_P(Streams, AWorkersOwnErrorEndsTheAnswer) {
    begin(frame(R"({"data":{"event":"error","error":{"error_type":"Unknown","message":"m"}},"complete_final":false})") + frame(last));
    hears("begin failure /end");
}

TEST_P(Streams, GarbageKills) {
    begin(W::frame("\xc1 no frame"));
    hears("lost engine_garbage");
    ASSERT_TRUE(loop.until([&] { return worker.calls[0].ended; }));
    EXPECT_EQ(worker.calls[0].said, W::word(StreamWord::kill));
}

TEST_P(Streams, LeavingKillsWhateverItWaitsFor) {
    begin(frame(R"({"data":{"data":{"token_ids":[7]}},"complete_final":false})"));
    hears("begin 7 /");
    asking.cancel();
    ASSERT_TRUE(loop.until([&] { return worker.calls[0].ended; }));
    EXPECT_EQ(worker.calls[0].said, W::word(StreamWord::kill));
    EXPECT_EQ(home.expected(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Codecs, Streams, testing::Values(PayloadCodec::msgpack, PayloadCodec::json), [](auto& p) { return std::string(name(p.param)); });

}  // namespace
}  // namespace weir::dispatch
