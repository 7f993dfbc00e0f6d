#include "engine/dynamo_codec.h"
#include "wire/json_top.h"
#include "wire/json_write.h"
#include "wire/msgpack.h"
#include "wire/utf8.h"

namespace weir::engine {
namespace {

using Kind = MsgpackReader::Kind;

Failure garbage(std::string detail) { return Failure(Code::engine_garbage, "the worker's answer could not be understood").detail(std::move(detail)); }

constexpr size_t list_max = 1 << 20;         // tokens of one item
constexpr size_t alternatives_max = 1'024;   // of one token

}  // namespace

// Turns one data frame into Events. Reading is sloppy about what nobody needs and strict about the rest; ok() is asked at the end.
class DynamoItem {
public:
    DynamoItem(DynamoDecoder& decoder, Str bytes, Batch& out) : d_(decoder), r_(bytes), out_(out) {}

    Result<void> run() {
        bool last = false;
        for (uint32_t n = r_.map(); n > 0 && r_.ok(); n--) {
            const Str key = r_.text();
            if (key == "data" && !r_.take_nil()) annotated();
            else if (key == "complete_final") last = r_.boolean();
            else if (key != "data") r_.skip();
        }
        if (!bad_.empty()) return garbage(bad_);
        if (!r_.done()) return garbage("a data frame is malformed");
        d_.complete_ = last;
        return {};
    }

private:
    using Alternatives = std::span<const TokenAlternative>;
    struct Output {                    // members of one LLMEngineOutput
        std::span<uint32_t> ids;
        std::span<double> scores;
        std::span<Alternatives> top;
        Str text, finish, finish_error, stop_reason, usage, extra;
        uint64_t index = 0;
        bool ended = false, broke = false;
    };

    void annotated() {
        Str data, error, event;
        std::string comment;
        for (uint32_t n = r_.map(); n > 0 && r_.ok(); n--) {
            const Str key = r_.text();
            if (r_.take_nil()) continue;
            if (key == "data") data = r_.skip();
            else if (key == "error") error = r_.skip();
            else if (key == "event") event = r_.text();
            else if (key == "comment" && r_.kind() == Kind::array)
                for (uint32_t i = r_.array(); i > 0 && r_.ok(); i--) comment.append(comment.empty() ? "" : "; ").append(r_.text());
            else r_.skip();
        }
        if (!r_.ok()) return;
        if (!d_.begun_) d_.begun_ = true, out_.add(Event::begin).more = out_.arena.make<BeginHead>();
        if (event == "error" || !error.empty()) return failure(error, comment);
        if (!event.empty()) {
            std::string json;
            if (!data.empty() && msgpack_to_json(data, json)) out_.add(Event::annotation).data = out_.arena.copy(json);
            return;
        }
        if (!data.empty()) output(data);
    }

