#include "planes/nats_keys.h"

#include <openssl/evp.h>

#include <memory>

#include "base/base64.h"

namespace weir {
namespace {

constexpr Str base32_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr uint8_t seed_prefix = 18 << 3, user_prefix = 20 << 3;
constexpr size_t secret_bytes = 32, signature_bytes = 64;

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
Key private_key(const std::string& secret) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(secret.data());
    return {EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes, secret.size()), &EVP_PKEY_free};
}

bool base32_decode(Str text, std::string& out) {
    uint32_t bits = 0, n = 0;
    for (const char c : text) {
        const size_t digit = base32_digits.find(c);
        if (digit == Str::npos) return false;
        bits = bits << 5 | static_cast<uint32_t>(digit);
        if ((n += 5) >= 8) out.push_back(static_cast<char>(bits >> (n -= 8) & 0xff));
    }
    return true;
}

std::string base32_encode(Str bytes) {
    std::string out;
    uint32_t bits = 0, n = 0;
    for (const char c : bytes) {
        bits = bits << 8 | static_cast<uint8_t>(c);
        for (n += 8; n >= 5;) out.push_back(base32_digits[bits >> (n -= 5) & 31]);
    }
    if (n) out.push_back(base32_digits[bits << (5 - n) & 31]);
    return out;
}

uint16_t crc16(Str bytes) {            // XMODEM's
    uint16_t crc = 0;
    for (const char c : bytes) {
        crc = static_cast<uint16_t>(crc ^ static_cast<uint8_t>(c) << 8);
        for (int i = 0; i < 8; i++) crc = static_cast<uint16_t>(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

Str trimmed(Str text) {
    const size_t from = text.find_first_not_of(" \t\r\n");
    return from == Str::npos ? Str() : text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

// What stands between the line of dashes that names `what` and the next one.
Str section(Str text, Str what) {
    size_t at = text.find("BEGIN " + std::string(what));
    at = at == Str::npos ? at : text.find('\n', at);
    const size_t end = at == Str::npos ? at : text.find("---", at);
    return end == Str::npos ? Str() : trimmed(text.substr(at, end - at));
}

}  // namespace

Result<NatsKey> read_nats_seed(Str text) {
    auto refused = [] { return Failure(Code::bad_field, "not the seed of a NATS user's key (SU...)"); };
    std::string raw;
    if (!base32_decode(trimmed(text), raw) || raw.size() != 2 + secret_bytes + 2) return refused();
    const auto b0 = static_cast<uint8_t>(raw[0]), b1 = static_cast<uint8_t>(raw[1]);
    const auto kind = static_cast<uint8_t>((b0 & 7) << 5 | b1 >> 3);
    const auto crc = static_cast<uint16_t>(static_cast<uint8_t>(raw[raw.size() - 2]) | static_cast<uint8_t>(raw[raw.size() - 1]) << 8);
    if ((b0 & 0xf8) != seed_prefix || kind != user_prefix || crc != crc16(Str(raw).substr(0, raw.size() - 2))) return refused();
    NatsKey out{raw.substr(2, secret_bytes), {}};
    unsigned char shown[secret_bytes];
    size_t n = sizeof shown;
    const Key key = private_key(out.secret);
    if (!key || EVP_PKEY_get_raw_public_key(key.get(), shown, &n) != 1) return refused();
    std::string name(1, static_cast<char>(user_prefix));
    name.append(reinterpret_cast<const char*>(shown), n);
    const uint16_t sum = crc16(name);
    name.push_back(static_cast<char>(sum & 0xff));
    name.push_back(static_cast<char>(sum >> 8));
    out.name = base32_encode(name);
    return out;
}

std::string sign_nats_nonce(const NatsKey& key, Str nonce) {
    const Key secret = private_key(key.secret);
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    unsigned char signature[signature_bytes];
    size_t n = sizeof signature;
    if (!secret || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, secret.get()) != 1 ||
        EVP_DigestSign(context.get(), signature, &n, reinterpret_cast<const unsigned char*>(nonce.data()), nonce.size()) != 1)
        return {};
    std::string text = base64_encode({reinterpret_cast<const char*>(signature), n});
    for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
    text.erase(text.find_last_not_of('=') + 1);
    return text;
}

Result<NatsCredentials> read_nats_credentials(Str text) {
    NatsCredentials out{std::string(section(text, "NATS USER JWT")), std::string(section(text, "USER NKEY SEED"))};
    if (out.jwt.empty() || out.seed.empty()) return Failure(Code::bad_field, "a NATS credentials file holds a user's JWT and the seed of its key");
    return out;
}

}  // namespace weir
