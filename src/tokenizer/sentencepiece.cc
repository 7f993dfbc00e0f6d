#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "tokenizer/decoders.h"
#include "tokenizer/detokenizer_utf8.h"
#include "tokenizer/formats.h"
#include "tokenizer/sentencepiece_parts.h"
#include "wire/protobuf.h"

namespace weir::tok {
namespace {

enum class Type : uint8_t { normal = 1, unknown, control, user_defined, unused, byte };
enum class ModelType : uint8_t { unigram = 1, bpe, word, character };

struct PieceRow {
    std::string_view text;
    float score = 0;
    Type type = Type::normal;
};

struct Proto {
    std::vector<PieceRow> pieces;
    ModelType model = ModelType::unigram;
    bool byte_fallback = false;
    SentencePieceRules rules;
    std::string bos = "<s>", eos = "</s>";
    std::string_view charsmap;
};

Failure bad(const std::string& what, const char* where = "") { return Failure(Code::bad_field, "SentencePiece model: " + what, where); }
Failure broken() { return bad("the file is truncated, or not a protocol buffer"); }

Result<PieceRow> read_piece(std::string_view message) {
    PieceRow row;
    ProtobufFields f(message);
    while (f.next()) {
        if (f.field() == 1 && f.is_bytes()) row.text = f.bytes();
        if (f.field() == 2 && f.is_fixed32()) row.score = f.real();
        if (f.field() == 3 && f.is_number()) {
            if (f.number() < 1 || f.number() > 6) return bad("a piece is of an unknown type", "pieces.type");
            row.type = static_cast<Type>(f.number());
        }
    }
    if (f.failed()) return broken();
    if (row.text.size() > token_bytes_max) return bad("a piece is too long", "pieces.piece");
    if (std::isnan(row.score)) return bad("a score is not a number", "pieces.score");
    return row;
}

Result<void> read_trainer(std::string_view message, Proto& proto) {
    ProtobufFields f(message);
    while (f.next()) {
        if (f.field() == 3 && f.is_number()) {
            if (f.number() < 1 || f.number() > 4) return bad("unknown model type", "trainer_spec.model_type");
            proto.model = static_cast<ModelType>(f.number());
        }
        if (f.field() == 24 && f.is_number()) proto.rules.whitespace_as_suffix = f.number() != 0;
        if (f.field() == 35 && f.is_number()) proto.byte_fallback = f.number() != 0;
        if (f.field() == 46 && f.is_bytes() && !f.bytes().empty()) proto.bos = f.bytes();
        if (f.field() == 47 && f.is_bytes() && !f.bytes().empty()) proto.eos = f.bytes();
    }
    return f.failed() ? Result<void>(broken()) : Result<void>();
}

Result<void> read_normalizer(std::string_view message, Proto& proto) {
    ProtobufFields f(message);
    while (f.next()) {
        if (f.field() == 2 && f.is_bytes()) proto.charsmap = f.bytes();
        if (f.field() == 3 && f.is_number()) proto.rules.add_dummy_prefix = f.number() != 0;
        if (f.field() == 4 && f.is_number()) proto.rules.remove_extra_whitespaces = f.number() != 0;
        if (f.field() == 5 && f.is_number()) proto.rules.escape_whitespaces = f.number() != 0;
    }
    return f.failed() ? Result<void>(broken()) : Result<void>();
}

Result<Proto> read_proto(std::string_view bytes) {
    Proto proto;
    ProtobufFields f(bytes);
    while (f.next()) {
        if (!f.is_bytes()) continue;
        if (f.field() == 1) {
            if (proto.pieces.size() == vocab_max) return bad("too many pieces", "pieces");
            TRY(const PieceRow row, read_piece(f.bytes()));
            proto.pieces.push_back(row);
        }
        if (f.field() == 2) TRY_OK(read_trainer(f.bytes(), proto));
        if (f.field() == 3) TRY_OK(read_normalizer(f.bytes(), proto));
    }
    if (f.failed()) return broken();
    if (proto.pieces.empty()) return bad("it has no pieces", "pieces");
    return proto;
}

// What sentencepiece itself refuses.
Result<void> check_pieces(const Proto& proto) {
    std::unordered_set<std::string_view> seen;
    size_t unknowns = 0;
    std::vector<bool> bytes(256);
    for (const PieceRow& piece : proto.pieces) {
        const std::string text(piece.text);
        if (piece.type == Type::unused && piece.text == std::string_view("\0", 1)) continue;
        if (text.empty()) return bad("a piece is empty", "pieces.piece");
        if (text.find('\0') != text.npos) return bad("a piece has a zero character", "pieces.piece");
        if (!valid_utf8(text)) return bad("a piece is not UTF-8", "pieces.piece");
        if (!seen.insert(piece.text).second) return bad(text + " is there twice", "pieces.piece");
        if (piece.type == Type::unknown && ++unknowns > 1) return bad("there are two unknown pieces", "pieces.type");
        if (piece.type != Type::byte) continue;
        const auto byte = byte_fallback_byte(piece.text);
        if (!proto.byte_fallback || !byte) return bad("byte piece " + text + " is unexpected", "pieces.type");
        bytes[*byte] = true;
    }
    if (unknowns == 0 && !proto.byte_fallback) return bad("there is no unknown piece", "pieces.type");
    if (proto.byte_fallback && std::find(bytes.begin(), bytes.end(), false) != bytes.end()) return bad("byte_fallback, but not all 256 byte pieces", "pieces");
    return {};
}

AddedToken added(const PieceRow& piece, uint32_t id) {
    AddedToken token;
    token.text = std::string(piece.text);
    token.id = id;
    token.special = piece.type != Type::user_defined;
    token.normalized = false;
    return token;
}

// User-defined pieces are found in normalized text as they are spelled.
void add_user_defined(const Proto& proto, TokenizerSpec& spec) {
    for (uint32_t id = 0; id < proto.pieces.size(); ++id) {
        if (proto.pieces[id].type != Type::user_defined) continue;
        AddedToken token = added(proto.pieces[id], id);
        token.as_spelled = token.normalized = true;
        spec.added.push_back(std::move(token));
    }
}

void fill_bpe(const Proto& proto, TokenizerSpec& spec) {
    ModelSpec& model = spec.model;
    model.kind = ModelSpec::Kind::bpe;
    model.merge_by_rank_of_token = true;
    std::vector<float> scores(proto.pieces.size());
    std::vector<bool> merges(proto.pieces.size());
    for (size_t id = 0; id < proto.pieces.size(); ++id) {
        scores[id] = proto.pieces[id].score;
        merges[id] = proto.model == ModelType::bpe && proto.pieces[id].type == Type::normal;
    }
    model.ranks = ranks_by_score(scores, merges);
    model.fuse_unk = true;
    add_user_defined(proto, spec);
}

void fill_unigram(const Proto& proto, ModelSpec& model) {
    model.kind = ModelSpec::Kind::unigram;
    model.single_precision = true;
    for (const PieceRow& piece : proto.pieces) {
        const bool matches = piece.type == Type::normal || piece.type == Type::user_defined;
        const double score = piece.type == Type::user_defined ? user_defined_score(piece.text.size()) : static_cast<double>(piece.score);
        model.scores.push_back(matches ? score : std::nan(""));
    }
}

bool named(const FolderConfig& config, std::initializer_list<std::string_view> parts) {
    return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return config.tokenizer_class.find(part) != std::string::npos; });
}

