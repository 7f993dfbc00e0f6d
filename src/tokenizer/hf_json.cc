// tokenizer.json to a TokenizerSpec: one pass over the document, strings left where the parser puts them until they are kept.
#ifndef NDEBUG
#define NDEBUG   // simdjson then checks its own use at every step: a third of the time
#endif
#include <simdjson.h>

#include "base/limits.h"
#include "tokenizer/hf_added.h"
#include "tokenizer/hf_components.h"
#include "tokenizer/hf_fields.h"
#include "tokenizer/hf_model.h"
#include "tokenizer/hf_number.h"
#include "tokenizer/load.h"

namespace weir {
namespace {

namespace od = simdjson::ondemand;
using simdjson::SUCCESS;
using namespace tok;

Failure bad(const std::string& what) { return Failure(Code::bad_field, "tokenizer.json: " + what); }
Failure broken(simdjson::error_code error) { return Failure(Code::bad_json, std::string("tokenizer.json: ") + simdjson::error_message(error)); }

// The simdjson way of a Result: `GET(auto x, value.get_string())`.
#define WEIR_GET_(tmp, decl, expr)                                    \
    auto tmp = (expr);                                                \
    if (tmp.error()) return broken(tmp.error());                      \
    decl = std::move(tmp).value_unsafe()
#define GET(decl, expr) WEIR_GET_(WEIR_CAT(get_, __LINE__), decl, expr)

// A string's text where it stands in the document, after its opening quote; empty view of nothing when it has escapes. The document was checked to
// have an end for every string.
std::string_view plain_text(const char* p) {
    const char* from = p;
    for (;; p += 8) {
        uint64_t eight = 0;
        std::memcpy(&eight, p, 8);
        constexpr uint64_t ones = 0x0101010101010101u;
        const uint64_t a = eight ^ ones * '"', b = eight ^ ones * '\\';
        const uint64_t found = (((a - ones) & ~a) | ((b - ones) & ~b)) & ones * 0x80;
        if (found == 0) continue;
        p += __builtin_ctzll(found) / 8;
        return *p == '"' ? std::string_view(from, static_cast<size_t>(p - from)) : std::string_view();
    }
}

// As value.get_string(), but what has no escapes is not copied.
simdjson::simdjson_result<std::string_view> text_of(od::value value) {
    const std::string_view token = value.raw_json_token();
    if (token.empty() || token[0] != '"') return simdjson::INCORRECT_TYPE;
    const std::string_view text = plain_text(token.data() + 1);
    if (!text.data()) return value.get_string();
    if (auto error = value.get_raw_json_string().error()) return error;
    return std::string_view(text);
}

Result<HfValue> tree(od::value value, size_t depth) {
    if (depth > limits::tokenizer_depth_max) return bad("nested too deeply");
    HfValue out;
    GET(const od::json_type type, value.type());
    switch (type) {
    case od::json_type::null: {
        GET(const bool null, value.is_null());
        if (!null) return broken(simdjson::N_ATOM_ERROR);
        break;
    }
    case od::json_type::boolean: {
        GET(out.flag, value.get_bool());
        out.kind = HfValue::Kind::boolean;
        break;
    }
    case od::json_type::number: {
        GET(const od::number number, value.get_number());
        if (number.is_uint64() || (number.is_int64() && number.get_int64() >= 0)) {
            out.kind = HfValue::Kind::integer;
            out.integer = number.is_uint64() ? number.get_uint64() : static_cast<uint64_t>(number.get_int64());
        } else {
            out.kind = HfValue::Kind::real;
        }
        out.real = number.as_double();
        break;
    }
    case od::json_type::string: {
        GET(const std::string_view text, value.get_string());
        out.text = text;
        out.kind = HfValue::Kind::string;
        break;
    }
    case od::json_type::array: {
        out.kind = HfValue::Kind::array;
        GET(od::array array, value.get_array());
        for (auto item : array) {
            GET(od::value one, item);
            TRY(HfValue made, tree(one, depth + 1));
            out.items.push_back(std::move(made));
        }
        break;
    }
    case od::json_type::object: {
        out.kind = HfValue::Kind::object;
        GET(od::object object, value.get_object());
        for (auto item : object) {
            GET(od::field field, item);
            GET(const std::string_view key, field.unescaped_key());
            TRY(HfValue made, tree(field.value(), depth + 1));
            out.members.emplace_back(key, std::move(made));
        }
        break;
    }
    }
    return out;
}

Result<AddedToken> added_token(const HfValue& value, size_t index) {
    const std::string where = "added_tokens[" + std::to_string(index) + "]";
    const HfFields fields(value, where);
    if (!value.is(HfValue::Kind::object)) return fields.bad("", "is not an object");
    AddedToken out;
    TRY(out.id, fields.number("id"));
    TRY(out.text, fields.text("content"));
    TRY(out.single_word, fields.boolean("single_word"));
    TRY(out.lstrip, fields.boolean("lstrip"));
    TRY(out.rstrip, fields.boolean("rstrip"));
    TRY(out.normalized, fields.boolean("normalized"));
    TRY(out.special, fields.boolean("special"));
    if (out.text.size() > limits::tokenizer_token_max) return fields.bad("content", "is too long");
    return out;
}

Result<std::vector<AddedToken>> added_tokens(od::value value) {
    GET(od::array array, value.get_array());
    GET(const size_t count, array.count_elements());
    if (count > limits::tokenizer_added_max) return bad("too many added tokens");
    std::vector<AddedToken> out;
    out.reserve(count);
    for (auto item : array) {
        GET(od::value one, item);
        TRY(HfValue made, tree(one, 0));
        TRY(AddedToken token, added_token(made, out.size()));
        out.push_back(std::move(token));
    }
    return out;
}

constexpr size_t entries_most = 1 << 20;          // memory is asked for once; what is not written to costs nothing

Result<void> vocab_of_ids(od::value value, HfModel& out) {
    out.vocab = HfModel::Vocab::ids;
    out.ids.reserve(entries_most);
    GET(od::object object, value.get_object());
    for (auto item : object) {
        GET(od::field field, item);
        std::string_view token = plain_text(field.key().raw());
        if (!token.data()) {
            GET(token, field.unescaped_key());
        }
        uint64_t id = 0;
        if (field.value().get_uint64().get(id) != SUCCESS || id > ~0u)
            return bad("model.vocab: the id of '" + std::string(token.substr(0, 200)) + "' is not a token id");
        out.ids.emplace_back(token, static_cast<uint32_t>(id));
        if (out.ids.size() > limits::tokenizer_id_max) return bad("model.vocab: is too large");
    }
    return {};
}

Result<void> vocab_of_scores(od::value value, HfModel& out) {
    out.vocab = HfModel::Vocab::scores;
    GET(od::array array, value.get_array());
    for (auto item : array) {
        od::array pair;
        if (item.get_array().get(pair) != SUCCESS) return bad("model.vocab[" + std::to_string(out.scores.size()) + "]: is not [token, score]");
        std::string_view token;
        double score = 0;
        size_t count = 0;
        for (auto part : pair) {
            GET(od::value one, part);
            const std::string_view digits = count == 1 ? one.raw_json_token() : std::string_view();
            const bool good = count == 0 ? text_of(one).get(token) == SUCCESS : count == 1 && one.get_double().get(score) == SUCCESS;
            if (good && count == 1) score = reference_double(digits);
            if (!good || score > 1e308 || score < -1e308) return bad("model.vocab[" + std::to_string(out.scores.size()) + "]: is not [token, score]");
            count++;
        }
        if (count != 2) return bad("model.vocab[" + std::to_string(out.scores.size()) + "]: is not [token, score]");
        out.scores.emplace_back(token, score);
        if (out.scores.size() > limits::tokenizer_id_max) return bad("model.vocab: is too large");
    }
    return {};
}

Result<void> merge_list(od::value value, HfModel& out) {
    GET(const od::json_type type, value.type());
    if (type != od::json_type::array) {
        out.merges = HfModel::Merges::other;
        TRY_OK(tree(value, 0));                                       // not used, but it must be JSON
        return {};
    }
    out.merge_lines.clear(), out.merge_pairs.clear();
    out.merges = HfModel::Merges::absent;
    GET(od::array array, value.get_array());
    for (auto item : array) {
        GET(od::value one, item);
        GET(const od::json_type kind, one.type());
        const HfModel::Merges form = kind == od::json_type::string ? HfModel::Merges::lines : HfModel::Merges::pairs;
        if (out.merges == HfModel::Merges::absent) out.merges = form;
        if (form != out.merges || (kind != od::json_type::string && kind != od::json_type::array))
            return bad("model.merges: is neither a list of strings nor a list of pairs");
        const size_t rank = out.merge_lines.size() + out.merge_pairs.size();
        if (rank > limits::tokenizer_id_max) return bad("model.merges: is too long");
        if (form == HfModel::Merges::lines) {
            if (rank == 0) out.merge_lines.reserve(entries_most);
            GET(const std::string_view line, text_of(one));
            out.merge_lines.push_back(line);
        } else {
            if (rank == 0) out.merge_pairs.reserve(entries_most);
            HfModel::Merge merge;
            GET(od::array pair, one.get_array());
            size_t count = 0;
            for (auto part : pair) {
                std::string_view token;
                od::value text;
                const bool good = count <= 1 && part.get(text) == SUCCESS && text_of(text).get(token) == SUCCESS;
                if (!good) return bad("model.merges[" + std::to_string(rank) + "]: is not a pair of tokens");
                (count++ == 0 ? merge.left : merge.right) = token;
            }
            if (count != 2) return bad("model.merges[" + std::to_string(rank) + "]: is not a pair of tokens");
            out.merge_pairs.push_back(merge);
        }
    }
    if (out.merges == HfModel::Merges::absent) out.merges = HfModel::Merges::pairs;
    return {};
}

// A scalar of the model: its value, nothing for null, or its name among the wrong ones.
template <class T>
Result<void> scalar(od::value value, std::string_view name, std::optional<T>& out, HfModel& model) {
    GET(const od::json_type type, value.type());
    if (type == od::json_type::null) {
        GET(const bool null, value.is_null());
        if (!null) return broken(simdjson::N_ATOM_ERROR);
        return {};
    }
    if (type == od::json_type::array || type == od::json_type::object) {
        TRY_OK(tree(value, 0));
        model.wrong.push_back(name);
        return {};
    }
    T got{};
    simdjson::error_code error = simdjson::INCORRECT_TYPE;
    if constexpr (std::is_same_v<T, std::string_view>) error = value.get_string().get(got);
    else if constexpr (std::is_same_v<T, bool>) error = value.get_bool().get(got);
    else if constexpr (std::is_same_v<T, double>) error = value.get_double().get(got);
    else error = value.get_uint64().get(got);
    if (error == SUCCESS) out = got;
    else model.wrong.push_back(name);
    return {};
}

Result<void> model_field(std::string_view key, od::value value, HfModel& m) {
    if (key == "type") return scalar(value, "type", m.type, m);
    if (key == "dropout") return scalar(value, "dropout", m.dropout, m);
    if (key == "unk_token") return scalar(value, "unk_token", m.unk_token, m);
    if (key == "unk_id") return scalar(value, "unk_id", m.unk_id, m);
    if (key == "continuing_subword_prefix") return scalar(value, "continuing_subword_prefix", m.continuing_subword_prefix, m);
    if (key == "end_of_word_suffix") return scalar(value, "end_of_word_suffix", m.end_of_word_suffix, m);
    if (key == "max_input_chars_per_word") return scalar(value, "max_input_chars_per_word", m.max_input_chars_per_word, m);
    if (key == "fuse_unk") return scalar(value, "fuse_unk", m.fuse_unk, m);
    if (key == "byte_fallback") return scalar(value, "byte_fallback", m.byte_fallback, m);
    if (key == "ignore_merges") return scalar(value, "ignore_merges", m.ignore_merges, m);
    if (key == "merges") return merge_list(value, m);
    if (key != "vocab") {
        TRY_OK(tree(value, 0));                                       // nobody asks, but it must be JSON
        return {};
    }
    GET(const od::json_type type, value.type());
    if (type == od::json_type::object) return vocab_of_ids(value, m);
    if (type == od::json_type::array) return vocab_of_scores(value, m);
    m.vocab = HfModel::Vocab::other;
    TRY_OK(tree(value, 0));
    return {};
}

Result<void> model(od::value value, HfModel& out) {
    od::object object;
    if (value.get_object().get(object) != SUCCESS) return bad("model: is not an object");
    for (auto item : object) {
        GET(od::field field, item);
        GET(const std::string_view key, field.unescaped_key());
        TRY_OK(model_field(key, field.value(), out));
    }
    return {};
}

template <class Spec>
Result<void> component(od::value value, const char* name, Result<Spec> (*read)(const HfValue&, const std::string&), std::optional<Spec>& out) {
    TRY(const HfValue made, tree(value, 0));
    out.reset();
    if (made.is(HfValue::Kind::null)) return {};
    TRY(out, read(made, name));
    return {};
}

Result<void> truncation(od::value value, TokenizerSpec& out) {
    TRY(const HfValue made, tree(value, 0));
    if (made.is(HfValue::Kind::null)) return {};
    const std::string where = "truncation";
    TRY(out.truncation_max_length, HfFields(made, where).number("max_length"));
    return {};
}

Result<TokenizerSpec> read(od::document& document, std::shared_ptr<const void> memory) {
    TokenizerSpec out;
    std::optional<HfModel> said;                                       // views into the parser's memory
    od::object top;
    if (auto error = document.get_object().get(top)) return error == simdjson::INCORRECT_TYPE ? bad("is not an object") : broken(error);
    for (auto item : top) {
        GET(od::field field, item);
        GET(const std::string_view key, field.unescaped_key());
        od::value value = field.value();
        if (key == "version") {
            std::string_view version;
            if (value.get_string().get(version) != SUCCESS || version != "1.0") return bad("version: only \"1.0\" is known");
        } else if (key == "added_tokens") {
            TRY(out.added, added_tokens(value));
        } else if (key == "normalizer") {
            TRY_OK(component(value, "normalizer", read_normalizer, out.normalizer));
        } else if (key == "pre_tokenizer") {
            TRY_OK(component(value, "pre_tokenizer", read_pre_tokenizer, out.pre_tokenizer));
        } else if (key == "post_processor") {
            TRY_OK(component(value, "post_processor", read_post_processor, out.post_processor));
        } else if (key == "decoder") {
            TRY_OK(component(value, "decoder", read_decoder, out.decoder));
        } else if (key == "truncation") {
            TRY_OK(truncation(value, out));
        } else if (key == "model") {
            said.emplace().memory = memory;
            TRY_OK(model(value, *said));
        } else {
            TRY_OK(tree(value, 0));
        }
    }
    if (!said) return bad("model: is missing");
    if (const char* rest = nullptr; document.current_location().get(rest) == SUCCESS) return broken(simdjson::TRAILING_CONTENT);
    TRY(out.model, read_model(*said));
    settle_added(out.added, out.model);
    return out;
}

}  // namespace

namespace tok {

// The document's text and the parser's memory: views point into both.
struct HfDocument {
    std::shared_ptr<const void> file;
    od::parser parser;
    od::document document;
    static Result<std::shared_ptr<HfDocument>> of(const FileBytes& file) {
        if (file.text().size() > limits::tokenizer_file_max) return bad("is too large");
        auto out = std::make_shared<HfDocument>();
        out->file = file.share();
        const simdjson::padded_string_view padded(file.text().data(), file.text().size(), file.text().size() + FileBytes::pad);
        if (auto error = out->parser.iterate(padded).get(out->document)) return broken(error);
        return out;
    }
};

Result<HfModel> read_hf_vocab(const FileBytes& vocab_json) {
    TRY(const auto held, HfDocument::of(vocab_json));
    HfModel out;
    out.memory = held;
    GET(od::value value, held->document.get_value());
    GET(const od::json_type type, value.type());
    if (type != od::json_type::object) return bad("model.vocab: is not a map from tokens to ids");
    TRY_OK(vocab_of_ids(value, out));
    if (const char* rest = nullptr; held->document.current_location().get(rest) == SUCCESS) return broken(simdjson::TRAILING_CONTENT);
    return out;
}

}  // namespace tok

Result<tok::TokenizerSpec> read_hf_tokenizer(std::string_view tokenizer_json) {
    if (tokenizer_json.size() > limits::tokenizer_file_max) return bad("is too large");
    return read_hf_tokenizer(FileBytes::copy_of(tokenizer_json));
}

Result<tok::TokenizerSpec> read_hf_tokenizer(const FileBytes& file) {
    TRY(const auto held, HfDocument::of(file));
    return read(held->document, held);
}

}  // namespace weir
