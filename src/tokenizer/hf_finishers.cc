// What follows the model in a tokenizer.json: post-processors and decoders.
#include "tokenizer/hf_components.h"
#include "tokenizer/hf_fields.h"

namespace weir::tok {
namespace {

using Post = PostProcessorSpec;
using Decoder = DecoderSpec;

Result<uint32_t> id_of(const HfValue& value, const HfFields& fields, std::string_view name) {
    if (!value.is(HfValue::Kind::integer) || value.integer > std::numeric_limits<uint32_t>::max()) return fields.bad(name, "is not a token id");
    return static_cast<uint32_t>(value.integer);
}

// ["</s>", 2]
Result<uint32_t> named_id(const HfFields& fields, std::string_view name) {
    TRY(const HfValue* v, fields.any(name, HfValue::Kind::array));
    if (v->items.size() != 2 || !v->items[0].is(HfValue::Kind::string)) return fields.bad(name, "is not [token, id]");
    return id_of(v->items[1], fields, name);
}

Result<void> bert(const HfFields& f, Post& s) {
    TRY(s.sep_id, named_id(f, "sep"));
    TRY(s.cls_id, named_id(f, "cls"));
    return {};
}
Result<void> roberta(const HfFields& f, Post& s) {
    TRY_OK(bert(f, s));
    TRY(s.trim_offsets, f.boolean("trim_offsets"));
    TRY(s.add_prefix_space, f.boolean("add_prefix_space"));
    return {};
}
Result<void> post_sequence(const HfFields& f, Post& s) { return read_children(f, s, "processors", read_post_processor); }

// The special tokens of a template: name -> ids.
Result<std::vector<std::pair<std::string, std::vector<uint32_t>>>> special_tokens(const HfFields& fields) {
    TRY(const HfValue* map, fields.any("special_tokens", HfValue::Kind::object));
    std::vector<std::pair<std::string, std::vector<uint32_t>>> out;
    for (const auto& [name, value] : map->members) {
        const std::string where = fields.where() + ".special_tokens." + name;
        const HfFields token(value, where);
        TRY(const HfValue* ids, token.any("ids", HfValue::Kind::array));
        TRY_OK(token.text("id"));
        TRY_OK(token.any("tokens", HfValue::Kind::array));
        std::vector<uint32_t> list;
        for (const HfValue& item : ids->items) {
            TRY(const uint32_t id, id_of(item, token, "ids"));
            list.push_back(id);
        }
        out.emplace_back(name, std::move(list));
    }
    return out;
}

using Specials = std::vector<std::pair<std::string, std::vector<uint32_t>>>;

Result<std::vector<TemplatePiece>> pieces(const HfFields& fields, std::string_view name, const Specials& specials, bool& known) {
    TRY(const HfValue* list, fields.any(name, HfValue::Kind::array));
    std::vector<TemplatePiece> out;
    for (size_t i = 0; i < list->items.size(); i++) {
        const std::string where = fields.where() + "." + std::string(name) + "[" + std::to_string(i) + "]";
        const HfValue& item = list->items[i];
        if (!item.is(HfValue::Kind::object) || item.members.size() != 1) return HfFields(item, where).bad("", "is not one piece of a template");
        const auto& [kind, body] = item.members[0];
        const HfFields piece(body, where);
        TRY(const std::string id, piece.text("id"));
        TemplatePiece made;
        TRY(made.type_id, piece.number("type_id"));
        if (kind == "Sequence" && (id == "A" || id == "B")) {
            made.kind = id == "A" ? TemplatePiece::Kind::sequence_a : TemplatePiece::Kind::sequence_b;
        } else if (kind == "SpecialToken") {
            made.kind = TemplatePiece::Kind::special;
            bool found = false;
            for (const auto& [token, ids] : specials)
                if (token == id) made.ids = ids, found = true;
            known = known && found;
        } else {
            return piece.bad("", "'" + kind + "' with id '" + id + "' is unknown");
        }
        out.push_back(std::move(made));
    }
    return out;
}

Result<void> template_processing(const HfFields& f, Post& s) {
    TRY(const Specials specials, special_tokens(f));
    TRY(s.single, pieces(f, "single", specials, s.single_known));
    TRY(s.pair, pieces(f, "pair", specials, s.pair_known));
    return {};
}

// The reference goes by the fields alone, in this order, but ByteLevel and Sequence must say their type.
using P = Post::Kind;
constexpr HfRow<Post> typed[] = {{"ByteLevel", P::byte_level, read_byte_level}, {"Sequence", P::sequence, post_sequence}};
constexpr HfRow<Post> by_fields[] = {{"RobertaProcessing", P::roberta, roberta}, {"BertProcessing", P::bert, bert}};
constexpr HfRow<Post> last[] = {{"TemplateProcessing", P::template_processing, template_processing}};

template <size_t N>
bool takes(const HfRow<Post> (&rows)[N], const HfFields& fields, bool by_type, Result<Post>& out) {
    for (const auto& row : rows) {
        if (by_type && row.type != fields.type()) continue;
        Post spec;
        spec.kind = row.kind;
        const Result<void> read = row.read(fields, spec);
        if (read) {
            out = std::move(spec);
            return true;
        }
    }
    return false;
}

Result<void> word_piece(const HfFields& f, Decoder& s) {
    TRY(s.prefix, f.text("prefix"));
    TRY(s.cleanup, f.boolean("cleanup"));
    return {};
}
Result<void> bpe(const HfFields& f, Decoder& s) {
    TRY(s.suffix, f.text("suffix"));
    return {};
}
Result<void> ctc(const HfFields& f, Decoder& s) {
    TRY(s.pad_token, f.text("pad_token"));
    TRY(s.word_delimiter_token, f.text("word_delimiter_token"));
    TRY(s.cleanup, f.boolean("cleanup"));
    return {};
}
Result<void> decoder_sequence(const HfFields& f, Decoder& s) { return read_children(f, s, "decoders", read_decoder); }
Result<void> replace(const HfFields& f, Decoder& s) {
    TRY(s.pattern, f.pattern("pattern"));
    TRY(s.content, f.text("content"));
    return {};
}
Result<void> strip(const HfFields& f, Decoder& s) {
    TRY(s.content, f.character("content"));
    TRY(s.start, f.number("start"));
    TRY(s.stop, f.number("stop"));
    return {};
}

using D = Decoder::Kind;
constexpr HfRow<Decoder> decoders[] = {
    {"BPEDecoder", D::bpe, bpe, true},
    {"ByteLevel", D::byte_level, read_byte_level},
    {"WordPiece", D::word_piece, word_piece, true},
    {"Metaspace", D::metaspace, read_metaspace},
    {"CTC", D::ctc, ctc, true},
    {"Sequence", D::sequence, decoder_sequence},
    {"Replace", D::replace, replace, true},
    {"Fuse", D::fuse, no_fields},
    {"Strip", D::strip, strip, true},
    {"ByteFallback", D::byte_fallback, no_fields},
};

}  // namespace

Result<PostProcessorSpec> read_post_processor(const HfValue& value, const std::string& where) {
    const HfFields fields(value, where);
    if (!value.is(HfValue::Kind::object)) return fields.bad("", "is not an object");
    Result<Post> out = Post();
    if (takes(by_fields, fields, false, out) || takes(typed, fields, true, out) || takes(last, fields, false, out)) return out;
    // Nothing fits: say what is wrong with the one that it claims to be.
    Post spec;
    for (const auto* rows : {by_fields, typed})
        for (size_t i = 0; i < 2; i++)
            if (rows[i].type == fields.type()) {
                if (auto read = rows[i].read(fields, spec); !read) return std::move(read).error();
            }
    if (fields.type() == last[0].type)
        if (auto read = last[0].read(fields, spec); !read) return std::move(read).error();
    if (fields.type().empty()) return fields.bad("type", "is missing, and the fields do not tell it");
    return fields.bad("type", "'" + std::string(fields.type()) + "' is unknown");
}

Result<DecoderSpec> read_decoder(const HfValue& value, const std::string& where) { return read_by(decoders, value, where); }

}  // namespace weir::tok
