#include "tokenizer/post_plan.h"

namespace weir::tok {
namespace {

// The reference passes a list of encodings from processor to processor; each is a row of parts.
using Encoding = std::vector<PostPlan::Part>;
using Encodings = std::vector<Encoding>;

PostPlan::Part special(std::vector<uint32_t> ids) { return {false, std::move(ids), {}}; }

void trim(Encodings& all, bool add_prefix_space) {
    for (Encoding& encoding : all) {
        bool at_start = true;
        for (PostPlan::Part& part : encoding) {
            if (part.text) part.trims.push_back({add_prefix_space, at_start});
            if (part.text || !part.ids.empty()) at_start = false;
        }
    }
}

// [CLS] first [SEP], and around or behind further ones.
void wrap(const PostProcessorSpec& spec, Encodings& all, bool roberta) {
    for (size_t i = 0; i < all.size(); i++) {
        if (i == 0 || roberta) all[i].insert(all[i].begin(), special({i == 0 ? spec.cls_id : spec.sep_id}));
        all[i].push_back(special({spec.sep_id}));
    }
}

bool apply_template(const PostProcessorSpec& spec, Encodings& all, bool add_special_tokens, std::string& failure) {
    if (all.size() != 1 && all.size() != 2)
        return failure = "post_processor: a template meets " + std::to_string(all.size()) + " parts", false;
    const bool pair = all.size() == 2;
    if (add_special_tokens && !(pair ? spec.pair_known : spec.single_known))
        return failure = "post_processor: a special token of the template is not told", false;
    Encodings out;
    for (const TemplatePiece& piece : pair ? spec.pair : spec.single) {
        if (piece.kind == TemplatePiece::Kind::special) {
            if (add_special_tokens) out.push_back({special(piece.ids)});
            continue;
        }
        const size_t which = piece.kind == TemplatePiece::Kind::sequence_a ? 0 : 1;
        if (which >= all.size()) return failure = "post_processor: the template for one text asks for a second", false;
        out.push_back(all[which]);
    }
    all = std::move(out);
    return true;
}

bool apply(const PostProcessorSpec& spec, Encodings& all, bool add_special_tokens, std::string& failure) {
    using K = PostProcessorSpec::Kind;
    switch (spec.kind) {
    case K::byte_level:
        if (spec.trim_offsets) trim(all, spec.add_prefix_space);
        return true;
    case K::roberta:
        if (spec.trim_offsets) trim(all, spec.add_prefix_space);
        if (add_special_tokens) wrap(spec, all, true);
        return true;
    case K::bert:
        if (add_special_tokens) wrap(spec, all, false);
        return true;
    case K::template_processing: return apply_template(spec, all, add_special_tokens, failure);
    case K::sequence:
        for (const PostProcessorSpec& child : spec.children)
            if (!apply(child, all, add_special_tokens, failure)) return false;
        return true;
    }
    return true;
}

}  // namespace

PostPlan make_post_plan(const std::optional<PostProcessorSpec>& spec, bool add_special_tokens) {
    PostPlan out;
    Encodings all{{PostPlan::Part{true, {}, {}}}};
    if (spec && !apply(*spec, all, add_special_tokens, out.failure)) return out;
    for (Encoding& encoding : all)
        for (PostPlan::Part& part : encoding) out.parts.push_back(std::move(part));
    return out;
}

}  // namespace weir::tok