std::optional<uint32_t> control(const Proto& proto, const std::string& text) {
    for (uint32_t id = 0; id < proto.pieces.size(); ++id)
        if (proto.pieces[id].type == Type::control && proto.pieces[id].text == text) return id;
    return std::nullopt;
}

// XLM-RoBERTa's ids are not those of its file: four tokens come first, then the pieces from the fourth on, then the mask. Around them is what the
// reference's class puts there, not what sentencepiece does.
Result<TokenizerSpec> read_xlm_roberta(const Proto& proto, const FolderConfig& config) {
    constexpr SpecialRoles::Default defaults[] = {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"sep_token", "</s>"},
                                                  {"pad_token", "<pad>"}, {"cls_token", "<s>"}, {"mask_token", "<mask>"}};
    const SpecialRoles roles(config, defaults);
    TokenizerSpec spec;
    ModelSpec& model = spec.model;
    model.kind = ModelSpec::Kind::unigram;
    const auto add = [&model](std::string_view text, float score) {
        model.vocab.push_back(text);
        model.present.push_back(true);
        model.scores.push_back(static_cast<double>(score));
    };
    for (const char* role : {"bos_token", "pad_token", "eos_token", "unk_token"}) add(roles.text(role), 0);
    for (size_t i = 3; i < proto.pieces.size(); i++) add(proto.pieces[i].text, proto.pieces[i].score);
    add(roles.text("mask_token"), 0);
    model.unk_id = 3;
    roles.add_to(spec);
    if (!proto.charsmap.empty()) {
        spec.normalizer.emplace().kind = NormalizerSpec::Kind::precompiled;
        spec.normalizer->content = std::string(proto.charsmap);
    }
    const PrependScheme scheme = config.add_prefix_space.value_or(true) ? PrependScheme::always : PrependScheme::never;
    spec.pre_tokenizer.emplace().children.resize(2);
    spec.pre_tokenizer->children[0].kind = PreTokenizerSpec::Kind::whitespace_split;
    spec.pre_tokenizer->children[1].kind = PreTokenizerSpec::Kind::metaspace;
    spec.pre_tokenizer->children[1].prepend_scheme = scheme;
    spec.decoder.emplace().kind = DecoderSpec::Kind::metaspace;
    spec.decoder->prepend_scheme = scheme;
    TRY(const uint32_t bos, roles.id(spec, "bos_token"));
    TRY(const uint32_t eos, roles.id(spec, "eos_token"));
    spec.post_processor = bos_eos_processor(bos, eos);
    return spec;
}

}  // namespace

