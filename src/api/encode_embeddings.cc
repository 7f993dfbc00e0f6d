// Embeddings: one row per input, float lists or base64, always unary.
#include <cstring>

#include "api/encode_parts.h"
#include "base/base64.h"
#include "wire/json_walk.h"

namespace weir::api {
namespace {

class EmbeddingsEncoder final : public Encoder {
public:
    EmbeddingsEncoder(const Options& options, const Tail& tail, int64_t now_s)
        : options_(options), base64_(tail.wants & wants::base64), launch_(options.dialect == Dialect::launch), head_(first_head(tail, now_s)) {
        head_.id.clear();   // only an engine's own id is shown
    }

    void events(const Batch& batch, std::string&) override {
        for (const Event& e : batch.events) {
            if (failure_) return;
            switch (e.kind) {
                case Event::begin:
                    head_.take(*e.as<BeginHead>());
                    created_ = e.as<BeginHead>()->created != 0;
                    break;
                case Event::vector: put_row(e); break;
                case Event::item:
                    if (e.index == static_cast<uint32_t>(ItemKind::choice) && !data_.empty()) {
                        data_.pop_back();
                        put_members(e.data, launch_, data_);
                        data_ += '}';
                    }
                    break;
                case Event::usage: put_usage(options_, Api::embeddings, e, usage_); break;
                case Event::failure:
                    failure_ = e.more ? *e.as<FailureBody>() : FailureBody{};
                    failure_->code = e.code();
                    break;
                default: break;
            }
        }
    }

    void end(std::string& out) override {
        if (failure_) return;
        out += "{\"object\":\"list\",\"data\":[";
        out.append(data_).append("],\"model\":");
        append_json_string(out, head_.model);
        if (!head_.id.empty()) append_json_string(out += ",\"id\":", head_.id);
        if (created_) out.append(",\"created\":").append(std::to_string(head_.created));
        if (!usage_.empty()) out.append(",\"usage\":").append(usage_);
        put_members(head_.extra, launch_, out);
        out += '}';
    }

    void fail(const FailureBody& failure, std::string&) override { failure_ = failure; }
    Str content_type() const override { return "application/json"; }

private:
    void put_row(const Event& e) {
        if (!data_.empty()) data_ += ',';
        data_.append("{\"object\":\"embedding\",\"index\":").append(std::to_string(e.choice)).append(",\"embedding\":");
        if (e.flags & Event::base64) {
            auto bytes = base64_ ? std::optional<std::string>("") : base64_decode(e.data);
            if (!bytes) failure_ = FailureBody{Code::engine_garbage};
            base64_ ? put_quoted(e.data) : put_list(bytes.value_or(""));
        }
        else if (e.flags & Event::json_list) base64_ ? put_quoted(base64_encode(packed(e.data))) : void(data_ += e.data);
        else base64_ ? put_quoted(base64_encode(e.data)) : put_list(e.data);
        data_ += '}';
    }
    void put_quoted(Str text) { data_.append("\"").append(text).append("\""); }

    static std::string packed(Str list) {
        std::string bytes;
        for (JsonItems i(list); i.next();) {
            float v = static_cast<float>(json_double(i.value).value_or(0));
            bytes.append(reinterpret_cast<const char*>(&v), sizeof v);   // little endian, as clients expect
        }
        return bytes;
    }
    void put_list(Str bytes) {
        char sep = '[';
        for (; bytes.size() >= sizeof(float); bytes.remove_prefix(sizeof(float))) {
            float v;
            std::memcpy(&v, bytes.data(), sizeof v);
            data_ += std::exchange(sep, ',');
            append_json_number(data_, v);
        }
        data_ += sep == '[' ? "[]" : "]";
    }

    const Options options_;
    const bool base64_, launch_;
    Head head_;
    bool created_ = false;
    std::string data_, usage_;
};

}  // namespace

std::unique_ptr<Encoder> make_embeddings_encoder(const Options& options, const Tail& tail, int64_t now_s) {
    return std::make_unique<EmbeddingsEncoder>(options, tail, now_s);
}

}  // namespace weir::api
