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

DecoderSpec step(DecoderSpec::Kind kind) {
    DecoderSpec spec;
    spec.kind = kind;
    return spec;
}

DecoderSpec decoder_of(const SentencePieceRules& rules) {
    DecoderSpec chain = step(DecoderSpec::Kind::sequence);
    if (rules.escape_whitespaces) {
        DecoderSpec spaces = step(DecoderSpec::Kind::replace);
        spaces.pattern = {space_mark, false};
        spaces.content = " ";
        chain.children.push_back(spaces);
    }
    chain.children.push_back(step(DecoderSpec::Kind::byte_fallback));
    chain.children.back().per_char = true;
    chain.children.push_back(step(DecoderSpec::Kind::fuse));
    if (rules.add_dummy_prefix) {
        DecoderSpec strip = step(DecoderSpec::Kind::strip);
        strip.content = " ";
        (rules.whitespace_as_suffix ? strip.stop : strip.start) = 1;
        chain.children.push_back(strip);
    }
    return chain;
}

}  // namespace

Result<void> apply_sentencepiece_rules(const SentencePieceRules& rules, TokenizerSpec& spec) {
    NormalizerSpec chain;
    const std::string space = rules.escape_whitespaces ? space_mark : " ";
    if (!rules.charsmap.empty()) {
        TRY(const auto checked, Charsmap::read(rules.charsmap));
        (void)checked;
        NormalizerSpec& map = chain.children.emplace_back();
        map.kind = NormalizerSpec::Kind::precompiled;
        map.content = rules.charsmap;
        map.longest_match = true;
    }
    if (rules.remove_extra_whitespaces) {
        chain.children.push_back(replace("\\A +", true, ""));
        chain.children.push_back(replace(rules.escape_whitespaces ? "[ \xe2\x96\x81]+\\z" : " +\\z", true, ""));
        chain.children.push_back(replace(" {2,}", true, " "));
    }
    const bool metaspace = rules.prefix_at_start_only && rules.add_dummy_prefix && rules.escape_whitespaces && !rules.whitespace_as_suffix;
    if (metaspace) {
        PreTokenizerSpec& first = spec.pre_tokenizer.emplace();
        first.kind = PreTokenizerSpec::Kind::metaspace;
        first.prepend_scheme = PrependScheme::first;
        first.metaspace_split = false;
    } else {
        if (rules.add_dummy_prefix && rules.whitespace_as_suffix) chain.children.push_back(replace("\\z", true, space));
        if (rules.add_dummy_prefix && !rules.whitespace_as_suffix) {
            NormalizerSpec& prepend = chain.children.emplace_back();
            prepend.kind = NormalizerSpec::Kind::prepend;
            prepend.content = space;
        }
        if (rules.escape_whitespaces) chain.children.push_back(replace(" ", false, space));
    }
    if (!chain.children.empty()) spec.normalizer = std::move(chain);
    spec.decoder = decoder_of(rules);
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
