// What a NATS server may say, whole and cut.
#include <cstdlib>

#include "tests/support/split.h"
#include "wire/nats.cc"

namespace {

using namespace weir;

std::string read(const std::vector<std::string>& pieces) {
    NatsReader reader(4'000);
    std::string said;
    for (const std::string& piece : pieces) {
        Str bytes = piece;
        for (NatsReader::Kind kind; (kind = reader.next(bytes)) != NatsReader::none;) {
            said += std::to_string(kind);
            if (kind == NatsReader::info || kind == NatsReader::error) said.append(reader.text());
            if (kind != NatsReader::message) continue;
            const NatsMessage& m = reader.said();
            said.append(m.subject).append("|").append(m.reply).append("|").append(m.headers).append("|").append(m.payload);
            said += std::to_string(nats_status(m.headers)) + std::string(nats_header(m.headers, "Nats-Service-Error"));
        }
        if (!bytes.empty() && !reader.bad()) abort();
    }
    return said + (reader.bad() ? "bad" : reader.mid_message() ? "cut" : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    Random random(size + 1);
    if (read({text}) != read(split::at_random(text, &random))) abort();
    nats_subject(text);
    nats_header(text, "a");
    return 0;
}
