#include "tokenizer/fast_spaces.h"

#include <cstring>

namespace weir::tok {
namespace {

constexpr std::string_view mark = "\xe2\x96\x81";

class SpaceScanner final : public Scanner {
public:
    explicit SpaceScanner(const SpaceRule& rule) : joins_(rule.joins) {}
    size_t scan(std::string_view text, size_t from, ScanScratch& s) const override {
        uint32_t* out = s.ends.room(scan_chunk);
        const char *begin = text.data() + from, *p = begin, *end = text.data() + text.size();
        while (p < end && p - begin < static_cast<ptrdiff_t>(scan_chunk)) {
            while (p < end && *p == ' ') p++;
            do {    // to the next space where a cut is safe
                const void* space = p < end ? std::memchr(p, ' ', static_cast<size_t>(end - p)) : nullptr;
                p = space ? static_cast<const char*>(space) : end;
                if (p == end || !joins_[static_cast<uint8_t>(p[-1])]) break;
                while (p < end && *p == ' ') p++;
            } while (true);
            *out++ = static_cast<uint32_t>(p - begin);
        }
        s.ends.filled(out);
        return static_cast<size_t>(p - text.data());
    }
    size_t memory_bytes() const override { return sizeof *this; }

private:
    std::array<bool, 256> joins_;
};

bool replaces_spaces(const NormalizerSpec& s) {
    return s.kind == NormalizerSpec::Kind::replace && !s.pattern.regex && s.pattern.text == " " && s.content == mark;
}

// Nothing, [Prepend,] Replace.
bool read_normalizer(const NormalizerSpec& s, SpaceRule& rule, bool& replaced) {
    if (s.kind == NormalizerSpec::Kind::sequence) {
        for (const NormalizerSpec& child : s.children) {
            if (!read_normalizer(child, rule, replaced)) return false;
        }
        return true;
    }
    if (s.kind == NormalizerSpec::Kind::prepend && s.content == mark && rule.prepend == SpaceRule::never && !replaced) {
        rule.prepend = SpaceRule::always;
        return true;
    }
    if (!replaces_spaces(s)) return false;
    replaced = true;
    return true;
}

}  // namespace

std::optional<SpaceRule> recognise_spaces(const TokenizerSpec& spec) {
    SpaceRule rule;
    bool replaced = false;
    if (spec.normalizer && !read_normalizer(*spec.normalizer, rule, replaced)) return std::nullopt;
    if (rule.prepend != SpaceRule::never && !replaced) return std::nullopt;
    if (!spec.pre_tokenizer) return replaced ? std::optional(rule) : std::nullopt;
    const PreTokenizerSpec& pre = *spec.pre_tokenizer;
    if (pre.kind == PreTokenizerSpec::Kind::split && !pre.pattern.regex && pre.pattern.text == " " && replaced) return rule;    // finds no space any more
    if (pre.kind != PreTokenizerSpec::Kind::metaspace || pre.replacement != mark || pre.metaspace_split || spec.normalizer) return std::nullopt;
    rule.prepend = pre.prepend_scheme == PrependScheme::always ? SpaceRule::unless_there
                   : pre.prepend_scheme == PrependScheme::first ? SpaceRule::first : SpaceRule::never;
    return rule;
}

std::unique_ptr<Scanner> make_space_scanner(const SpaceRule& rule) { return std::make_unique<SpaceScanner>(rule); }

}  // namespace weir::tok
