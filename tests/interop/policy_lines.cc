// Our policies, asked line by line, for tests/interop beside real routers. JSON objects in, one a line:
//   {"policy": "manual", "workers": ["http://...", ...], "options": {...}}        first: what is asked, over which workers
//   {"key", "target", "text", "tokens", "loads": [...], "eligible": [...], "draws": n}   -> {"picks": [...], "why": "...", "terms": [...]}
//   {"chose": i, "text": "..."} or {"chose": i, "tokens": [...]}                 what was chosen in the end; no answer
// `picks` are the workers of n draws (1 unless given), ascending, none when the policy refuses; `terms` are of the last draw. Columns of the
// slate may be given by name: "device", "active", "prefill_tokens", "active_blocks"; with them "prompt_tokens" and "block".
#include <array>
#include <iostream>
#include <memory>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "kv/block_hash.h"
#include "kv/matcher.h"
#include "kv/predictions.h"
#include "kv/text_index.h"
#include "policy/policy.h"
#include "tests/support/slate.h"

namespace weir {
namespace {
using Json = nlohmann::json;

struct Asked {
    Asked(const Json& line) : name(line.at("policy")), workers(std::vector<uint32_t>(line.at("workers").size(), 0)) {
        for (size_t i = 0; i < workers.views.size(); i++) {
            workers.urls[i] = line["workers"][i];
            workers.views[i].url = workers.urls[i];
        }
        PolicyConfig config{name};
        const Json options = line.value("options", Json::object());
        config.cache_aware.threshold = options.value("threshold", config.cache_aware.threshold);
        config.cache_aware.spill_abs = options.value("spill_abs", config.cache_aware.spill_abs);
        config.cache_aware.spill_rel = options.value("spill_rel", config.cache_aware.spill_rel);
        config.kv.overlap_credit = options.value("overlap_credit", config.kv.overlap_credit);
        policy = make_policy(config);
        if (!policy) throw std::runtime_error("no policy " + name);
        text = std::move(*kv::TextIndex::make({}));
        lookup = text->lookup();
        blocks = std::move(*kv::KvIndex::make({}));
        predictions = std::make_unique<kv::Predictions>(*blocks, kv::PredictionSettings{});
        matcher = std::make_unique<kv::Matcher>(*blocks);
    }

    Json answer(const Json& line) {
        std::string key = line.value("key", ""), target = line.value("target", ""), said = line.value("text", "");
        std::vector<uint32_t> tokens = line.value("tokens", std::vector<uint32_t>{});
        Hints hints;
        hints.routing_key = key, hints.target_worker = target;
        Prepared request;
        request.hints = &hints, request.text = said, request.tokens = tokens, request.prompt_tokens = static_cast<uint32_t>(tokens.size());
        fill(line, said, tokens);
        std::set<uint32_t> picks;
        const char* why = "";
        std::array<float, 4> terms{};
        for (int i = line.value("draws", 1); i > 0; i--) {
            Pick pick = policy->pick(request, workers.slate(), random);
            if (pick.kind == Pick::chosen) picks.insert(pick.index);
            why = pick.why, terms = pick.terms;
        }
        return {{"picks", picks}, {"why", why}, {"terms", terms}};
    }

    void chose(const Json& line) {
        std::vector<uint32_t> tokens = line.value("tokens", std::vector<uint32_t>{});
        if (tokens.empty()) text->insert(line["chose"], line.value("text", ""), 1);
        else predictions->predict(line["chose"], kv::hash_blocks(tokens, {}).local, workers.time);
    }

    void fill(const Json& line, const std::string& said, const std::vector<uint32_t>& tokens) {
        size_t n = workers.views.size();
        std::vector<uint32_t> loads = line.value("loads", std::vector<uint32_t>(n, 0));
        for (size_t i = 0; i < n; i++) workers.now.at(i).requests = loads.at(i), workers.include(i);
        if (line.contains("eligible"))
            for (size_t i = 0; i < n; i++) workers.exclude(i);
        for (size_t i : line.value("eligible", std::vector<size_t>{})) workers.include(i);
        workers.matched_chars.assign(n, 0);
        for (auto& found : lookup->match(said)) workers.matched_chars.at(found.rank) = found.chars;
        workers.prompt_chars = 0;
        for (char c : said) workers.prompt_chars += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
        uint32_t block = line.value("block", 16u);
        workers.prompt(line.value("prompt_tokens", static_cast<uint32_t>(tokens.size())), block);
        workers.predicted.assign(n, 0);
        for (auto& found : matcher->match(kv::hash_blocks(tokens, {}).local)) workers.predicted.at(found.rank) = found.predicted;
        workers.device = line.value("device", std::vector<uint32_t>(n, 0));
        workers.active = line.value("active", std::vector<uint32_t>(n, 0));
        auto prefill = line.value("prefill_tokens", std::vector<uint32_t>(n, 0)), active = line.value("active_blocks", std::vector<uint32_t>(n, 0));
        for (size_t i = 0; i < n; i++) workers.now[i].prefill_tokens = prefill.at(i), workers.now[i].active_blocks = active.at(i);
    }

    std::string name;
    testing::Workers workers;
    std::unique_ptr<Policy> policy;
    std::unique_ptr<kv::TextIndex> text;
    std::unique_ptr<kv::TextIndex::Lookup> lookup;
    std::unique_ptr<kv::KvIndex> blocks;
    std::unique_ptr<kv::Predictions> predictions;
    std::unique_ptr<kv::Matcher> matcher;
    Random random{1};
};

int run() {
    std::unique_ptr<Asked> asked;
    for (std::string line; std::getline(std::cin, line);) {
        Json json = Json::parse(line);
        if (json.contains("policy")) {
            asked = std::make_unique<Asked>(json);
        } else if (json.contains("chose")) {
            asked->chose(json);
        } else {
            std::cout << asked->answer(json).dump() << std::endl;
        }
    }
    return 0;
}
}  // namespace
}  // namespace weir

int main() {
    try {
        return weir::run();
    } catch (const std::exception& why) {
        std::cerr << why.what() << "\n";
        return 1;
    }
}
