// One reply as it comes in: its framing, its events, and whether it is the one that was asked for.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/framing.h"

namespace weir::bench {

class Reply {
public:
    void start(bool stream, bool model_text = false);
    // Returns how many bytes belong to this reply; the rest is not looked at. Bytes of a head that is not whole yet are kept.
    size_t feed(std::string_view bytes);
    bool end_of_connection();           // true: that was the end of the body

    bool whole() const { return have_head_ && body_.done(); }
    bool begun() const { return have_head_ || !partial_.empty(); }
    bool closes() const { return head_.close; }
    std::vector<uint64_t>& fresh() { return fresh_; }      // when each token was written (0: not told), since the caller cleared it
    // What is wrong with a whole reply, "" when nothing is.
    std::string fault(int tokens_wanted) const;

private:
    void payload(std::string_view);
    void line(std::string_view);
    void model_line(std::string_view);
    std::string model_fault(int tokens_wanted) const;
    std::string completion_fault() const;

    Head head_;
    BodyEnd body_;
    bool stream_ = false, model_text_ = false, have_head_ = false, role_ = false, stop_ = false, done_ = false;
    int tokens_ = 0;
    uint64_t last_ns_ = 0;
    const char* broken_ = "";
    std::string partial_;               // of a head, then of a line, or a whole completion
    std::vector<uint64_t> fresh_;
};

}  // namespace weir::bench
