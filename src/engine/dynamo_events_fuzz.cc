// Event payloads as anybody on the event plane may send them: no crash, and what is read and written again reads the same.
#include <cstdlib>

#include "engine/dynamo_events.cc"

namespace {

using namespace weir;
using namespace weir::engine;

struct Copy final : KvEventSink {
    std::string batch;
    size_t n = 0;
    void event(const KvEvent& e) override { append_kv_event(batch, e), n++; }
};

std::string again(Str payload) {       // empty: refused
    Copy copy;
    if (!read_kv_events(payload, copy)) return {};
    std::string out;
    MsgpackWriter(out).array(copy.n);
    return out + copy.batch;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const Str text(reinterpret_cast<const char*>(data), size);
    const std::string once = again(text);
    if (!once.empty() && again(once) != once) abort();
    Copy copy;
    if (auto a = read_recovery_answer(text, copy); a && a->count != copy.n) abort();
    (void)read_load_report(text);
    (void)read_event_frame(text);
    if (auto e = read_envelope(text)) {
        std::string written;
        append_envelope(written, *e);
        auto back = read_envelope(written);
        if (!back || back->payload != e->payload || back->topic != e->topic) abort();
    }
    return 0;
}
