#include "discovery/static_urls.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "obs/log.h"

namespace weir {
namespace {

constexpr size_t list_bytes_max = 4 * 1024 * 1024, models_max = 10'000;

// What a worker said: its models, or that it does not know the question (nullopt). Failure: it did not answer.
Task<Result<std::optional<std::vector<std::string>>>> ask(ClientPool& pool, const Target& target, const StaticUrlsOptions& options) {
    std::unique_ptr<Upstream> up = pool.take(target);
    if (!up) {
        CO_TRY(up, co_await pool.open(target));
    }
    std::string lines = "accept: application/json\r\n";
    if (!options.api_key.empty()) lines.append("authorization: Bearer ").append(options.api_key).append("\r\n");
    if (!up->send({"GET", "/v1/models", lines, {}})) co_return Failure(Code::reset_before_byte, "connection lost");
    up->deadline_in(options.question_ms);
    ResponseHead head;
    CO_TRY_OK(co_await up->read_head(head));
    int status = head.status;
    std::string body;
    for (bool end = false; !end;) {
        up->deadline_in(options.question_ms);
        CO_TRY(Piece piece, co_await up->next());
        end = piece.end;
        body.append(piece.bytes);
        if (body.size() > list_bytes_max) co_return Failure(Code::engine_garbage, "the model list is too long");
    }
    if (status == 404 || status == 405 || status == 501) co_return std::optional<std::vector<std::string>>{};
    if (status != 200) co_return Failure(Code::engine_status, "status " + std::to_string(status));
    CO_TRY(auto models, read_model_list(body));
    co_return std::optional(std::move(models));
}

}  // namespace

Result<std::vector<std::string>> read_model_list(std::string_view body) {
    auto json = nlohmann::json::parse(body, nullptr, false);
    if (!json.is_object() || !json.contains("data") || !json["data"].is_array()) return Failure(Code::engine_garbage, "not a model list");
    std::vector<std::string> models;
    for (auto& item : json["data"]) {
        if (!item.is_object() || !item.contains("id") || !item["id"].is_string()) return Failure(Code::engine_garbage, "not a model list");
        if (models.size() < models_max) models.push_back(item["id"].get<std::string>());
    }
    return models;
}

Task<void> watch_static_worker(std::string url, Target target, ClientPool& pool, FoundModels found, StaticUrlsOptions options) {
    uint64_t wait_ms = options.retry_first_ms;
    bool ready = false, told = false;
    for (;;) {
        auto said = co_await ask(pool, target, options);
        if (said) {
            std::vector<std::string> models = said->value_or(std::vector<std::string>{});
            std::string names;
            for (auto& m : models) names.append(names.empty() ? "" : ",").append(m);
            if (!ready) LOG_INFO(discovery, "worker registered", {"worker", url}, {"models", names.empty() ? "(any)" : names});
            ready = true;
            found(std::move(models));
            co_await sleep_ms(options.refresh_ms);
            continue;
        }
        if (!told && !ready) LOG_WARN(discovery, "worker does not answer yet", {"worker", url}, {"why", said.error()->message});
        told = true;
        co_await sleep_ms(ready ? options.refresh_ms : wait_ms);
        wait_ms = std::min(wait_ms * 2, options.retry_max_ms);
    }
}

}  // namespace weir
