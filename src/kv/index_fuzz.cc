// Event sequences as bytes, to the index and to its model. The first byte chooses a small budget (then only "never too much") or a large one.
#include <cstdlib>

#include "kv/naive_index_test.h"

#include "kv/alias_table.cc"
#include "kv/group_table.cc"
#include "kv/holder_sets.cc"
#include "kv/name_table.cc"
#include "kv/names.cc"
#include "kv/parking.cc"

namespace {

struct Choices {
    const uint8_t* at;
    const uint8_t* end;
    uint64_t below(uint64_t n) {
        if (n <= 1 || at == end) return 0;
        uint64_t v = *at++;
        if (n > 256 && at != end) v = v << 8 | *at++;
        return v % n;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace weir::kv;
    if (size < 2 || size > 4'000) return 0;
    const bool small = data[0] & 1;
    auto index = *KvIndex::make({.bytes_max = small ? index_bytes_min : uint64_t{16} << 20});
    Matcher matcher(*index);
    Choices bytes{data + 1, data + size};
    RankScript<Choices> script(*index, 0, 6, small ? 60'000 : 3, !small);
    while (bytes.at != bytes.end) {
        script.step(bytes);
        const auto query = script.query(bytes);
        if (!small && !compare(matcher, script.models(), 0, query).empty()) std::abort();
        for (const auto& o : matcher.match(query))
            if (o.total() > script.models()[o.rank].match(o.rank, query).total()) std::abort();
    }
    if (index->stats().bytes > index->stats().bytes_max) std::abort();
    return 0;
}
