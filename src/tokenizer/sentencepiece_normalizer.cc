#include "tokenizer/sentencepiece_normalizer.h"

#include <deque>

#include "tokenizer/charsmap.h"
#include "tokenizer/trie.h"

namespace weir::tok {
namespace {

// What becomes of bytes [begin, end) of the text. Of no bytes: something new.
struct Step {
    size_t begin = 0, end = 0;
    std::string_view content;
    bool same = false;
};

struct Steps {
    std::vector<Step> list;
    std::deque<std::string> owned;   // contents that are in no other memory

    void same(size_t begin, size_t end, std::string_view text) {
        if (!list.empty() && list.back().same && list.back().end == begin) {
            list.back().end = end;
            list.back().content = text.substr(list.back().begin, end - list.back().begin);
        } else {
            list.push_back({begin, end, text.substr(begin, end - begin), true});
        }
    }
};

class SentencePiece final : public Normalizer {
public:
    SentencePiece(const NormalizerSpec& spec, Charsmap map)
        : map_(std::move(map)), space_(spec.escape_whitespaces ? "\xe2\x96\x81" : " "), prefix_(spec.add_dummy_prefix && !spec.whitespace_as_suffix),
          suffix_(spec.add_dummy_prefix && spec.whitespace_as_suffix), collapse_(spec.remove_extra_whitespaces) {
        std::vector<std::pair<std::string_view, uint32_t>> keys;
        for (const std::string& text : spec.verbatim) keys.emplace_back(text, 1);
        if (!keys.empty()) verbatim_.build(std::move(keys));
    }
    size_t memory_bytes() const override { return sizeof *this + map_.memory_bytes() + verbatim_.memory_bytes(); }

    Result<void> run(Aligned& text) const override {
        if (text.empty()) return {};
        Steps steps;
        read(text.text(), steps);
        apply(steps, text);
        return {};
    }

private:
    // What stands for the front of text[at..): the longest verbatim piece, the longest rule's, or the character itself.
    std::string_view front(std::string_view text, size_t at, size_t& size) const {
        size = 0;
        for (uint32_t node = Trie::root, end = static_cast<uint32_t>(at); !verbatim_.empty() && end < text.size(); ) {
            node = verbatim_.step(node, static_cast<uint8_t>(text[end++]));
            if (node == Trie::none) break;
            if (verbatim_.value(node) != Trie::none) size = end - at;
        }
        if (size) return text.substr(at, size);
        const Charsmap::Match match = map_.longest(text.substr(at));
        size = match.size ? match.size : char_len(text[at]);
        return match.size ? match.by : text.substr(at, size);
    }

    void read(std::string_view text, Steps& steps) const {
        size_t at = 0, size = 0;
        while (collapse_ && at < text.size() && front(text, at, size) == " ") at += size;
        if (at > 0) steps.list.push_back({0, at, {}});
        if (at == text.size()) return;   // whitespace only: nothing is left, and nothing is added
        if (prefix_) steps.list.push_back({at, at, space_});
        for (bool after_space = collapse_; at < text.size(); at += size) {
            std::string_view part = front(text, at, size);
            const bool whole = part.data() == text.data() + at;
            while (after_space && part.starts_with(' ')) part.remove_prefix(1);
            if (part.find(' ') != part.npos) steps.list.push_back({at, at + size, escaped(part, steps)});
            else if (whole && part.size() == size) steps.same(at, at + size, text);
            else steps.list.push_back({at, at + size, part});
            if (!part.empty()) after_space = collapse_ && part.ends_with(' ');
        }
        for (size_t i = steps.list.size(); collapse_ && i-- > 0;) {
            Step& step = steps.list[i];
            while (step.content.ends_with(space_)) step.content.remove_suffix(space_.size()), step.same = false;
            if (!step.content.empty()) break;
        }
        if (suffix_) steps.list.push_back({text.size(), text.size(), space_});
    }
    std::string_view escaped(std::string_view part, Steps& steps) const {
        if (part == " ") return space_;
        std::string& out = steps.owned.emplace_back();
        for (const char c : part) c == ' ' ? out.append(space_) : out.append(1, c);
        return out;
    }

    // New text goes with the bytes behind it, at the end with those before it.
    static void apply(const Steps& steps, Aligned& text) {
        Replacement pass(text);
        std::string pending;
        for (size_t i = 0; i < steps.list.size(); ++i) {
            const Step& step = steps.list[i];
            const bool last = i + 2 == steps.list.size() && steps.list[i + 1].begin == steps.list[i + 1].end;
            if (step.begin == step.end) {
                if (i == 0 || i + 1 < steps.list.size()) pending += step.content;
                continue;
            }
            if (step.same && pending.empty() && !last) continue;
            pending += step.content;
            if (last) pending += steps.list[i + 1].content;
            pass.match(step.begin, step.end, pending);
            pending.clear();
        }
        pass.finish();
    }

    Charsmap map_;
    Trie verbatim_;
    std::string space_;
    bool prefix_, suffix_, collapse_;
};

}  // namespace

Result<std::unique_ptr<Normalizer>> make_sentencepiece_normalizer(const NormalizerSpec& spec) {
    TRY(auto map, Charsmap::read(spec.content));
    return std::unique_ptr<Normalizer>(std::make_unique<SentencePiece>(spec, std::move(map)));
}

}  // namespace weir::tok
