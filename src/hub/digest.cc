#include "hub/digest.h"

#include <openssl/evp.h>

#include <algorithm>

namespace weir {

struct Digest::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

Digest::Kind Digest::kind_of(std::string_view etag) {
    bool hex = std::ranges::all_of(etag, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
    return !hex ? Kind::none : etag.size() == 64 ? Kind::sha256 : etag.size() == 40 ? Kind::git_sha1 : Kind::none;
}

Digest::Digest(Kind kind, uint64_t file_bytes) {
    if (kind == Kind::none) return;
    state_ = std::make_unique<State>();
    EVP_DigestInit_ex(state_->context, kind == Kind::sha256 ? EVP_sha256() : EVP_sha1(), nullptr);
    if (kind == Kind::git_sha1) {
        std::string head = "blob " + std::to_string(file_bytes);
        head.push_back('\0');
        add(head);
    }
}
Digest::~Digest() = default;

void Digest::add(std::string_view bytes) {
    if (state_) EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

std::string Digest::hex() {
    if (!state_) return {};
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    EVP_DigestFinal_ex(state_->context, raw, &n);
    std::string out;
    for (unsigned i = 0; i < n; i++)
        for (unsigned nibble : {raw[i] >> 4, raw[i] & 15}) out.push_back("0123456789abcdef"[nibble]);
    return out;
}

}  // namespace weir
