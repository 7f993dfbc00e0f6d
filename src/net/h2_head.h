// HTTP/2 header blocks as heads: fields are collected, written out as an HTTP/1.1 head and judged by the same strict parser.
// What two versions could read differently is refused in one place.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "wire/http1.h"

namespace weir {

// The fields of the header block being received; one per connection, its memory is used again.
class H2Fields {
public:
    void clear();
    // False: the block is beyond any measure, the connection should end. Beyond limits::header_bytes_max or headers_max fields are
    // dropped and counted, and the head will be refused with 431.
    bool add(std::string_view name, std::string_view value);

    // Text and views of one head; lives as long as the views are used.
    struct Head {
        std::string text;
        std::vector<Header> headers;
    };
    // False: `bad` is filled (400, 414, 417, 431, 501). `end_stream`: no body follows.
    bool request(bool end_stream, Head& held, RequestHead& out, BadHead& bad);
    // `head_request`: no body whatever the fields say. Informational heads are reported like any other (status < 200).
    bool response(bool end_stream, bool head_request, Head& held, ResponseHead& out, BadHead& bad);
    const std::string& lines() const { return lines_; }   // the fields but pseudo ones, host and cookie: "name: value\r\n"

private:
    std::string method_, authority_, path_, status_, host_, cookie_, lines_;
    size_t count_ = 0, dropped_ = 0;
    bool expects_ = false;
};

// Calls each(name, value) for the end-to-end fields of "name: value\r\n" lines. Names come in lower case from `lower`, a copy that
// must outlive the use; connection-specific fields (RFC 9113 8.2.2) are left out.
template <class Each>
void each_h2_field(std::string& lower, std::string_view lines, Each each);
bool is_connection_specific(std::string_view lower_name);

template <class Each>
void each_h2_field(std::string& lower, std::string_view lines, Each each) {
    lower.assign(lines);
    for (size_t at = 0; at < lower.size();) {
        size_t end = std::min(lower.find('\r', at), lower.size());
        size_t colon = lower.find(':', at);
        if (colon != std::string::npos && colon < end) {
            for (size_t i = at; i < colon; i++)
                if (lower[i] >= 'A' && lower[i] <= 'Z') lower[i] = static_cast<char>(lower[i] | 0x20);
            size_t from = colon + 1, to = end;
            while (from < to && (lower[from] == ' ' || lower[from] == '\t')) from++;
            while (to > from && (lower[to - 1] == ' ' || lower[to - 1] == '\t')) to--;
            std::string_view name(lower.data() + at, colon - at);
            if (!is_connection_specific(name)) each(name, std::string_view(lower.data() + from, to - from));
        }
        at = end + 2;
    }
}

}  // namespace weir
