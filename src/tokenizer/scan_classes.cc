#include "tokenizer/scan_classes.h"

#include <array>
#include <cstring>

#include "tokenizer/unicode_utf8.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define WEIR_SCAN_VECTORS 1
#endif

namespace weir::tok {

int scan_level_max = 2;

ScanClasses::ScanClasses(const std::function<uint8_t(char32_t)>& flags_of, std::span<const char32_t> edges) {
    index_.reserve(0x110000 / 128);
    std::array<int, 256> even{};                 // by flags: where a block of them throughout is, plus one
    uint8_t flags = 0, block[128];
    size_t edge = 0;
    for (char32_t c = 0; c < 0x110000; c += 128) {
        const bool whole = c >= 128 && (edge == edges.size() || edges[edge] >= c + 128);
        if (whole && even[flags]) {
            index_.push_back(static_cast<uint16_t>(even[flags] - 1));
            continue;
        }
        for (char32_t i = 0; i < 128; i++) {
            if (edge < edges.size() && edges[edge] == c + i) flags = flags_of(c + i), edge++;
            else if (c < 128) flags = flags_of(i);
            used_ |= block[i] = flags;
        }
        index_.push_back(static_cast<uint16_t>(blocks_.size() / 128));
        if (whole) even[flags] = index_.back() + 1;
        blocks_.insert(blocks_.end(), block, block + 128);
    }
}

namespace {

struct Job {
    const uint8_t* text;
    size_t blocks;               // of 64 bytes; all readable
    const uint8_t* ascii;
    uint8_t* flags;
    uint64_t *high, *quotes, *spaces, *bits;
    size_t stride;
    uint8_t used;
};

void ascii_portable(const Job& job) {
    for (size_t b = 0; b < job.blocks; b++) {
        uint64_t high = 0, quotes = 0, spaces = 0;
        for (size_t i = 0; i < 64; i++) {
            const uint8_t c = job.text[b * 64 + i];
            high |= uint64_t(c >> 7) << i;
            quotes |= uint64_t(c == '\'') << i;
            spaces |= uint64_t(c == ' ') << i;
            job.flags[b * 64 + i] = c < 0x80 ? job.ascii[c] : 0;
        }
        job.high[b] = high, job.quotes[b] = quotes, job.spaces[b] = spaces;
    }
}

void bits_portable(const Job& job) {
    for (size_t b = 0; b < job.blocks; b++) {
        for (int k = 0; k < 8; k++) {
            if (!(job.used >> k & 1)) continue;
            uint64_t word = 0;
            for (size_t g = 0; g < 8; g++) {
                uint64_t eight = 0;
                std::memcpy(&eight, job.flags + b * 64 + g * 8, 8);
                word |= (((eight >> k) & 0x0101010101010101u) * 0x0102040810204080u >> 56) << (g * 8);
            }
            job.bits[static_cast<size_t>(k) * job.stride + b] = word;
        }
    }
}

#if WEIR_SCAN_VECTORS
__attribute__((target("avx2"))) void ascii_avx2(const Job& job) {
    __m256i rows[8];
    for (int r = 0; r < 8; r++) rows[r] = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(job.ascii + r * 16)));
    const __m256i low = _mm256_set1_epi8(0x0F);
    for (size_t half = 0; half < job.blocks * 2; half++) {
        const __m256i c = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(job.text + half * 32));
        const __m256i column = _mm256_and_si256(c, low), row = _mm256_and_si256(_mm256_srli_epi16(c, 4), low);
        __m256i flags = _mm256_setzero_si256();
        for (int r = 0; r < 8; r++) {
            const __m256i mine = _mm256_cmpeq_epi8(row, _mm256_set1_epi8(static_cast<char>(r)));
            flags = _mm256_or_si256(flags, _mm256_and_si256(mine, _mm256_shuffle_epi8(rows[r], column)));
        }
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(job.flags + half * 32), flags);
        const auto high = static_cast<uint32_t>(_mm256_movemask_epi8(c));
        const auto quotes = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(c, _mm256_set1_epi8('\''))));
        const auto spaces = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(c, _mm256_set1_epi8(' '))));
        uint64_t &h = job.high[half / 2], &q = job.quotes[half / 2], &s = job.spaces[half / 2];
        if (half % 2 == 0) h = high, q = quotes, s = spaces;
        else h |= uint64_t(high) << 32, q |= uint64_t(quotes) << 32, s |= uint64_t(spaces) << 32;
    }
}

