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
    void patch_run();
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
    Fallback(Pieces pieces, FallbackRules rules) : pieces_(std::move(pieces)), rules_(std::move(rules)) {}

    std::string decode(std::span<const uint32_t> ids, bool skip_special) const override {
        std::string out, run;
        out.reserve(ids.size() * 4);
        const auto end_run = [&] {
            if (rules_.per_char) out += patched_utf8(run);
            else if (valid_utf8(run)) out += run;
            else for (size_t i = 0; i < run.size(); ++i) out += replacement_char;
            run.clear();
        };
        const uint8_t mask = Pieces::mask(skip_special);
        bool front = rules_.at_pieces && rules_.strip;
        for (const uint32_t id : ids) {
            const Piece* piece = pieces_.find(id, mask);
            if (!piece) continue;
            if (piece->flags & Piece::byte) {
                run += piece->text[0];
                continue;
            }
            if (!run.empty()) end_run();
            out += front && out.empty() ? fronted(*piece, front) : pieces_.text(*piece);
        }
        end_run();
        if (!rules_.at_pieces) out.erase(0, stripped(out, rules_.strip));
        return out;
    }
    std::unique_ptr<Detokenizer> stream(bool skip_special) const override { return std::make_unique<FallbackStream>(*this, skip_special); }
    size_t memory_bytes() const override { return sizeof *this + pieces_.memory_bytes(); }
    const char* form() const override { return "fallback"; }

private:
    friend class FallbackStream;
    // at_pieces: a piece in front of all text, without its mark; `front` becomes false when the next one keeps its own.
    std::string_view fronted(const Piece& piece, bool& front) const {
        std::string_view text = pieces_.text(piece);
        if (piece.flags & Piece::mark) {
            text.remove_prefix(1);
            front = rules_.strip_all;
        }
        if (!text.empty()) front = false;
        return text;
    }
    // How many bytes at the front of `text` go, `left` characters at most.
    size_t stripped(std::string_view text, uint32_t left) const {
        size_t n = 0;
        while (left-- && text.substr(n).starts_with(rules_.strip_char)) n += rules_.strip_char.size();
        return n;
    }
    const Pieces pieces_;
    const FallbackRules rules_;
};

FallbackStream::FallbackStream(const Fallback& form, bool skip_special)
    : form_(form), strip_left_(form.rules_.strip), mask_(Pieces::mask(skip_special)) {}

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
    if (form_.rules_.at_pieces && strip_left_ && held_.empty()) {
        bool front = true;
        held_ += form_.fronted(*piece, front);
        strip_left_ = front;
    } else {
        held_ += form_.pieces_.text(*piece);
    }
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
    if (form_.rules_.at_pieces) strip_left_ = 0;
    const SeenSequence seen = look_utf8(held_.data() + held_.size() - open_ - 1, held_.data() + held_.size());
    if (seen.kind == Sequence::broken) {
        if (!form_.rules_.per_char) return break_run();
        patch_run();
        if (open_ == 0) give(out, false);
        return;
    }
    open_ = seen.kind == Sequence::valid ? 0 : seen.size;
    if (open_ == 0) give(out, false);
}

// What of the run was held back is no text: each byte is U+FFFD.
void FallbackStream::break_run() {
    held_.resize(held_.size() - run_);
    for (; run_; --run_) held_ += replacement_char;
    open_ = 0;
    broken_ = true;
}

// per_char: bytes that belong to no character become U+FFFD one by one; what may still become a character stays as it is.
void FallbackStream::patch_run() {
    const std::string open = held_.substr(held_.size() - open_ - 1);
    held_.resize(held_.size() - open.size());
    open_ = 0;
    std::string_view rest = open;
    while (!rest.empty()) {
        const SeenSequence seen = look_utf8(rest.data(), rest.data() + rest.size());
        if (seen.kind == Sequence::unfinished) {
            open_ = seen.size;
            held_ += rest;
            break;
        }
        const size_t size = seen.kind == Sequence::valid ? seen.size : 1;
        if (seen.kind == Sequence::valid) held_ += rest.substr(0, size);
        else held_ += replacement_char;
        rest.remove_prefix(size);
    }
    run_ = open_;
}

void FallbackStream::end_run() {
    if (open_ && form_.rules_.per_char) run_ = open_;   // what came before is text
    if (open_) break_run();
    run_ = 0;
    broken_ = false;
}

// Gives out what is held unless it ends in U+FFFD (`all`: that, too).
void FallbackStream::give(std::string& out, bool all) {
    const std::string_view text = std::string_view(held_).substr(form_.rules_.at_pieces ? 0 : form_.stripped(held_, strip_left_));
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

std::unique_ptr<const Decoding> make_fallback(Pieces pieces, FallbackRules rules) {
    return std::make_unique<Fallback>(std::move(pieces), std::move(rules));
}

}  // namespace weir::tok
