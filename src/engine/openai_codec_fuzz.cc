// An engine's answer, whole and cut: the same Events, all within bounds, or the same refusal. First byte: api and stream; second: where it is cut.
#include <cstdlib>

#include "engine/event_text.h"
#include "engine/openai_answer.cc"
#include "wire/json_walk.cc"
#include "wire/utf8.h"

namespace {

using namespace weir;

void require(bool holds) {
    if (!holds) abort();
}

void check_events(const Batch& batch) {
    for (const Event& e : batch.events) {
        require(e.choice < (e.kind == Event::vector || e.kind == Event::item ? UINT16_MAX : limits::choices_max));
        if (e.kind == Event::text || e.kind == Event::reasoning || e.kind == Event::tool_args) require(utf8_valid(e.data));
        if (e.kind == Event::item || e.kind == Event::usage) require(static_cast<bool>(check_json(e.kind == Event::usage ? std::string(e.data) : "{" + std::string(e.data) + "}")));
        if (e.kind == Event::begin || e.kind == Event::usage || e.kind == Event::tool_begin || e.kind == Event::failure) require(e.more != nullptr);
    }
}

std::string run(Api api, bool stream, std::span<const Str> pieces) {
    engine::OpenAiDecoder decoder(api, stream);
    Batch batch;
    std::string text;
    auto keep = [&](const Result<void>& ok) {
        check_events(batch);
        text += engine::event_text(batch);
        if (!ok) text += std::string("! ") + name(ok.error()->code);
        return static_cast<bool>(ok);
    };
    for (Str piece : pieces) {
        batch.clear();
        if (!keep(decoder.feed(piece, batch))) return text;
    }
    batch.clear();
    keep(decoder.finish(batch));
    return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    constexpr Api apis[] = {Api::chat, Api::completions, Api::embeddings, Api::chat};
    Str bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
    Api api = apis[data[0] & 3];
    bool stream = data[0] & 4 && api != Api::embeddings;
    size_t cut = bytes.size() * data[1] / 256;
    std::string a(bytes.substr(0, cut)), b(bytes.substr(cut));   // blocks of their own: a sanitizer sees a read across the cut
    Str pieces[] = {a, b};
    require(run(api, stream, {&bytes, 1}) == run(api, stream, pieces));
    return 0;
}
