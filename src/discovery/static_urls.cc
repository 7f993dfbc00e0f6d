#include "discovery/static_urls.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "obs/log.h"

namespace weir {
namespace {

constexpr size_t list_bytes_max = 4 * 1024 * 1024, models_max = 10'000, ranks_max = 1'024;

struct Page { int status = 0; std::string body; };

Task<Result<Page>> get(ClientPool& pool, const Target& target, std::string_view path, const StaticUrlsOptions& options) {
    std::unique_ptr<Upstream> up = pool.take(target);
    if (!up) {
        CO_TRY(up, co_await pool.open(target));
    }
    std::string lines = "accept: application/json\r\n";
    if (!options.api_key.empty()) lines.append("authorization: Bearer ").append(options.api_key).append("\r\n");
    if (!up->send({"GET", path, lines, {}})) co_return Failure(Code::reset_before_byte, "connection lost");
    up->deadline_in(options.question_ms);
    ResponseHead head;
    CO_TRY_OK(co_await up->read_head(head));
    Page page;
    page.status = head.status;
    for (bool end = false; !end;) {
        up->deadline_in(options.question_ms);
        CO_TRY(Piece piece, co_await up->next());
        end = piece.end;
        page.body.append(piece.bytes);
        if (page.body.size() > list_bytes_max) co_return Failure(Code::engine_garbage, "the answer is too long");
    }
    co_return page;
}

bool unknown(int status) { return status == 404 || status == 405 || status == 501; }

// What a worker said: its models, or that it does not know the question (nullopt). Failure: it did not answer.
Task<Result<std::optional<std::vector<std::string>>>> ask(ClientPool& pool, const Target& target, const StaticUrlsOptions& options) {
    CO_TRY(Page page, co_await get(pool, target, "/v1/models", options));
    if (unknown(page.status)) co_return std::optional<std::vector<std::string>>{};
    if (page.status != 200) co_return Failure(Code::engine_status, "status " + std::to_string(page.status));
    CO_TRY(auto models, read_model_list(page.body));
    co_return std::optional(std::move(models));
}

Task<uint16_t> ask_ranks(ClientPool& pool, const Target& target, const StaticUrlsOptions& options) {
    for (std::string_view path : {"/server_info", "/get_server_info"}) {
        auto page = co_await get(pool, target, path, options);
        if (page && page->status == 200) co_return read_dp_size(page->body);
        if (!page || !unknown(page->status)) break;
    }
    co_return 0;
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

uint16_t read_dp_size(std::string_view body) {
    auto json = nlohmann::json::parse(body, nullptr, false);
    if (!json.is_object() || !json.contains("dp_size") || !json["dp_size"].is_number_unsigned()) return 0;
    const auto n = json["dp_size"].get<uint64_t>();
    return n <= ranks_max ? static_cast<uint16_t>(n) : uint16_t{0};
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
            if (options.ranks) {
                const uint16_t ranks = co_await ask_ranks(pool, target, options);
                if (!ranks && !ready) LOG_WARN(discovery, "worker does not say how many data parallel ranks it has: one", {"worker", url});
                options.ranks(std::max<uint16_t>(ranks, 1));
            }
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
