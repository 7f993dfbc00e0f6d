#include "tokenizer/normalizers.h"

#include <functional>

#include "tokenizer/charsmap.h"
#include "tokenizer/sentencepiece_normalizer.h"
#include "tokenizer/regex.h"
#include "tokenizer/sequence.h"
#include "tokenizer/unicode_grapheme.h"
#include "tokenizer/unicode_normalize.h"
#include "tokenizer/unicode_tables.h"

namespace weir::tok {
namespace {

template <class Keep>
void filter(Aligned& text, Keep keep) {
    const std::string_view view = text.text();
    size_t first = 0;
    bool any = false, all = true;
    each_char(view, [&](char32_t c, size_t, size_t) {
        if (keep(c)) any = true;
        else all = false, first += !any;
    });
    if (all && !text.tracked()) return;
    Transform pass(text, any ? first : 0);
    char32_t held = 0;
    int removed = 0;
    bool has = false;
    each_char(view, [&](char32_t c, size_t, size_t) {
        if (!keep(c)) {
            removed++;
            return;
        }
        if (has) pass.put(held, -removed);
        held = c, has = true, removed = 0;
    });
    if (has) pass.put(held, -removed);
    pass.finish();
}

template <class Map>
void map(Aligned& text, Map to) {
    Transform pass(text, 0);
    each_char(text.text(), [&](char32_t c, size_t, size_t) { pass.put(to(c), 0); });
    pass.finish();
}

void lowercase(Aligned& text) {
    Transform pass(text, 0);
    each_char(text.text(), [&](char32_t c, size_t, size_t) {
        if (c < 0x80) return pass.put(c >= 'A' && c <= 'Z' ? c + 32 : c, 0);
        char32_t lower[3];
        const int count = unicode::to_lower(c, lower);
        for (int i = 0; i < count; i++) pass.put(lower[i], i > 0);
    });
    pass.finish();
}

void normal_form(Aligned& text, unicode::Form form) {
    uint32_t begin = 0, end = 0;
    if (text.replaced_range(begin, end) && begin == 0 && end == text.text().size() && unicode::quick_check(form, text.text())) return;
    std::vector<unicode::Transformed> out;
    unicode::normalize(form, text.text(), out);
    Transform pass(text, 0);
    for (const auto& [c, change] : out) pass.put(c, change);
    pass.finish();
}

class Simple final : public Normalizer {
public:
    explicit Simple(void (*run)(Aligned&)) : run_(run) {}
    Result<void> run(Aligned& text) const override { return run_(text), Nothing{}; }

private:
    void (*run_)(Aligned&);
};

class Formed final : public Normalizer {
public:
    explicit Formed(unicode::Form form) : form_(form) {}
    Result<void> run(Aligned& text) const override { return normal_form(text, form_), Nothing{}; }
    bool leaves(std::string_view text) const override { return unicode::quick_check(form_, text); }

private:
    unicode::Form form_;
};

void strip_accents(Aligned& text) {
    filter(text, [](char32_t c) { return !unicode::is_accent_legacy(c); });
}

void nmt(Aligned& text) {
    filter(text, [](char32_t c) {
        return !((c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F);
    });
    map(text, [](char32_t c) -> char32_t {
        switch (c) {
        case 0x09: case 0x0A: case 0x0C: case 0x0D: case 0x1680: case 0x200B: case 0x200C: case 0x200D: case 0x200E: case 0x200F:
        case 0x2028: case 0x2029: case 0x2581: case 0xFEFF: case 0xFFFD: return ' ';
        default: return c;
        }
    });
}

void byte_level(Aligned& text) {
    if (text.empty()) return;
    Transform pass(text, 0);
    each_char(text.text(), [&, view = text.text()](char32_t, size_t begin, size_t end) {
        for (size_t i = begin; i < end; i++) pass.put(byte_level_char(static_cast<uint8_t>(view[i])), i > begin);
    });
    pass.finish();
}

class Bert final : public Normalizer {
public:
    explicit Bert(const NormalizerSpec& spec)
        : clean_(spec.clean_text), chinese_(spec.handle_chinese_chars), lower_(spec.lowercase), accents_(spec.strip_accents.value_or(spec.lowercase)) {}

    Result<void> run(Aligned& text) const override {
        if (clean_) {
            filter(text, [](char32_t c) { return c != 0 && c != 0xFFFD && !unicode::is_control_legacy(c); });
            map(text, [](char32_t c) -> char32_t { return unicode::is_white_space(c) ? ' ' : c; });
        }
        if (chinese_) around_chinese(text);
        if (accents_) {
            normal_form(text, unicode::Form::nfd);
            filter(text, [](char32_t c) { return !unicode::is_nonspacing_legacy(c); });
        }
        if (lower_) lowercase(text);
        return {};
    }

private:
    // The original BERT's list; not all of Han.
    static bool chinese(char32_t c) {
        return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
               (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
    }
    static void around_chinese(Aligned& text) {
        Transform pass(text, 0);
        each_char(text.text(), [&](char32_t c, size_t, size_t) {
            if (!chinese(c)) return pass.put(c, 0);
            pass.put(' ', 0);
            pass.put(c, 1);
            pass.put(' ', 1);
        });
        pass.finish();
    }
    bool clean_, chinese_, lower_, accents_;
};

class Strip final : public Normalizer {
public:
    Strip(bool left, bool right) : left_(left), right_(right) {}
    Result<void> run(Aligned& text) const override {
        const std::string_view view = text.text();
        size_t begin = 0, end = view.size(), skipped = 0;
        uint32_t len = 0;
        while (left_ && begin < end && unicode::is_white_space(char_at(view, begin, len))) begin += len, skipped++;
        while (right_ && end > begin && unicode::is_white_space(char_before(view, end, len))) end -= len;
        if (begin == 0 && end == view.size()) return {};
        Transform pass(text, skipped);
        each_char(view.substr(begin, end - begin), [&](char32_t c, size_t, size_t) { pass.put(c, 0); });
        pass.finish();
        return {};
    }

private:
    bool left_, right_;
};

class Precompiled final : public Normalizer {
public:
    explicit Precompiled(std::string_view bytes) : map_(bytes) {}
    size_t memory_bytes() const override { return map_.memory_bytes(); }

    Result<void> run(Aligned& text) const override {
        std::vector<unicode::Transformed> out;
        out.reserve(text.text().size());
        bool changed = false;
        std::string_view rest = text.text();
        while (!rest.empty()) {
            const size_t size = unicode::grapheme_len(rest);
            changed |= cluster(rest.substr(0, size), out);
            rest.remove_prefix(size);
        }
        if (!changed) return {};
        Transform pass(text, 0);
        for (const auto& [c, change] : out) pass.put(c, change);
        pass.finish();
        return {};
    }

private:
    // A short cluster goes as a whole where the map knows its beginning, else character by character.
    bool cluster(std::string_view text, std::vector<unicode::Transformed>& out) const {
        if (text.size() == 1 && text[0] > ' ') {
            if (const auto by = map_.replace(text)) return put(text, *by, out), true;
            return out.push_back({static_cast<char32_t>(text[0]), 0}), false;
        }
        if (text.size() < 6)
            if (const auto by = map_.replace(text)) return put(text, *by, out), true;
        bool changed = false;
        each_char(text, [&](char32_t c, size_t begin, size_t end) {
            const std::string_view part = text.substr(begin, end - begin);
            if (const auto by = map_.replace(part)) put(part, *by, out), changed = true;
            else out.push_back({c, 0});
        });
        return changed;
    }
    static void put(std::string_view old, std::string_view by, std::vector<unicode::Transformed>& out) {
        int change = 0;
        each_char(old, [&](char32_t, size_t, size_t) { change--; });
        each_char(by, [&](char32_t c, size_t, size_t) { out.push_back({c, 0}), change++; });
        for (size_t i = out.size(); change > 0 && i-- > 0; change--) out[i].change = 1;
        if (change < 0 && !out.empty()) out.back().change += change;
    }
    Charsmap map_;
};

class Replace final : public Normalizer {
public:
    Replace(std::string literal, std::optional<Regex> regex, std::string content)
        : literal_(std::move(literal)), regex_(std::move(regex)), content_(std::move(content)) {}

    Result<void> run(Aligned& text) const override {
        const std::string_view view = text.text();
        if (view.empty()) return {};
        if (regex_) {
            Replacement pass(text);
            TRY_OK(regex_->each(view, [&](size_t begin, size_t end) { pass.match(begin, end, content_); }));
            pass.finish();
            return {};
        }
        size_t at = view.find(literal_);
        if (at == std::string_view::npos) return {};
        Replacement pass(text);
        for (; at != std::string_view::npos; at = view.find(literal_, at + literal_.size())) pass.match(at, at + literal_.size(), content_);
        pass.finish();
        return {};
    }

private:
    std::string literal_;
    std::optional<Regex> regex_;
    std::string content_;
};

class Prepend final : public Normalizer {
public:
    explicit Prepend(std::string what) : what_(std::move(what)) {}
    Result<void> run(Aligned& text) const override { return text.prepend(what_), Nothing{}; }

private:
    std::string what_;
};

class Sequence final : public Normalizer {
public:
    explicit Sequence(std::vector<std::unique_ptr<Normalizer>> steps) : steps_(std::move(steps)) {}
    Result<void> run(Aligned& text) const override {
        for (const auto& step : steps_) TRY_OK(step->run(text));
        return {};
    }
    size_t memory_bytes() const override {
        size_t sum = 0;
        for (const auto& step : steps_) sum += step->memory_bytes();
        return sum;
    }

private:
    std::vector<std::unique_ptr<Normalizer>> steps_;
};

using Made = Result<std::unique_ptr<Normalizer>>;

template <class T, class... Args>
Made make(Args&&... args) { return std::unique_ptr<Normalizer>(std::make_unique<T>(std::forward<Args>(args)...)); }

Made make_replace(const NormalizerSpec& spec) {
    std::optional<Regex> regex;
    if (spec.pattern.regex || spec.pattern.text.empty()) {
        TRY(regex, Regex::compile(spec.pattern.text));
    }
    return make<Replace>(spec.pattern.text, std::move(regex), spec.content);
}

}  // namespace

Result<std::unique_ptr<Normalizer>> make_normalizer(const NormalizerSpec& spec) {
    using K = NormalizerSpec::Kind;
    switch (spec.kind) {
    case K::bert: return make<Bert>(spec);
    case K::strip: return make<Strip>(spec.strip_left, spec.strip_right);
    case K::strip_accents: return make<Simple>(strip_accents);
    case K::nfc: return make<Formed>(unicode::Form::nfc);
    case K::nfd: return make<Formed>(unicode::Form::nfd);
    case K::nfkc: return make<Formed>(unicode::Form::nfkc);
    case K::nfkd: return make<Formed>(unicode::Form::nfkd);
    case K::sequence: return make_sequence<Sequence>(spec, make_normalizer);
    case K::lowercase: return make<Simple>(lowercase);
    case K::nmt: return make<Simple>(nmt);
    case K::precompiled: return make<Precompiled>(spec.content);
    case K::replace: return make_replace(spec);
    case K::prepend: return make<Prepend>(spec.content);
    case K::byte_level: return make<Simple>(byte_level);
    case K::sentence_piece: return make_sentencepiece_normalizer(spec);
    }
    return Failure(Code::internal, "a normalizer of no kind");
}

}  // namespace weir::tok
