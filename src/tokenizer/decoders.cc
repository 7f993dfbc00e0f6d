#include "tokenizer/decoders.h"

#include <algorithm>
#include <array>

#include "tokenizer/detokenizer_utf8.h"
#include "tokenizer/formats.h"

namespace weir::tok {
namespace {

// GPT-2's alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and up. -1: no byte.
constexpr std::array<int16_t, 0x144> make_byte_of_char() {
    std::array<int16_t, 0x144> table{};
    for (auto& byte : table) byte = -1;
    int next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
        const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
        table[static_cast<size_t>(printable ? byte : next++)] = static_cast<int16_t>(byte);
    }
    return table;
}
constexpr auto byte_of_char = make_byte_of_char();

constexpr std::array<uint16_t, 256> make_char_of_byte() {
    std::array<uint16_t, 256> table{};
    for (size_t c = 0; c < byte_of_char.size(); ++c)
        if (byte_of_char[c] >= 0) table[static_cast<size_t>(byte_of_char[c])] = static_cast<uint16_t>(c);
    return table;
}
constexpr auto char_of_byte = make_char_of_byte();

// Calls f(char's code point, its bytes); text that is not UTF-8 is taken byte by byte.
template <class F>
void each_char(std::string_view text, F&& f) {
    for (size_t i = 0; i < text.size();) {
        const auto lead = static_cast<uint8_t>(text[i]);
        size_t size = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        size = std::min(size, text.size() - i);
        uint32_t code = size == 1 ? lead : lead & (0x7Fu >> size);
        for (size_t k = 1; k < size; ++k) code = code << 6 | (static_cast<uint8_t>(text[i + k]) & 0x3F);
        if (!f(code, text.substr(i, size))) return;
        i += size;
    }
}

std::vector<std::string_view> chars_of(std::string_view text) {
    std::vector<std::string_view> chars;
    each_char(text, [&](uint32_t, std::string_view c) { return chars.push_back(c), true; });
    return chars;
}

bool one_char(std::string_view text) { return chars_of(text).size() == 1; }

template <class F>
Tokens mapped(Tokens tokens, F&& f) {
    for (std::string& token : tokens) token = f(token);
    return tokens;
}

Tokens fused(Tokens tokens) {
    std::string all;
    for (const std::string& token : tokens) all += token;
    return {std::move(all)};
}

Tokens byte_level(const Tokens& tokens) {
    std::string bytes;
    for (const std::string& token : tokens) bytes += byte_level_bytes(token);
    return {lossy_utf8(bytes)};
}

Tokens byte_fallback(Tokens tokens, bool per_char) {
    Tokens out;
    std::string run;
    const auto end_run = [&] {
        if (per_char && !run.empty()) {
            out.push_back(patched_utf8(run));
        } else if (valid_utf8(run)) {
            if (!run.empty()) out.push_back(run);
        } else {
            out.insert(out.end(), run.size(), std::string(replacement_char));
        }
        run.clear();
    };
    for (std::string& token : tokens) {
        if (const auto byte = byte_fallback_byte(token)) {
            run += static_cast<char>(*byte);
        } else {
            end_run();
            out.push_back(std::move(token));
        }
    }
    end_run();
    return out;
}

// Byte runs patched, U+2581 a space but where it stands before all text.
Tokens sentence_piece(const Tokens& tokens, const DecoderSpec& spec) {
    std::string text, run;
    bool front = spec.strip_first;
    for (const std::string& token : tokens) {
        if (const auto byte = byte_fallback_byte(token)) {
            run += static_cast<char>(*byte);
            continue;
        }
        text += patched_utf8(run);
        run.clear();
        std::string_view rest = token;
        const bool marked = rest.starts_with(spec.replacement);
        if (front && text.empty() && marked) rest.remove_prefix(spec.replacement.size());
        text += replace_all(rest, spec.replacement, " ");
        front = front && text.empty() && (!marked || spec.strip_all);
    }
    return {text + patched_utf8(run)};
}

Tokens bpe(Tokens tokens, const std::string& suffix) {
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = replace_all(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
    return tokens;
}

Tokens ctc(Tokens tokens, const DecoderSpec& spec) {
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    Tokens out;
    for (const std::string& token : tokens) {
        std::string text = replace_all(token, spec.pad_token, "");
        if (spec.cleanup) text = replace_all(word_piece_cleanup(std::move(text)), spec.word_delimiter_token, " ");
        if (!text.empty()) out.push_back(std::move(text));
    }
    return out;
}

Tokens placed(Tokens tokens, const DecoderSpec& spec) {
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = placed_token(spec, tokens[i], i == 0);
    return tokens;
}

}  // namespace

std::string byte_level_bytes(std::string_view token) {
    std::string bytes(token.size(), '\0');
    char* out = bytes.data();
    for (const char *p = token.data(), *end = p + token.size(); p < end;) {
        const auto lead = static_cast<uint8_t>(*p++);
        uint32_t code = lead;
        if (lead >= 0x80) {                      // the alphabet ends within the characters of two bytes
            const bool two = (lead & 0xE0) == 0xC0 && p < end && (static_cast<uint8_t>(*p) & 0xC0) == 0x80;
            if (!two) return std::string(token);
            code = (lead & 0x1Fu) << 6 | (static_cast<uint8_t>(*p++) & 0x3Fu);
        }
        if (code >= byte_of_char.size() || byte_of_char[code] < 0 || (lead >= 0x80 && code < 0x80)) return std::string(token);
        *out++ = static_cast<char>(byte_of_char[code]);
    }
    bytes.resize(static_cast<size_t>(out - bytes.data()));
    return bytes;
}

std::string byte_level_chars(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char byte : bytes) {
        const uint16_t c = char_of_byte[static_cast<uint8_t>(byte)];
        if (c < 0x80) out += static_cast<char>(c);
        else (out += static_cast<char>(0xC0 | c >> 6)) += static_cast<char>(0x80 | (c & 0x3F));
    }
    return out;
}

