// A worker's data frames, in both codecs: no crash, and JSON that converts says the same as its MessagePack.
#include <cstdlib>

#include "engine/dynamo_answer.cc"
#include "engine/dynamo_request.cc"

namespace {

using namespace weir;
using namespace weir::engine;

void require(bool holds) {
    if (!holds) abort();
}

std::string read(Str body, PayloadCodec codec) {
    DynamoDecoder d(codec);
    Batch batch;
    std::string said;
    if (!d.frame(body, batch)) return "refused";
    for (const Event& e : batch.events) {
        said += std::to_string(e.kind) + " " + std::to_string(e.choice) + " " + std::to_string(e.index) + " " + std::string(e.data) + "\n";
        require(e.choice < limits::choices_max);
        if (e.kind == Event::tokens) {
            require(!e.data.empty() && e.data.size() % 4 == 0);
            if (auto* s = e.as<TokenScores>()) require(s->logprobs.empty() || s->logprobs.size() * 4 == e.data.size());
        }
        if (e.kind != Event::tokens && e.kind != Event::vector) require(utf8_valid(e.data));
    }
    return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const Str text(reinterpret_cast<const char*>(data), size);
    read(text, PayloadCodec::msgpack);
    std::string packed;
    const std::string as_json = read(text, PayloadCodec::json);
    if (check_json(text) && json_to_msgpack(text, packed)) require(read(packed, PayloadCodec::msgpack) == as_json);
    Call call;
    call.doc.body = text;
    call.format.kind = Format::json_schema;
    call.format.body = {0, static_cast<uint32_t>(size)};
    DynamoAsk ask;
    ask.model = text;
    std::string body;
    if (write_dynamo_request(call, ask, PayloadCodec::msgpack, body)) {
        MsgpackReader r(body);
        r.skip();
        require(r.done());
    }
    body.clear();
    if (write_dynamo_request(call, ask, PayloadCodec::json, body)) require(static_cast<bool>(check_json(body)));
    return 0;
}
