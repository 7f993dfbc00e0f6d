#include "mocker/broken.h"

#include <algorithm>

#include "wire/http1.h"

namespace weir::mocker {

using sim::Fault;

bool breaks_http(Fault::Wrong w) {
    return w == Fault::nothing || w == Fault::garbage_head || needs_body(w);
}

bool needs_body(Fault::Wrong w) { return w == Fault::short_length || w == Fault::long_length || w == Fault::half_chunk; }

void spoil_body(Fault::Wrong wrong, std::string& body) {
    if (body.empty()) return;
    if (wrong == Fault::bad_json) body.back() = ',';
    if (wrong == Fault::bad_utf8) body.insert(body.size() / 2, "\xff\xc3(");
    if (wrong == Fault::cut_sse) body.resize(body.size() / 2);
}

std::string broken_answer(Fault::Wrong wrong, int status, std::string_view lines, std::string_view body) {
    std::string out;
    if (wrong == Fault::nothing) return out;
    if (wrong == Fault::garbage_head) return "\x16\x03\x01 this is no HTTP\r\nat all\r\n\r\n";
    append_status_line(out, status);
    out.append(lines);
    if (wrong == Fault::half_chunk) {
        out.append("transfer-encoding: chunked\r\n\r\n");
        const size_t last = std::min<size_t>(body.size(), 100);
        append_chunk(out, body.substr(0, body.size() - last));
        append_chunk_head(out, std::max<size_t>(last, 2));
        out.append(body.substr(body.size() - last, last / 2));
        return out;
    }
    const size_t length = wrong == Fault::short_length ? body.size() / 2 : body.size() + 100;
    append_header(out, "content-length", std::to_string(length));
    out.append("\r\n").append(body);
    return out;
}

}  // namespace weir::mocker
