#include "tokenizer/detokenizer.h"

#include "tokenizer/detokenizer_forms.h"

namespace weir::tok {
namespace {

using Kind = DecoderSpec::Kind;
using Map = std::function<std::string(std::string_view)>;

void flatten(const DecoderSpec& spec, std::vector<DecoderSpec>& out) {
    if (spec.kind != Kind::sequence) return out.push_back(spec);
    for (const DecoderSpec& child : spec.children) flatten(child, out);
}

// The steps at the front of a chain that look at one token only; moves `at` behind them.
Result<Map> leading_maps(const std::vector<DecoderSpec>& steps, size_t& at) {
    std::vector<Map> maps;
    for (; at < steps.size(); ++at) {
        if (steps[at].kind == Kind::replace) {
            TRY(auto replacer, make_replacer(steps[at].pattern, steps[at].content));
            maps.push_back(std::move(replacer));
        } else if (steps[at].kind == Kind::strip) {
            maps.push_back([step = steps[at]](std::string_view token) { return strip_token(step, token); });
        } else {
            break;
        }
    }
    return Map([maps](std::string_view token) {
        std::string text(token);
        for (const Map& map : maps) text = map(text);
        return text;
    });
}

std::unique_ptr<const Decoding> bytes_form(const TokenTable& tokens, const Map& map) {
    return make_joined(tokens, Pieces(tokens, [&](std::string_view t) { return Pieces::Made{byte_level_bytes(map(t))}; }), nullptr);
}

std::unique_ptr<const Decoding> words_form(const TokenTable& tokens, const DecoderSpec& step) {
    Pieces rest(tokens, [&](std::string_view t) { return Pieces::Made{placed_token(step, t, false)}; });
    return make_joined(tokens, std::move(rest), [step](std::string_view t) { return placed_token(step, t, true); });
}

// maps, then ByteFallback or not, then Fuse and one Strip at the front or not. Null when the chain is another.
std::unique_ptr<const Decoding> fallback_form(const TokenTable& tokens, const Map& map, const std::vector<DecoderSpec>& steps, size_t at) {
    const bool fallback = at < steps.size() && steps[at].kind == Kind::byte_fallback;
    FallbackRules rules;
    rules.per_char = fallback && steps[at].per_char;
    at += fallback;
    const bool fuse = at < steps.size() && steps[at].kind == Kind::fuse;
    at += fuse;
    if (fuse && at < steps.size() && steps[at].kind == Kind::strip && steps[at].stop == 0) {
        rules.strip = steps[at].start;
        rules.strip_char = steps[at++].content;
    }
    if (at != steps.size()) return nullptr;
    Pieces pieces(tokens, [&](std::string_view t) {
        std::string text = map(t);
        const auto byte = fallback ? byte_fallback_byte(text) : std::nullopt;
        return byte ? Pieces::Made{std::string(1, static_cast<char>(*byte)), true} : Pieces::Made{std::move(text)};
    });
    return make_fallback(std::move(pieces), std::move(rules));
}

std::unique_ptr<const Decoding> sentence_piece_form(const TokenTable& tokens, const DecoderSpec& spec) {
    Pieces pieces(tokens, [&](std::string_view t) {
        if (const auto byte = byte_fallback_byte(t)) return Pieces::Made{std::string(1, static_cast<char>(*byte)), true};
        return Pieces::Made{replace_all(t, spec.replacement, " "), false, t.starts_with(spec.replacement)};
    });
    return make_fallback(std::move(pieces), {.strip = spec.strip_first ? 1u : 0u, .per_char = true, .at_pieces = true, .strip_all = spec.strip_all});
}

}  // namespace

Result<std::unique_ptr<const Decoding>> Decoding::make(const std::optional<DecoderSpec>& spec, const TokenTable& tokens) {
    using Made = Result<std::unique_ptr<const Decoding>>;
    if (!spec) {
        Pieces rest(tokens, [](std::string_view t) { return Pieces::Made{" " + std::string(t)}; });
        return Made(make_joined(tokens, std::move(rest), [](std::string_view t) { return std::string(t); }));
    }
    TRY(auto decoder, Decoder::make(*spec));   // says what is wrong with it, if anything
    std::vector<DecoderSpec> steps;
    flatten(*spec, steps);
    if (steps.size() == 1 && (steps[0].kind == Kind::word_piece || steps[0].kind == Kind::metaspace)) return Made(words_form(tokens, steps[0]));
    if (steps.size() == 1 && steps[0].kind == Kind::sentence_piece) return Made(sentence_piece_form(tokens, steps[0]));
    size_t at = 0;
    TRY(const auto map, leading_maps(steps, at));
    size_t rest = at + (at < steps.size() && steps[at].kind == Kind::byte_level);
    if (rest > at) {
        while (rest < steps.size() && steps[rest].kind == Kind::fuse) ++rest;   // there is one string already
        if (rest == steps.size()) return Made(bytes_form(tokens, map));
    } else if (auto form = fallback_form(tokens, map, steps, at)) {
        return Made(std::move(form));
    }
    return Made(make_window(tokens, std::move(decoder)));
}

}  // namespace weir::tok
