#include "tokenizer/hf_added.h"

#include <algorithm>

#include "tokenizer/token_index.h"

namespace weir::tok {

void settle_added(std::vector<AddedToken>& added, const ModelSpec& model) {
    // One spelling, one token: what is said later of it counts.
    std::vector<AddedToken> tokens;
    TokenIndex index;
    index.reserve(added.size());
    const auto spelled = [&](uint32_t i) { return std::string_view(tokens[i].text); };
    tokens.reserve(added.size());
    for (AddedToken& token : added) {
        if (token.text.empty()) continue;
        const uint32_t known = index.find(token.text, spelled);
        if (known != TokenIndex::none) {
            tokens[known] = std::move(token);
            continue;
        }
        tokens.push_back(std::move(token));
        index.put(tokens.back().text, static_cast<uint32_t>(tokens.size() - 1), spelled);
    }

    // Tokens of the model keep its id; the others are numbered behind as many ids as the model has tokens.
    std::vector<uint32_t> ids(tokens.size(), TokenIndex::none);
    uint32_t next = static_cast<uint32_t>(model.twins.size());
    // By first byte, a bit for each length that there is (the last for all longer): most of a vocabulary is none of these.
    uint64_t lengths[256] = {};
    const auto bit = [](std::string_view text) { return uint64_t(1) << std::min<size_t>(text.size(), 63); };
    for (const AddedToken& token : tokens) lengths[static_cast<uint8_t>(token.text[0])] |= bit(token.text);
    const auto look = [&](std::string_view text, uint32_t id) {
        if (text.empty() || !(lengths[static_cast<uint8_t>(text[0])] & bit(text))) return;
        const uint32_t i = index.find(text, spelled);
        if (i != TokenIndex::none) ids[i] = id;
    };
    for (uint32_t id = 0; id < model.vocab.size(); id++) {
        if (!model.present[id]) continue;
        next++;
        if (!tokens.empty()) look(model.vocab[id], id);
    }
    for (const auto& [text, id] : model.twins) look(text, id);
    for (size_t i = 0; i < tokens.size(); i++) tokens[i].id = ids[i] != TokenIndex::none ? ids[i] : next++;

    // Where two have one id (a vocabulary with holes), the later one has it.
    std::vector<bool> taken;
    added.clear();
    for (size_t i = tokens.size(); i-- > 0;) {
        if (tokens[i].id >= taken.size()) taken.resize(tokens[i].id + 1);
        if (taken[tokens[i].id]) continue;
        taken[tokens[i].id] = true;
        added.push_back(std::move(tokens[i]));
    }
    std::reverse(added.begin(), added.end());
}

}  // namespace weir::tok