std::optional<uint8_t> byte_fallback_byte(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
    const int high = token[3] == '+' ? 0 : digit(token[3]), low = digit(token[4]);   // a sign is a number's in the reference, too
    if (high < 0 || low < 0) return std::nullopt;
    return static_cast<uint8_t>(high << 4 | low);
}

std::string replace_all(std::string_view text, std::string_view what, std::string_view by) {
    std::string out;
    if (what.empty()) {   // between all characters
        out += by;
        each_char(text, [&](uint32_t, std::string_view c) { return (out += c) += by, true; });
        return out;
    }
    size_t from = 0;
    for (size_t at; (at = text.find(what, from)) != text.npos; from = at + what.size()) (out += text.substr(from, at - from)) += by;
    return out += text.substr(from);
}

std::string word_piece_cleanup(std::string text) {
    static constexpr std::pair<std::string_view, std::string_view> steps[] = {
        {" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    for (const auto& [what, by] : steps)
        if (text.find(what) != text.npos) text = replace_all(text, what, by);
    return text;
}

std::string strip_token(const DecoderSpec& strip, std::string_view token) {
    const std::vector<std::string_view> chars = chars_of(token);
    size_t begin = 0, end = chars.size();
    while (begin < std::min<size_t>(strip.start, chars.size()) && chars[begin] == strip.content) ++begin;
    for (size_t i = 0; i < strip.stop && end > begin && chars[end - 1] == strip.content; ++i) --end;
    std::string out;
    for (size_t i = begin; i < end; ++i) out += chars[i];
    return out;
}

std::string placed_token(const DecoderSpec& spec, std::string_view token, bool first) {
    if (spec.kind == DecoderSpec::Kind::metaspace)
        return replace_all(token, spec.replacement, first && spec.prepend_scheme != PrependScheme::never ? "" : " ");
    std::string text(token);
    if (!first) text = token.starts_with(spec.prefix) ? text.substr(spec.prefix.size()) : " " + text;
    return spec.cleanup ? word_piece_cleanup(std::move(text)) : text;
}

Result<Decoder> Decoder::make(const DecoderSpec& spec) {
    using Kind = DecoderSpec::Kind;
    Decoder made;
    switch (spec.kind) {
        case Kind::byte_level: made.run_ = byte_level; break;
        case Kind::byte_fallback: made.run_ = [each = spec.per_char](Tokens tokens) { return byte_fallback(std::move(tokens), each); }; break;
        case Kind::sentence_piece: made.run_ = [spec](const Tokens& tokens) { return sentence_piece(tokens, spec); }; break;
        case Kind::fuse: made.run_ = fused; break;
        case Kind::bpe: made.run_ = [suffix = spec.suffix](Tokens tokens) { return bpe(std::move(tokens), suffix); }; break;
        case Kind::ctc: made.run_ = [spec](Tokens tokens) { return ctc(std::move(tokens), spec); }; break;
        case Kind::metaspace:
            if (!one_char(spec.replacement)) return Failure(Code::bad_field, "the Metaspace decoder's replacement is not one character", "decoder.replacement");
            [[fallthrough]];
        case Kind::word_piece: made.run_ = [spec](Tokens tokens) { return placed(std::move(tokens), spec); }; break;
        case Kind::strip:
            if (!one_char(spec.content)) return Failure(Code::bad_field, "the Strip decoder's content is not one character", "decoder.content");
            made.run_ = [spec](Tokens tokens) { return mapped(std::move(tokens), [&](const std::string& t) { return strip_token(spec, t); }); };
            break;
        case Kind::replace: {
            TRY(auto replacer, make_replacer(spec.pattern, spec.content));
            made.run_ = [replacer](Tokens tokens) { return mapped(std::move(tokens), replacer); };
            break;
        }
        case Kind::sequence: {
            std::vector<Decoder> children;
            for (const DecoderSpec& child : spec.children) {
                TRY(auto decoder, make(child));
                children.push_back(std::move(decoder));
            }
            made.run_ = [children](Tokens tokens) {
                for (const Decoder& child : children) tokens = child.run(std::move(tokens));
                return tokens;
            };
            break;
        }
    }
    return made;
}

Tokens Decoder::run(Tokens tokens) const { return run_(std::move(tokens)); }

std::string decode_tokens(const Decoder* decoder, Tokens tokens) {
    if (decoder) return fused(decoder->run(std::move(tokens))).front();
    std::string out;
    for (size_t i = 0; i < tokens.size(); ++i) (out += i ? " " : "") += tokens[i];
    return out;
}

}  // namespace weir::tok
