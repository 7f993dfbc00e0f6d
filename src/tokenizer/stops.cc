#include "tokenizer/stops.h"

#include <algorithm>

#include "base/limits.h"

namespace weir::tok {
namespace {

std::vector<uint32_t> sorted(std::vector<uint32_t> ids) {
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
}

bool has(const std::vector<uint32_t>& ids, uint32_t id) { return !ids.empty() && std::binary_search(ids.begin(), ids.end(), id); }

}  // namespace

Result<std::unique_ptr<const StopSet>> StopSet::make(const StopRules& rules) {
    const auto bad = [](const char* message, const char* param) { return Failure(Code::bad_field, message, param); };
    size_t all = 0;
    for (const std::string& text : rules.strings) {
        if (text.empty()) return bad("a stop string must not be empty", "stop");
        if (text.size() > stop_bytes_max) return bad("a stop string is too long", "stop");
        all += text.size();
    }
    if (rules.strings.size() > limits::stops_max) return bad("too many stop strings", "stop");
    if (all > stop_bytes_all_max) return bad("the stop strings are too long", "stop");
    if (rules.hidden_ids.size() + rules.visible_ids.size() + rules.eos_ids.size() > stop_ids_max) return bad("too many stop token ids", "stop_token_ids");
    auto set = std::make_unique<StopSet>();
    set->states_.reserve(all + 1);
    set->states_.emplace_back();
    for (size_t i = 0; i < rules.strings.size(); ++i) set->add(rules.strings[i], static_cast<uint16_t>(i));
    set->link();
    set->hidden_ = rules.hidden_ids;
    if (!rules.ignore_eos) set->hidden_.insert(set->hidden_.end(), rules.eos_ids.begin(), rules.eos_ids.end());
    set->hidden_ = sorted(std::move(set->hidden_));
    set->visible_ = sorted(rules.visible_ids);
    for (const auto* ids : {&set->hidden_, &set->visible_})
        for (const uint32_t id : *ids) set->id_filter_ |= uint64_t{1} << (id & 63);
    set->min_tokens_ = rules.min_tokens;
    set->include_ = rules.include_stop;
    return std::unique_ptr<const StopSet>(std::move(set));
}

uint32_t StopSet::child(uint32_t state, char byte) const {
    if (state == 0) return roots_[static_cast<uint8_t>(byte)];
    uint32_t at = states_[state].child;
    while (at && states_[at].byte != byte) at = states_[at].sibling;
    return at;
}

uint32_t StopSet::step(uint32_t state, char byte) const {
    for (;; state = states_[state].fail) {
        if (const uint32_t next = child(state, byte)) return next;
        if (state == 0) return 0;
    }
}

void StopSet::add(std::string_view text, uint16_t which) {
    uint32_t state = 0;
    for (const char byte : text) {
        uint32_t next = child(state, byte);
        if (!next) {
            next = static_cast<uint32_t>(states_.size());
            State made;
            made.byte = byte;
            made.depth = static_cast<uint16_t>(states_[state].depth + 1);
            if (state == 0) {
                roots_[static_cast<uint8_t>(byte)] = next;
            } else {
                made.sibling = states_[state].child;
                states_[state].child = next;
            }
            states_.push_back(made);
        }
        state = next;
    }
    if (states_[state].match) return;   // said twice
    states_[state].match = static_cast<uint16_t>(text.size());
    states_[state].which = which;
}

// Breadth first, so that a state's fail, which is shallower, is complete before it.
void StopSet::link() {
    std::vector<uint32_t> queue;
    for (const uint32_t first : roots_)
        if (first) queue.push_back(first);
    for (size_t i = 0; i < queue.size(); ++i) {
        State& state = states_[queue[i]];
        const State& fail = states_[state.fail];
        if (!state.match) state.match = fail.match, state.which = fail.which;
        state.held = state.child ? state.depth : fail.held;
        for (uint32_t at = state.child; at; at = states_[at].sibling) {
            states_[at].fail = step(state.fail, states_[at].byte);
            queue.push_back(at);
        }
    }
}

size_t StopSet::memory_bytes() const { return sizeof *this + states_.capacity() * sizeof(State) + 4 * (hidden_.capacity() + visible_.capacity()); }

bool StopState::ends(uint32_t id) const { return set_->may_stop(id) && tokens_ >= set_->min_tokens_ && (has(set_->hidden_, id) || has(set_->visible_, id)); }

bool StopState::hides_text(uint32_t id) const {
    return !set_->include_ && tokens_ >= set_->min_tokens_ && has(set_->hidden_, id) && !has(set_->visible_, id);
}

Stopped StopState::feed(uint32_t id, std::string_view text, std::string& out) {
    if (stopped_ != Stopped::no) return stopped_;
    const bool last = ends(id);
    ++tokens_;
    feed_text(text, out);
    if (last && stopped_ == Stopped::no) {
        flush(out);
        stopped_ = Stopped::id;
        stop_id_ = id;
    }
    return stopped_;
}

Stopped feed_token(uint32_t id, Detokenizer& detokenizer, StopState& stops, std::string& scratch, std::string& out) {
    const bool last = stops.ends(id);
    if (!last && stops.state_ == 0 && stops.stopped_ == Stopped::no) [[likely]] {
        // Nothing is held: the text goes straight out, and comes back only if it may begin a stop string.
        const size_t before = out.size();
        detokenizer.feed(id, out);
        ++stops.tokens_;
        const std::string_view text = std::string_view(out).substr(before);
        if (!stops.set_->may_begin(text)) return Stopped::no;
        scratch = text;
        out.resize(before);
        return stops.feed_text(scratch, out);
    }
    scratch.clear();
    if (!last || !stops.hides_text(id)) detokenizer.feed(id, scratch);
    if (last) detokenizer.flush(scratch);
    return stops.feed(id, scratch, out);
}

Stopped StopState::feed_text(std::string_view text, std::string& out) {
    if (stopped_ != Stopped::no) return stopped_;
    if (set_->states_.size() <= 1) {
        out += text;
        return stopped_;
    }
    const bool counts = tokens_ > set_->min_tokens_ || set_->min_tokens_ == 0;
    uint32_t state = state_;
    for (size_t i = 0; i < text.size(); ++i) {
        if (state == 0) {   // most text is far from any stop string
            while (i < text.size() && !set_->roots_[static_cast<uint8_t>(text[i])]) ++i;
            if (i == text.size()) break;
        }
        state = set_->step(state, text[i]);
        const StopSet::State& now = set_->states_[state];
        if (!now.match || !counts) continue;
        // Everything up to here, less the stop string, can go; what of the stop string was held back goes with it or is dropped.
        const size_t seen = held_.size() + i + 1, kept = set_->include_ ? seen : seen - now.match;
        out += std::string_view(held_).substr(0, std::min(kept, held_.size()));
        if (kept > held_.size()) out += text.substr(0, kept - held_.size());
        held_.clear();
        which_ = now.which;
        state_ = 0;
        return stopped_ = Stopped::text;
    }
    state_ = state;
    if (set_->include_) {
        out += text;
        return stopped_;
    }
    const size_t wait = set_->states_[state].held, seen = held_.size() + text.size(), go = seen - wait;
    if (held_.empty()) {
        out += text.substr(0, go);
        if (wait) held_ = text.substr(go);
        return stopped_;
    }
    out += std::string_view(held_).substr(0, std::min(go, held_.size()));
    if (go > held_.size()) out += text.substr(0, go - held_.size());
    if (go >= held_.size()) {
        held_ = text.substr(go - held_.size());
    } else {
        held_.erase(0, go);
        held_ += text;
    }
    return stopped_;
}

void StopState::flush(std::string& out) {
    if (stopped_ != Stopped::no) return;
    out += held_;
    held_.clear();
    state_ = 0;
}

}  // namespace weir::tok
