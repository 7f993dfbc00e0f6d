// Any bytes, and a good request with some bytes changed, as what a frontend sends: read or refused, and what was read can be answered.
#include <cstdlib>
#include <set>

#include "mocker/dynamo_ask.h"
#include "mocker/kv_log.h"
#include "wire/msgpack.h"

namespace {

using namespace weir;

void require(bool holds) {
    if (!holds) abort();
}

constexpr Str good = R"({"token_ids":[1,200,70000],"stop_conditions":{"max_tokens":3,"min_tokens":1,"stop_token_ids":[5],"ignore_eos":true},)"
                     R"("sampling_options":{"seed":-3,"n":2},"output_options":{"logprobs":2},"eos_token_ids":[5,6],"routing":{"dp_rank":1,"lora_name":"a"}})";

void ask(Str body, PayloadCodec codec) {
    auto a = mocker::read_token_ask(body, codec);
    if (!a) return;
    require(a->n >= 1 && a->n <= mocker::ask_choices_max && a->logprobs >= -1 && a->logprobs <= 20);
    require(std::set<uint32_t>(a->ends.begin(), a->ends.end()).size() == a->ends.size() && a->ends.size() <= mocker::ask_ends_max);
}

struct Nobody final : engine::KvEventSink {
    void event(const engine::KvEvent&) override {}
};

void question(Str body) {
    auto q = mocker::read_recovery_question(body);
    if (!q) return;
    mocker::KvLog log(q->worker_id, q->dp_rank);
    const uint64_t names[] = {1, 2, 3}, local[] = {4, 5, 6};
    for (int i = 0; i < 3; ++i) log.add({sim::KvEvent::stored, 0, names, local, {}, 1});
    std::string answer;
    log.answer(*q, answer);
    Nobody nobody;
    require(static_cast<bool>(engine::read_recovery_answer(answer, nobody)));
}

void changed(std::string text, const uint8_t* data, size_t size, void (*use)(Str)) {
    for (size_t i = 0; i + 1 < size && i < 16; i += 2) text[data[i] * text.size() / 256] = static_cast<char>(data[i + 1]);
    use(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const Str text(reinterpret_cast<const char*>(data), size);
    for (PayloadCodec codec : {PayloadCodec::msgpack, PayloadCodec::json}) ask(text, codec);
    question(text);
    std::string packed, asked;
    require(json_to_msgpack(good, packed));
    engine::append_recovery_question(asked, {7, 1, 2, 3});
    changed(packed, data, size, [](Str s) { ask(s, PayloadCodec::msgpack); });
    changed(std::string(good), data, size, [](Str s) { ask(s, PayloadCodec::json); });
    changed(asked, data, size, question);
    return 0;
}
