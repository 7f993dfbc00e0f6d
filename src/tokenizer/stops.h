// When a choice ends: stop strings in its text, also across token borders, and stop ids.
//
// Contract. Text goes in as it becomes certain, in any cuts (also inside a character), and what can go to the client comes out. Held back is
// exactly the longest end of the text that a stop string begins with, never more; with include_stop nothing is held back. The result does not
// depend on the cuts: the stop string that ends first wins, of several ending at the same byte the longest. Text behind it is dropped.
// A stop id ends the choice at its token: hidden ids (end-of-text ids, and the client's own) add no text unless include_stop; visible ids do.
// Within the first min_tokens tokens nothing stops: a stop string that would end there is plain text, a stop id is a token like others.
// ignore_eos makes eos_ids plain tokens, and leaves the client's stop ids as they are.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/tokenizer.h"

namespace weir::tok {

inline constexpr size_t stop_bytes_max = 4'096;        // of one stop string
inline constexpr size_t stop_bytes_all_max = 16'384;   // of all together
inline constexpr size_t stop_ids_max = 1'024;

struct StopRules {
    std::vector<std::string> strings;          // at most limits::stops_max, none empty
    std::vector<uint32_t> eos_ids;             // of the model: hidden
    std::vector<uint32_t> hidden_ids, visible_ids;
    uint32_t min_tokens = 0;
    bool ignore_eos = false, include_stop = false;
};

enum class Stopped : uint8_t { no, text, id };

// Compiled rules; immutable, shared by the choices of a request. An automaton over bytes whose states are the stop strings' prefixes.
class StopSet {
public:
    // bad_field names what is wrong: an empty string, too many, too long.
    static Result<std::unique_ptr<const StopSet>> make(const StopRules&);
    bool empty() const { return states_.size() <= 1 && hidden_.empty() && visible_.empty(); }
    size_t memory_bytes() const;

private:
    friend class StopState;
    friend Stopped feed_token(uint32_t, Detokenizer&, class StopState&, std::string&, std::string&);
    struct State {
        uint32_t fail = 0, child = 0, sibling = 0;   // child, sibling: 0 is none
        uint16_t depth = 0;
        uint16_t held = 0;        // how much text must wait in this state
        uint16_t match = 0;       // length of the longest stop string that ends here; 0: none
        uint16_t which = 0;       // its place in StopRules::strings
        char byte = 0;
    };
    uint32_t child(uint32_t state, char byte) const;
    uint32_t step(uint32_t state, char byte) const;
    void add(std::string_view text, uint16_t which);
    void link();

    std::vector<State> states_;
    std::array<uint32_t, 256> roots_{};          // the root's children
    // False: `text` cannot begin a stop string anywhere.
    bool may_begin(std::string_view text) const {
        for (const char byte : text)
            if (roots_[static_cast<uint8_t>(byte)]) return true;
        return false;
    }
    bool may_stop(uint32_t id) const { return id_filter_ >> (id & 63) & 1; }

    std::vector<uint32_t> hidden_, visible_;     // sorted
    uint64_t id_filter_ = 0;                     // a bit for each of their last six bits
    uint32_t min_tokens_ = 0;
    bool include_ = false;
};

// One choice. Not thread safe. `set` must outlive it.
class StopState {
public:
    explicit StopState(const StopSet& set) : set_(&set) {}

    // A token and the text that became certain with it; appends to `out` what may go out. Once stopped, further calls do nothing.
    // For an id that ends() the choice, `text` must be all there is (the detokenizer flushed), without the id's own where it hides_text().
    // On Stopped::id what was held back comes out.
    Stopped feed(uint32_t id, std::string_view text, std::string& out);
    // More text without a token (the detokenizer's flush).
    Stopped feed_text(std::string_view text, std::string& out);
    // The end of the choice for another reason: what was held back goes out, for it is no stop string after all.
    void flush(std::string& out);

    bool ends(uint32_t id) const;         // as the next token it would end the choice
    bool hides_text(uint32_t id) const;   // and its own text is not to be shown
    Stopped stopped() const { return stopped_; }
    uint32_t tokens() const { return tokens_; }
    size_t held() const { return held_.size(); }
    uint16_t which() const { return which_; }      // Stopped::text: index into StopRules::strings
    uint32_t stop_id() const { return stop_id_; }  // Stopped::id

private:
    friend Stopped feed_token(uint32_t, Detokenizer&, StopState&, std::string&, std::string&);
    const StopSet* set_;
    std::string held_;
    uint32_t state_ = 0, tokens_ = 0, stop_id_ = 0;
    uint16_t which_ = 0;
    Stopped stopped_ = Stopped::no;
};

// Both steps of a token: detokenized (`scratch` is overwritten), then checked.
Stopped feed_token(uint32_t id, Detokenizer&, StopState&, std::string& scratch, std::string& out);

}  // namespace weir::tok
