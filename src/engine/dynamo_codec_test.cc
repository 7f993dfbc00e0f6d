#include "engine/dynamo_codec.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/golden.h"
#include "wire/json_top.h"
#include "wire/json_write.h"
#include "wire/msgpack.h"

namespace weir::engine {
namespace {

std::string packed(Str json) {
    std::string out;
    EXPECT_TRUE(check_json(json)) << json;
    EXPECT_TRUE(json_to_msgpack(json, out)) << json;
    return out;
}

std::string scores_text(const TokenScores& s) {
    std::string text;
    for (double v : s.logprobs) append_json_number(text.append(" "), v);
    for (auto& alternatives : s.top) {
        text += " [";
        for (auto& a : alternatives) append_json_number(text.append(" ").append(std::to_string(a.id)).append("'").append(a.token).append("' "), a.logprob);
        text += "]";
    }
    return text;
}

std::string shown(const Event& e) {
    std::string text = std::to_string(e.choice) + " ";
    switch (e.kind) {
    case Event::begin: return text + "begin";
    case Event::tokens: {
        text += "tokens";
        for (size_t i = 0; i < e.data.size(); i += 4) {
            uint32_t id;
            std::memcpy(&id, e.data.data() + i, 4);
            text += " " + std::to_string(id);
        }
        return e.more ? text + " scores" + scores_text(*e.as<TokenScores>()) : text;
    }
    case Event::text: return text + "text " + std::string(e.data);
    case Event::item: return text + "item " + std::string(e.data);
    case Event::annotation: return text + "annotation " + std::string(e.data);
    case Event::finish: return text + "finish " + name(e.finish_reason()) + " (" + std::string(e.as<FinishHead>()->reason) + ")";
    case Event::usage: {
        const Usage& u = *e.as<Usage>();
        return text + "usage " + std::to_string(u.prompt) + "+" + std::to_string(u.completion) + (u.has_cached ? " cached " + std::to_string(u.cached) : "") +
               " " + std::string(e.data);
    }
    case Event::failure:
        return text + "failure " + name(e.code()) + " [" + e.as<FailureBody>()->reason + "] " + e.as<FailureBody>()->detail + " " + std::string(e.data);
    default: return text + "?";
    }
}

std::string decoded(DynamoDecoder& decoder, Str body) {
    Batch batch;
    auto ok = decoder.frame(body, batch);
    if (!ok) return "refused: " + ok.error()->detail;
    std::string text;
    for (const Event& e : batch.events) text += shown(e) + "\n";
    return text + (decoder.complete() ? "complete\n" : "");
}

TEST(DynamoAnswer, Golden) {   // frames of real workers as JSON; both codecs must say the same
    golden::check("engine/dynamo_answers.txt", [](const std::string& json) {
        DynamoDecoder as_json(PayloadCodec::json), as_msgpack(PayloadCodec::msgpack);
        const std::string text = decoded(as_json, json);
        EXPECT_EQ(decoded(as_msgpack, check_json(json) ? packed(json) : json).substr(0, 8), text.substr(0, 8)) << json;
        if (check_json(json)) {
            DynamoDecoder again(PayloadCodec::msgpack);
            EXPECT_EQ(decoded(again, packed(json)), text) << json;
        }
        return text;
    });
}

TEST(DynamoAnswer, BeginsOnceAndEndsOnce) {
    DynamoDecoder d(PayloadCodec::msgpack);
    EXPECT_EQ(decoded(d, packed(R"({"data":{"data":{"token_ids":[1]}},"complete_final":false})")), "0 begin\n0 tokens 1\n");
    EXPECT_EQ(decoded(d, packed(R"({"data":{"data":{"token_ids":[2]}},"complete_final":false})")), "0 tokens 2\n");
    EXPECT_FALSE(d.complete());
    EXPECT_EQ(decoded(d, packed(R"({"complete_final":true})")), "complete\n");
    EXPECT_EQ(decoded(d, packed(R"({"data":{"data":{"token_ids":[3]}},"complete_final":false})")), "refused: data after the last frame");
}

TEST(DynamoAnswer, EveryCutFrameIsRefused) {
    const std::string whole = packed(R"({"data":{"data":{"token_ids":[1,70000],"text":"abc","log_probs":[-0.5,-1],"finish_reason":"length","index":0,)"
                                     R"("completion_usage":{"prompt_tokens":18,"completion_tokens":3}}},"complete_final":false})");
    for (size_t n = 0; n < whole.size(); n++) {
        DynamoDecoder d(PayloadCodec::msgpack);
        EXPECT_EQ(decoded(d, whole.substr(0, n)).substr(0, 8), "refused:") << n;
    }
}

TEST(DynamoAnswer, ListsAreBounded) {
    std::string body;
    MsgpackWriter w(body);
    const std::vector<uint32_t> fits(1 << 20, 7), over((1 << 20) + 1, 7);
    w.map(1).text("data").map(1).text("data").map(1).text("token_ids").numbers(fits);
    DynamoDecoder d(PayloadCodec::msgpack);
    Batch batch;
    ASSERT_TRUE(d.frame(body, batch));
    EXPECT_EQ(batch.events.back().data.size(), 4u << 20);
    body.clear();
    w.map(1).text("data").map(1).text("data").map(1).text("token_ids").numbers(over);
    EXPECT_EQ(decoded(d, body), "refused: a list is too long");
}

std::string as_json(const Call& call, const DynamoAsk& ask, PayloadCodec codec) {
    std::string body, json;
    auto ok = write_dynamo_request(call, ask, codec, body);
    if (!ok) return "refused: " + ok.error()->message;
    if (codec == PayloadCodec::json) return body;
    EXPECT_TRUE(msgpack_to_json(body, json));
    return json;
}

// The frontend of the peer, asked "Say hi again" with max_tokens 3, sent exactly this.
constexpr Str captured =
    R"({"model":"tiny","token_ids":[529,29989,1792,29989,29958,13,10994,9637,2,29871,13,29966,29989,465,22137,29989,29958,13],)"
    R"("stop_conditions":{"max_tokens":3,"stop":null,"stop_token_ids":null,"stop_token_ids_visible":null,"stop_token_ids_hidden":[2],"min_tokens":null,)"
    R"("ignore_eos":null,"max_thinking_tokens":null},"sampling_options":{"n":null,"best_of":null,"presence_penalty":null,"frequency_penalty":null,)"
    R"("repetition_penalty":null,"temperature":null,"top_p":null,"top_k":null,"min_p":null,"use_beam_search":null,"length_penalty":null,"seed":null,)"
    R"("include_stop_str_in_output":null,"guided_decoding":null},"output_options":{"logprobs":null,"prompt_logprobs":null,"skip_special_tokens":null,)"
    R"("formatted_prompt":null,"return_tokens_as_token_ids":null},"eos_token_ids":[2],)"
    R"("mdc_sum":"e48dd200fdfb78d6e8042b63a0f691d9bd05445520dad5a37b41e58dd8d0f970","annotations":[],"routing":{"dp_rank":0},"router_config_override":null})";
const uint32_t captured_ids[] = {529, 29989, 1792, 29989, 29958, 13, 10994, 9637, 2, 29871, 13, 29966, 29989, 465, 22137, 29989, 29958, 13};
const uint32_t eos[] = {2};

TEST(DynamoRequest, IsWhatThePeerSends) {
    Call call;
    call.sampling.max_tokens = 3;
    DynamoAsk ask;
    ask.model = "tiny";
    ask.tokens = captured_ids;
    ask.eos = eos;
    ask.mdc_sum = "e48dd200fdfb78d6e8042b63a0f691d9bd05445520dad5a37b41e58dd8d0f970";
    ask.dp_rank = 0;
    for (auto codec : {PayloadCodec::msgpack, PayloadCodec::json}) EXPECT_EQ(as_json(call, ask, codec), captured);
}

TEST(DynamoRequest, EverythingThatCanBeSaid) {
    Call call;
    call.doc.body = R"({"type":"object","properties":{}})";
    call.format.kind = Format::json_schema;
    call.format.body = {0, static_cast<uint32_t>(call.doc.body.size())};
    Sampling& s = call.sampling;
    s.temperature = 0.7f, s.top_p = 0.9f, s.min_p = 0.05f, s.presence = 1.f, s.frequency = -1.f, s.repetition = 1.1f, s.length_penalty = 2.f;
    s.top_k = -1, s.n = 2, s.best_of = 3, s.max_tokens = 10, s.min_tokens = 1, s.max_thinking = 5, s.seed = -3;
    Str stops[] = {"\n\n", "END"};
    uint32_t stop_ids[] = {7, 128009};
    s.stop = stops, s.stop_ids = stop_ids, s.logprobs = 2, s.prompt_logprobs = 0, s.ignore_eos = true, s.include_stop = true, s.skip_special = false;
    Hints& h = call.hints;
    h.lora = "adapter-a", h.cache_salt = "tenant-1", h.priority = -2, h.strict_priority = 4, h.priority_jump_s = 1.5f, h.expected_out = 64;
    DynamoAsk ask;
    const Str annotations[] = {"token_ids"};
    DynamoBootstrap meet{"127.0.0.1", 45101, 9223372036854775807u, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255}};
    ask.model = "m", ask.annotations = annotations, ask.max_tokens = 1, ask.min_tokens = 0, ask.backend_id = 18446385850734466672u, ask.prefill_id = 1, ask.decode_id = 2;
    ask.dp_rank = 3, ask.prefill_dp_rank = 4, ask.prefill_result = R"({"disaggregated_params":{"k":[1,2.5]}})", ask.bootstrap = &meet, ask.decode_leg = true;
    EXPECT_EQ(as_json(call, ask, PayloadCodec::json),
              R"({"model":"m","token_ids":[],"stop_conditions":{"max_tokens":1,"stop":["\n\n","END"],"stop_token_ids":[7,128009],"stop_token_ids_visible":null,)"
              R"("stop_token_ids_hidden":null,"min_tokens":0,"ignore_eos":true,"max_thinking_tokens":5},"sampling_options":{"n":2,"best_of":3,"presence_penalty":1.0,)"
              R"("frequency_penalty":-1.0,"repetition_penalty":1.1,"temperature":0.7,"top_p":0.9,"top_k":-1,"min_p":0.05,"use_beam_search":null,"length_penalty":2.0,)"
              R"("seed":-3,"include_stop_str_in_output":true,"guided_decoding":{"json":{"type":"object","properties":{}}}},"output_options":{"logprobs":2,)"
              R"("prompt_logprobs":0,"skip_special_tokens":false,"formatted_prompt":null,"return_tokens_as_token_ids":null},"eos_token_ids":[],)"
              R"("annotations":["token_ids"],"routing":{"backend_instance_id":18446385850734466672,"prefill_worker_id":1,"decode_worker_id":2,"dp_rank":3,)"
              R"("prefill_dp_rank":4,"expected_output_tokens":64,"lora_name":"adapter-a","cache_salt":"tenant-1","priority_jump":1.5,"strict_priority":4,"priority":-2},)"
              R"("router_config_override":{"overlap_score_credit":0.0,"prefill_load_scale":null,"router_temperature":null,"assume_kv_reuse":false,)"
              R"("track_prefill_tokens":false,"shared_cache_multiplier":null},"prefill_result":{"disaggregated_params":{"k":[1,2.5]}},)"
              R"("bootstrap_info":{"bootstrap_host":"127.0.0.1","bootstrap_port":45101,"bootstrap_room":9223372036854775807,)"
              R"("handoff_id":"00010203-0405-0607-0809-0a0b0c0d0eff"}})");
    EXPECT_NE(as_json(call, ask, PayloadCodec::msgpack).find(R"("handoff_id":[0,1,2,)"), std::string::npos);   // bytes there
    call.format.kind = Format::json_object;
    EXPECT_NE(as_json(call, ask, PayloadCodec::json).find(R"("guided_decoding":{"json":{"type":"object"}})"), std::string::npos);
    call.doc.body = "{";
    call.format.kind = Format::json_schema, call.format.body = {0, 1};
    EXPECT_EQ(as_json(call, ask, PayloadCodec::msgpack), "refused: response_format is no valid JSON");
}

}  // namespace
}  // namespace weir::engine
