// From a spec to a tokenizer.
#include "tokenizer/load.h"
#include "tokenizer/pipeline.h"

namespace weir {
namespace tok {
namespace {

class Fingerprint {
public:
    void add(std::string_view text) { add(token_hash(text) ^ text.size()); }
    void add(const Pattern& pattern) { add(pattern.text), add(pattern.regex); }
    void add(uint64_t number) {
        const auto wide = static_cast<unsigned __int128>(value_ ^ number ^ 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
        value_ = static_cast<uint64_t>(wide) ^ static_cast<uint64_t>(wide >> 64) ^ (value_ << 1 | value_ >> 63);
    }
    template <class E>
        requires std::is_enum_v<E>
    void add(E value) { add(static_cast<uint64_t>(value)); }
    uint64_t value() const { return value_; }

private:
    uint64_t value_ = 1;
};

void add(Fingerprint& f, const NormalizerSpec& s) {
    f.add(s.kind), f.add(s.clean_text), f.add(s.handle_chinese_chars), f.add(s.lowercase), f.add(s.strip_accents ? 1 + *s.strip_accents : 0);
    f.add(s.strip_left), f.add(s.strip_right), f.add(s.pattern), f.add(s.content), f.add(s.children.size());
    f.add(s.add_dummy_prefix), f.add(s.remove_extra_whitespaces), f.add(s.escape_whitespaces), f.add(s.whitespace_as_suffix);
    for (const std::string& text : s.verbatim) f.add(text);
    for (const auto& child : s.children) add(f, child);
}
void add(Fingerprint& f, const PreTokenizerSpec& s) {
    f.add(s.kind), f.add(s.add_prefix_space), f.add(s.use_regex), f.add(s.delimiter), f.add(s.replacement), f.add(s.prepend_scheme);
    f.add(s.metaspace_split), f.add(s.pattern), f.add(s.behavior), f.add(s.invert), f.add(s.individual_digits), f.add(s.length), f.add(s.children.size());
    for (const auto& child : s.children) add(f, child);
}
void add(Fingerprint& f, const PostProcessorSpec& s) {
    f.add(s.kind), f.add(s.sep_id), f.add(s.cls_id), f.add(s.children.size());
    for (const auto* list : {&s.single, &s.pair})
        for (const TemplatePiece& piece : *list) {
            f.add(piece.kind), f.add(piece.ids.size());
            for (const uint32_t id : piece.ids) f.add(id);
        }
    for (const auto& child : s.children) add(f, child);
}

}  // namespace

uint64_t fingerprint(const TokenizerSpec& spec) {
    Fingerprint f;
    const ModelSpec& m = spec.model;
    f.add(m.kind), f.add(m.unk_token.value_or("")), f.add(m.unk_token.has_value()), f.add(m.unk_id ? 1 + uint64_t(*m.unk_id) : 0);
    f.add(m.continuing_subword_prefix), f.add(m.end_of_word_suffix), f.add(m.max_input_chars_per_word);
    f.add(m.fuse_unk), f.add(m.byte_fallback), f.add(m.ignore_merges), f.add(m.merge_by_rank_of_token);
    for (size_t id = 0; id < m.vocab.size(); id++)
        if (m.present[id]) f.add(id), f.add(m.vocab[id]);
    for (const double score : m.scores) {
        uint64_t bits = 0;
        std::memcpy(&bits, &score, 8);
        f.add(bits);
    }
    f.add(m.single_precision);
    for (const uint32_t rank : m.ranks) f.add(rank);
    for (const auto& [left, right] : m.merges) f.add(uint64_t(left) << 32 | right);
    for (const auto& [text, id] : m.twins) f.add(text), f.add(id);
    for (const AddedToken& a : spec.added)
        f.add(a.text), f.add(a.id), f.add(uint64_t(a.special) | a.lstrip << 1 | a.rstrip << 2 | a.single_word << 3 | a.normalized << 4 | a.as_spelled << 5);
    if (spec.normalizer) add(f, *spec.normalizer);
    if (spec.pre_tokenizer) add(f, *spec.pre_tokenizer);
    if (spec.post_processor) add(f, *spec.post_processor);
    return f.value();
}

Result<void> Pipeline::build_added(const std::vector<AddedToken>& added) {
    std::vector<AddedTokens::Token> outer, inner;
    for (const AddedToken& token : added) {
        AddedTokens::Token made{token.text, token.id, token.special, token.lstrip, token.rstrip, token.single_word};
        if (!token.normalized) {
            outer.push_back(std::move(made));
            continue;
        }
        if (normalizer_ && !token.as_spelled) {
            Aligned text;
            text.start(token.text, {0, static_cast<uint32_t>(token.text.size())}, true);
            TRY_OK(normalizer_->run(text));
            made.pattern = text.text();
        }
        inner.push_back(std::move(made));
    }
    if (!outer.empty()) outer_ = std::make_unique<AddedTokens>(std::move(outer));
    if (!inner.empty()) inner_ = std::make_unique<AddedTokens>(std::move(inner));
    return {};
}

// An added token that is looked for in normalized text also decodes to its normalized spelling; if that is not how a special token is
// spelled, it is not skipped as one.
Result<void> Pipeline::build_decoding(const TokenizerSpec& spec) {
    const TokenTable* table = &vocab_.table();
    std::vector<std::pair<uint32_t, std::string>> others;
    for (const AddedToken& token : spec.added) {
        if (!normalizer_ || !token.normalized || token.as_spelled) continue;
        Aligned text;
        text.start(token.text, {0, static_cast<uint32_t>(token.text.size())}, true);
        TRY_OK(normalizer_->run(text));
        if (text.text() != token.text) others.emplace_back(token.id, text.text());
    }
    if (!others.empty()) {
        std::vector<const std::string*> by_id(vocab_.size(), nullptr);
        for (const auto& [id, text] : others) by_id[id] = &text;
        const auto is_special = [&](std::string_view text) {
            for (const AddedToken& token : spec.added)
                if (token.special && token.text == text) return true;
            return false;
        };
        decoded_ = std::make_unique<TokenTable>();
        for (uint32_t id = 0; id < vocab_.size(); id++) {
            if (!by_id[id]) decoded_->push(vocab_.text(id), table->flags(id));
            else decoded_->push(*by_id[id], TokenTable::present | (is_special(*by_id[id]) ? TokenTable::special : 0));
        }
        table = decoded_.get();
    }
    TRY(decoding_, Decoding::make(spec.decoder, *table));
    return {};
}

Result<std::unique_ptr<Model>> make_model(ModelSpec& spec, const Vocab& vocab) {
    switch (spec.kind) {
    case ModelSpec::Kind::bpe: break;                                 // Pipeline::build_model
    case ModelSpec::Kind::unigram: return make_unigram(spec, vocab);
    case ModelSpec::Kind::word_piece: return make_word_piece(spec, vocab);
    case ModelSpec::Kind::word_level: return make_word_level(spec, vocab);
    }
    return Failure(Code::internal, "a model of no kind");
}

Result<void> Pipeline::build_model(TokenizerSpec& spec) {
    if (spec.model.kind != ModelSpec::Kind::bpe) {
        TRY(model_, make_model(spec.model, vocab_));
        return {};
    }
    auto bpe = Bpe::build(spec.model, vocab_);
    if (!bpe) return Failure(Code::too_large, "model: too many tokens or merges");
    fast_ = recognise_fast(spec, vocab_, *bpe);
    model_ = std::move(bpe);
    return {};
}

Result<TokenizerRef> Pipeline::build(TokenizerSpec spec) {
    auto out = std::make_shared<Pipeline>();
    out->fingerprint_ = tok::fingerprint(spec);
    out->vocab_.build(spec.model, spec.added);
    if (spec.normalizer) {
        TRY(out->normalizer_, make_normalizer(*spec.normalizer));
    }
    if (spec.pre_tokenizer) {
        TRY(out->pre_tokenizer_, make_pre_tokenizer(*spec.pre_tokenizer));
    }
    TRY_OK(out->build_added(spec.added));
    TRY_OK(out->build_model(spec));
    out->plain_plan_ = make_post_plan(spec.post_processor, false);
    out->special_plan_ = make_post_plan(spec.post_processor, true);
    TRY_OK(out->build_decoding(spec));
    return TokenizerRef(std::move(out));
}

}  // namespace tok

Result<TokenizerRef> build_tokenizer(tok::TokenizerSpec spec) { return tok::Pipeline::build(std::move(spec)); }

}  // namespace weir
