#include "mocker/dynamo_ask.h"

#include <algorithm>

#include "wire/json_top.h"
#include "wire/msgpack.h"

namespace weir::mocker {
namespace {

using Kind = MsgpackReader::Kind;

class Reader {
public:
    Reader(Str bytes, TokenAsk& ask) : r_(bytes), ask_(ask) {}

    Result<void> run() {
        bool tokens = false;
        each([&](Str key) {
            if (key == "token_ids") tokens = token_ids();
            else if (key == "stop_conditions") stop_conditions();
            else if (key == "sampling_options") sampling_options();
            else if (key == "output_options") output_options();
            else if (key == "eos_token_ids") ends();
            else if (key == "routing") routing();
            else r_.skip();
        });
        if (!bad_.empty()) return Failure(Code::bad_field, "malformed " + bad_, bad_);
        if (!r_.done()) return Failure(Code::bad_field, "the request is malformed");
        if (!tokens) return Failure(Code::bad_field, "token_ids is missing", "token_ids");
        return Nothing{};
    }

private:
    template <class F>
    void each(F f) {               // members that are not null; f takes the value
        for (uint32_t n = r_.map(); n > 0 && r_.ok(); n--)
            if (const Str key = r_.text(); !r_.take_nil()) f(key);
    }
    uint32_t number(Str what) {
        const uint64_t v = r_.number();
        if (v > UINT32_MAX) fail(what);
        return static_cast<uint32_t>(v);
    }
    void fail(Str what) {
        if (bad_.empty()) bad_ = what;
        r_.fail();
    }
    bool token_ids() {
        if (r_.kind() == Kind::binary) {   // i32, least significant byte first
            const Str bytes = r_.binary();
            if (bytes.size() % 4) return fail("token_ids"), false;
            for (size_t i = 0; i < bytes.size(); i += 4) {
                auto byte = [&](size_t k) { return uint32_t{static_cast<uint8_t>(bytes[i + k])} << 8 * k; };
                ask_.tokens.push_back(byte(0) | byte(1) | byte(2) | byte(3));
            }
            return true;
        }
        const uint32_t n = r_.array();
        ask_.tokens.reserve(n);
        for (uint32_t i = 0; i < n && r_.ok(); ++i) ask_.tokens.push_back(number("token_ids"));
        return r_.ok();
    }
    void ends() {
        for (uint32_t n = r_.array(); n > 0 && r_.ok(); n--) {
            const uint32_t id = number("stop ids");
            if (std::find(ask_.ends.begin(), ask_.ends.end(), id) != ask_.ends.end()) continue;
            if (ask_.ends.size() == ask_ends_max) return fail("stop ids");
            ask_.ends.push_back(id);
        }
    }
    void stop_conditions() {
        each([&](Str key) {
            if (key == "max_tokens") ask_.max_tokens = number(key);
            else if (key == "min_tokens") ask_.min_tokens = number(key);
            else if (key == "ignore_eos") ask_.ignore_eos = r_.boolean();
            else if (key == "stop_token_ids" || key == "stop_token_ids_hidden" || key == "stop_token_ids_visible") ends();
            else r_.skip();
        });
    }
    void sampling_options() {
        each([&](Str key) {
            if (key == "seed") ask_.seed = r_.negative() ? static_cast<uint64_t>(r_.signed_number()) : r_.number();
            else if (key == "n") {
                ask_.n = number(key);
                if (ask_.n == 0 || ask_.n > ask_choices_max) fail(key);
            } else r_.skip();
        });
    }
    void output_options() {
        each([&](Str key) {
            if (key == "logprobs") ask_.logprobs = static_cast<int>(std::min<uint32_t>(number(key), 20));
            else r_.skip();
        });
    }
    void routing() {
        each([&](Str key) {
            if (key == "dp_rank") ask_.rank = number(key);
            else if (key == "lora_name") ask_.lora = r_.text();
            else if (key == "cache_salt") ask_.cache_salt = r_.text();
            else r_.skip();
        });
    }

    MsgpackReader r_;
    TokenAsk& ask_;
    std::string bad_;
};

}  // namespace

Result<TokenAsk> read_token_ask(Str body, PayloadCodec codec) {
    std::string packed;
    if (codec == PayloadCodec::json) {
        TRY_OK(check_json(body));
        if (!json_to_msgpack(body, packed)) return Failure(Code::bad_json, "the request is malformed");
        body = packed;
    }
    TokenAsk ask;
    TRY_OK(Reader(body, ask).run());
    return ask;
}

}  // namespace weir::mocker
