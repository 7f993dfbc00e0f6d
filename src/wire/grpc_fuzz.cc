// gRPC frames whole and cut, Protocol Buffers fields read and written again, status texts.
#include <cstdlib>

#include "tests/support/split.h"
#include "wire/grpc.cc"
#include "wire/protobuf.cc"

namespace {

using namespace weir;

std::string read(const std::vector<std::string>& pieces) {
    GrpcReader reader(4'000);
    std::string said;
    for (const std::string& piece : pieces) {
        Str bytes = piece;
        for (Str m; reader.next(bytes, m);) said.append(m).append("|");
        if (!bytes.empty() && !reader.bad()) abort();
    }
    return said + (reader.bad() ? "bad" : reader.mid_message() ? "cut" : "");
}

// What was read, written, must read the same.
std::string copy(std::string_view message, std::string& said) {
    std::string out;
    ProtobufWriter w(out);
    ProtobufFields f(message);
    while (f.next()) {
        said += std::to_string(f.field()) + (f.is_bytes() ? "b" + std::string(f.bytes()) : "n" + std::to_string(f.number()));
        if (f.is_bytes()) w.bytes_always(f.field(), f.bytes());
        else w.number_always(f.field(), f.number());
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    Random random(size + 1);
    if (read({text}) != read(split::at_random(text, &random))) abort();
    std::string once, twice;
    const std::string again = copy(text, once);
    copy(again, twice);
    if (once != twice) abort();
    if (grpc_message_text(grpc_message_encoded(text)) != text) abort();
    grpc_message_text(text);
    grpc_code_of(text);
    return 0;
}
