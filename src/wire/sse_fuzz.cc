// The event reader against a plain reading of the specification, whole and cut; and usage watching, whole and cut.
#include <cstdlib>
#include <vector>

#include "wire/sse.cc"
#include "wire/usage_tail.cc"
#include "tests/support/split.h"

namespace {

using namespace weir;

void require(bool holds) {
    if (!holds) abort();
}
std::string shown(std::string_view event, std::string_view id, std::string_view data) {
    return "[" + std::string(event) + "|" + std::string(id) + "|" + std::string(data) + "]\n";
}

// Line by line, as the standard puts it.
std::string plain(std::string_view text) {
    if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
    std::string out, event, id, data;
    bool any = false;
    while (!text.empty()) {
        const size_t end = text.find_first_of("\r\n");
        if (end == std::string_view::npos) break;   // an unfinished line
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + (text.substr(end, 2) == "\r\n" ? 2 : 1));
        if (line.empty()) {
            if (any) out += shown(event, id, data.substr(0, data.size() - 1));
            event.clear(), id.clear(), data.clear(), any = false;
            continue;
        }
        const size_t colon = std::min(line.find(':'), line.size());
        const std::string_view name = line.substr(0, colon);
        std::string_view value = line.substr(std::min(colon + 1, line.size()));
        if (value.substr(0, 1) == " ") value.remove_prefix(1);
        if (name == "data") data.append(value).append("\n"), any = true;
        if (name == "event") event = value;
        if (name == "id" && value.find('\0') == std::string_view::npos) id = value;
    }
    return out;
}

std::string read(const std::vector<std::string>& pieces) {
    SseReader reader;
    std::string out;
    for (const std::string& piece : pieces) {
        std::string_view bytes = piece;
        for (SseEvent e; reader.next(bytes, e);) out += shown(e.event, e.id, e.data);
        require(bytes.empty());
    }
    return out;
}

std::string watch(const std::vector<std::string>& pieces) {
    UsageTail tail;
    for (const std::string& piece : pieces) tail.feed(piece);
    const Usage& u = tail.usage();
    return std::to_string(tail.found()) + " " + std::to_string(u.prompt) + " " + std::to_string(u.completion) + " " + std::to_string(u.cached);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    Random random(size + 1);
    const std::string want = plain(text);
    require(read(split::at_random(text, nullptr)) == want);
    require(read(split::at_random(text, &random)) == want);
    require(watch(split::at_random(text, nullptr)) == watch(split::at_random(text, &random)));
    std::string written;
    append_sse(written, text.substr(0, 200));
    read({written});
    return 0;
}
