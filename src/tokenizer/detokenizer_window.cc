// DecodeStream as the reference runs it: the ids since the chunk before last are decoded again at each step.
#include "tokenizer/detokenizer_forms.h"

namespace weir::tok {
namespace {

constexpr size_t window_max = 1'024;   // ids that give no text that can go out; then what there is goes out

class Window final : public Decoding {
public:
    Window(const TokenTable& tokens, std::optional<Decoder> decoder) : tokens_(tokens), decoder_(std::move(decoder)) {}

    std::string decode(std::span<const uint32_t> ids, bool skip_special) const override {
        Tokens tokens;
        for (const uint32_t id : ids)
            if (counts(id, skip_special)) tokens.emplace_back(tokens_.text(id));
        return decode_tokens(decoder_ ? &*decoder_ : nullptr, std::move(tokens));
    }
    std::unique_ptr<Detokenizer> stream(bool skip_special) const override;
    size_t memory_bytes() const override { return sizeof *this; }
    const char* form() const override { return "window"; }
    bool counts(uint32_t id, bool skip_special) const {
        const uint8_t flags = tokens_.flags(id);
        return (flags & TokenTable::present) && !(skip_special && (flags & TokenTable::special));
    }

private:
    const TokenTable& tokens_;
    const std::optional<Decoder> decoder_;
};

class WindowStream final : public Detokenizer {
public:
    WindowStream(const Window& form, bool skip_special) : form_(form), skip_special_(skip_special) {}

    void feed(uint32_t id, std::string& out) override {
        if (!form_.counts(id, skip_special_)) return;   // changes no text, so it need not be remembered
        if (prefix_.empty() && !ids_.empty()) {
            std::string text = form_.decode(ids_, skip_special_);
            if (!ends_open(text)) {
                prefix_ = std::move(text);
                prefix_ids_ = ids_.size();
            }
        }
        ids_.push_back(id);
        const std::string text = form_.decode(ids_, skip_special_);
        const bool open = ends_open(text) && ids_.size() < window_max;
        if (text.size() > prefix_.size() && !open) return give(text, out);
        if (ids_.size() >= window_max) ids_.erase(ids_.begin(), ids_.begin() + window_max / 2), prefix_ids_ = 0, prefix_ = form_.decode(ids_, skip_special_);
    }
    void flush(std::string& out) override {
        const std::string text = form_.decode(ids_, skip_special_);
        if (text.size() > prefix_.size()) out += std::string_view(text).substr(prefix_.size());
        ids_.clear();
        prefix_.clear();
        prefix_ids_ = 0;
    }

private:
    // The reference gives up when text already sent turns out otherwise; here the stream goes on behind as much of it as still stands.
    void give(const std::string& text, std::string& out) {
        size_t same = 0;
        while (same < prefix_.size() && text[same] == prefix_[same]) ++same;
        while (same && same < text.size() && (static_cast<uint8_t>(text[same]) & 0xC0) == 0x80) --same;
        out += std::string_view(text).substr(same);
        const size_t left = ids_.size() - prefix_ids_;
        ids_.erase(ids_.begin(), ids_.begin() + static_cast<ptrdiff_t>(prefix_ids_));
        prefix_ = form_.decode(ids_, skip_special_);
        prefix_ids_ = left;
    }

    const Window& form_;
    std::vector<uint32_t> ids_;
    std::string prefix_;
    size_t prefix_ids_ = 0;
    bool skip_special_;
};

std::unique_ptr<Detokenizer> Window::stream(bool skip_special) const { return std::make_unique<WindowStream>(*this, skip_special); }

}  // namespace

std::unique_ptr<const Decoding> make_window(const TokenTable& tokens, std::optional<Decoder> decoder) {
    return std::make_unique<Window>(tokens, std::move(decoder));
}

}  // namespace weir::tok
