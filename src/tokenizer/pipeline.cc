#include "tokenizer/pipeline.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"
#include "tokenizer/offsets.h"
#include "tokenizer/unicode_tables.h"
#include "wire/utf8.h"

namespace weir::tok {
namespace {

constexpr size_t text_max = std::numeric_limits<int32_t>::max();

bool space(char32_t c) { return c == 0x120 || unicode::is_white_space(c); }   // U+0120 is how byte-level tokens spell a space

PipelineScratch::Spaces spaces_of(std::string_view text) {
    PipelineScratch::Spaces out;
    uint32_t len = 0;
    for (size_t at = 0; at < text.size() && space(char_at(text, at, len)); at += len) out.front++;
    for (size_t end = text.size(); end > 0 && space(char_before(text, end, len)); end -= len) out.back++;
    return out;
}

void emit(const PostPlan& plan, const PipelineScratch& s, std::vector<uint32_t>& ids, std::vector<TokenOffset>* offsets) {
    for (const PostPlan::Part& part : plan.parts) {
        const auto& list = part.text ? s.ids : part.ids;
        ids.insert(ids.end(), list.begin(), list.end());
        if (!offsets) continue;
        const size_t from = offsets->size();
        if (!part.text) {
            offsets->resize(from + list.size());
            continue;
        }
        offsets->insert(offsets->end(), s.offsets.begin(), s.offsets.end());
        for (const OffsetTrim& trim : part.trims)
            for (size_t i = 0; i < s.offsets.size(); i++) trim_offset((*offsets)[from + i], s.spaces[i].front, s.spaces[i].back, trim, i == 0);
    }
}

}  // namespace

std::unique_ptr<EncodeScratch> Pipeline::scratch() const {
    auto out = std::make_unique<PipelineScratch>();
    if (fast_) out->fast = fast_->scratch();
    return out;
}

bool Pipeline::find(std::string_view token, uint32_t& id) const {
    const uint32_t found = vocab_.any_id(token);
    if (found == Vocab::none) return false;
    id = found;
    return true;
}

size_t Pipeline::memory_bytes() const {
    return sizeof *this + vocab_.memory_bytes() +
           (outer_ ? outer_->memory_bytes() : 0) + (inner_ ? inner_->memory_bytes() : 0) +
           (normalizer_ ? normalizer_->memory_bytes() : 0) + model_->memory_bytes() +
           (fast_ ? fast_->memory_bytes() : 0) + (decoded_ ? decoded_->memory_bytes() : 0) + decoding_->memory_bytes();
}

Result<void> Pipeline::encode(std::string_view text, const EncodeOptions& options, EncodeScratch& any, std::vector<uint32_t>& ids,
                              std::vector<TokenOffset>* offsets) const {
    ASSERT(!options.continues || !offsets);
    auto& s = static_cast<PipelineScratch&>(any);
    if (text.size() > text_max) return Failure(Code::too_large, "the text is too long");
    if (!utf8_valid(text)) return Failure(Code::bad_field, "the text is not valid UTF-8");
    const PostPlan& plan = options.add_special_tokens ? special_plan_ : plain_plan_;
    if (!plan.failure.empty()) return Failure(Code::bad_field, plan.failure);

    if (fast_ && !offsets) {
        TRY(const bool done, fast(text, options, s));
        if (done) {
            emit(plan, s, ids, nullptr);
            return {};
        }
    }
    const bool spaces = offsets && plan.trims();
    const bool tracked = offsets || (pre_tokenizer_ && pre_tokenizer_->needs_tracking());
    TRY(const bool again, tokens(text, options, s, tracked, spaces));
    if (again) TRY_OK(tokens(text, options, s, true, spaces));
    if (offsets) to_characters(text, s.characters, s.offsets);
    emit(plan, s, ids, offsets);
    return {};
}

Result<bool> Pipeline::fast(std::string_view text, const EncodeOptions& options, PipelineScratch& s) const {
    // Tokens that stand in normalized text can only be found there.
    const bool normalize = normalizer_ && fast_->wants_normalized();
    if (inner_ && normalizer_ && !normalize) return false;
    s.ids.clear();
    const Before start = options.continues ? Before::itself : Before::nothing;
    if (outer_) outer_->cut(text, options.special_as_text, s.outer);
    else s.outer.assign(text.empty() ? 0 : 1, {0, static_cast<uint32_t>(text.size()), AddedPart::text});
    for (const AddedPart& part : s.outer) {
        if (part.id != AddedPart::text) {
            s.ids.push_back(part.id);
            continue;
        }
        std::string_view view = text.substr(part.begin, part.end - part.begin);
        if (normalize && !normalizer_->leaves(view)) {
            s.aligned.start(view, {part.begin, part.end}, false);
            TRY_OK(normalizer_->run(s.aligned));
            if (s.aligned.needs_tracking()) return false;
            view = s.aligned.text();
        }
        if (!inner_) {
            fast_->encode(view, part.begin == 0 ? start : Before::token, *s.fast, s.ids);
            continue;
        }
        inner_->cut(view, options.special_as_text, s.inner);
        for (const AddedPart& inner : s.inner) {
            if (inner.id != AddedPart::text) s.ids.push_back(inner.id);
            else fast_->encode(view.substr(inner.begin, inner.end - inner.begin), part.begin == 0 && inner.begin == 0 ? start : Before::token, *s.fast, s.ids);
        }
    }
    return true;
}

size_t Pipeline::safe_cut(std::string_view text, size_t limit) const {
    limit = std::min(limit, text.size());
    // In the text between two added tokens, where that is all there is to it; else before an added token.
    AddedPart around{0, static_cast<uint32_t>(std::min(text.size(), text_max)), AddedPart::text};
    size_t before = outer_ ? outer_->safe_cut(text, limit, around) : 0;
    if (!fast_ || around.id != AddedPart::text || around.begin >= limit) return before;
    std::string_view view = text.substr(around.begin, around.end - around.begin);
    if (normalizer_ && (inner_ || fast_->wants_normalized()) && !(fast_->wants_normalized() && normalizer_->leaves(view))) return before;
    if (inner_) {    // the same again, for what is looked for in normalized text
        AddedPart part{0, static_cast<uint32_t>(view.size()), AddedPart::text};
        if (const size_t at = inner_->safe_cut(view, limit - around.begin, part)) before = around.begin + at;
        if (part.id != AddedPart::text || around.begin + part.begin >= limit) return before;
        view = view.substr(part.begin, part.end - part.begin);
        around.begin += part.begin;
    }
    const size_t inside = fast_->safe_cut(view, limit - around.begin);
    return inside == 0 ? before : around.begin + inside;
}

// From the text to pieces that are either added tokens or words for the model.
Result<bool> Pipeline::cut(std::string_view text, const EncodeOptions& options, PipelineScratch& s) const {
    if (outer_) outer_->cut(text, options.special_as_text, s.outer);
    else s.outer.assign(text.empty() ? 0 : 1, {0, static_cast<uint32_t>(text.size()), AddedPart::text});
    for (const AddedPart& part : s.outer) {
        const std::string_view view = text.substr(part.begin, part.end - part.begin);
        s.aligned.start(view, {part.begin, part.end}, s.pieces.tracked);
        if (part.id == AddedPart::text && normalizer_) {
            TRY_OK(normalizer_->run(s.aligned));
            if (s.aligned.needs_tracking()) return true;
            if (s.aligned.empty()) continue;
        }
        TextPiece whole = s.pieces.append(s.aligned);
        if (part.id != AddedPart::text) {
            whole.token = part.id;
            s.pieces.items.push_back(whole);
            continue;
        }
        if (!inner_) {
            s.pieces.items.push_back(s.pieces.cut(whole, whole.begin, whole.end));
            continue;
        }
        inner_->cut(s.aligned.text(), options.special_as_text, s.inner);
        for (const AddedPart& inner : s.inner) s.pieces.items.push_back(s.pieces.cut(whole, whole.begin + inner.begin, whole.begin + inner.end, inner.id));
    }
    return false;
}

void Pipeline::note(PipelineScratch& s, uint32_t id, const TextPiece& piece, uint32_t begin, uint32_t end, std::string_view own_text, bool spaces) const {
    s.ids.push_back(id);
    if (!s.pieces.tracked) return;
    if (end > piece.end - piece.begin) s.offsets.push_back({begin, end});       // bytes of a suffix that is not in the text: as the reference leaves them
    else if (begin < end) s.offsets.push_back({s.pieces.sources[piece.begin + begin].begin, s.pieces.sources[piece.begin + end - 1].end});
    else s.offsets.push_back({piece.origin.begin + begin, piece.origin.begin + end});
    if (spaces) s.spaces.push_back(spaces_of(own_text));
}

Result<bool> Pipeline::tokens(std::string_view text, const EncodeOptions& options, PipelineScratch& s, bool tracked, bool spaces) const {
    s.ids.clear(), s.offsets.clear(), s.spaces.clear();
    s.pieces.clear(tracked);
    TRY(const bool again, cut(text, options, s));
    if (again) return true;
    if (pre_tokenizer_) TRY_OK(pre_tokenizer_->run(s.pieces, s.pre));
    for (const TextPiece& piece : s.pieces.items) {
        const std::string_view view = s.pieces.view(piece);
        if (piece.token != TextPiece::open) {
            note(s, piece.token, piece, 0, static_cast<uint32_t>(view.size()), view, spaces);
            continue;
        }
        s.tokens.clear();
        TRY_OK(model_->encode(view, s.model, s.tokens));
        for (const ModelToken& token : s.tokens)
            note(s, token.id, piece, token.begin, token.end, token.spelled ? vocab_.text(token.id) : view.substr(token.begin, token.end - token.begin), spaces);
    }
    return false;
}

}  // namespace weir::tok