Result<TokenizerSpec> read_sentencepiece(std::string_view bytes, const FolderConfig& config) {
    TRY(Proto proto, read_proto(bytes));
    TRY_OK(check_pieces(proto));
    if (named(config, {"XLMRoberta"}) && proto.model == ModelType::unigram) return read_xlm_roberta(proto, config);
    if (proto.model == ModelType::word)
        return Failure(Code::not_supported, "SentencePiece models of type WORD are not supported", "trainer_spec.model_type");
    TokenizerSpec spec;
    ModelSpec& model = spec.model;
    for (uint32_t id = 0; id < proto.pieces.size(); ++id) {
        const PieceRow& piece = proto.pieces[id];
        const bool reserved = piece.type == Type::control || piece.type == Type::unused;
        model.vocab.push_back(piece.text);
        model.present.push_back(!reserved);
        if (piece.type == Type::unknown) model.unk_id = id, model.unk_token = std::string(piece.text);
        if (piece.type == Type::unused && proto.model == ModelType::bpe && piece.text.size() > 1)
            return Failure(Code::not_supported, "SentencePiece BPE models with unused pieces are not supported (" + std::string(piece.text) + ")",
                           "pieces.type");
        if (piece.type == Type::user_defined) proto.rules.verbatim.emplace_back(piece.text);
        if (piece.type == Type::control || piece.type == Type::unknown) spec.added.push_back(added(piece, id));
    }
    model.byte_fallback = proto.byte_fallback;
    if (proto.model == ModelType::unigram) fill_unigram(proto, model);
    else fill_bpe(proto, spec);
    std::sort(spec.added.begin(), spec.added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
    TRY_OK(merge_added_tokens(config, spec));
    proto.rules.charsmap = std::string(proto.charsmap);
    proto.rules.prefix_at_start_only = config.legacy == false;
    TRY_OK(apply_sentencepiece_rules(proto.rules, spec));
    const bool starts = proto.model == ModelType::bpe && (config.tokenizer_class.empty() || named(config, {"Llama", "Gemma", "Mistral"}));
    const bool adds_bos = config.add_bos_token.value_or(starts);
    const bool adds_eos = config.add_eos_token.value_or(named(config, {"T5", "Pegasus", "Marian"}));
    const auto bos = adds_bos ? control(proto, proto.bos) : std::nullopt, eos = adds_eos ? control(proto, proto.eos) : std::nullopt;
    spec.post_processor = bos_eos_processor(bos, eos);
    return spec;
}

}  // namespace weir::tok
