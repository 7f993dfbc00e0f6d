// All tokens of a tokenizer by id and by spelling: the model's, and over them the added ones.
#pragma once
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/spec.h"
#include "tokenizer/token_index.h"
#include "tokenizer/token_table.h"

namespace weir::tok {

class Vocab {
public:
    // Takes the model's spellings out of `model`. `added` has its final ids.
    void build(ModelSpec& model, const std::vector<AddedToken>& added);

    static constexpr uint32_t none = TokenIndex::none;
    uint32_t size() const { return table_.size(); }                               // one above the largest id
    std::string_view text(uint32_t id) const { return table_.text(id); }
    bool present(uint32_t id) const { return table_.flags(id) & TokenTable::present; }
    bool special(uint32_t id) const { return table_.flags(id) & TokenTable::special; }
    const TokenTable& table() const { return table_; }
    // The model's token of this spelling; not an added one that the model does not have.
    uint32_t model_id(std::string_view text) const { return found(model_, text); }
    // The token of this spelling; an added one wins.
    uint32_t any_id(std::string_view text) const {
        const uint32_t id = found(added_, text);
        return id == none ? model_id(text) : id;
    }
    // Whether it is a token of the model that model_id() finds by the text that it has here.
    bool own(uint32_t id) const { return own_[id]; }
    size_t memory_bytes() const { return own_.capacity() / 8 + table_.memory_bytes() + model_.memory_bytes() + added_.memory_bytes(); }

private:
    // Values of the indexes: a place in the table, or beyond it, in the list of spellings that have no place of their own.
    uint32_t found(const TokenIndex& index, std::string_view text) const {
        const uint32_t value = index.find(text, [this](uint32_t v) { return spelled(v); });
        return value == none || value < table_.size() ? value : others_[value - table_.size()].second;
    }
    std::string_view spelled(uint32_t value) const {
        return value < table_.size() ? table_.text(value) : std::string_view(others_[value - table_.size()].first);
    }
    TokenTable table_;
    TokenIndex model_, added_;
    std::vector<std::pair<std::string, uint32_t>> others_;
    std::vector<bool> own_;
};

}  // namespace weir::tok
