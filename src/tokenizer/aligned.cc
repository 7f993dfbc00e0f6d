#include "tokenizer/aligned.h"

#include <algorithm>
#include <array>

namespace weir::tok {

void Aligned::start(std::string_view text, Span origin, bool tracked) {
    text_.assign(text);
    origin_ = origin;
    tracked_ = tracked;
    needs_tracking_ = false;
    sources_.clear();
    if (!tracked) return;
    sources_.resize(text.size());
    for (size_t at = 0; at < text.size();) {
        const uint32_t len = char_len(text[at]), begin = origin.begin + static_cast<uint32_t>(at);
        for (uint32_t i = 0; i < len; i++) sources_[at + i] = {begin, begin + len};
        at += len;
    }
}

void Aligned::start(std::string_view text, const Span* sources, Span origin) {
    text_.assign(text);
    origin_ = origin;
    tracked_ = true;
    needs_tracking_ = false;
    sources_.assign(sources, sources + text.size());
}

bool Aligned::replaced_range(uint32_t& begin, uint32_t& end) const {
    begin = 0, end = static_cast<uint32_t>(text_.size());
    if (!tracked_) return true;
    if (origin_.begin == origin_.end) return end = 0, true;                     // of no text: the front
    bool found = false;
    uint32_t last = 0;
    for (uint32_t i = 0; i < sources_.size() && sources_[i].end <= origin_.end; i++) {
        if (!found && sources_[i].begin != sources_[i].end) found = true, begin = i;
        last = i + 1;
    }
    if (last == 0) return false;
    end = last;
    if (!found) begin = last;
    return true;
}

void Aligned::prepend(std::string_view what) {
    if (text_.empty()) return;
    const uint32_t first = char_len(text_[0]);
    if (tracked_) {
        // The first character is replaced and put back, so it keeps its source, unless there is nothing new to replace it.
        const Span source = what.empty() ? Span{origin_.begin, origin_.begin} : sources_[0];
        std::fill_n(sources_.begin(), first, source);
        sources_.insert(sources_.begin(), what.size(), source);
    }
    text_.insert(0, what);
}

Transform::Transform(Aligned& text, size_t skipped) : text_(text) {
    idle_ = !text.replaced_range(begin_, end_);
    at_ = begin_;
    skip_characters(skipped);
    text.next_.assign(text.text_, 0, begin_);
    text.next_.reserve(text.text_.size() + 16);
    if (text.tracked_) {
        text.next_sources_.assign(text.sources_.begin(), text.sources_.begin() + begin_);
        text.next_sources_.reserve(text.text_.size() + 16);
    }
}

void Transform::skip_characters(size_t count) {
    if (!text_.tracked_) return;
    while (count-- > 0 && at_ < end_) at_ += char_len(text_.text_[at_]);
}

void Transform::put(char32_t c, int change) {
    char bytes[4];
    const uint32_t len = put_char(bytes, c);
    text_.next_.append(bytes, len);
    if (!text_.tracked_) return;
    const auto& sources = text_.sources_;
    const Span nowhere{text_.origin_.begin, text_.origin_.begin};
    Span source = nowhere;
    if (change > 0) {
        if (at_ > 0) source = sources[at_ - 1];
    } else {
        if (!sources.empty()) source = sources[std::min<size_t>(at_, sources.size() - 1)];
        skip_characters(1 + static_cast<size_t>(-change));
    }
    text_.next_sources_.insert(text_.next_sources_.end(), len, source);
}

void Transform::finish() {
    if (idle_) return;
    text_.next_.append(text_.text_, end_);
    text_.text_.swap(text_.next_);
    if (!text_.tracked_) return;
    text_.next_sources_.insert(text_.next_sources_.end(), text_.sources_.begin() + end_, text_.sources_.end());
    text_.sources_.swap(text_.next_sources_);
}

void Replacement::copy(size_t end) {
    text_.next_.append(text_.text_, done_, end - done_);
    const auto sources = text_.sources_.begin();
    if (text_.tracked_) text_.next_sources_.insert(text_.next_sources_.end(), sources + static_cast<long>(done_), sources + static_cast<long>(end));
    done_ = end;
}

void Replacement::match(size_t begin, size_t end, std::string_view content) {
    copy(begin);
    text_.next_.append(content);
    if (begin == end) text_.need_tracking();
    if (text_.tracked_) {
        const Span source = end == 0 ? Span{text_.origin_.begin, text_.origin_.begin} : text_.sources_[end - 1];
        text_.next_sources_.insert(text_.next_sources_.end(), content.size(), source);
    }
    done_ = end;
}

void Replacement::finish() {
    copy(text_.text_.size());
    text_.text_.swap(text_.next_);
    if (text_.tracked_) text_.sources_.swap(text_.next_sources_);
}

char32_t byte_level_char(uint8_t byte) {
    static const std::array<char16_t, 256> table = [] {
        std::array<char16_t, 256> out{};
        char16_t next = 256;
        for (unsigned b = 0; b < 256; b++) {
            const bool shown = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
            out[b] = shown ? static_cast<char16_t>(b) : next++;
        }
        return out;
    }();
    return table[byte];
}

}  // namespace weir::tok
