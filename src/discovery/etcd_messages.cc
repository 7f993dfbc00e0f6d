#include "discovery/etcd_messages.h"

#include "wire/protobuf.h"

namespace weir::etcd {
namespace {

enum Compare : uint32_t { equal = 0, target_create = 1, target_mod = 2 };

Failure malformed() { return Failure(Code::engine_garbage, "etcd's answer could not be understood"); }
uint64_t bits(int64_t v) { return static_cast<uint64_t>(v); }

// Calls each(fields) for every field. False: malformed.
template <class Each>
bool fields_of(Str message, Each each) {
    ProtobufFields f(message);
    while (f.next())
        if (!each(f)) return false;
    return !f.failed();
}

bool read_key_value(Str message, KeyValue& kv) {
    return fields_of(message, [&](const ProtobufFields& f) {
        if (f.field() == 1 && f.is_bytes()) kv.key = f.bytes();
        if (f.field() == 3 && f.is_number()) kv.mod_revision = f.signed_number();
        if (f.field() == 5 && f.is_bytes()) kv.value = f.bytes();
        if (f.field() == 6 && f.is_number()) kv.lease = f.signed_number();
        return true;
    });
}

bool read_header(Str message, int64_t& revision) {
    return fields_of(message, [&](const ProtobufFields& f) {
        if (f.field() == 3 && f.is_number()) revision = f.signed_number();
        return true;
    });
}

bool read_range_into(Str message, RangeAnswer& out) {
    return fields_of(message, [&](const ProtobufFields& f) {
        if (f.field() == 1 && f.is_bytes()) return read_header(f.bytes(), out.revision);
        if (f.field() == 2 && f.is_bytes()) return read_key_value(f.bytes(), out.kvs.emplace_back());
        if (f.field() == 3 && f.is_number()) out.more = f.number() != 0;
        return true;
    });
}

}  // namespace

std::string end_of_prefix(Str prefix) {
    std::string end(prefix);
    while (!end.empty() && end.back() == '\xff') end.pop_back();
    if (end.empty()) return std::string(1, '\0');   // all keys from `from` on
    end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
    return end;
}

std::string range_request(Str from, Str end, int64_t limit, int64_t revision) {
    std::string out;
    ProtobufWriter(out).bytes(1, from).bytes(2, end).number(3, bits(limit)).number(4, bits(revision));
    return out;
}

Result<RangeAnswer> read_range(Str message) {
    RangeAnswer out;
    if (!read_range_into(message, out)) return malformed();
    return out;
}

std::string put_if_request(Str key, Str value, int64_t lease, int64_t expected_revision) {
    std::string compare, put, put_op, range, range_op, out;
    ProtobufWriter c(compare);
    c.number(1, Compare::equal).number(2, expected_revision ? Compare::target_mod : Compare::target_create).bytes(3, key);
    c.number_always(expected_revision ? 6 : 5, bits(expected_revision));
    ProtobufWriter(put).bytes(1, key).bytes(2, value).number(3, bits(lease));
    ProtobufWriter(put_op).bytes_always(2, put);
    ProtobufWriter(range).bytes(1, key);
    ProtobufWriter(range_op).bytes_always(1, range);
    ProtobufWriter(out).bytes(1, compare).bytes(2, put_op).bytes(3, range_op);
    return out;
}

Result<PutIfAnswer> read_put_if(Str message) {
    PutIfAnswer out;
    const bool good = fields_of(message, [&](const ProtobufFields& f) {
        if (f.field() == 2 && f.is_number()) out.done = f.number() != 0;
        if (f.field() != 3 || !f.is_bytes()) return true;
        return fields_of(f.bytes(), [&](const ProtobufFields& op) {
            if (op.field() != 1 || !op.is_bytes()) return true;
            RangeAnswer there;
            if (!read_range_into(op.bytes(), there)) return false;
            if (!there.kvs.empty()) out.mod_revision = there.kvs[0].mod_revision, out.lease = there.kvs[0].lease;
            return true;
        });
    });
    if (!good) return malformed();
    return out;
}

std::string watch_request(Str from, Str end, int64_t from_revision) {
    std::string create, out;
    ProtobufWriter(create).bytes(1, from).bytes(2, end).number(3, bits(from_revision));
    ProtobufWriter(out).bytes_always(1, create);
    return out;
}

std::string progress_request() {
    std::string out;
    ProtobufWriter(out).bytes_always(3, {});
    return out;
}

Result<WatchAnswer> read_watch(Str message) {
    WatchAnswer out;
    const bool good = fields_of(message, [&](const ProtobufFields& f) {
        if (f.field() == 3 && f.is_number()) out.created = f.number() != 0;
        if (f.field() == 4 && f.is_number()) out.canceled = f.number() != 0;
        if (f.field() == 5 && f.is_number()) out.compact_revision = f.signed_number();
        if (f.field() == 6 && f.is_bytes()) out.why = f.bytes();
        if (f.field() != 11 || !f.is_bytes()) return true;
        WatchEvent& event = out.events.emplace_back();
        return fields_of(f.bytes(), [&](const ProtobufFields& e) {
            if (e.field() == 1 && e.is_number()) event.gone = e.number() == 1;
            return e.field() != 2 || !e.is_bytes() || read_key_value(e.bytes(), event.kv);
        });
    });
    if (!good) return malformed();
    return out;
}

std::string grant_request(int64_t ttl_s) {
    std::string out;
    ProtobufWriter(out).number(1, bits(ttl_s));
    return out;
}

Result<LeaseAnswer> read_lease(Str message) {
    LeaseAnswer out;
    const bool good = fields_of(message, [&](const ProtobufFields& f) {
        if (f.field() == 2 && f.is_number()) out.id = f.signed_number();
        if (f.field() == 3 && f.is_number()) out.ttl_s = f.signed_number();
        return true;
    });
    if (!good) return malformed();
    return out;
}

std::string lease_request(int64_t id) {
    std::string out;
    ProtobufWriter(out).number(1, bits(id));
    return out;
}

std::string authenticate_request(Str user, Str password) {
    std::string out;
    ProtobufWriter(out).bytes(1, user).bytes(2, password);
    return out;
}

Result<std::string> read_token(Str message) {
    std::string token;
    const bool good = fields_of(message, [&](const ProtobufFields& f) {
        if (f.field() == 2 && f.is_bytes()) token = f.bytes();
        return true;
    });
    if (!good || token.empty() || token.find_first_of("\r\n") != std::string::npos) return malformed();
    return token;
}

}  // namespace weir::etcd
