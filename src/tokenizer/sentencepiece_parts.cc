#include "tokenizer/sentencepiece_parts.h"

#include <algorithm>

#include "tokenizer/charsmap.h"

namespace weir::tok {
namespace {

constexpr const char* space_mark = "\xe2\x96\x81";

NormalizerSpec replace(std::string what, bool regex, std::string by) {
    NormalizerSpec spec;
    spec.kind = NormalizerSpec::Kind::replace;
    spec.pattern = {std::move(what), regex};
    spec.content = std::move(by);
    return spec;
}

NormalizerSpec prepend(std::string what) {
    NormalizerSpec spec;
    spec.kind = NormalizerSpec::Kind::prepend;
    spec.content = std::move(what);
    return spec;
}

// The steps that Hugging Face's files have for the same, which are faster where they suffice.
std::optional<NormalizerSpec> plain_normalizer(const SentencePieceRules& rules, bool prefix) {
    NormalizerSpec chain;
    const std::string space = rules.escape_whitespaces ? space_mark : " ";
    if (prefix) chain.children.push_back(prepend(space));
    if (rules.escape_whitespaces) chain.children.push_back(replace(" ", false, space));
    if (chain.children.empty()) return std::nullopt;
    return chain.children.size() == 1 ? chain.children.front() : chain;
}

NormalizerSpec whole_normalizer(const SentencePieceRules& rules, bool prefix) {
    NormalizerSpec spec;
    spec.kind = NormalizerSpec::Kind::sentence_piece;
    spec.content = rules.charsmap;
    spec.verbatim = rules.verbatim;
    spec.add_dummy_prefix = prefix;
    spec.remove_extra_whitespaces = rules.remove_extra_whitespaces;
    spec.escape_whitespaces = rules.escape_whitespaces;
    spec.whitespace_as_suffix = rules.whitespace_as_suffix;
    return spec;
}

}  // namespace

Result<void> apply_sentencepiece_rules(const SentencePieceRules& rules, TokenizerSpec& spec) {
    TRY(const auto checked, Charsmap::read(rules.charsmap));
    const bool metaspace = rules.prefix_at_start_only && rules.add_dummy_prefix && rules.escape_whitespaces && !rules.whitespace_as_suffix;
    if (metaspace) {
        PreTokenizerSpec& first = spec.pre_tokenizer.emplace();
        first.kind = PreTokenizerSpec::Kind::metaspace;
        first.prepend_scheme = PrependScheme::first;
        first.metaspace_split = false;
    }
    const bool prefix = rules.add_dummy_prefix && !metaspace, plain = checked.empty() && !rules.remove_extra_whitespaces && !rules.whitespace_as_suffix;
    spec.normalizer = plain ? plain_normalizer(rules, prefix) : whole_normalizer(rules, prefix);
    spec.decoder.emplace().kind = DecoderSpec::Kind::sentence_piece;
    spec.decoder->strip_first = rules.add_dummy_prefix || rules.remove_extra_whitespaces;
    spec.decoder->strip_all = rules.remove_extra_whitespaces;
    return {};
}

std::vector<uint32_t> ranks_by_score(const std::vector<float>& scores, const std::vector<bool>& merges) {
    std::vector<uint32_t> order;
    for (uint32_t id = 0; id < scores.size(); ++id)
        if (merges[id]) order.push_back(id);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return scores[a] > scores[b]; });
    std::vector<uint32_t> ranks(scores.size(), ModelSpec::no_rank);
    for (uint32_t rank = 0; rank < order.size(); ++rank) ranks[order[rank]] = rank;
    return ranks;
}

double user_defined_score(size_t bytes) { return static_cast<float>(0.1 * static_cast<double>(bytes - 1)); }

}  // namespace weir::tok
