#include <simdjson.h>

#include <algorithm>

#include "base/base64.h"
#include "tokenizer/formats.h"

namespace weir::tok {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// The special tokens of files up to version v7, which may leave them out; ids count from 0.
constexpr std::string_view early_specials[] = {
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]",
    "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
};

Failure bad(const std::string& what, const char* where) { return Failure(Code::bad_field, "tekken.json: " + what, where); }

Result<uint64_t> number(const object& from, const char* name, const char* where, uint64_t max) {
    uint64_t value = 0;
    if (from[name].get(value) || value > max) return bad(std::string(name) + " is not a number in range", where);
    return value;
}

// "v3", "v11" ...: 0 when it is not a version.
unsigned version_number(std::string_view version) {
    unsigned n = 0;
    if (version.size() < 2 || version.size() > 4 || version[0] != 'v') return 0;
    for (const char c : version.substr(1)) n = c >= '0' && c <= '9' ? n * 10 + static_cast<unsigned>(c - '0') : 10'000;
    return n < 10'000 ? n : 0;
}

Result<void> read_specials(const object& root, unsigned version, uint64_t count, TokenizerSpec& spec) {
    spec.added.resize(count);
    uint64_t given = 0;
    array tokens;
    if (!root["special_tokens"].get(tokens)) {
        std::vector<bool> seen(count);
        for (const element& token : tokens) {
            object fields;
            std::string_view text;
            if (token.get(fields) || fields["token_str"].get(text) || text.empty()) return bad("a special token has no token_str", "special_tokens");
            TRY(const uint64_t id, number(fields, "rank", "special_tokens", count - 1));
            if (given++ == count || seen[id]) return bad("more special tokens than default_num_special_tokens, or one id twice", "special_tokens");
            seen[id] = true;
            spec.added[id].text = std::string(text);
        }
    } else if (version > 7) {
        return bad("special_tokens are missing", "special_tokens");
    } else {
        for (const std::string_view text : early_specials)
            if (given < count) spec.added[given++].text = std::string(text);
    }
    std::vector<std::string> texts;
    for (uint32_t id = 0; id < count; ++id) {
        AddedToken& token = spec.added[id];
        if (token.text.empty()) token.text = "<SPECIAL_" + std::to_string(id) + ">";
        token.id = id;
        token.special = true;
        token.normalized = false;
        texts.push_back(token.text);
    }
    std::sort(texts.begin(), texts.end());
    if (std::adjacent_find(texts.begin(), texts.end()) != texts.end()) return bad("a special token is there twice", "special_tokens");
    return {};
}

Result<void> read_vocab(const object& root, uint64_t specials, uint64_t size, ModelSpec& model) {
    array vocab;
    if (root["vocab"].get(vocab)) return bad("vocab is missing", "vocab");
    model.vocab.resize(size);
    model.present.resize(size);
    uint64_t rank = 0;
    for (const element& token : vocab) {
        if (specials + rank == size) break;   // the file may have more than the model uses
        object fields;
        std::string_view coded;
        if (token.get(fields) || fields["token_bytes"].get(coded)) return bad("a token has no token_bytes", "vocab");
        TRY(const uint64_t said, number(fields, "rank", "vocab", vocab_max));
        if (said != rank) return bad("the tokens are not in the order of their ranks", "vocab");
        const auto bytes = base64_decode(coded);
        if (!bytes || bytes->empty() || bytes->size() > token_bytes_max) return bad("a token is not base64", "vocab");
        if (rank < 256 && (bytes->size() != 1 || static_cast<uint8_t>((*bytes)[0]) != rank)) return bad("the first 256 tokens are not the 256 bytes", "vocab");
        model.vocab.set(specials + rank, byte_level_chars(*bytes));
        model.present[specials + rank] = true;
        ++rank;
    }
    if (specials + rank < size) return bad("fewer tokens than default_vocab_size", "vocab");
    return {};
}

}  // namespace

Result<TokenizerSpec> read_tekken(std::string_view json) {
    simdjson::dom::parser parser;
    object root, config;
    if (parser.parse(json.data(), json.size()).get(root)) return Failure(Code::bad_json, "tekken.json is not a JSON object");
    if (root["config"].get(config)) return bad("config is missing", "config");
    std::string_view pattern, version;
    if (config["pattern"].get(pattern)) return bad("pattern is missing", "config.pattern");
    if (config["version"].get(version) || version_number(version) == 0) return bad("version is missing or unknown", "config.version");
    TRY(const uint64_t size, number(config, "default_vocab_size", "config.default_vocab_size", vocab_max));
    TRY(const uint64_t specials, number(config, "default_num_special_tokens", "config.default_num_special_tokens", size));
    if (specials < 3) return bad("there is no place for <unk>, <s>, </s>", "config.default_num_special_tokens");

    TokenizerSpec spec;
    TRY_OK(read_specials(root, version_number(version), specials, spec));
    TRY_OK(read_vocab(root, specials, size, spec.model));
    spec.model.merge_by_rank_of_token = true;
    spec.model.ignore_merges = true;
    PreTokenizerSpec split, bytes, both;
    split.kind = PreTokenizerSpec::Kind::split;
    split.pattern = {std::string(pattern), true};
    bytes.kind = PreTokenizerSpec::Kind::byte_level;
    bytes.add_prefix_space = bytes.use_regex = false;
    both.children = {split, bytes};
    spec.pre_tokenizer = both;
    spec.decoder.emplace().kind = DecoderSpec::Kind::byte_level;
    const auto bos = std::find_if(spec.added.begin(), spec.added.end(), [](const AddedToken& t) { return t.text == "<s>"; });
    if (bos == spec.added.end()) return bad("there is no <s>", "special_tokens");
    spec.post_processor = bos_eos_processor(bos->id, std::nullopt);
    return spec;
}

}  // namespace weir::tok
