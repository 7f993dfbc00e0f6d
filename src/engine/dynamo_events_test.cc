#include "engine/dynamo_events.h"

#include <gtest/gtest.h>

#include <vector>

#include "wire/json_top.h"
#include "wire/msgpack.h"

namespace weir::engine {
namespace {

std::string packed(Str json) {
    std::string out;
    EXPECT_TRUE(check_json(json)) << json;
    EXPECT_TRUE(json_to_msgpack(json, out));
    return out;
}

struct Heard final : KvEventSink {
    std::string said;
    void event(const KvEvent& e) override {
        said += std::to_string(e.worker_id) + "." + std::to_string(e.dp_rank) + " #" + std::to_string(e.event_id) + " tier " + std::to_string(int(e.tier));
        if (e.kind == KvEvent::cleared) said += " cleared";
        if (e.kind == KvEvent::removed) said += " removed";
        for (uint64_t name : e.names) said += " " + std::to_string(name);
        if (e.kind == KvEvent::stored) said += e.has_parent ? " after " + std::to_string(e.parent) : " stored";
        for (const KvBlock& b : e.blocks) said += " " + std::to_string(b.name) + "=" + std::to_string(b.local);
        said += "\n";
    }
};
std::string events(Str payload) {
    Heard heard;
    auto n = read_kv_events(payload, heard);
    if (!n) return "refused" + heard.said;   // nothing of a bad batch may be given out
    return heard.said;
}

// As a real worker published it.
constexpr Str captured =
    R"([{"worker_id":9041998784789855240,"storage_tier":"device","residency_domain":"worker","event":{"event_id":1,"data":{"stored":{"parent_hash":null,)"
    R"("start_position":null,"blocks":[{"block_hash":17511667538238754476,"tokens_hash":17511667538238754476,"mm_extra_info":null}]}},"dp_rank":0}}])";

TEST(KvEvents, ARealBatch) {
    EXPECT_EQ(events(packed(captured)), "9041998784789855240.0 #1 tier 0 stored 17511667538238754476=17511667538238754476\n");
}

TEST(KvEvents, EveryKindAndTier) {
    EXPECT_EQ(events(packed(R"([{"worker_id":1,"storage_tier":"host_pinned","event":{"event_id":2,"data":{"stored":{"parent_hash":18446744073709551615,)"
                            R"("blocks":[{"block_hash":5,"tokens_hash":6},{"tokens_hash":8,"block_hash":7,"mm_extra_info":{"mm_objects":[{}]}}]}},"dp_rank":3}},)"
                            R"({"worker_id":1,"storage_tier":"disk","event":{"event_id":3,"data":{"removed":{"block_hashes":[5,7]}},"dp_rank":3},"session_id":"s"},)"
                            R"({"worker_id":1,"storage_tier":"external","event":{"event_id":4,"data":"cleared","dp_rank":3}}])")),
              "1.3 #2 tier 1 after 18446744073709551615 5=6 7=8\n1.3 #3 tier 2 removed 5 7\n1.3 #4 tier 3 cleared\n");
    EXPECT_EQ(events(packed(R"({"worker_id":1,"event":{"event_id":4,"data":"cleared"}})")), "1.0 #4 tier 0 cleared\n");   // alone
    EXPECT_EQ(events(packed(R"([{"worker_id":1,"storage_tier":"orbit","event":{"event_id":4,"data":"cleared"}}])")), "");
    EXPECT_EQ(events(packed("[]")), "");
}

TEST(KvEvents, ABadBatchIsRefusedWhole) {
    const std::string good = R"({"worker_id":1,"event":{"event_id":4,"data":"cleared"}})";
    for (const char* bad : {"1", "{}", R"({"worker_id":1})", R"({"event":{"event_id":4,"data":"cleared"}})", R"({"worker_id":1,"event":{"event_id":4}})",
                            R"({"worker_id":1,"event":{"data":"melted"}})", R"({"worker_id":1,"event":{"data":{"stored":{"blocks":[{"block_hash":1}]}}}})",
                            R"({"worker_id":1,"event":{"data":{"removed":{"block_hashes":[-1]}}}})", R"({"worker_id":1,"event":{"data":{"stored":{},"removed":{}}}})"})
        EXPECT_EQ(events(packed("[" + good + "," + bad + "]")), "refused") << bad;
    const std::string whole = packed(captured);
    for (size_t n = 0; n < whole.size(); n++) EXPECT_EQ(events(whole.substr(0, n)), "refused") << n;
    EXPECT_EQ(events(whole + "\xc0"), "refused");
}

TEST(KvEvents, WhatIsWrittenReadsBack) {
    const KvBlock blocks[] = {{1, 2}, {UINT64_MAX, 4}};
    const uint64_t names[] = {7, 8};
    KvEvent stored, removed, cleared;
    stored.worker_id = removed.worker_id = cleared.worker_id = 18446385850734466672u;
    stored.blocks = blocks, stored.has_parent = true, stored.parent = 9, stored.event_id = 1, stored.dp_rank = 2;
    removed.kind = KvEvent::removed, removed.names = names, removed.tier = KvTier::disk, removed.event_id = 2;
    cleared.kind = KvEvent::cleared, cleared.event_id = 3;
    std::string batch;
    MsgpackWriter(batch).array(3);
    for (auto* e : {&stored, &removed, &cleared}) append_kv_event(batch, *e);
    EXPECT_EQ(events(batch), "18446385850734466672.2 #1 tier 0 after 9 1=2 18446744073709551615=4\n18446385850734466672.0 #2 tier 2 removed 7 8\n"
                             "18446385850734466672.0 #3 tier 0 cleared\n");
}

TEST(Envelope, BytesAndBack) {
    std::string text, frame;
    append_envelope(text, {3709861485536044, 7, 1795245673650, "kv-events", "payload"});
    append_event_frame(frame, text);
    EXPECT_EQ(frame.substr(0, 5), std::string("\1\0\0\0", 4) + static_cast<char>(text.size()));
    auto inner = read_event_frame(frame);
    ASSERT_TRUE(inner);
    auto e = read_envelope(*inner);
    ASSERT_TRUE(e);
    EXPECT_EQ(e->publisher_id, 3709861485536044u);
    EXPECT_EQ(e->sequence, 7u);
    EXPECT_EQ(e->published_at_ms, 1795245673650u);
    EXPECT_EQ(e->topic, "kv-events");
    EXPECT_EQ(e->payload, "payload");
    for (size_t n = 0; n < text.size(); n++) EXPECT_FALSE(read_envelope(Str(text).substr(0, n)));
    for (size_t n = 0; n < frame.size(); n++) EXPECT_FALSE(read_event_frame(Str(frame).substr(0, n)));
    frame[0] = 2;
    EXPECT_FALSE(read_event_frame(frame));
}

TEST(LoadReports, NullMeansNoChange) {
    auto load = read_load_report(packed(R"({"worker_id":9041998784789855240,"dp_rank":1,"active_decode_blocks":7,"active_prefill_tokens":null,"kv_used_blocks":12})"));
    ASSERT_TRUE(load);
    EXPECT_EQ(load->worker_id, 9041998784789855240u);
    EXPECT_EQ(load->dp_rank, 1u);
    EXPECT_EQ(load->decode_blocks, std::optional<uint64_t>(7));
    EXPECT_FALSE(load->prefill_tokens);
    EXPECT_EQ(load->kv_used_blocks, std::optional<uint64_t>(12));
    EXPECT_FALSE(read_load_report(packed("{}")));
    EXPECT_FALSE(read_load_report(packed("[1]")));
}

TEST(Recovery, TheQuestionIsThePeers) {
    std::string out;
    append_recovery_question(out, {0x7d7ba1fcfae9bc08, 0, {}, {}});
    EXPECT_EQ(out, std::string("\x86\xa9worker_id\xcf\x7d\x7b\xa1\xfc\xfa\xe9\xbc\x08\xa7" "dp_rank\x00\xae" "start_event_id\xc0\xac" "end_event_id\xc0"
                               "\xb9supports_tree_dump_failed\xc3\xa4kind\xa8recovery", 100));   // as captured
}

std::string answer(Str json) {
    Heard heard;
    auto a = read_recovery_answer(packed(json), heard);
    if (!a) return "malformed";
    return std::to_string(a->kind) + " last " + std::to_string(a->last_event_id) + " events " + std::to_string(a->count) + (a->why.empty() ? "" : " " + a->why) +
           (heard.said.empty() ? "" : "\n" + heard.said);
}

TEST(Recovery, Answers) {
    const std::string one = R"({"worker_id":1,"event":{"event_id":0,"data":{"stored":{"blocks":[{"block_hash":1,"tokens_hash":2}]}}}})";
    EXPECT_EQ(answer(R"({"TreeDump":{"events":[)" + one + R"(],"last_event_id":9,"reset_scope":"all"}})"), "0 last 9 events 1\n1.0 #0 tier 0 stored 1=2\n");
    EXPECT_EQ(answer(R"({"data":{"data":{"Events":{"events":[],"last_event_id":4}}},"complete_final":false})"), "1 last 4 events 0");
    EXPECT_EQ(answer(R"({"data":{"Events":{"events":[],"last_event_id":4}},"complete_final":false})"), "1 last 4 events 0");
    EXPECT_EQ(answer(R"({"complete_final":true})"), "4 last 0 events 0");
    EXPECT_EQ(answer(R"({"TooNew":{"requested_start":5,"requested_end":null,"newest_available":3}})"), "2 last 3 events 0");
    EXPECT_EQ(answer(R"({"TreeDumpFailed":{"last_event_id":3,"message":"busy"}})"), "3 last 3 events 0 TreeDumpFailed: busy");
    EXPECT_EQ(answer(R"({"Error":"no such worker"})"), "3 last 0 events 0 Error: no such worker");
    for (const char* bad : {"[]", "{}", R"({"TreeDump":{}})", R"({"TreeDump":[]})", R"({"Events":{"events":[1]}})", R"({"a":1,"b":2})"}) EXPECT_EQ(answer(bad), "malformed") << bad;
}

}  // namespace
}  // namespace weir::engine
