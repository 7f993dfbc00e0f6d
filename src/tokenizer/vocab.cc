#include "tokenizer/vocab.h"

#include <algorithm>

namespace weir::tok {

void Vocab::build(ModelSpec& model, const std::vector<AddedToken>& added) {
    uint32_t size = static_cast<uint32_t>(model.vocab.size());
    size_t bytes = 0;
    for (const AddedToken& token : added) size = std::max(size, token.id + 1);
    for (const std::string_view text : model.vocab) bytes += text.size();
    std::vector<const AddedToken*> over(size, nullptr);
    for (const AddedToken& token : added) over[token.id] = &token, bytes += token.text.size();

    table_.reserve(size, bytes);
    for (uint32_t id = 0; id < size; id++) {
        const bool has = id < model.vocab.size() && model.present[id];
        const uint8_t flags = (has || over[id] ? TokenTable::present : 0) | (over[id] && over[id]->special ? TokenTable::special : 0);
        table_.push(over[id] ? std::string_view(over[id]->text) : has ? model.vocab[id] : std::string_view(), flags);
    }

    const auto spelled = [this](uint32_t value) { return this->spelled(value); };
    size_t model_count = model.twins.size();
    for (const bool has : model.present) model_count += has;
    model_.reserve(model_count);
    own_.assign(size, false);
    bool twice = !model.twins.empty();
    constexpr uint32_t block = 32;               // memory answers many at once sooner than one after the other
    uint64_t hashes[block];
    for (uint32_t from = 0; from < model.vocab.size(); from += block) {
        const auto to = std::min(from + block, static_cast<uint32_t>(model.vocab.size()));
        for (uint32_t id = from; id < to; id++) model_.prefetch(hashes[id - from] = token_hash(model.vocab[id]));
        for (uint32_t id = from; id < to; id++) {
            if (!model.present[id]) continue;
            uint32_t value = id;
            own_[id] = !over[id] || over[id]->text == model.vocab[id];
            if (!own_[id]) {
                value = size + static_cast<uint32_t>(others_.size());
                others_.emplace_back(model.vocab[id], id);
            }
            twice |= !model_.put_hashed(model.vocab[id], hashes[id - from], value, spelled);
        }
    }
    for (auto& [text, id] : model.twins) {
        others_.emplace_back(text, id);
        model_.put(text, size + static_cast<uint32_t>(others_.size()) - 1, spelled);
    }
    for (uint32_t id = 0; twice && id < size; id++) own_[id] = model_id(table_.text(id)) == id;
    added_.reserve(added.size());
    for (const AddedToken& token : added)
        if (over[token.id] == &token) added_.put(token.text, token.id, spelled);
}

}  // namespace weir::tok
