#include "gateway/dp_rank.h"

#include "wire/json_walk.h"

namespace weir {
namespace {
constexpr Str name = "data_parallel_rank", blanks = " \t\r\n";
}

std::string with_dp_rank(Str body, uint32_t rank) {
    const size_t begin = body.find_first_not_of(blanks), last = body.find_last_not_of(blanks);
    if (begin == body.npos || body[begin] != '{' || body[last] != '}') return std::string(body);
    const Str object = body.substr(begin, last + 1 - begin);
    std::string out;
    out.reserve(object.size() + name.size() + 16);
    bool given = false;
    for (JsonMembers m(object); m.next();) given = given || m.key == name;
    if (!given) {
        out.append(object.substr(0, object.size() - 1));
        if (!json_empty(object)) out.push_back(',');
    } else {
        out.push_back('{');
        for (JsonMembers m(object); m.next();)
            if (m.key != name) out.append("\"").append(m.key).append("\":").append(m.value).append(",");
    }
    return out.append("\"").append(name).append("\":").append(std::to_string(rank)).append("}");
}

}  // namespace weir
