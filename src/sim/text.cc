#include "sim/text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/clock.h"

namespace weir::sim {
namespace {

// 256 words with their leading blank, none longer than 8 bytes with it. The last sixteen are not ASCII.
constexpr std::string_view word_list =
    " the of and to in is it that for was on are as with his they at be this have from or one had by word but not what all were"
    " we when your can said there use an each which she do how their if will up other about out many then them these so some her"
    " would make like him into time has look two more write go see number no way could people my than first water been call who"
    " oil its now find long down day did get come made may part over new sound take only little work know place year live me back"
    " give most very after thing our just name good man think say great where help through much before line right too mean old"
    " any same tell boy follow came want show also around form three small set put end does another well large must big even such"
    " because turn here why ask went men read need land home us move try kind hand picture again change off play spell air away"
    " animal house point page letter mother answer found study still learn should world high every near add food own below last"
    " school father keep tree never start city earth eye light head under story saw left few while along close seem next hard open"
    " example begin life always those both paper group often run";
constexpr std::string_view beyond_ascii[16] = {" café", " naïve", " über", " señor", " año", " été", " Ω", " π≈3",
                                               " 東京", " 日", " мир", " да", " 🌊", " ☃", " ñandú", " øre"};

struct WordTable {
    std::array<std::string_view, 256> at;
    std::array<uint32_t, 256> spaced, bare;   // token with and without the blank

    WordTable() {
        size_t n = 0;
        std::string_view rest = word_list;
        while (n < 240) {
            if (rest.empty()) rest = word_list;
            size_t end = rest.find(' ', 1);
            if (end == rest.npos) end = rest.size();
            if (end <= 8) at[n++] = rest.substr(0, end);
            rest.remove_prefix(end);
        }
        for (std::string_view w : beyond_ascii) at[n++] = w;
        for (size_t i = 0; i < at.size(); ++i) {
            spaced[i] = token_of(at[i]);
            bare[i] = token_of(at[i].substr(1));
        }
    }
};
const WordTable& table() {
    static const WordTable t;
    return t;
}

uint32_t token_of_bits(uint64_t bits, size_t bytes) {
    bits = (bits ^ bytes) * 0x9e3779b97f4a7c15ull;
    return static_cast<uint32_t>(bits >> 32) ^ static_cast<uint32_t>(bits >> 7);
}

uint64_t load(const char* p, size_t n) {
    uint64_t bits = 0;
    std::memcpy(&bits, p, n);
    return bits;
}

// Bytes of the token at `p`: up to a blank that is not its first byte, at most 8.
size_t token_bytes(uint64_t bits, size_t left) {
    constexpr uint64_t ones = 0x0101010101010101ull;
    const uint64_t x = bits ^ ones * ' ';
    const uint64_t blanks = (x - ones) & ~x & ones << 7 & ~uint64_t{0xff};   // the lowest set one is exact
    const size_t n = blanks ? static_cast<size_t>(std::countr_zero(blanks)) / 8 : 8;
    return std::min(n, left);
}

template <class F>
void each_token(std::string_view text, F use) {
    const char* p = text.data();
    size_t left = text.size();
    while (left > 0) {
        uint64_t bits = left >= 8 ? load(p, 8) : load(p, left);   // the first is one instruction
        const size_t n = token_bytes(bits, left);
        if (n < 8) bits &= (uint64_t{1} << n * 8) - 1;
        use(bits, n);
        p += n;
        left -= n;
    }
}

}  // namespace

uint32_t token_of(std::string_view piece) {
    return token_of_bits(load(piece.data(), std::min<size_t>(piece.size(), 8)), piece.size());
}

void append_tokens(std::string_view text, std::vector<uint32_t>& out) {
    out.reserve(out.size() + text.size() / 5 + 1);
    each_token(text, [&](uint64_t bits, size_t n) { out.push_back(token_of_bits(bits, n)); });
}

size_t count_tokens(std::string_view text) {
    size_t count = 0;
    each_token(text, [&](uint64_t, size_t) { ++count; });
    return count;
}

uint64_t draw(uint64_t seed, uint64_t n) { return mix64(seed + (n + 1) * 0x9e3779b97f4a7c15ull); }
uint64_t choice_seed(uint64_t seed, uint32_t choice) { return choice == 0 ? seed : mix64(seed ^ uint64_t{choice} << 40); }

std::string_view word(uint64_t seed, uint64_t n) {
    std::string_view w = table().at[draw(seed, n) & 255];
    return n == 0 ? w.substr(1) : w;
}
uint32_t word_token(uint64_t seed, uint64_t n) {
    const size_t i = draw(seed, n) & 255;
    return n == 0 ? table().bare[i] : table().spaced[i];
}
uint32_t vocab_token(uint64_t seed, uint64_t n, uint32_t vocab) {
    return 256 + static_cast<uint32_t>(draw(seed, n) % (vocab - 256));
}

std::string words(uint64_t seed, uint64_t count) {
    std::string out;
    for (uint64_t n = 0; n < count; ++n) out.append(word(seed, n));
    return out;
}

uint64_t text_seed(std::string_view text) {
    uint64_t h = text.size();
    each_token(text, [&](uint64_t bits, size_t) { h = (std::rotl(h, 23) ^ bits) * 0x9e3779b97f4a7c15ull; });
    return mix64(h);
}

void unit_vector(uint64_t seed, std::span<float> out) {
    double sum = 0;
    for (size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<float>(static_cast<double>(draw(seed, i) >> 11) * 0x1.0p-52 - 1.0);
        sum += static_cast<double>(out[i]) * out[i];
    }
    const float scale = sum > 0 ? static_cast<float>(1.0 / std::sqrt(sum)) : 0;
    for (float& x : out) x *= scale;
}

}  // namespace weir::sim
