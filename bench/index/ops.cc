#include "bench/index/ops.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <unordered_map>

namespace weir::bench {
namespace {

struct Head { uint8_t op, flags; uint16_t zero; uint32_t n; uint64_t worker; uint32_t dp_rank, aux; };
static_assert(sizeof(Head) == 24);

[[noreturn]] void fail(const std::string& path, const char* what) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), what);
    std::exit(1);
}

}  // namespace

Stream read_stream(const std::string& path, bool with_matches) {
    std::ifstream file(path, std::ios::binary);
    if (!file) fail(path, "cannot be read");
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.size() < 72 || bytes.compare(0, 8, "KVIDXOPS") != 0) fail(path, "no KVIDXOPS stream");
    const auto at = [&]<class T>(size_t offset, T) { T value; std::memcpy(&value, bytes.data() + offset, sizeof value); return value; };
    Stream s{at(64, uint32_t{}), at(68, uint32_t{}), at(48, uint64_t{}), {}, {}};
    std::unordered_map<uint64_t, uint32_t> worker_of;
    size_t here = 72;
    const auto take = [&](auto& into, size_t n, size_t each) {
        if (here + n * each > bytes.size()) fail(path, "ends early");
        into.resize(n);
        std::memcpy(static_cast<void*>(into.data()), bytes.data() + here, n * each);
        here += n * each;
    };
    while (here < bytes.size()) {
        if (here + sizeof(Head) > bytes.size()) fail(path, "ends early");
        const Head head = at(here, Head{});
        here += sizeof head;
        Op op{static_cast<Op::Kind>(head.op), (head.flags & 1) != 0, 0, 0, {}, {}, {}};
        if (op.kind != Op::match) {
            const auto [found, is_new] = worker_of.emplace(head.worker, static_cast<uint32_t>(s.workers.size()));
            if (is_new) s.workers.push_back(head.worker);
            op.rank = found->second * s.dp_size + head.dp_rank;
        }
        if (op.kind == Op::stored) {
            std::vector<uint64_t> parent;
            take(parent, 1, 8);
            op.parent = parent[0];
            take(op.blocks, head.n, sizeof(kv::Block));
        } else if (op.kind == Op::removed) {
            take(op.hashes, head.n, 8);
        } else if (op.kind == Op::match) {
            take(op.hashes, head.n, 8);
            static_assert(sizeof(Answer) == 16);
            take(op.answers, head.aux, sizeof(Answer));
            if (!with_matches) continue;
        } else if (op.kind != Op::cleared && op.kind != Op::remove_worker) {
            fail(path, "unknown operation");
        }
        s.ops.push_back(std::move(op));
    }
    return s;
}

}  // namespace weir::bench
