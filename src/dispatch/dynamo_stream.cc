#include "dispatch/dynamo_stream.h"

namespace weir::dispatch {
namespace {

class DynamoStream final : public EngineStream {
public:
    DynamoStream(std::unique_ptr<ResponseStream> frames, PayloadCodec codec) : frames_(std::move(frames)), decoder_(codec) {}

    Task<Result<size_t>> next(Batch& out) override {
        out.clear();
        while (!decoder_.complete() && !decoder_.failed()) {
            CO_TRY(bool more, co_await frames_->read());
            if (!more) break;
            out.at = Core::here().now();
            for (Str body; !decoder_.failed() && frames_->take(body);) CO_TRY_OK(decoder_.frame(body, out));
            if (frames_->garbage()) co_return Failure(Code::engine_garbage, "the worker's answer could not be understood");
            if (decoder_.complete()) frames_->whole();
            if (out.events.empty()) continue;
            out.events.back().flags |= Event::last_of_read;
            co_return out.events.size();
        }
        if (decoder_.failed()) co_return size_t{0};
        if (!decoder_.complete()) co_return Failure(Code::lost_mid_stream, "Stream ended before generation completed");
        co_return size_t{0};
    }
    Task<void> finish() override {
        if (decoder_.complete()) co_await frames_->finish();
    }

    bool complete() const override { return decoder_.complete(); }
    void stop_now() override { frames_->stop(); }

private:
    std::unique_ptr<ResponseStream> frames_;
    engine::DynamoDecoder decoder_;
};

}  // namespace

Task<Result<std::unique_ptr<EngineStream>>> send_dynamo(DynamoPlanes planes, const DynamoWorker& worker, PlaneRequest ask, PlaneTimes times) {
    ask.codec = worker.codec;
    ask.instance_id = worker.instance_id;
    CO_TRY(auto frames, co_await call_worker(planes.requests, planes.home, worker.address, ask, times));
    co_return std::unique_ptr<EngineStream>(std::make_unique<DynamoStream>(std::move(frames), worker.codec));
}

}  // namespace weir::dispatch
