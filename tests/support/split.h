// Replays a transducer over one input cut into pieces at every byte, into single bytes, and at random places.
// The way the network cuts a stream must never change what comes out.
#pragma once
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace weir::split {

// One replay: feeds the pieces in order to a fresh transducer and returns what came out, as text.
using Run = std::function<std::string(std::span<const std::string_view>)>;

struct Plan {
    size_t every_byte_max = 2'000;   // two-piece cuts are tried at each position up to this input size, at random ones above it
    size_t random_runs = 40;         // runs with random cuts
    uint64_t seed = 1;
};

// Pieces in memory blocks of their own, so that a sanitizer sees a read across a piece's end.
class Pieces {
public:
    void add(std::string_view text) {
        blocks_.push_back(std::make_unique<char[]>(text.size() + (text.empty() ? 1 : 0)));
        if (!text.empty()) std::memcpy(blocks_.back().get(), text.data(), text.size());
        views_.emplace_back(blocks_.back().get(), text.size());
    }
    std::span<const std::string_view> views() const { return views_; }

private:
    std::vector<std::unique_ptr<char[]>> blocks_;
    std::vector<std::string_view> views_;
};

inline std::string replay(const Run& run, std::string_view input, std::span<const size_t> cuts) {
    Pieces pieces;
    size_t from = 0;
    for (size_t cut : cuts) pieces.add(input.substr(from, cut - from)), from = cut;
    pieces.add(input.substr(from));
    return run(pieces.views());
}

inline std::string describe(std::span<const size_t> cuts, const std::string& whole, const std::string& got) {
    std::string text = "cut at";
    for (size_t i = 0; i < cuts.size() && i < 20; ++i) text += " " + std::to_string(cuts[i]);
    return text + (cuts.size() > 20 ? " ..." : "") + ":\n" + got + "\ninstead of:\n" + whole;
}

// Empty when every way of cutting gives what the uncut input gives; else the first cut that does not, and both results.
inline std::string difference(std::string_view input, const Run& run, Plan plan = {}) {
    const std::string whole = replay(run, input, {});
    std::string found;
    auto differs = [&](std::span<const size_t> cuts) {
        const std::string got = replay(run, input, cuts);
        if (got != whole) found = describe(cuts, whole, got);
        return got != whole;
    };
    Random random(plan.seed);
    for (size_t i = 0; i <= std::min(input.size(), plan.every_byte_max); ++i) {
        const size_t at = input.size() <= plan.every_byte_max ? i : random.below(input.size() + 1);
        if (differs(std::span(&at, 1))) return found;
    }
    std::vector<size_t> cuts;
    if (input.size() <= 4 * plan.every_byte_max) {
        for (size_t i = 1; i < input.size(); ++i) cuts.push_back(i);
        if (differs(cuts)) return found;
    }
    for (size_t n = 0; n < plan.random_runs && !input.empty(); ++n) {
        cuts.clear();
        const size_t step = 1 + random.below(std::max<size_t>(input.size() / 3, 2));
        for (size_t at = random.below(step + 1); at < input.size(); at += random.below(step + 1)) cuts.push_back(at);   // empty pieces too
        if (differs(cuts)) return found;
    }
    return {};
}

// For fuzzers: cut where `random` says, empty pieces too; null: in one piece.
inline std::vector<std::string> at_random(std::string_view text, Random* random) {
    std::vector<std::string> pieces;
    while (!text.empty()) {
        const size_t n = random ? std::min<size_t>(text.size(), random->below(2 + text.size() / 4)) : text.size();
        pieces.emplace_back(text.substr(0, n));
        text.remove_prefix(n);
    }
    return pieces;
}

}  // namespace weir::split
