// Stop strings against their plain definition, text cut anywhere.
// Input: flags, then fields separated by 0xFF: stop strings, the last field is the text; the flags' high bits choose the cuts.
#include <cstdlib>
#include <string>
#include <vector>

#include "tokenizer/stops.cc"

namespace {

using namespace weir::tok;

// What must come out of the whole text, and whether it stops.
std::pair<std::string, bool> plain(const std::vector<std::string>& stops, const std::string& text, bool include) {
    for (size_t end = 1; end <= text.size(); ++end) {
        size_t best = 0;
        for (const std::string& stop : stops)
            if (stop.size() <= end && text.compare(end - stop.size(), stop.size(), stop) == 0) best = std::max(best, stop.size());
        if (best) return {text.substr(0, include ? end : end - best), true};
    }
    return {text, false};
}

// The longest end of `text` that begins a stop string and is not the whole of it.
size_t must_hold(const std::vector<std::string>& stops, const std::string& text) {
    size_t best = 0;
    for (const std::string& stop : stops)
        for (size_t n = 1; n < stop.size() && n <= text.size(); ++n)
            if (text.compare(text.size() - n, n, stop, 0, n) == 0) best = std::max(best, n);
    return best;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2 || size > 600) return 0;
    const uint8_t flags = data[0];
    std::vector<std::string> fields{""};
    for (size_t i = 1; i < size; ++i) {
        if (data[i] == 0xFF) fields.emplace_back();
        else fields.back() += static_cast<char>(data[i]);
    }
    const std::string text = fields.back();
    fields.pop_back();
    StopRules rules{.strings = fields, .include_stop = (flags & 1) != 0};
    auto set = StopSet::make(rules);
    if (!set) return 0;
    const auto [want, stops] = plain(fields, text, rules.include_stop);
    StopState state(**set);
    std::string out;
    uint32_t random = flags;
    for (size_t at = 0; at < text.size() && state.stopped() == Stopped::no;) {
        random = random * 1664525u + 1013904223u;
        const size_t n = std::min<size_t>(1 + (random >> 24) % (1 + (flags >> 1) % 16), text.size() - at);
        state.feed_text(std::string_view(text).substr(at, n), out);
        at += n;
        if (state.stopped() == Stopped::no && state.held() != (rules.include_stop ? 0 : must_hold(fields, text.substr(0, at)))) std::abort();
    }
    state.flush(out);
    if (out != want || (state.stopped() == Stopped::text) != stops) std::abort();
    return 0;
}
