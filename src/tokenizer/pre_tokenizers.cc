#include "tokenizer/pre_tokenizers.h"

#include <algorithm>
#include <optional>

#include "tokenizer/regex.h"
#include "tokenizer/sequence.h"
#include "tokenizer/split.h"
#include "tokenizer/unicode_tables.h"

namespace weir::tok {
namespace {

using Scratch = PreTokenizerScratch;

class Bert final : public PreTokenizer {
    Result<void> run(TextPieces& pieces, Scratch& scratch) const override {
        TRY_OK(split_at(pieces, scratch, SplitBehavior::removed, unicode::is_white_space));
        return split_at(pieces, scratch, SplitBehavior::isolated, unicode::is_punctuation_legacy);
    }
};

class WhitespaceSplit final : public PreTokenizer {
    Result<void> run(TextPieces& pieces, Scratch& scratch) const override { return split_at(pieces, scratch, SplitBehavior::removed, unicode::is_white_space); }
};

// Runs of word characters, and runs of others that are no space.
class Whitespace final : public PreTokenizer {
    enum Class { space, word, other };
    Result<void> run(TextPieces& pieces, Scratch& scratch) const override {
        return split_pieces(pieces, scratch, SplitBehavior::removed, [](std::string_view text, Parts& parts) -> Result<void> {
            parts.clear();
            Class last = space;
            each_char(text, [&](char32_t c, size_t begin, size_t end) {
                const Class now = unicode::is_word(c) ? word : unicode::is_white_space(c) ? space : other;
                if (now != space) {
                    if (now == last) parts.back().end = static_cast<uint32_t>(end);
                    else parts.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end), false});
                }
                last = now;
            });
            return {};
        });
    }
};

class Punctuation final : public PreTokenizer {
public:
    explicit Punctuation(SplitBehavior behavior) : behavior_(behavior) {}
    Result<void> run(TextPieces& pieces, Scratch& scratch) const override { return split_at(pieces, scratch, behavior_, unicode::is_punctuation_legacy); }

private:
    SplitBehavior behavior_;
};

class Digits final : public PreTokenizer {
public:
    explicit Digits(bool each) : behavior_(each ? SplitBehavior::isolated : SplitBehavior::contiguous) {}
    Result<void> run(TextPieces& pieces, Scratch& scratch) const override { return split_at(pieces, scratch, behavior_, unicode::is_numeric); }

private:
    SplitBehavior behavior_;
};

class Delimiter final : public PreTokenizer {
public:
    explicit Delimiter(std::string_view delimiter) {
        uint32_t len = 0;
        delimiter_ = char_at(delimiter, 0, len);
    }
    Result<void> run(TextPieces& pieces, Scratch& scratch) const override {
        return split_at(pieces, scratch, SplitBehavior::removed, [this](char32_t c) { return c == delimiter_; });
    }

private:
    char32_t delimiter_ = 0;
};

class FixedLength final : public PreTokenizer {
public:
    explicit FixedLength(uint32_t length) : length_(length) {}
    Result<void> run(TextPieces& pieces, Scratch& scratch) const override {
        return split_pieces(pieces, scratch, SplitBehavior::isolated, [this](std::string_view text, Parts& parts) -> Result<void> {
            parts.clear();
            uint32_t count = 0;
            each_char(text, [&](char32_t, size_t begin, size_t end) {
                if (count++ % length_ == 0) parts.push_back({static_cast<uint32_t>(begin), 0, false});
                parts.back().end = static_cast<uint32_t>(end);
            });
            return {};
        });
    }

private:
    uint32_t length_;
};

// Cuts where the script changes. What stands before the first character that has one is lost, as in the reference.
class UnicodeScripts final : public PreTokenizer {
    Result<void> run(TextPieces& pieces, Scratch& scratch) const override {
        return split_pieces(pieces, scratch, SplitBehavior::isolated, [](std::string_view text, Parts& parts) -> Result<void> {
            parts.clear();
            uint8_t last = unicode::script_any;
            each_char(text, [&](char32_t c, size_t begin, size_t end) {
                const uint8_t script = unicode::script_class_legacy(c);
                if (script != unicode::script_any && script != last) {
                    parts.push_back({static_cast<uint32_t>(begin), 0, false});
                    last = script;
                }
                if (!parts.empty()) parts.back().end = static_cast<uint32_t>(end);
            });
            return {};
        });
    }
};