__attribute__((target("avx2"))) void bits_avx2(const Job& job) {
    for (size_t b = 0; b < job.blocks; b++) {
        __m256i lower = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(job.flags + b * 64));
        __m256i upper = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(job.flags + b * 64 + 32));
        for (int k = 7; k >= 0; k--) {
            job.bits[static_cast<size_t>(k) * job.stride + b] =
                uint64_t(static_cast<uint32_t>(_mm256_movemask_epi8(upper))) << 32 | static_cast<uint32_t>(_mm256_movemask_epi8(lower));
            lower = _mm256_add_epi8(lower, lower), upper = _mm256_add_epi8(upper, upper);
        }
    }
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void ascii_avx512(const Job& job) {
    const __m512i first = _mm512_loadu_si512(job.ascii), second = _mm512_loadu_si512(job.ascii + 64);
    for (size_t b = 0; b < job.blocks; b++) {
        const __m512i c = _mm512_loadu_si512(job.text + b * 64);
        const __mmask64 high = _mm512_movepi8_mask(c);
        _mm512_storeu_si512(job.flags + b * 64, _mm512_maskz_permutex2var_epi8(~high, first, c, second));
        job.high[b] = high;
        job.quotes[b] = _mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8('\''));
        job.spaces[b] = _mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8(' '));
    }
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void bits_avx512(const Job& job) {
    for (int k = 0; k < 8; k++) {
        if (!(job.used >> k & 1)) continue;
        const __m512i one = _mm512_set1_epi8(static_cast<char>(1 << k));
        uint64_t* out = job.bits + static_cast<size_t>(k) * job.stride;
        for (size_t b = 0; b < job.blocks; b++) out[b] = _mm512_test_epi8_mask(_mm512_loadu_si512(job.flags + b * 64), one);
    }
}
#endif

int level() {
    static const int of_processor = [] {
#if WEIR_SCAN_VECTORS
        if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw")) return 2;
        if (__builtin_cpu_supports("avx2")) return 1;
#endif
        return 0;
    }();
    return of_processor < scan_level_max ? of_processor : scan_level_max;
}

void run_ascii(const Job& job) {
#if WEIR_SCAN_VECTORS
    if (level() == 2) return ascii_avx512(job);
    if (level() == 1) return ascii_avx2(job);
#endif
    ascii_portable(job);
}

void run_bits(const Job& job) {
#if WEIR_SCAN_VECTORS
    if (level() == 2) return bits_avx512(job);
    if (level() == 1) return bits_avx2(job);
#endif
    bits_portable(job);
}

}  // namespace

void ScanChunk::classify(std::string_view from, const ScanClasses& classes) {
    text = reinterpret_cast<const uint8_t*>(from.data());
    len = from.size();
    const size_t blocks = (len + 63) / 64;
    if (flags_.size() < blocks * 64 + pad) {
        flags_.resize(blocks * 64 + pad);
        high_.resize(blocks + 1), quotes_.resize(blocks + 1), spaces_.resize(blocks + 1);
        stride_ = blocks + 2;
        bits_.assign(stride_ * 8, 0);
    }
    Job job{text, len / 64, classes.ascii(), flags_.data(), high_.data(), quotes_.data(), spaces_.data(), bits_.data(), stride_, classes.used()};
    run_ascii(job);
    if (len % 64 != 0) {    // the rest, from a copy that can be read whole
        uint8_t rest[64] = {};
        std::memcpy(rest, text + len / 64 * 64, len % 64);
        Job last = job;
        last.text = rest, last.blocks = 1, last.flags += len / 64 * 64, last.high += len / 64, last.quotes += len / 64, last.spaces += len / 64;
        run_ascii(last);
        std::memset(flags_.data() + len, 0, 64 - len % 64);
    }
    std::memset(flags_.data() + blocks * 64, 0, pad);
    classify_others(classes);
    job.blocks = blocks;
    run_bits(job);
    for (size_t k = 0; k < 8; k++) bits_[k * stride_ + blocks] = bits_[k * stride_ + blocks + 1] = 0;
    high_[blocks] = quotes_[blocks] = spaces_[blocks] = 0;
}

void ScanChunk::classify_others(const ScanClasses& classes) {
    uint8_t* flags = flags_.data();
    const auto* bytes = reinterpret_cast<const char*>(text);
    size_t done = 0;
    for (size_t b = 0; b * 64 < len; b++) {
        uint64_t high = high_[b];
        while (high != 0) {
            size_t at = b * 64 + static_cast<size_t>(__builtin_ctzll(high));
            if (at < done) at = done;
            if (at >= b * 64 + 64) break;
            while (at < len && text[at] >= 0x80) {
                const char* p = bytes + at;
                const uint8_t mine = classes[unicode::next_point(p)];
                const auto end = static_cast<size_t>(p - bytes);
                for (; at < end; at++) flags[at] = mine;
            }
            done = at;
            high = done >= b * 64 + 64 ? 0 : high & (~uint64_t(0) << (done - b * 64));
        }
    }
}

}  // namespace weir::tok
