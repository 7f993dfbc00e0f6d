// The bodies a fake worker answers with, made once at start.
#pragma once
#include <string>
#include <string_view>

namespace weir::bench {

struct FakeAnswers {
    FakeAnswers(const std::string& model, int completion_bytes);

    // A stream is: stream_head, role, then per token before + 19 digits of CLOCK_MONOTONIC ns + after, then tail. Role and
    // tokens are a chunk each; tail is two and ends the body.
    std::string stream_head, role, token_before, token_after, tail;
    // A completion's content starts with "len=NNNNN ", its own length, so that a reader can tell a shortened one.
    std::string completion;

    // What a probing gateway asks besides; nullptr: unknown path.
    const std::string* probe(std::string_view path) const;

private:
    std::string empty_, models_, model_info_, server_info_, load_, metrics_, done_ = "ok";
};

std::string http_answer(int status, std::string_view type, std::string_view body);

}  // namespace weir::bench