class Split final : public PreTokenizer {
public:
    Split(std::string literal, std::optional<Regex> regex, SplitBehavior behavior, bool invert)
        : literal_(std::move(literal)), regex_(std::move(regex)), behavior_(behavior), invert_(invert) {}
    Result<void> run(TextPieces& pieces, Scratch& scratch) const override {
        return split_pieces(pieces, scratch, behavior_, [this](std::string_view text, Parts& parts) -> Result<void> {
            PartsOf out(parts, text.size());
            if (regex_) {
                TRY_OK(regex_->each(text, [&](size_t begin, size_t end) { out.match(begin, end); }));
            } else {
                for (size_t at = 0; (at = text.find(literal_, at)) != std::string_view::npos; at += literal_.size()) out.match(at, at + literal_.size());
            }
            out.finish();
            if (invert_)
                for (auto& part : parts) part.match = !part.match;
            return {};
        });
    }

private:
    std::string literal_;
    std::optional<Regex> regex_;
    SplitBehavior behavior_;
    bool invert_;
};

class Metaspace final : public PreTokenizer {
public:
    explicit Metaspace(const PreTokenizerSpec& spec) : replacement_(spec.replacement), scheme_(spec.prepend_scheme), split_(spec.metaspace_split) {}
    bool needs_tracking() const override { return scheme_ == PrependScheme::first; }

    Result<void> run(TextPieces& pieces, Scratch& scratch) const override {
        TextPieces& next = scratch.next;
        next.clear(pieces.tracked);
        for (const TextPiece& piece : pieces.items)
            next.items.push_back(piece.token == TextPiece::open ? replaced(pieces, piece, scratch) : next.append(pieces, piece));
        std::swap(pieces, next);
        if (!split_) return {};
        return split_pieces(pieces, scratch, SplitBehavior::merged_with_next, [this](std::string_view text, Parts& parts) -> Result<void> {
            PartsOf out(parts, text.size());
            for (size_t at = 0; (at = text.find(replacement_, at)) != std::string_view::npos; at += replacement_.size())
                out.match(at, at + replacement_.size());
            out.finish();
            return {};
        });
    }

private:
    TextPiece replaced(const TextPieces& pieces, const TextPiece& piece, Scratch& scratch) const {
        Aligned& text = scratch.aligned;
        const std::string_view view = pieces.view(piece);
        if (pieces.tracked) text.start(view, pieces.sources.data() + piece.begin, piece.origin);
        else text.start(view, piece.origin, false);
        Replacement pass(text);
        for (size_t at = 0; (at = view.find(' ', at)) != std::string_view::npos; at++) pass.match(at, at + 1, replacement_);
        pass.finish();
        const bool prepend = scheme_ == PrependScheme::always || (scheme_ == PrependScheme::first && piece.origin.begin == 0);
        if (prepend && !text.text().starts_with(replacement_)) text.prepend(replacement_);
        return scratch.next.append(text);
    }
    std::string replacement_;
    PrependScheme scheme_;
    bool split_;
};

class ByteLevel final : public PreTokenizer {
public:
    ByteLevel(bool add_prefix_space, std::optional<Regex> regex) : add_prefix_space_(add_prefix_space), regex_(std::move(regex)) {}

