#include "tokenizer/detokenizer_forms.h"
#include "tokenizer/detokenizer_utf8.h"

namespace weir::tok {
namespace {

class Joined;

class JoinedStream final : public Detokenizer {
public:
    JoinedStream(const Joined& form, bool skip_special);
    void feed(uint32_t id, std::string& out) override;
    void flush(std::string& out) override;

private:
    void slow(std::string_view text, std::string& out);

    const Joined& form_;
    std::string held_;     // certain, but ends in U+FFFD
    Utf8Tail tail_;
    uint8_t mask_;
    bool first_;           // the next token is the text's first, and that matters
    bool busy_ = false;    // something is held
};
static_assert(sizeof(JoinedStream) <= 64);

class Joined final : public Decoding {
public:
    Joined(const TokenTable& tokens, Pieces pieces, std::function<std::string(std::string_view)> first)
        : tokens_(tokens), pieces_(std::move(pieces)), first_(std::move(first)) {}

    std::string decode(std::span<const uint32_t> ids, bool skip_special) const override {
        std::string out;
        out.reserve(ids.size() * 4);
        Utf8Tail tail;
        bool first = first_ != nullptr;
        const uint8_t mask = Pieces::mask(skip_special);
        for (const uint32_t id : ids) {
            const Piece* piece = pieces_.find(id, mask);
            if (!piece) continue;
            if (first) {
                out += lossy_utf8(first_(tokens_.text(id)));
                first = false;
            } else if (tail.empty() && (piece->flags & Piece::closed)) {
                out += pieces_.text(*piece);
            } else {
                tail.feed(pieces_.text(*piece), out);
            }
        }
        tail.finish(out);
        return out;
    }
    std::unique_ptr<Detokenizer> stream(bool skip_special) const override { return std::make_unique<JoinedStream>(*this, skip_special); }
    size_t memory_bytes() const override { return sizeof *this + pieces_.memory_bytes(); }
    const char* form() const override { return first_ ? "words" : "bytes"; }

private:
    friend class JoinedStream;
    const TokenTable& tokens_;
    const Pieces pieces_;
    const std::function<std::string(std::string_view)> first_;
};

JoinedStream::JoinedStream(const Joined& form, bool skip_special)
    : form_(form), mask_(Pieces::mask(skip_special)), first_(form.first_ != nullptr) {}

void JoinedStream::feed(uint32_t id, std::string& out) {
    const Piece* piece = form_.pieces_.find(id, mask_);
    if (!piece) return;
    if (first_) [[unlikely]] {
        first_ = false;
        slow(form_.first_(form_.tokens_.text(id)), out);
    } else if (!busy_ && (piece->flags & Piece::closed)) [[likely]] {
        out += form_.pieces_.text(*piece);
    } else {
        slow(form_.pieces_.text(*piece), out);
    }
}

void JoinedStream::slow(std::string_view text, std::string& out) {
    tail_.feed(text, held_);
    if (tail_.empty() && !ends_open(held_)) {
        out += held_;
        held_.clear();
    } else if (held_.size() > detokenizer_held_max) {
        out += held_;
        held_.clear();
    }
    busy_ = !held_.empty() || !tail_.empty();
}

void JoinedStream::flush(std::string& out) {
    tail_.finish(held_);
    out += held_;
    held_.clear();
    busy_ = false;
}

}  // namespace

std::unique_ptr<const Decoding> make_joined(const TokenTable& tokens, Pieces pieces, std::function<std::string(std::string_view)> first) {
    return std::make_unique<Joined>(tokens, std::move(pieces), std::move(first));
}

}  // namespace weir::tok
