// What a simulated Dynamo worker reads and writes, against the gateway's own codec.
#include <gtest/gtest.h>

#include "engine/dynamo_codec.h"
#include "mocker/dynamo_ask.h"
#include "mocker/dynamo_items.h"
#include "wire/msgpack.h"
#include "wire/two_part.h"

namespace weir::mocker {
namespace {

constexpr PayloadCodec codecs[] = {PayloadCodec::msgpack, PayloadCodec::json};

TEST(TokenAsks, WhatTheGatewayWritesIsRead) {
    Call call;
    call.sampling.seed = -7;
    call.sampling.n = 2;
    call.sampling.ignore_eos = true;
    call.sampling.logprobs = 3;
    call.hints.lora = "adapter";
    call.hints.cache_salt = "tenant";
    const std::vector<uint32_t> tokens = {1, 200, 70'000, 5}, eos = {2, 9};
    uint32_t stops[] = {9, 11};
    call.sampling.stop_ids = stops;
    engine::DynamoAsk what;
    what.model = "tiny";
    what.tokens = tokens;
    what.eos = eos;
    what.max_tokens = 33;
    what.min_tokens = 4;
    what.dp_rank = 1;
    for (PayloadCodec codec : codecs) {
        std::string body;
        ASSERT_TRUE(engine::write_dynamo_request(call, what, codec, body));
        auto ask = read_token_ask(body, codec);
        ASSERT_TRUE(ask) << ask.error()->message;
        EXPECT_EQ(ask->tokens, tokens);
        EXPECT_EQ(ask->max_tokens, std::optional<uint32_t>(33));
        EXPECT_EQ(ask->min_tokens, 4u);
        EXPECT_EQ(ask->rank, std::optional<uint32_t>(1));
        EXPECT_EQ(ask->seed, std::optional<uint64_t>(static_cast<uint64_t>(-7)));
        EXPECT_EQ(ask->n, 2u);
        EXPECT_TRUE(ask->ignore_eos);
        EXPECT_EQ(ask->ends, (std::vector<uint32_t>{9, 11, 2}));
        EXPECT_EQ(ask->logprobs, 3);
        EXPECT_EQ(ask->lora, "adapter");
        EXPECT_EQ(ask->cache_salt, "tenant");
        for (size_t n = 0; n < body.size(); n++) EXPECT_FALSE(read_token_ask(Str(body).substr(0, n), codec)) << n;
    }
}

TEST(TokenAsks, LittleMustBeThereAndMuchMayBe) {
    auto ask = read_token_ask(R"({"token_ids":[],"unknown":{"a":[1]},"stop_conditions":null,"routing":{"dp_rank":null}})", PayloadCodec::json);
    ASSERT_TRUE(ask);
    EXPECT_TRUE(ask->tokens.empty());
    EXPECT_FALSE(ask->max_tokens || ask->rank || ask->seed);
    std::string packed;
    MsgpackWriter(packed).map(1).text("token_ids").binary(Str("\x01\x00\x00\x00\x70\x11\x01\x00", 8));   // little-endian
    ask = read_token_ask(packed, PayloadCodec::msgpack);
    ASSERT_TRUE(ask);
    EXPECT_EQ(ask->tokens, (std::vector<uint32_t>{1, 70'000}));
    for (const char* bad : {"{}", "[]", "1", R"({"token_ids":1})", R"({"token_ids":[-1]})", R"({"token_ids":[4294967296]})", R"({"token_ids":[1],"sampling_options":{"n":0}})",
                            R"({"token_ids":[1],"sampling_options":{"n":129}})", R"({"token_ids":[1],"stop_conditions":{"max_tokens":-1}})", R"({"token_ids":[1])"})
        EXPECT_FALSE(read_token_ask(bad, PayloadCodec::json)) << bad;
    std::string many = R"({"token_ids":[1],"eos_token_ids":[0)";
    for (uint32_t i = 1; i < ask_ends_max; i++) many += "," + std::to_string(i);
    EXPECT_TRUE(read_token_ask(many + "]}", PayloadCodec::json));
    EXPECT_FALSE(read_token_ask(many + ",5000]}", PayloadCodec::json));
}

// What the gateway makes of frames.
std::string decoded(Str frames, PayloadCodec codec) {
    engine::DynamoDecoder decoder(codec);
    TwoPartReader reader(1'000, 1 << 20);
    std::string said;
    for (TwoPart m; reader.next(frames, m);) {
        if (!m.header.empty()) {
            said += std::string(m.header) + ";";
            continue;
        }
        Batch batch;
        if (!decoder.frame(m.body, batch)) return said + "garbage";
        for (const Event& e : batch.events) {
            if (e.kind == Event::tokens) {
                for (size_t i = 0; i < e.data.size(); i += 4) {
                    uint32_t id;
                    memcpy(&id, e.data.data() + i, 4);
                    said += std::to_string(e.choice) + ":" + std::to_string(id);
                }
                if (auto* scores = e.as<TokenScores>()) said += " scored " + std::to_string(scores->logprobs.size()) + "/" + std::to_string(scores->top.empty() ? 0 : scores->top[0].size());
                said += ";";
            }
            if (e.kind == Event::finish) said += std::string("finish ") + name(e.finish_reason()) + ";";
            if (e.kind == Event::usage) {
                const Usage& u = *e.as<Usage>();
                said += "usage " + std::to_string(u.prompt) + "+" + std::to_string(u.completion) + " cached " + std::to_string(u.cached) + ";";
            }
            if (e.kind == Event::item) said += std::string(e.data) + ";";
            if (e.kind == Event::failure) said += "failed " + e.as<FailureBody>()->reason + " " + e.as<FailureBody>()->detail + ";";
        }
        if (decoder.complete()) said += "complete;";
    }
    return said;
}

TEST(Items, ReadAsMeant) {
    const uint32_t token = 70'000;
    const ItemUsage usage{18, 1, 16};
    for (PayloadCodec codec : codecs) {
        const ItemWriter items(codec, R"({"mock_worker":"1f"})");
        std::string out;
        Item first;
        first.token = &token, first.usage = &usage, first.prefilled = true;
        items.item(out, first);
        for (uint32_t id : {0u, 127u, 128u, 255u, 256u, 65'535u, 65'536u, 3'999'999'999u}) items.token(out, id);
        Item scored;
        scored.token = &token, scored.index = 2, scored.logprobs = 2, scored.seed = 5;
        items.item(out, scored);
        Item last;
        last.finish = "length", last.usage = &usage;
        items.item(out, last);
        items.end(out);
        EXPECT_EQ(decoded(out, codec), "0:70000;\"disaggregated_params\":{\"mock_worker\":\"1f\"};usage 18+1 cached 16;0:0;0:127;0:128;0:255;0:256;0:65535;0:65536;"
                                       "0:3999999999;2:70000 scored 1/2;usage 18+1 cached 16;finish length;complete;\"sentinel\";");
    }
}

TEST(Items, ThePlainTokenIsTheGeneralOne) {
    for (PayloadCodec codec : codecs) {
        const ItemWriter items(codec, "{}");
        for (uint32_t id : {0u, 9u, 127u, 128u, 255u, 256u, 65'535u, 65'536u, 1'234'567'890u}) {
            std::string plain, general;
            Item item;
            item.token = &id;
            items.token(plain, id);
            items.item(general, item);
            EXPECT_EQ(plain, general) << id;
        }
    }
}

TEST(Items, ErrorsAndRefusals) {
    for (PayloadCodec codec : codecs) {
        const ItemWriter items(codec, "{}");
        std::string out;
        items.error(out, "Disconnected", "gone");
        EXPECT_EQ(decoded(out, codec), "failed Disconnected gone;");
    }
    std::string refusal;
    append_refusal(refusal, "InvalidArgument", "no \"room\"");
    TwoPart m;
    ASSERT_TRUE(read_two_part(refusal, m));
    auto said = read_prologue(m.header);
    ASSERT_FALSE(said);
    EXPECT_EQ(said.error()->reason, "InvalidArgument");
    EXPECT_EQ(said.error()->detail, "no \"room\"");
}

}  // namespace
}  // namespace weir::mocker
