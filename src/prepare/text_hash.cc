#include "prepare/text_hash.h"

#include <sys/random.h>

#if defined(WEIR_SANITIZED) || !defined(__OPTIMIZE__)
#define XXH_NO_INLINE_HINTS 1   // gcc refuses them at -Og
#endif
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

#include "base/assert.h"
#include "base/clock.h"

namespace weir::prepare {
namespace {

TextKey key_of(XXH128_hash_t h) { return {h.low64, h.high64}; }

}  // namespace

TextHash::TextHash() {
    ssize_t n = getrandom(secret_.data(), secret_.size(), 0);
    ASSERT(n == static_cast<ssize_t>(secret_.size()));
}

TextHash::TextHash(uint64_t seed) {
    Random random(seed);
    for (size_t at = 0; at < secret_.size(); at += 8) {
        uint64_t bits = random.next();
        std::memcpy(secret_.data() + at, &bits, 8);
    }
}

TextKey TextHash::whole(std::string_view text, uint64_t salt) const {
    TextKey parts[2] = {{salt, text.size()}, key_of(XXH3_128bits_withSecret(text.data(), text.size(), secret_.data(), secret_.size()))};
    return key_of(XXH3_128bits_withSecret(parts, sizeof parts, secret_.data(), secret_.size()));
}

void TextHash::beginnings(std::string_view text, uint64_t salt, std::vector<TextKey>& out) const {
    out.resize(text.size() / block_bytes);
    TextKey parts[2] = {{salt, block_bytes}, {}};
    for (size_t i = 0; i < out.size(); i++) {
        parts[1] = key_of(XXH3_128bits_withSecret(text.data() + i * block_bytes, block_bytes, secret_.data(), secret_.size()));
        out[i] = parts[0] = key_of(XXH3_128bits_withSecret(parts, sizeof parts, secret_.data(), secret_.size()));
    }
}

TextKey TextHash::beginning(std::string_view text, const std::vector<TextKey>& keys, size_t end) const {
    size_t blocks = end / block_bytes;
    std::string_view rest = text.substr(blocks * block_bytes, end - blocks * block_bytes);
    TextKey parts[3] = {keys[blocks - 1], {rest.size(), ~0ull}, key_of(XXH3_128bits_withSecret(rest.data(), rest.size(), secret_.data(), secret_.size()))};
    return key_of(XXH3_128bits_withSecret(parts, sizeof parts, secret_.data(), secret_.size()));
}

}  // namespace weir::prepare
