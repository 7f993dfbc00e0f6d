// Frames of the planes: the same messages whole and cut, and headers that were read write back to the same.
#include <cstdlib>
#include <vector>

#include "base/clock.h"
#include "wire/dynamo_frames.cc"
#include "wire/two_part.cc"
#include "tests/support/split.h"

namespace {

using namespace weir;

void require(bool holds) {
    if (!holds) abort();
}

std::string read(const std::vector<std::string>& pieces) {
    TwoPartReader parts(1'000, 4'000);
    RequestFrameReader requests(8'000);
    AckReader acks;
    std::string a, b, c;
    for (const std::string& piece : pieces) {
        Str bytes = piece;
        for (TwoPart m; parts.next(bytes, m);) a.append(m.header).append("|").append(m.body).append("\n");
        require(bytes.empty() || parts.bad());
        bytes = piece;
        for (RequestFrame f; requests.next(bytes, f);) b.append(f.path).append("|").append(f.headers).append("|").append(f.payload).append("\n");
        require(bytes.empty() || requests.bad());
        bytes = piece;
        for (Str t; acks.next(bytes, t);) c.append(t).append("\n");
        require(bytes.empty() || acks.bad());
    }
    return a + (parts.bad() ? "bad" : "") + "\n\n" + b + (requests.bad() ? "bad" : "") + "\n\n" + c + (acks.bad() ? "bad" : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const Str text(reinterpret_cast<const char*>(data), size);
    Random random(size + 1);
    require(read(split::at_random(text, nullptr)) == read(split::at_random(text, &random)));
    if (auto h = read_control_header(text)) {
        std::string once, twice;
        append_control_header(once, *h);
        auto again = read_control_header(once);
        require(static_cast<bool>(again));
        again->many_in = h->many_in;
        append_control_header(twice, *again);
        require(once == twice);
    }
    (void)read_handshake(text);
    (void)read_prologue(text);
    (void)stream_word(text);
    (void)ack_kind(text);
    if (auto a = read_plane_address(text)) require(a->port > 0 && !a->host.empty() && !a->path.empty());
    return 0;
}
