// The tokenizer built of a spec: added tokens, normalizer, pre-tokenizer, model, post-processor, as the reference strings them together.
#pragma once
#include "tokenizer/added_tokens.h"
#include "tokenizer/detokenizer.h"
#include "tokenizer/fast_encoder.h"
#include "tokenizer/models.h"
#include "tokenizer/normalizers.h"
#include "tokenizer/post_plan.h"
#include "tokenizer/pre_tokenizers.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocab.h"

namespace weir::tok {

struct PipelineScratch final : EncodeScratch {
    std::vector<AddedPart> outer, inner;
    Aligned aligned;
    TextPieces pieces;
    PreTokenizerScratch pre;
    ModelScratch model;
    std::vector<ModelToken> tokens;
    struct Spaces {
        uint32_t front = 0, back = 0;
    };
    std::vector<uint32_t> ids;
    std::vector<TokenOffset> offsets;
    std::vector<Spaces> spaces;                // of the tokens' own text; only for plans that trim
    std::unique_ptr<FastScratch> fast;
    std::vector<uint32_t> characters;          // per byte of a text that is not ASCII: its character's number
};

class Pipeline final : public Tokenizer {
public:
    static Result<TokenizerRef> build(TokenizerSpec spec);

    std::unique_ptr<EncodeScratch> scratch() const override;
    Result<void> encode(std::string_view text, const EncodeOptions&, EncodeScratch&, std::vector<uint32_t>& ids,
                        std::vector<TokenOffset>* offsets) const override;
    std::string decode(std::span<const uint32_t> ids, bool skip_special) const override { return decoding_->decode(ids, skip_special); }
    std::unique_ptr<Detokenizer> detokenizer(bool skip_special) const override { return decoding_->stream(skip_special); }
    uint32_t vocab_size() const override { return vocab_.size(); }
    std::string_view token(uint32_t id) const override { return vocab_.text(id); }
    bool find(std::string_view token, uint32_t& id) const override;
    bool special(uint32_t id) const override { return vocab_.special(id); }
    size_t memory_bytes() const override;
    uint64_t fingerprint() const override { return fingerprint_; }
    size_t safe_cut(std::string_view text, size_t limit) const override;

private:
    Result<void> build_model(TokenizerSpec&);
    Result<void> build_added(const std::vector<AddedToken>&);
    Result<void> build_decoding(const TokenizerSpec&);
    // Fills scratch.ids and what goes with them; true when it must be done again, tracked.
    Result<bool> tokens(std::string_view text, const EncodeOptions&, PipelineScratch&, bool tracked, bool spaces) const;
    Result<bool> cut(std::string_view text, const EncodeOptions&, PipelineScratch&) const;
    // Ids alone, by the fast encoder; false: this text is for the general way.
    Result<bool> fast(std::string_view text, const EncodeOptions&, PipelineScratch&) const;
    void note(PipelineScratch&, uint32_t id, const TextPiece&, uint32_t begin, uint32_t end, std::string_view own_text, bool spaces) const;

    Vocab vocab_;
    std::unique_ptr<AddedTokens> outer_, inner_;               // before normalization, after it; null when there are none
    std::unique_ptr<Normalizer> normalizer_;
    std::unique_ptr<PreTokenizer> pre_tokenizer_;
    std::unique_ptr<Model> model_;
    std::unique_ptr<FastEncoder> fast_;                        // null: not one of the families it knows
    PostPlan plain_plan_, special_plan_;
    std::unique_ptr<TokenTable> decoded_;                      // where tokens decode to other texts than they are spelled
    std::unique_ptr<const Decoding> decoding_;
    uint64_t fingerprint_ = 0;
};

// Equal for specs that encode alike (and spell alike).
uint64_t fingerprint(const TokenizerSpec&);

}  // namespace weir::tok
