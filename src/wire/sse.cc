#include "wire/sse.h"

#include "wire/chars.h"

namespace weir {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

const char* find_line_end(const char* p, const char* end) {   // first CR or LF, or end
#if defined(__SSE2__)
    const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');
    for (; end - p >= 16; p += 16) {
        const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        if (const int mask = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, cr), _mm_cmpeq_epi8(v, lf))))
            return p + std::countr_zero(static_cast<unsigned>(mask));
    }
#endif
    while (p < end && *p != '\r' && *p != '\n') ++p;
    return p;
}

}  // namespace

size_t SseReader::find_event_end(std::string_view bytes) {
    const char *p = bytes.data(), *end = p + bytes.size();
    while (p < end) {
        if (after_cr_ && *p == '\n') {
            after_cr_ = false;
            ++p;
            continue;
        }
        after_cr_ = false;
        const char* stop = find_line_end(p, end);
        if (stop > p) line_empty_ = false;
        if (stop == end) break;
        after_cr_ = *stop == '\r';
        p = stop + 1;
        if (line_empty_) return static_cast<size_t>(p - bytes.data());
        line_empty_ = true;
    }
    return std::string_view::npos;
}

bool SseReader::next(std::string_view& bytes, SseEvent& out) {
    if (given_) held_.clear(), given_ = false;
    while (!bytes.empty() && !bad_) {
        if (held_.empty() && after_cr_ && line_empty_ && bytes.front() == '\n') {   // the LF of a blank line's CRLF, cut off
            after_cr_ = false;
            bytes.remove_prefix(1);
            continue;
        }
        const size_t n = find_event_end(bytes);
        const size_t take = std::min(n, bytes.size());
        bad_ = held_.size() + take > limits::sse_event_max;
        if (bad_) break;
        std::string_view block = bytes.substr(0, take);
        if (!held_.empty() || n == std::string_view::npos) {
            held_.append(block);
            block = held_;
        }
        bytes.remove_prefix(take);
        if (n == std::string_view::npos) break;
        given_ = !held_.empty();
        if (read_block(block, out)) return true;
        held_.clear();
        given_ = false;
    }
    if (bad_) std::string().swap(held_), bytes = {};
    return false;
}

bool SseReader::read_block(std::string_view block, SseEvent& out) {
    out = {};
    if (first_ && block.substr(0, 3) == byte_order_mark) block.remove_prefix(3);
    first_ = false;
    int data_lines = 0;
    const char *p = block.data(), *end = p + block.size();
    while (p < end) {
        const char* stop = find_line_end(p, end);
        const std::string_view line(p, static_cast<size_t>(stop - p));
        p = stop == end ? end : stop + 1;
        const size_t colon = line.find(':');
        if (line.empty() || colon == 0) continue;   // also the LF of a CRLF
        const std::string_view name = line.substr(0, colon);
        std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
        if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
        if (name == "data") {
            if (++data_lines == 1) {
                out.data = value;
                continue;
            }
            if (data_lines == 2) joined_.assign(out.data);
            joined_.append(1, '\n').append(value);
        } else if (name == "event") {
            out.event = value;
        } else if (name == "id" && value.find('\0') == std::string_view::npos) {
            out.id = value;
        }
    }
    if (data_lines > 1) out.data = joined_;
    return data_lines > 0;
}

void append_sse(std::string& out, std::string_view data, std::string_view event, std::string_view id) {
    if (!event.empty()) out.append("event: ").append(event).append(1, '\n');
    if (!id.empty()) out.append("id: ").append(id).append(1, '\n');
    for (const char *p = data.data(), *end = p + data.size();;) {
        const char* stop = find_line_end(p, end);
        out.append("data: ").append(p, stop).append(1, '\n');
        if (stop == end) break;
        p = stop + (stop[0] == '\r' && stop + 1 < end && stop[1] == '\n' ? 2 : 1);
    }
    out.append(1, '\n');
}

void append_sse_comment(std::string& out, std::string_view text) { out.append(": ").append(text).append("\n\n"); }

}  // namespace weir
