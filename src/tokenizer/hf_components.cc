#include "tokenizer/hf_components.h"

#include "base/base64.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/hf_fields.h"

namespace weir::tok {
namespace {

using Normalizer = NormalizerSpec;
using PreTokenizer = PreTokenizerSpec;

Result<void> bert(const HfFields& f, Normalizer& s) {
    TRY(s.clean_text, f.boolean("clean_text"));
    TRY(s.handle_chinese_chars, f.boolean("handle_chinese_chars"));
    TRY(s.strip_accents, f.optional_boolean("strip_accents"));
    TRY(s.lowercase, f.boolean("lowercase"));
    return {};
}
Result<void> strip(const HfFields& f, Normalizer& s) {
    TRY(s.strip_left, f.boolean("strip_left"));
    TRY(s.strip_right, f.boolean("strip_right"));
    return {};
}
Result<void> normalizer_sequence(const HfFields& f, Normalizer& s) { return read_children(f, s, "normalizers", read_normalizer); }
Result<void> precompiled(const HfFields& f, Normalizer& s) {
    TRY(const std::string text, f.text("precompiled_charsmap"));
    auto bytes = base64_decode(text);
    if (!bytes) return f.bad("precompiled_charsmap", "is not base64");
    s.content = std::move(*bytes);
    if (!Charsmap::well_formed(s.content)) return f.bad("precompiled_charsmap", "is not a character map");
    return {};
}
Result<void> replace(const HfFields& f, Normalizer& s) {
    TRY(s.pattern, f.pattern("pattern"));
    TRY(s.content, f.text("content"));
    return {};
}
Result<void> prepend(const HfFields& f, Normalizer& s) {
    TRY(s.content, f.text("prepend"));
    return {};
}

using N = Normalizer::Kind;
constexpr HfRow<Normalizer> normalizers[] = {
    {"Bert", N::bert, bert},
    {"BertNormalizer", N::bert, bert, true},
    {"Strip", N::strip, strip, true},
    {"StripAccents", N::strip_accents, no_fields},
    {"NFC", N::nfc, no_fields},
    {"NFD", N::nfd, no_fields},
    {"NFKC", N::nfkc, no_fields},
    {"NFKD", N::nfkd, no_fields},
    {"Sequence", N::sequence, normalizer_sequence, true},
    {"Lowercase", N::lowercase, no_fields},
    {"Nmt", N::nmt, no_fields},
    {"Precompiled", N::precompiled, precompiled, true},
    {"Replace", N::replace, replace, true},
    {"Prepend", N::prepend, prepend, true},
    {"ByteLevel", N::byte_level, no_fields},
};

Result<SplitBehavior> behavior(const HfFields& fields) {
    constexpr std::pair<std::string_view, SplitBehavior> names[] = {
        {"Removed", SplitBehavior::removed},
        {"Isolated", SplitBehavior::isolated},
        {"MergedWithPrevious", SplitBehavior::merged_with_previous},
        {"MergedWithNext", SplitBehavior::merged_with_next},
        {"Contiguous", SplitBehavior::contiguous},
    };
    TRY(const std::string text, fields.text("behavior"));
    for (auto& [word, value] : names)
        if (word == text) return value;
    return fields.bad("behavior", "'" + text + "' is unknown");
}

Result<void> delimiter(const HfFields& f, PreTokenizer& s) {
    TRY(s.delimiter, f.character("delimiter"));
    return {};
}
Result<void> pre_tokenizer_sequence(const HfFields& f, PreTokenizer& s) { return read_children(f, s, "pretokenizers", read_pre_tokenizer); }
Result<void> split(const HfFields& f, PreTokenizer& s) {
    TRY(s.pattern, f.pattern("pattern"));
    TRY(s.behavior, behavior(f));
    TRY(s.invert, f.boolean("invert"));
    return {};
}
Result<void> punctuation(const HfFields& f, PreTokenizer& s) {
    s.behavior = SplitBehavior::isolated;
    if (!f.find("behavior")) return {};
    TRY(s.behavior, behavior(f));
    return {};
}
Result<void> digits(const HfFields& f, PreTokenizer& s) {
    TRY(s.individual_digits, f.boolean("individual_digits"));
    return {};
}
Result<void> fixed_length(const HfFields& f, PreTokenizer& s) {
    if (!f.find("length")) return {};
    TRY(s.length, f.number("length"));
    if (s.length == 0) return f.bad("length", "must be above 0");
    return {};
}

using P = PreTokenizer::Kind;
constexpr HfRow<PreTokenizer> pre_tokenizers[] = {
    {"BertPreTokenizer", P::bert, no_fields},
    {"ByteLevel", P::byte_level, read_byte_level},
    {"CharDelimiterSplit", P::char_delimiter_split, delimiter},
    {"Metaspace", P::metaspace, read_metaspace},
    {"Whitespace", P::whitespace, no_fields},
    {"Sequence", P::sequence, pre_tokenizer_sequence},
    {"Split", P::split, split},
    {"Punctuation", P::punctuation, punctuation},
    {"WhitespaceSplit", P::whitespace_split, no_fields},
    {"Digits", P::digits, digits},
    {"UnicodeScripts", P::unicode_scripts, no_fields},
    {"FixedLength", P::fixed_length, fixed_length},
};

}  // namespace

Result<NormalizerSpec> read_normalizer(const HfValue& value, const std::string& where) { return read_by(normalizers, value, where); }
Result<PreTokenizerSpec> read_pre_tokenizer(const HfValue& value, const std::string& where) { return read_by(pre_tokenizers, value, where); }

}  // namespace weir::tok