    void failure(Str error, const std::string& comment) {
        std::string json;
        if (error.empty() || !msgpack_to_json(error, json)) json.clear();
        WorkerError e = json.empty() ? WorkerError() : read_worker_error(json);
        if (e.message.empty()) e.message = comment;
        fail(e, json);
    }
    void fail(const WorkerError& e, const std::string& json) {
        d_.failed_ = true;
        FailureBody& s = d_.status_;
        s.code = e.retriable ? Code::lost_mid_stream : Code::engine_status;
        s.message = "the worker could not finish the answer";
        if (!e.retriable && e.status == 400 && !e.shown.empty()) s.code = Code::bad_request, s.message = e.shown;   // the request's fault: they may know
        s.reason = e.kind;
        s.detail = e.message.substr(0, 1'000);
        s.upstream_status = e.status;
        Event& event = out_.add(Event::failure);
        event.index = static_cast<uint32_t>(s.code);
        event.more = &s;
        event.data = out_.arena.copy(json);
    }

    template <class T, class Read>
    std::span<T> list(Read read) {     // into the batch's arena
        if (r_.take_nil()) return {};
        const uint32_t n = r_.array();
        if (n > list_max) bad_ = "a list is too long", r_.fail();
        if (n == 0 || !r_.ok()) return {};
        T* items = static_cast<T*>(out_.arena.alloc(n * sizeof(T), alignof(T)));
        for (uint32_t i = 0; i < n; i++) new (items + i) T(read());
        return {items, n};
    }
    uint32_t id() {
        const uint64_t v = r_.number();
        if (v > UINT32_MAX) bad_ = "a token id beyond 32 bits";
        return static_cast<uint32_t>(v);
    }
    TokenAlternative alternative() {
        TokenAlternative a;
        for (uint32_t n = r_.map(); n > 0 && r_.ok(); n--) {
            const Str key = r_.text();
            if (r_.take_nil()) continue;
            if (key == "token_id") a.id = id();
            else if (key == "logprob") a.logprob = r_.real();
            else if (key == "token") a.token = out_.arena.copy(r_.text());
            else r_.skip();
        }
        return a;
    }

    void finish_reason(Output& o) {
        if (r_.take_nil()) return;
        o.ended = true;
        if (r_.kind() != Kind::map) {
            o.finish = r_.text();
            if (o.finish.starts_with("error")) o.broke = true, o.finish_error = o.finish.substr(std::min<size_t>(o.finish.size(), 7));
            return;
        }
        o.broke = true;
        for (uint32_t n = r_.map(); n > 0 && r_.ok(); n--) {
            r_.text();
            o.finish_error = r_.kind() == Kind::text ? r_.text() : (r_.skip(), Str());
        }
    }

    void output(Str bytes) {
        MsgpackReader outer = r_;
        r_ = MsgpackReader(bytes);
        Output o;
        std::string extra;
        for (uint32_t n = r_.map(); n > 0 && r_.ok(); n--) {
            const Str key = r_.text();
            if (key == "token_ids") o.ids = list<uint32_t>([&] { return id(); });
            else if (key == "finish_reason") finish_reason(o);
            else if (r_.take_nil()) continue;
            else if (key == "text") o.text = r_.text();
            else if (key == "log_probs") o.scores = list<double>([&] { return r_.real(); });
            else if (key == "top_logprobs") o.top = list<Alternatives>([&]() -> Alternatives { return list<TokenAlternative>([&] { return alternative(); }); });
            else if (key == "index") o.index = r_.number();
            else if (key == "completion_usage") o.usage = r_.skip();
            else if (key == "stop_reason" || key == "disaggregated_params" || key == "content_parts" || key == "engine_data" || key == "extra_args") {
                std::string json;
                if (const Str value = r_.skip(); msgpack_to_json(value, json))
                    extra.append(extra.empty() ? "\"" : ",\"").append(key).append("\":").append(json);
            } else r_.skip();
        }
        if (bad_.empty() && !r_.done()) bad_ = "an answer's item is malformed";
        if (o.index >= limits::choices_max) bad_ = "a choice's index is out of range";
        if (!utf8_valid(o.text)) bad_ = "text that is no UTF-8";
        for (auto& t : o.top)
            if (t.size() > alternatives_max) bad_ = "too many alternatives of a token";
        r_ = outer;
        if (bad_.empty()) emit(o, extra);
    }

    void emit(const Output& o, const std::string& extra) {
        const auto choice = static_cast<uint16_t>(o.index);
        if (!o.ids.empty()) {
            Event& e = out_.add(Event::tokens, choice);
            e.data = Str(reinterpret_cast<const char*>(o.ids.data()), o.ids.size_bytes());
            TokenScores scores;
            if (o.scores.size() == o.ids.size()) scores.logprobs = o.scores;
            if (o.top.size() == o.ids.size()) scores.top = o.top;
            if (!scores.logprobs.empty() || !scores.top.empty()) e.more = out_.arena.make<TokenScores>(scores);
        }
        if (!o.text.empty()) out_.add(Event::text, choice).data = out_.arena.copy(o.text);
        if (!extra.empty()) {
            Event& e = out_.add(Event::item, choice);
            e.index = static_cast<uint32_t>(ItemKind::choice);
            e.data = out_.arena.copy(extra);
        }
        if (!o.usage.empty()) usage(o.usage);
        if (o.broke) {
            WorkerError error;
            error.message = o.finish_error;
            std::string json;
            JsonWriter(json).object().member("message", utf8_valid(o.finish_error) ? o.finish_error : Str()).end_object();
            fail(error, json);
        } else if (o.ended) {
            finish(o, choice);
        }
        if (!out_.events.empty()) out_.events.back().flags |= Event::end_of_frame;
    }

    void finish(const Output& o, uint16_t choice) {
        FinishReason reason = FinishReason::other;
        if (o.finish == "eos" || o.finish == "stop" || o.finish == "cancelled" || o.finish == "abort") reason = FinishReason::stop;   // as the peer maps them
        else if (o.finish == "length") reason = FinishReason::length;
        else if (o.finish == "content_filter") reason = FinishReason::content_filter;
        Event& e = out_.add(Event::finish, choice);
        e.index = static_cast<uint32_t>(reason);
        e.more = out_.arena.make<FinishHead>(out_.arena.copy(o.finish));
    }

    void usage(Str bytes) {
        MsgpackReader u(bytes);
        Usage* usage = out_.arena.make<Usage>();
        usage->from_engine = true;
        auto count = [&](MsgpackReader& r) { return static_cast<uint32_t>(std::min<uint64_t>(r.number(), UINT32_MAX)); };
        for (uint32_t n = u.map(); n > 0 && u.ok(); n--) {
            const Str key = u.text();
            if (u.take_nil()) continue;
            if (key == "prompt_tokens") usage->prompt = count(u);
            else if (key == "completion_tokens") usage->completion = count(u);
            else if (key == "prompt_tokens_details") {
                for (uint32_t i = u.map(); i > 0 && u.ok(); i--) {
                    const Str detail = u.text();
                    if (u.take_nil()) continue;
                    if (detail == "cached_tokens") usage->cached = count(u), usage->has_cached = true;
                    else if (detail == "audio_tokens") usage->audio_in = count(u);
                    else u.skip();
                }
            } else u.skip();
        }
        std::string json;
        if (!u.done() || !msgpack_to_json(bytes, json)) return void(bad_ = "usage is malformed");
        Event& e = out_.add(Event::usage);
        e.more = usage;
        e.data = out_.arena.copy(json);
    }

    DynamoDecoder& d_;
    MsgpackReader r_;
    Batch& out_;
    std::string bad_;                  // what is wrong beyond the syntax
};

Result<void> DynamoDecoder::frame(Str body, Batch& out) {
    if (complete_) return garbage("data after the last frame");
    if (codec_ == PayloadCodec::json) {
        converted_.clear();
        if (!check_json(body) || !json_to_msgpack(body, converted_)) return garbage("a data frame is no JSON");
        body = converted_;
    }
    return DynamoItem(*this, body, out).run();
}

}  // namespace weir::engine