    Result<void> run(TextPieces& pieces, Scratch& scratch) const override {
        if (add_prefix_space_) prefix(pieces, scratch);
        if (regex_) {
            TRY_OK(split_pieces(pieces, scratch, SplitBehavior::isolated, [this](std::string_view text, Parts& parts) -> Result<void> {
                PartsOf out(parts, text.size());
                TRY_OK(regex_->each(text, [&](size_t begin, size_t end) { out.match(begin, end); }));
                out.finish();
                return {};
            }));
        }
        TextPieces& next = scratch.next;
        next.clear(pieces.tracked);
        next.text.reserve(pieces.text.size() * 2);
        for (const TextPiece& piece : pieces.items)
            next.items.push_back(piece.token == TextPiece::open ? spelled(pieces, piece, scratch) : next.append(pieces, piece));
        std::swap(pieces, next);
        return {};
    }

private:
    static void prefix(TextPieces& pieces, Scratch& scratch) {
        TextPieces& next = scratch.next;
        next.clear(pieces.tracked);
        for (const TextPiece& piece : pieces.items) {
            if (piece.token != TextPiece::open || pieces.view(piece).starts_with(' ')) {
                next.items.push_back(next.append(pieces, piece));
                continue;
            }
            Aligned& text = scratch.aligned;
            if (pieces.tracked) text.start(pieces.view(piece), pieces.sources.data() + piece.begin, piece.origin);
            else text.start(pieces.view(piece), piece.origin, false);
            text.prepend(" ");
            next.items.push_back(next.append(text));
        }
        std::swap(pieces, next);
    }
    static TextPiece spelled(const TextPieces& pieces, const TextPiece& piece, Scratch& scratch) {
        TextPieces& next = scratch.next;
        const std::string_view view = pieces.view(piece);
        if (!pieces.tracked) {
            TextPiece out = piece;
            out.begin = static_cast<uint32_t>(next.text.size());
            for (const char byte : view) {
                char bytes[4];
                next.text.append(bytes, put_char(bytes, byte_level_char(static_cast<uint8_t>(byte))));
            }
            out.end = static_cast<uint32_t>(next.text.size());
            return out;
        }
        Aligned& text = scratch.aligned;
        text.start(view, pieces.sources.data() + piece.begin, piece.origin);
        Transform pass(text, 0);
        each_char(view, [&](char32_t, size_t begin, size_t end) {
            for (size_t i = begin; i < end; i++) pass.put(byte_level_char(static_cast<uint8_t>(view[i])), i > begin);
        });
        pass.finish();
        return next.append(text);
    }
    bool add_prefix_space_;
    std::optional<Regex> regex_;
};

class Sequence final : public PreTokenizer {
public:
    explicit Sequence(std::vector<std::unique_ptr<PreTokenizer>> steps) : steps_(std::move(steps)) {}
    Result<void> run(TextPieces& pieces, Scratch& scratch) const override {
        for (const auto& step : steps_) TRY_OK(step->run(pieces, scratch));
        return {};
    }
    bool needs_tracking() const override {
        return std::any_of(steps_.begin(), steps_.end(), [](const auto& step) { return step->needs_tracking(); });
    }

private:
    std::vector<std::unique_ptr<PreTokenizer>> steps_;
};

using Made = Result<std::unique_ptr<PreTokenizer>>;

template <class T, class... Args>
Made make(Args&&... args) { return std::unique_ptr<PreTokenizer>(std::make_unique<T>(std::forward<Args>(args)...)); }

Made make_split(const PreTokenizerSpec& spec) {
    std::optional<Regex> regex;
    if (spec.pattern.regex || spec.pattern.text.empty()) {
        TRY(regex, Regex::compile(spec.pattern.text));
    }
    return make<Split>(spec.pattern.text, std::move(regex), spec.behavior, spec.invert);
}

Made make_byte_level(const PreTokenizerSpec& spec) {
    std::optional<Regex> regex;
    if (spec.use_regex) {
        TRY(regex, Regex::compile(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"));   // GPT-2's
    }
    return make<ByteLevel>(spec.add_prefix_space, std::move(regex));
}

}  // namespace

Result<std::unique_ptr<PreTokenizer>> make_pre_tokenizer(const PreTokenizerSpec& spec) {
    using K = PreTokenizerSpec::Kind;
    switch (spec.kind) {
    case K::bert: return make<Bert>();
    case K::byte_level: return make_byte_level(spec);
    case K::char_delimiter_split: return make<Delimiter>(spec.delimiter);
    case K::metaspace: return make<Metaspace>(spec);
    case K::whitespace: return make<Whitespace>();
    case K::sequence: return make_sequence<Sequence>(spec, make_pre_tokenizer);
    case K::split: return make_split(spec);
    case K::punctuation: return make<Punctuation>(spec.behavior);
    case K::whitespace_split: return make<WhitespaceSplit>();
    case K::digits: return make<Digits>(spec.individual_digits);
    case K::unicode_scripts: return make<UnicodeScripts>();
    case K::fixed_length: return make<FixedLength>(spec.length);
    }
    return Failure(Code::internal, "a pre-tokenizer of no kind");
}

}  // namespace weir::tok
