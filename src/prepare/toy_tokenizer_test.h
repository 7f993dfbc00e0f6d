// A tokenizer small enough to be checked by eye: a run of letters is one token, so is "<|x|>", and every other byte. Ids are hashes,
// so a run cut in two gives other ids. Safe cuts are before "<|x|>" only.
#pragma once
#include <string>

#include "base/clock.h"
#include "tokenizer/tokenizer.h"

namespace weir::testing {

class ToyTokenizer final : public Tokenizer {
public:
    static constexpr std::string_view mark = "<|x|>";
    explicit ToyTokenizer(uint64_t fingerprint = 1) : fingerprint_(fingerprint) {}
    std::unique_ptr<EncodeScratch> scratch() const override { return std::make_unique<EncodeScratch>(); }
    Result<void> encode(std::string_view text, const EncodeOptions& o, EncodeScratch&, std::vector<uint32_t>& ids, std::vector<TokenOffset>*) const override {
        if (text.find('\xff') != text.npos) return Failure(Code::bad_field, "invalid UTF-8");
        if (o.add_special_tokens) ids.push_back(1);
        for (size_t at = 0; at < text.size();) {
            size_t end = at + 1;
            if (!o.special_as_text && text.substr(at, mark.size()) == mark) end = at + mark.size();
            else if (letter(text[at])) while (end < text.size() && letter(text[end])) end++;
            uint64_t h = fingerprint_;
            for (char c : text.substr(at, end - at)) h = mix64(h ^ static_cast<unsigned char>(c));
            ids.push_back(static_cast<uint32_t>(h));
            at = end;
        }
        return Nothing{};
    }
    size_t safe_cut(std::string_view text, size_t limit) const override {
        size_t at = text.rfind(mark, limit);
        return at == text.npos ? 0 : at;
    }
    std::string decode(std::span<const uint32_t>, bool) const override { return {}; }
    std::unique_ptr<Detokenizer> detokenizer(bool) const override { return nullptr; }
    uint32_t vocab_size() const override { return 0; }
    std::string_view token(uint32_t) const override { return {}; }
    bool find(std::string_view, uint32_t&) const override { return false; }
    bool special(uint32_t) const override { return false; }
    size_t memory_bytes() const override { return 0; }
    uint64_t fingerprint() const override { return fingerprint_; }

private:
    static bool letter(char c) { return c >= 'a' && c <= 'z'; }
    uint64_t fingerprint_;
};

}  // namespace weir::testing
