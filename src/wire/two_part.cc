#include "wire/two_part.h"

#include <algorithm>

#include "wire/big_endian.h"

namespace weir {

void append_two_part_prefix(std::string& out, size_t header_bytes, size_t body_bytes) {
    append_big_endian(out, header_bytes, 8);
    append_big_endian(out, body_bytes, 8);
    append_big_endian(out, 0, 8);
}

void append_two_part(std::string& out, Str header, Str body) {
    append_two_part_prefix(out, header.size(), body.size());
    out.append(header).append(body);
}

bool TwoPartReader::lengths(Str prefix, size_t& header, size_t& body) {
    header = read_big_endian(prefix.substr(0, 8));
    body = read_big_endian(prefix.substr(8, 8));
    bad_ = header > header_max_ || body > body_max_;
    return !bad_;
}

bool TwoPartReader::next(Str& bytes, TwoPart& out) {
    if (bad_) return false;
    if (given_) held_.clear(), given_ = false;
    size_t header = 0, body = 0;
    if (held_.empty() && bytes.size() >= two_part_prefix) {
        if (!lengths(bytes, header, body)) return false;
        if (const size_t whole = two_part_prefix + header + body; bytes.size() >= whole) {
            out = {bytes.substr(two_part_prefix, header), bytes.substr(two_part_prefix + header, body)};
            bytes.remove_prefix(whole);
            return true;
        }
    }
    auto hold = [&](size_t until) {
        const size_t n = std::min(until - std::min(until, held_.size()), bytes.size());
        held_.append(bytes.substr(0, n));
        bytes.remove_prefix(n);
        return held_.size() >= until;
    };
    if (!hold(two_part_prefix) || !lengths(held_, header, body)) return false;
    if (!hold(two_part_prefix + header + body)) return false;
    given_ = true;
    out = {Str(held_).substr(two_part_prefix, header), Str(held_).substr(two_part_prefix + header)};
    return true;
}

bool read_two_part(Str bytes, TwoPart& out) {
    TwoPartReader reader(bytes.size(), bytes.size());
    return reader.next(bytes, out) && bytes.empty();
}

}  // namespace weir
