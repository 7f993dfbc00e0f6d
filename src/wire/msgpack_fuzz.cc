// MessagePack: reading stays inside, what is skipped reads back, JSON made of it is valid and comes back the same.
#include <cstdlib>

#include "wire/json_top.h"
#include "wire/msgpack.cc"
#include "wire/msgpack_json.cc"

namespace {

using namespace weir;

void require(bool holds) {
    if (!holds) abort();
}

void walk(MsgpackReader& r, unsigned depth) {   // reads by kind what skip() only passes
    switch (r.kind()) {
        case MsgpackReader::Kind::map:
            for (uint32_t n = r.map(); n > 0 && r.ok(); n--) depth < 20 ? (walk(r, depth + 1), walk(r, depth + 1)) : (void)(r.skip(), r.skip());
            return;
        case MsgpackReader::Kind::array:
            for (uint32_t n = r.array(); n > 0 && r.ok(); n--) depth < 20 ? walk(r, depth + 1) : (void)r.skip();
            return;
        case MsgpackReader::Kind::text: case MsgpackReader::Kind::binary: r.blob(); return;
        case MsgpackReader::Kind::integer: r.negative() ? (void)r.signed_number() : (void)r.number(); return;
        case MsgpackReader::Kind::real: r.real(); return;
        case MsgpackReader::Kind::boolean: r.boolean(); return;
        default: r.skip();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const Str text(reinterpret_cast<const char*>(data), size);
    MsgpackReader skipping(text), walking(text);
    const Str first = skipping.skip();
    walk(walking, 0);
    require(skipping.ok() == walking.ok());
    require(!skipping.ok() || skipping.at() == walking.at());
    std::string json, packed, again;
    if (skipping.ok() && msgpack_to_json(first, json)) {
        require(static_cast<bool>(check_json(json)));
        require(json_to_msgpack(json, packed));
        require(msgpack_to_json(packed, again));
        require(json == again);
    }
    json.clear(), packed.clear();
    if (check_json(text) && json_to_msgpack(text, packed)) {
        MsgpackReader r(packed);
        r.skip();
        require(r.done());
        require(msgpack_to_json(packed, json));
        require(static_cast<bool>(check_json(json)));
    }
    return 0;
}
