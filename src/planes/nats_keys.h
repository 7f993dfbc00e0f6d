// Keys of NATS users (Ed25519, in NATS' own spelling): what a server's nonce is answered with.
#pragma once
#include <string>

#include "base/result.h"
#include "types/doc.h"

namespace weir {

struct NatsKey {
    std::string secret;                // 32 bytes
    std::string name;                  // the public key, "U..."
};
Result<NatsKey> read_nats_seed(Str text);                  // "SU...": Failure bad_field
std::string sign_nats_nonce(const NatsKey& key, Str nonce);   // base64url without padding

// A credentials file: a JWT and the seed it belongs to, each between its lines of dashes. Failure: bad_field.
struct NatsCredentials { std::string jwt, seed; };
Result<NatsCredentials> read_nats_credentials(Str text);

}  // namespace weir
