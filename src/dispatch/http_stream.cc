#include "dispatch/http_stream.h"

#include <algorithm>

#include "engine/openai_codec.h"

namespace weir::dispatch {
namespace {

class HttpStream final : public EngineStream {
public:
    HttpStream(Upstream& upstream, Api api, bool streaming, Instant deadline)
        : upstream_(upstream), decoder_(api, streaming), streaming_(streaming), deadline_(deadline) {}

    Task<Result<size_t>> next(Batch& out) override {
        out.clear();
        while (!ended_ && out.events.empty()) {
            const Instant now = Core::here().now();
            upstream_.deadline_in(deadline_ ? std::max<uint64_t>(1, (deadline_ - std::min(deadline_, now)) / ns_per_ms) : 0);
            auto piece = co_await upstream_.next();
            const bool cut_behind_done = !piece && streaming_ && decoder_.done() && piece.error()->code != Code::deadline;
            if (cut_behind_done) piece = Piece{{}, true};   // only the framing's end is missing
            if (!piece) co_return std::move(piece).error();
            out.at = Core::here().now();
            Result<void> fed = decoder_.feed(piece->bytes, out);
            if (fed && piece->end) fed = decoder_.finish(out);
            if (!fed) co_return std::move(fed).error();
            ended_ = piece->end;
        }
        co_return out.events.size();
    }
    bool complete() const override { return ended_; }
    void hold() override { upstream_.hold(); }
    void stop_now() override {}        // HTTP knows no such word: who has enough drops the stream

private:
    Upstream& upstream_;
    engine::OpenAiDecoder decoder_;
    const bool streaming_;
    const Instant deadline_;
    bool ended_ = false;
};

}  // namespace

std::unique_ptr<EngineStream> http_events(Upstream& upstream, Api api, bool streaming, Instant deadline) {
    return std::make_unique<HttpStream>(upstream, api, streaming, deadline);
}

}  // namespace weir::dispatch
