#include "tokenizer/detokenizer_forms.h"
#include "tokenizer/detokenizer_utf8.h"

namespace weir::tok {
namespace {

class Fallback;

// held_ is certain text, then `run_` raw bytes of the byte-fallback run under way; the last `open_` of them are an unfinished sequence.
class FallbackStream final : public Detokenizer {
public:
    FallbackStream(const Fallback& form, bool skip_special);
    void feed(uint32_t id, std::string& out) override;
    void flush(std::string& out) override;

private:
    void byte(char byte, std::string& out);
    void end_run();
    void break_run();
    void give(std::string& out, bool all);

    const Fallback& form_;
    std::string held_;
    uint32_t strip_left_;
    uint16_t run_ = 0;
    uint8_t open_ = 0, mask_;
    bool broken_ = false;   // the run cannot be UTF-8 any more: each of its bytes is U+FFFD
};
static_assert(sizeof(FallbackStream) <= 64);

class Fallback final : public Decoding {
public:
    Fallback(Pieces pieces, uint32_t strip, std::string strip_char) : pieces_(std::move(pieces)), strip_(strip), strip_char_(std::move(strip_char)) {}

    std::string decode(std::span<const uint32_t> ids, bool skip_special) const override {
        std::string out, run;
        out.reserve(ids.size() * 4);
        const auto end_run = [&] {
            if (valid_utf8(run)) out += run;
            else for (size_t i = 0; i < run.size(); ++i) out += replacement_char;
            run.clear();
        };
        const uint8_t mask = Pieces::mask(skip_special);
        for (const uint32_t id : ids) {
            const Piece* piece = pieces_.find(id, mask);
            if (!piece) continue;
            if (piece->flags & Piece::byte) {
                run += piece->text[0];
                continue;
            }
            if (!run.empty()) end_run();
            out += pieces_.text(*piece);
        }
        end_run();
        out.erase(0, stripped(out, strip_));
        return out;
    }
    std::unique_ptr<Detokenizer> stream(bool skip_special) const override { return std::make_unique<FallbackStream>(*this, skip_special); }
    size_t memory_bytes() const override { return sizeof *this + pieces_.memory_bytes(); }
    const char* form() const override { return "fallback"; }

private:
    friend class FallbackStream;
    // How many bytes at the front of `text` go, `left` characters at most.
    size_t stripped(std::string_view text, uint32_t left) const {
        size_t n = 0;
        while (left-- && text.substr(n).starts_with(strip_char_)) n += strip_char_.size();
        return n;
    }
    const Pieces pieces_;
    const uint32_t strip_;
    const std::string strip_char_;
};

FallbackStream::FallbackStream(const Fallback& form, bool skip_special)
    : form_(form), strip_left_(form.strip_), mask_(Pieces::mask(skip_special)) {}

void FallbackStream::feed(uint32_t id, std::string& out) {
    const Piece* piece = form_.pieces_.find(id, mask_);
    if (!piece) return;
    if (piece->flags & Piece::byte) return byte(piece->text[0], out);
    if (held_.empty() && strip_left_ == 0 && (piece->flags & Piece::closed)) [[likely]] {
        broken_ = false;
        out += form_.pieces_.text(*piece);
        return;
    }
    end_run();
    held_ += form_.pieces_.text(*piece);
    give(out, false);
}

void FallbackStream::byte(char byte, std::string& out) {
    if (broken_) {
        held_ += replacement_char;
        if (held_.size() > detokenizer_held_max) give(out, true);
        return;
    }
    held_ += byte;
    ++run_;
    const SeenSequence seen = look_utf8(held_.data() + held_.size() - open_ - 1, held_.data() + held_.size());
    if (seen.kind == Sequence::broken) return break_run();
    open_ = seen.kind == Sequence::valid ? 0 : seen.size;
    if (open_ == 0) give(out, false);
}

void FallbackStream::break_run() {
    held_.resize(held_.size() - run_);
    for (; run_; --run_) held_ += replacement_char;
    open_ = 0;
    broken_ = true;
}

void FallbackStream::end_run() {
    if (open_) break_run();
    run_ = 0;
    broken_ = false;
}

// Gives out what is held unless it ends in U+FFFD (`all`: that, too).
void FallbackStream::give(std::string& out, bool all) {
    const std::string_view text = std::string_view(held_).substr(form_.stripped(held_, strip_left_));
    if (text.empty() && !all) return;
    if (!all && ends_open(text) && held_.size() <= detokenizer_held_max) return;
    out += text;
    if (!text.empty()) strip_left_ = 0;
    held_.clear();
    run_ = 0;
}

void FallbackStream::flush(std::string& out) {
    end_run();
    give(out, true);
}

}  // namespace

std::unique_ptr<const Decoding> make_fallback(Pieces pieces, uint32_t strip, std::string strip_char) {
    return std::make_unique<Fallback>(std::move(pieces), strip, std::move(strip_char));
}

}  // namespace weir::tok
