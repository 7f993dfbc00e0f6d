#include "tokenizer/tiktoken_families.h"

#include <algorithm>
#include <cstdio>

namespace weir::tok {
namespace {

#define WEIR_O200K_WORD(upper, lower, tail)                                                                                  \
    "[^\\r\\n\\p{L}\\p{N}]?" upper "*" lower "+" tail "|[^\\r\\n\\p{L}\\p{N}]?" upper "+" lower "*" tail
#define WEIR_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"

constexpr std::string_view gpt2_pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view cl100k_pattern = WEIR_CONTRACTIONS
    "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view qwen_pattern = WEIR_CONTRACTIONS
    "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view o200k_pattern =
    WEIR_O200K_WORD("[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]", "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]", WEIR_CONTRACTIONS "?")
    "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kimi_pattern =
    "[\\p{Han}]+|"
    WEIR_O200K_WORD("[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]", "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]", WEIR_CONTRACTIONS "?")
    "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

AddedToken special(std::string text, uint32_t id) {
    AddedToken token;
    token.text = std::move(text);
    token.id = id;
    token.special = true;
    token.normalized = false;
    return token;
}

void add_all(std::vector<AddedToken>& out, uint32_t first, std::initializer_list<std::string_view> texts) {
    for (const std::string_view text : texts) out.push_back(special(std::string(text), first++));
}

// "<|name_0|>" and so on, `count` of them from `first` on.
void add_numbered(std::vector<AddedToken>& out, uint32_t first, uint32_t count, const std::string& before, uint32_t from = 0) {
    for (uint32_t i = 0; i < count; ++i) out.push_back(special(before + std::to_string(from + i) + "|>", first + i));
}

void gpt2_specials(uint32_t, std::vector<AddedToken>& out) { add_all(out, 50256, {"<|endoftext|>"}); }

void cl100k_specials(uint32_t, std::vector<AddedToken>& out) {
    add_all(out, 100257, {"<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"});
    add_all(out, 100276, {"<|endofprompt|>"});
}

// Harmony's list; o200k_base has two of these.
void harmony_specials(uint32_t, std::vector<AddedToken>& out) {
    add_all(out, 199998, {"<|startoftext|>", "<|endoftext|>", "<|reserved_200000|>", "<|reserved_200001|>", "<|return|>", "<|constrain|>",
                          "<|reserved_200004|>",
                          "<|channel|>", "<|start|>", "<|end|>", "<|message|>", "<|reserved_200009|>", "<|reserved_200010|>", "<|reserved_200011|>",
                          "<|call|>"});
    add_numbered(out, 200013, 5, "<|reserved_", 200013);
    add_all(out, 200018, {"<|endofprompt|>"});
    add_numbered(out, 200019, 201088 - 200019, "<|reserved_", 200019);
}

void o200k_specials(uint32_t, std::vector<AddedToken>& out) {
    add_all(out, 199999, {"<|endoftext|>"});
    add_all(out, 200018, {"<|endofprompt|>"});
}

// Llama 3.1's 256; 3.0 differs in reserved ones only.
void llama3_specials(uint32_t n, std::vector<AddedToken>& out) {
    add_all(out, n, {"<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
                     "<|finetune_right_pad_id|>",
                     "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"});
    add_numbered(out, n + 11, 245, "<|reserved_special_token_", 3);
}

void llama4_specials(uint32_t n, std::vector<AddedToken>& out) {
    add_all(out, n, {"<|begin_of_text|>", "<|end_of_text|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|header_start|>",
                     "<|header_end|>", "<|eom|>", "<|eot|>",
                     "<|step|>", "<|text_post_train_reserved_special_token_0|>", "<|text_post_train_reserved_special_token_1|>",
                     "<|text_post_train_reserved_special_token_2|>", "<|text_post_train_reserved_special_token_3|>",
                     "<|text_post_train_reserved_special_token_4|>",
                     "<|text_post_train_reserved_special_token_5|>", "<|python_start|>", "<|python_end|>", "<|finetune_right_pad|>"});
    add_numbered(out, n + 19, 61, "<|text_post_train_reserved_special_token_", 8);
    add_all(out, n + 80, {"<|image_start|>", "<|image_end|>", "<|vision_reserved_special_token_0|>", "<|vision_reserved_special_token_1|>",
                          "<|tile_x_separator|>",
                          "<|tile_y_separator|>", "<|vision_reserved_special_token_2|>", "<|vision_reserved_special_token_3|>",
                          "<|vision_reserved_special_token_4|>",
                          "<|vision_reserved_special_token_5|>", "<|image|>", "<|vision_reserved_special_token_6|>", "<|patch|>"});
    add_numbered(out, n + 93, 1041, "<|vision_reserved_special_token_", 7);
    add_all(out, n + 1134, {"<|reasoning_thinking_start|>", "<|reasoning_thinking_end|>"});
}

void kimi_specials(uint32_t n, std::vector<AddedToken>& out) { add_numbered(out, n, 256, "<|reserved_token_", n); }

void qwen_specials(uint32_t n, std::vector<AddedToken>& out) {
    add_all(out, n, {"<|endoftext|>", "<|im_start|>", "<|im_end|>"});
    add_numbered(out, n + 3, 205, "<|extra_");
}

// Languages in the order of their ids; the last one came with the third version.
void whisper_tokens(uint32_t n, int count, std::vector<AddedToken>& out) {
    static constexpr std::string_view languages =
        "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk "
        "br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt "
        "haw ln ha ba jw su yue";
    add_all(out, n, {"<|endoftext|>", "<|startoftranscript|>"});
    size_t at = 0;
    for (int i = 0; at < languages.size() && i < count; ++i) {
        const size_t end = std::min(languages.find(' ', at), languages.size());
        add_all(out, out.back().id + 1, {"<|" + std::string(languages.substr(at, end - at)) + "|>"});
        at = end + 1;
    }
    add_all(out, out.back().id + 1, {"<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"});
    for (int i = 0; i <= 1500; ++i) {
        char text[16];
        std::snprintf(text, sizeof text, "<|%d.%02d|>", i / 50, i % 50 * 2);
        add_all(out, out.back().id + 1, {text});
    }
}

void whisper_specials(uint32_t n, std::vector<AddedToken>& out) { whisper_tokens(n, 99, out); }
void whisper3_specials(uint32_t n, std::vector<AddedToken>& out) { whisper_tokens(n, 100, out); }

constexpr TiktokenFamily gpt2{"gpt2", gpt2_pattern, false, gpt2_specials};
constexpr TiktokenFamily whisper{"whisper", gpt2_pattern, false, whisper_specials};
constexpr TiktokenFamily whisper3{"whisper-v3", gpt2_pattern, false, whisper3_specials};
constexpr TiktokenFamily cl100k{"cl100k", cl100k_pattern, false, cl100k_specials};
constexpr TiktokenFamily o200k{"o200k", o200k_pattern, false, o200k_specials};
constexpr TiktokenFamily harmony{"o200k_harmony", o200k_pattern, false, harmony_specials};
constexpr TiktokenFamily llama3{"llama3", cl100k_pattern, false, llama3_specials, true};
constexpr TiktokenFamily llama4{"llama4", o200k_pattern, false, llama4_specials, true};
constexpr TiktokenFamily kimi{"kimi-k2", kimi_pattern, false, kimi_specials, true};
constexpr TiktokenFamily qwen{"qwen", qwen_pattern, true, qwen_specials};
// GLM-4 brings its special tokens in tokenizer_config.json.
constexpr TiktokenFamily glm4{"glm4", cl100k_pattern, false, nullptr};

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

const TiktokenFamily* find_tiktoken_family(std::string_view file_name, size_t ranks, const FolderConfig& config) {
    const std::string_view type = config.model_type, tokenizer = config.tokenizer_class;
    // What the model says it is comes first, then the file's own name, then the number of ranks, which no two families share.
    if (has(type, "whisper") || has(tokenizer, "Whisper")) return config.vocab_size == 51'866 ? &whisper3 : &whisper;
    if (type == "gpt_oss" || has(file_name, "harmony")) return &harmony;
    if (has(type, "kimi")) return &kimi;
    if (has(type, "llama4")) return &llama4;
    if (type == "qwen" || tokenizer == "QWenTokenizer" || has(file_name, "qwen")) return &qwen;
    if (has(type, "chatglm") || type == "glm4" || has(tokenizer, "ChatGLM4")) return &glm4;
    if (has(file_name, "cl100k")) return &cl100k;
    if (has(file_name, "o200k")) return &o200k;
    if (has(file_name, "multilingual")) return &whisper;
    switch (ranks) {
        case 50256: case 50280: return &gpt2;
        case 50257: return &whisper;
        case 100256: return &cl100k;
        case 128000: return &llama3;
        case 151329: case 151343: return &glm4;
        case 151643: return &qwen;
        case 163584: return &kimi;
        case 199998: return &o200k;
        case 200000: return &llama4;
        default: return nullptr;
    }
}

}  // namespace weir::tok
