#include "mocker/dynamo_items.h"

#include "base/assert.h"
#include "mocker/answer.h"
#include "sim/text.h"
#include "wire/json_write.h"
#include "wire/msgpack.h"
#include "wire/two_part.h"

namespace weir::mocker {
namespace {

constexpr uint32_t placeholder = 4'000'000'000u;   // for the template of a plain token; no model has that id

void write_top(MsgpackWriter& w, const Item& item) {
    w.array(1).array(static_cast<size_t>(item.logprobs));
    for (int rank = 0; rank < item.logprobs; ++rank) {
        const auto r = static_cast<uint32_t>(rank);
        const uint32_t id = r == 0 ? *item.token : static_cast<uint32_t>(sim::draw(item.seed, item.n + r) % 256);
        w.map(4).text("rank").number(r + 1).text("token_id").number(id).text("token").nil().text("logprob").real(logprob(item.seed, item.n, r));
    }
}

// One LLMEngineOutput. Members that real workers send as null are there too.
void write_output(MsgpackWriter& w, const Item& item, Str where) {
    w.map(10u + (item.prefilled ? 1 : 0) + (item.usage ? 1 : 0));
    w.text("token_ids").array(item.token ? 1 : 0);
    if (item.token) w.number(*item.token);
    w.text("tokens").nil().text("text").nil().text("output_type").text("text").text("cum_log_probs").nil().text("log_probs");
    const bool scored = item.token && item.logprobs >= 0;
    if (scored) w.array(1).real(logprob(item.seed, item.n, 0));
    else w.nil();
    w.text("top_logprobs");
    if (scored && item.logprobs > 0) write_top(w, item);
    else w.nil();
    w.text("finish_reason");
    if (item.finish) w.text(item.finish);
    else w.nil();
    w.text("stop_reason").nil().text("index");
    if (item.index >= 0) w.number(static_cast<uint64_t>(item.index));
    else w.nil();
    if (item.prefilled) w.text("disaggregated_params").raw(where);
    if (!item.usage) return;
    const ItemUsage& u = *item.usage;
    w.text("completion_usage").map(4).text("prompt_tokens").number(u.prompt).text("completion_tokens").number(u.completion);
    w.text("total_tokens").number(uint64_t{u.prompt} + u.completion).text("prompt_tokens_details").map(2).text("audio_tokens").nil();
    w.text("cached_tokens").number(u.cached);
}

std::string wrapped(const Item& item, Str where) {
    std::string body;
    MsgpackWriter w(body);
    w.map(2).text("data").map(1).text("data");
    write_output(w, item, where);
    w.text("complete_final").boolean(false);
    return body;
}

}  // namespace

ItemWriter::ItemWriter(PayloadCodec codec, std::string where) : codec_(codec) {
    const bool ok = json_to_msgpack(where, where_);
    ASSERT(ok);
    Item item;
    item.token = &placeholder;
    std::string body = wrapped(item, where_), mark;
    MsgpackWriter(mark).number(placeholder);
    if (codec == PayloadCodec::json) {
        std::string text;
        (void)msgpack_to_json(body, text);
        body = std::move(text);
        mark = std::to_string(placeholder);
    }
    const size_t at = body.find(mark);
    before_ = body.substr(0, at);
    after_ = body.substr(at + mark.size());
}

void ItemWriter::token(std::string& out, uint32_t id) const {
    char digits[16];
    size_t n = 0;
    if (codec_ == PayloadCodec::json) {
        for (uint32_t rest = id; n == 0 || rest; rest /= 10) digits[sizeof digits - ++n] = static_cast<char>('0' + rest % 10);
    } else {
        const size_t width = id <= 0x7f ? 0 : id <= 0xff ? 1 : id <= 0xffff ? 2 : 4;
        for (n = 0; n < std::max<size_t>(width, 1); ++n) digits[sizeof digits - 1 - n] = static_cast<char>(id >> 8 * n & 0xff);
        if (width) digits[sizeof digits - ++n] = static_cast<char>(width == 1 ? 0xcc : width == 2 ? 0xcd : 0xce);
    }
    append_two_part_prefix(out, 0, before_.size() + n + after_.size());
    out.append(before_).append(digits + sizeof digits - n, n).append(after_);
}

void ItemWriter::frame(std::string& out, Str msgpack) const {
    if (codec_ == PayloadCodec::msgpack) return append_two_part(out, {}, msgpack);
    std::string text;
    (void)msgpack_to_json(msgpack, text);
    append_two_part(out, {}, text);
}

void ItemWriter::item(std::string& out, const Item& item) const { frame(out, wrapped(item, where_)); }

void ItemWriter::error(std::string& out, Str kind, Str message) const {
    std::string body;
    MsgpackWriter w(body);
    w.map(2).text("data").map(2).text("event").text("error").text("error").map(2).text("error_type").text(kind).text("message").text(message);
    w.text("complete_final").boolean(false);
    frame(out, body);
}

void ItemWriter::answer(std::string& out, Str msgpack_value) const {
    std::string body;
    MsgpackWriter(body).map(2).text("data").raw(msgpack_value).text("complete_final").boolean(false);
    frame(out, body);
}

void ItemWriter::complete(std::string& out) const {
    std::string body;
    MsgpackWriter(body).map(1).text("complete_final").boolean(true);
    frame(out, body);
}

void ItemWriter::end(std::string& out) const {
    complete(out);
    append_stream_word(out, StreamWord::sentinel);
}

void append_refusal(std::string& out, Str kind, Str message) {
    std::string header;
    JsonWriter w(header);
    w.object().member("error", message).key("typed_error").object().member("error_type", kind).member("message", message).end_object().end_object();
    append_two_part(out, header, {});
}

}  // namespace weir::mocker
