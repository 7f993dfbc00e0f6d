// Answers of the gateway's own tokenizers: text to ids, ids to text, and the list of tokenizers. Long texts give way to other requests.
#include <algorithm>

#include "api/decode.h"
#include "api/tokenize.h"
#include "gateway/encode_text.h"
#include "gateway/flow.h"
#include "gateway/tokenizers.h"
#include "wire/json_write.h"
#include "wire/utf8.h"

namespace weir {
namespace {

constexpr size_t slice_bytes = 32 * 1024;        // of text, encoded between two looks at the other requests
constexpr size_t pool_bytes = 16 * 1024;         // a piece that cannot be cut below this is a pool thread's business
constexpr size_t slice_ids = 8 * 1024;           // written or decoded at once

api::TokenizerInfo info_of(const Tokenizers::Entry& e) {
    return {e.id, e.name, e.source.model, name(e.state), e.message, e.model ? e.model->tokenizer->vocab_size() : 0};
}

// `work` on a pool thread, which may outlive who asked: whatever it uses, it owns. shed: with `busy`, when the pool is full.
template <class T>
Task<Result<T>> elsewhere(Tokenizers& tokenizers, std::function<Result<T>()> work, const char* busy) {
    auto answer = std::make_shared<Result<T>>(Failure(Code::shed, busy));
    std::function<void()> job = [answer, work = std::move(work)] { *answer = work(); };
    InPool pooled(tokenizers.pool(), std::move(job));
    bool ran = co_await pooled;
    if (!ran) co_return Failure(Code::shed, busy);
    co_return std::move(*answer);
}

Task<Result<TokenIds>> encode_elsewhere(Tokenizers& tokenizers, prepare::ModelRef model, std::string text, EncodeOptions options) {
    std::function<Result<TokenIds>()> work = [caches = &tokenizers.caches(), model = std::move(model), text = std::move(text), options] {
        auto scratch = model->tokenizer->scratch();
        return prepare::encode_text(caches, *model->tokenizer, text, options, *scratch);
    };
    return elsewhere(tokenizers, std::move(work), "too many long texts are being encoded");
}

void append_token_strings(const Tokenizer& tokenizer, std::span<const uint32_t> ids, std::string& out) {
    for (uint32_t id : ids) {
        out.push_back(out.empty() ? '[' : ',');
        std::string_view token = tokenizer.token(id);
        append_json_string(out, utf8_valid(token) ? token : "\xef\xbf\xbd");
    }
}

Task<Result<prepare::Rendered>> render_elsewhere(Tokenizers& tokenizers, prepare::ModelRef model, std::string body) {
    std::function<Result<prepare::Rendered>()> work = [as_text = tokenizers.special_as_text(), model = std::move(model), body = std::move(body)] {
        return prepare::render_prompt(*model, body, as_text);
    };
    return elsewhere(tokenizers, std::move(work), "too many conversations are being rendered");
}

}  // namespace

bool from_this_host(const PeerAddress& peer) {
    constexpr uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    switch (peer.family) {
    case PeerAddress::unix_socket: return true;
    case PeerAddress::v4: return peer.bytes[0] == 127;
    case PeerAddress::v6:
        return std::equal(loopback, loopback + 16, peer.bytes) || (std::equal(mapped, mapped + 12, peer.bytes) && peer.bytes[12] == 127);
    default: return false;
    }
}

// In slices on this core, unless the text has no place to be cut.
Task<Result<TokenIds>> encode_in_slices(Tokenizers& tokenizers, CoreState& here, prepare::ModelRef model, std::string text, EncodeOptions options) {
    std::shared_ptr<EncodeScratch> scratch = here.scratch_of(model->tokenizer);
    prepare::EncodeJob job(&tokenizers.caches(), *model->tokenizer, text, options, *scratch);
    for (;;) {
        if (job.next_bytes() > pool_bytes) co_return co_await encode_elsewhere(tokenizers, std::move(model), std::move(text), options);
        CO_TRY(bool done, job.step(slice_bytes));
        if (done) co_return job.take();
        co_await yield();
    }
}

// On this core when it is short.
Task<Result<prepare::Rendered>> render_prompt(Tokenizers& tokenizers, prepare::ModelRef model, std::string_view body) {
    if (body.size() <= slice_bytes) co_return prepare::render_prompt(*model, body, tokenizers.special_as_text());
    co_return co_await render_elsewhere(tokenizers, std::move(model), std::string(body));
}

Task<Result<api::Reply>> Flow::tokenize(CoreState& here, std::string_view body, bool plain) {
    Arena arena;
    CO_TRY(api::TokenizeAsk ask, api::read_tokenize(options_.api, body, arena));
    prepare::ModelRef model = tokenizers_->find(ask.model);
    if (!model) co_return api::no_tokenizer_reply(options_.api, ask.model, tokenizers_->any());
    EncodeOptions how;
    how.add_special_tokens = ask.add_special_tokens.value_or(plain && ask.chat.empty());
    how.special_as_text = tokenizers_->special_as_text() && ask.chat.empty();
    std::vector<std::string> texts;
    for (Str prompt : ask.prompts) texts.emplace_back(prompt);
    TokenIds ids;
    if (!ask.chat.empty()) {
        Result<prepare::Rendered> rendered = co_await render_prompt(*tokenizers_, model, ask.chat);
        if (!rendered) co_return std::move(rendered).error();
        texts.push_back(std::move(rendered->text));
        if (!how.add_special_tokens) ids = rendered->ids;
    }
    api::Reply reply;
    reply.content_type = "application/json";
    std::string strings;
    api::TokenizeAnswer answer(ask.many, plain, reply.body);
    answer.begin();
    for (std::string& text : texts) {
        uint64_t characters = api::characters_of(text);
        if (!ids) {
            CO_TRY(ids, co_await encode_in_slices(*tokenizers_, here, model, std::move(text), how));
        }
        answer.begin_prompt();
        for (size_t at = 0; at < ids->size(); at += slice_ids) {
            std::span<const uint32_t> some = std::span(*ids).subspan(at, std::min(slice_ids, ids->size() - at));
            answer.ids(some);
            if (ask.token_strings && !ask.many) append_token_strings(*model->tokenizer, some, strings);
            if (at + slice_ids < ids->size()) co_await yield();
        }
        if (ask.token_strings && !ask.many) strings += strings.empty() ? "[]" : "]";
        answer.end_prompt(characters);
        ids = nullptr;
    }
    answer.end(model->context, strings);
    co_return reply;
}

Task<Result<api::Reply>> Flow::detokenize(std::string_view body, bool plain) {
    Arena arena;
    CO_TRY(api::DetokenizeAsk ask, api::read_detokenize(options_.api, body, arena));
    prepare::ModelRef model = tokenizers_->find(ask.model);
    if (!model) co_return api::no_tokenizer_reply(options_.api, ask.model, tokenizers_->any());
    bool skip = ask.skip_special_tokens.value_or(!plain);
    std::vector<std::string> texts;
    for (auto ids : ask.tokens) {
        std::string text;
        if (ids.size() <= slice_ids) {
            text = model->tokenizer->decode(ids, skip);
        } else {   // as a stream, whose pieces are those of the whole
            auto stream = model->tokenizer->detokenizer(skip);
            for (size_t at = 0; at < ids.size(); at++) {
                stream->feed(ids[at], text);
                if (at % slice_ids == slice_ids - 1) co_await yield();
            }
            stream->flush(text);
        }
        texts.push_back(std::move(text));
    }
    co_return api::detokenize_reply(texts, ask.many, plain);
}

Result<api::Reply> Flow::tokenizer_list(const api::Row& row, std::string_view body, std::string_view rest) {
    Arena arena;
    switch (row.endpoint) {
    case api::Endpoint::tokenizer_add: {
        TRY(api::AddTokenizer ask, api::read_add_tokenizer(options_.api, body, arena));
        prepare::ModelSource source;
        source.model = ask.source;
        source.chat_template = ask.chat_template;
        TRY(Tokenizers::Added added, tokenizers_->add(std::string(ask.name), std::move(source)));
        api::TokenizerInfo info = info_of(added.entry);
        std::string quoted = "Tokenizer '" + added.entry.name + "'";
        std::string message = added.fresh ? quoted + " registration job submitted. Loading from: " + added.entry.source.model : quoted + " already exists";
        info.message = message;
        if (!added.fresh) info.status = "failed";
        return api::tokenizer_added_reply(info, added.fresh ? 202 : 409);
    }
    case api::Endpoint::tokenizers: {
        std::vector<Tokenizers::Entry> all = tokenizers_->list();
        std::vector<api::TokenizerInfo> infos;
        for (auto& e : all)
            if (e.state == Tokenizers::State::completed) infos.push_back(info_of(e));
        return api::tokenizers_reply(infos);
    }
    case api::Endpoint::tokenizer_remove: {
        std::string id(api::model_of_path(rest, arena));
        auto gone = tokenizers_->remove(id);
        return gone ? api::tokenizer_removed_reply(gone->name) : api::unknown_tokenizer_reply(options_.api, id);
    }
    default: break;
    }
    constexpr Str status = "/status";
    bool about_status = rest.ends_with(status);
    std::string id(api::model_of_path(about_status ? rest.substr(0, rest.size() - status.size()) : rest, arena));
    auto found = tokenizers_->entry(id);
    bool ready = found && found->state == Tokenizers::State::completed;
    if (!found || (!about_status && !ready)) return api::unknown_tokenizer_reply(options_.api, id);
    api::TokenizerInfo info = info_of(*found);
    if (!about_status) return api::tokenizer_reply(info);
    std::string message = "Tokenizer '" + found->name + "' is " + (ready ? "loaded and ready" : "being loaded");
    if (found->state != Tokenizers::State::failed) info.message = message;
    return api::tokenizer_status_reply(info);
}

Task<void> Flow::text_answer(HttpExchange& http, RequestScope& scope, CoreState& here, const api::Row& row, std::string rest) {
    scope.origin_is(cors_of(http.head().headers));
    if (row.api == Api::admin && !from_this_host(http.peer))   // until there are roles
        co_return fail(http, scope, Failure(Code::forbidden, "tokenizers are managed from the gateway's own host only"));
    if (!http.body_complete() || http.body().size() > options_.api.body_max) {
        auto taken = co_await http.read_body(options_.api.body_max);
        if (!taken) co_return fail(http, scope, taken.error());
    }
    if (!http.hold()) co_return fail(http, scope, Failure(Code::shed, "the gateway's budget for request bodies is used up"));
    Result<api::Reply> reply = api::Reply{};
    switch (row.endpoint) {
    case api::Endpoint::tokenize: reply = co_await tokenize(here, http.body(), false); break;
    case api::Endpoint::tokenize_plain: reply = co_await tokenize(here, http.body(), true); break;
    case api::Endpoint::detokenize: reply = co_await detokenize(http.body(), false); break;
    case api::Endpoint::detokenize_plain: reply = co_await detokenize(http.body(), true); break;
    default: reply = tokenizer_list(row, http.body(), rest); break;
    }
    if (!reply) co_return fail(http, scope, reply.error());
    scope.finish(reply->status < 400 ? Code::ok : reply->status == 404 ? Code::model_unknown : Code::bad_request, Outcome::gateway);
    this->reply(http, scope, *reply);
}

}  // namespace weir
