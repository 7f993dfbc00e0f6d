#include "bench/reply.h"

#include <algorithm>
#include <cstdlib>

namespace weir::bench {

namespace {

// The number behind `name`, the last one; -1: there is none.
int number_of(std::string_view text, std::string_view name) {
    size_t at = text.rfind(name);
    return at == text.npos ? -1 : std::atoi(std::string(text.substr(at + name.size(), 12)).c_str());
}

}  // namespace

void Reply::start(bool stream, bool model_text) {
    stream_ = stream;
    model_text_ = model_text;
    have_head_ = role_ = stop_ = done_ = false;
    tokens_ = 0;
    last_ns_ = 0;
    broken_ = "";
    partial_.clear();
    fresh_.clear();
}

size_t Reply::feed(std::string_view bytes) {
    size_t used = 0;
    if (!have_head_) {
        size_t before = partial_.size();
        partial_.append(bytes);
        Found found = find_head(partial_, false, head_);
        if (found == Found::partial) return bytes.size();
        have_head_ = true;
        if (found == Found::broken) {
            broken_ = "not HTTP";
            head_.close = true;
            body_ = BodyEnd{};
            return bytes.size();
        }
        body_.start(head_, false);
        used = head_.length - before;
        partial_.clear();
        bytes.remove_prefix(used);
    }
    return used + body_.feed(bytes, [this](std::string_view p) { payload(p); });
}

bool Reply::end_of_connection() {
    if (!have_head_ || !body_.until_close()) return false;
    head_.close = true;
    body_ = BodyEnd{};
    return true;
}

void Reply::payload(std::string_view p) {
    if (!stream_ || head_.status != 200) {
        partial_ += p;
        return;
    }
    if (!partial_.empty()) {
        size_t eol = p.find('\n');
        partial_ += p.substr(0, eol);
        if (eol == p.npos) return;
        line(partial_);
        partial_.clear();
        p.remove_prefix(eol + 1);
    }
    for (size_t eol; (eol = p.find('\n')) != p.npos; p.remove_prefix(eol + 1)) line(p.substr(0, eol));
    partial_ += p;
}

void Reply::line(std::string_view text) {
    if (!text.starts_with("data:")) return;
    if (done_) broken_ = "data after [DONE]";
    if (text.find("[DONE]") != text.npos) {
        done_ = true;
        return;
    }
    if (model_text_) return model_line(text);
    if (text.find("\"stop\"") != text.npos) stop_ = true;
    size_t at = text.find("\"content\":");
    if (at == text.npos) return;
    at = text.find('"', at + 10);
    if (at == text.npos || at + 21 > text.size() || text[at + 1] != 'T') {
        role_ = role_ || text.find("\"role\"") != text.npos;
        return;
    }
    uint64_t sent_ns = std::strtoull(text.data() + at + 2, nullptr, 10);
    if (sent_ns < last_ns_) broken_ = "tokens out of order";
    last_ns_ = sent_ns;
    ++tokens_;
    fresh_.push_back(sent_ns);
}

// A chunk may hold several tokens: the rest of them counts when the usage tells how many there were.
void Reply::model_line(std::string_view text) {
    if (text.find("\"role\"") != text.npos) role_ = true;
    if (text.find("\"finish_reason\":\"length\"") != text.npos) stop_ = true;
    size_t at = text.find("\"content\":\"");
    if (at != text.npos && at + 11 < text.size() && text[at + 11] != '"') {
        ++tokens_;
        fresh_.push_back(0);
    }
    int told = number_of(text, "\"completion_tokens\":");
    for (; told > tokens_; ++tokens_) fresh_.push_back(0);
    if (told >= 0 && told < tokens_) broken_ = "more chunks than tokens";
}

std::string Reply::model_fault(int tokens_wanted) const {
    if (number_of(partial_, "\"completion_tokens\":") != tokens_wanted) return "tokens " + std::to_string(number_of(partial_, "\"completion_tokens\":"));
    bool closed = partial_.back() == '}' && partial_.find("\"content\":\"") != partial_.npos;
    return closed && partial_.find("\"finish_reason\":\"length\"") != partial_.npos ? "" : "completion cut";
}

std::string Reply::completion_fault() const {
    size_t at = partial_.find("\"len=");
    if (at == partial_.npos) return "no content";
    size_t len = std::strtoul(partial_.c_str() + at + 5, nullptr, 10);
    bool whole = at + 1 + len < partial_.size() && partial_[at + 1 + len] == '"' && partial_.find('"', at + 1) == at + 1 + len;
    if (!whole) return "content cut";
    // No string of a fake completion holds a brace.
    bool closed = partial_.back() == '}' && std::ranges::count(partial_, '{') == std::ranges::count(partial_, '}');
    return closed && partial_.find("\"usage\"") != partial_.npos ? "" : "completion cut";
}

std::string Reply::fault(int tokens_wanted) const {
    if (*broken_) return broken_;
    if (head_.status != 200) return "status " + std::to_string(head_.status);
    if (!stream_) return model_text_ ? model_fault(tokens_wanted) : completion_fault();
    if (tokens_ != tokens_wanted) return "tokens " + std::to_string(tokens_);
    if (!role_) return "no role";
    if (!stop_) return "no finish_reason";
    return done_ ? "" : "no [DONE]";
}

}  // namespace weir::bench
