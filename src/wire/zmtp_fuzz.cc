// What a publisher may say: the same messages whole and cut.
#include <cstdlib>
#include <vector>

#include "base/clock.h"
#include "wire/zmtp.cc"

namespace {

using namespace weir;

std::string read(const std::vector<std::string>& pieces) {
    ZmtpReader reader(4'000);
    std::string said;
    for (const std::string& piece : pieces) {
        Str bytes = piece;
        while (reader.next(bytes))
            for (auto& frame : reader.message()) said.append(frame).append("|");
        if (!bytes.empty() && !reader.bad()) abort();
    }
    return said + (reader.bad() ? "bad" : reader.mid_message() ? "cut" : "") + reader.socket_type();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string text(reinterpret_cast<const char*>(data), size);
    if (size > 0 && text[0] % 2) {     // most inputs would never get past the greeting
        std::string hello;
        append_zmtp_greeting(hello);
        append_zmtp_ready(hello, "PUB");
        text = hello + text.substr(1);
    }
    std::vector<std::string> pieces;
    Random random(size + 1);
    for (Str rest = text; !rest.empty();) {
        const size_t n = std::min<size_t>(rest.size(), random.below(2 + rest.size() / 4));
        pieces.emplace_back(rest.substr(0, n));
        rest.remove_prefix(n);
    }
    if (read({text}) != read(pieces)) abort();
    return 0;
}
