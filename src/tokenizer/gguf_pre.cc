#include "tokenizer/gguf_pre.h"

#include <algorithm>

namespace weir::tok {
namespace {

#define WEIR_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WEIR_SPACES "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WEIR_CASED_WORD(tail)                                                                                                          \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+" tail                                      \
    "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*" tail
#define WEIR_KIMI_WORD                                                                                                                 \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+" WEIR_CONTRACTIONS \
    "?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*" WEIR_CONTRACTIONS "?"
#define WEIR_ASCII_PUNCT "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]"

constexpr std::string_view gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view llama3 = WEIR_CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" WEIR_SPACES;
constexpr std::string_view qwen2 = WEIR_CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" WEIR_SPACES;
constexpr std::string_view qwen35 =
    WEIR_CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" WEIR_SPACES;
constexpr std::string_view minicpm5 = WEIR_CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}+| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" WEIR_SPACES;
constexpr std::string_view gpt4o = WEIR_CASED_WORD(WEIR_CONTRACTIONS "?") "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" WEIR_SPACES;
constexpr std::string_view youtu_words = WEIR_CASED_WORD(WEIR_CONTRACTIONS "?") "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" WEIR_SPACES;
constexpr std::string_view tekken = WEIR_CASED_WORD("") "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" WEIR_SPACES;
constexpr std::string_view kimi = "[\\p{Han}]+|" WEIR_KIMI_WORD "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" WEIR_SPACES;
constexpr std::string_view jais2 = WEIR_CONTRACTIONS
    "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|"
    "\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}";
constexpr std::string_view bailing =
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+";
constexpr std::string_view seed_coder = WEIR_CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+" WEIR_SPACES;
constexpr std::string_view ufakzeka = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" WEIR_SPACES;
constexpr std::string_view exaone_moe = WEIR_CONTRACTIONS
    "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+";
constexpr std::string_view digits_1_3 = "\\p{N}{1,3}", digit = "\\p{N}", digits = "\\p{N}+", lines = "[^\\n]+|[\\n]+", newline = "[\r\n]";
constexpr std::string_view cjk = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";
constexpr std::string_view cjk_hangul = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+";
constexpr std::string_view deepseek3 =
    WEIR_ASCII_PUNCT "[A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view spark =
    WEIR_ASCII_PUNCT "[A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+|[\r\n]|\\s+(?!\\S)|\\s+";
// Cased letters of the scripts that have case, as DeepSeek's own file lists them.
constexpr std::string_view deepseek_letters =
    "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-"
    "\u037d\u037f\u0386\u0388-\u038a\u038c"
    "\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-"
    "\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77"
    "\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4"
    "\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4"
    "\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124"
    "\u2126\u2128\u212a-\u212d"
    "\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d"
    "\ua680-\ua69b\ua722-\ua76f"
    "\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-"
    "\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb"
    "\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943]+";
constexpr std::string_view deepseek_punct = "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+";
constexpr std::string_view youtu_scripts =
    "[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+|[\u3105-\u312f]+|"
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";
constexpr std::string_view bloom = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+";
constexpr std::string_view afmoe_scripts =
    "[\u4e00-\u9fff\u3400-\u4dbf\u8c48-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf"
    "\u0e40-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff]+";
constexpr std::string_view afmoe_words =
    WEIR_ASCII_PUNCT "[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*" WEIR_SPACES;
constexpr std::string_view afmoe_digits = "\\p{N}{1,2}(?=(?:\\p{N}{3})+(?!\\p{N}))|\\p{N}{3}|\\p{N}+";
constexpr std::string_view cohere_digits = "\\d{1,3}(?=(?:\\d{3})*\\b)";
constexpr std::string_view falcon_punct = "[\\p{P}\\$\\+<=>\\^~\\|`]+", default_punct = "[\\p{P}\\$\\+<=>\\^~\\|]+", three_digits = "[0-9][0-9][0-9]";

struct Row {
    std::string_view names;   // separated by blanks
    std::vector<std::string_view> patterns;
    GgufPre also;             // its flags
};

const std::vector<Row>& rows() {
    static const std::vector<Row> table = {
        {"default", {default_punct, gpt2, digits, three_digits}, {}},
        {"gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert mpt olmo jais trillion granite-docling exaone4", {}, {}},
        {"jina-v1-en jina-v2-code roberta-bpe", {}, {.add_sep = true}},
        {"llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", {llama3}, {.ignore_merges = true, .add_bos = true}},
        {"dbrx smaug-bpe", {llama3}, {}},
        {"chatglm-bpe", {llama3}, {.bos_unset = true}},
        {"glm4 glm5", {llama3}, {.ignore_merges = true, .bos_unset = true}},
        {"minicpm5", {digits_1_3, minicpm5}, {.ignore_merges = true}},
        {"jais-2", {jais2}, {}},
        {"qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2", {qwen2}, {}},
        {"qwen35", {qwen35}, {}},
        {"laguna", {lines, qwen2}, {}},
        {"ufakzeka", {ufakzeka}, {}},
        {"deepseek-llm", {newline, deepseek_letters, deepseek_punct, "\\s+$", cjk_hangul, digits}, {}},
        {"deepseek-coder", {newline, "\\s?\\p{L}+", "\\s?\\p{P}+", cjk_hangul, digit}, {}},
        {"deepseek-v3 hunyuan-dense joyai-llm hy_v4", {digits_1_3, cjk, deepseek3}, {}},
        {"spark2_5", {digits_1_3, cjk, spark, digit}, {}},
        {"youtu", {youtu_scripts, youtu_words}, {.ignore_merges = true}},
        {"falcon", {falcon_punct, gpt2, three_digits}, {}},
        {"starcoder refact command-r smollm codeshell exaone minerva-7b mellum2", {digit, gpt2}, {}},
        {"poro-chat bloom gpt3-finnish", {bloom}, {}},
        {"viking", {bloom, digit}, {}},
        {"tekken", {tekken}, {.ignore_merges = true, .add_bos = true}},
        {"chameleon",
         {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", digit, "[\\p{P}!-/:-@\\[-`{-~]", gpt2},
         {.add_bos = true}},
        {"gpt-4o llama4 kanana2 talkie minimax-m2", {gpt4o}, {}},
        {"granite-embed-multi-97m", {gpt4o}, {.ignore_merges = true}},
        {"tiny_aya cohere2moe", {cohere_digits, gpt4o}, {}},
        {"kimi-k2", {kimi}, {}},
        {"superbpe", {digits, "(?=(\\d{3})+(?!\\d))"}, {}},
        {"bailingmoe bailingmoe2 llada-moe", {bailing}, {}},
        {"seed-coder", {seed_coder}, {}},
        {"afmoe", {afmoe_digits, afmoe_scripts, afmoe_words}, {}},
        {"exaone-moe", {exaone_moe}, {}},
        {"gemma4 granite-embed-multi-311m", {lines}, {.add_bos = true, .raw_utf8 = true}},
        {"sarvam-moe", {lines}, {.raw_utf8 = true}},
    };
    return table;
}

bool lists(std::string_view names, std::string_view name) {
    for (size_t at = 0; at < names.size();) {
        const size_t end = std::min(names.find(' ', at), names.size());
        if (names.substr(at, end - at) == name) return true;
        at = end + 1;
    }
    return false;
}

}  // namespace

std::optional<GgufPre> find_gguf_pre(std::string_view name) {
    if (name.empty()) name = "default";
    for (const Row& row : rows()) {
        if (!lists(row.names, name)) continue;
        GgufPre pre = row.also;
        pre.patterns = row.patterns;
        return pre;
    }
    return std::nullopt;
}

PreTokenizerSpec pre_tokenizer_of(const GgufPre& pre) {
    PreTokenizerSpec chain;
    for (const std::string_view pattern : pre.patterns) {
        PreTokenizerSpec& split = chain.children.emplace_back();
        split.kind = PreTokenizerSpec::Kind::split;
        split.pattern = {std::string(pattern), true};
    }
    if (!pre.raw_utf8) {
        PreTokenizerSpec& bytes = chain.children.emplace_back();
        bytes.kind = PreTokenizerSpec::Kind::byte_level;
        bytes.add_prefix_space = false;
        bytes.use_regex = pre.patterns.empty();
    }
    return chain;
}

}  // namespace weir::tok
