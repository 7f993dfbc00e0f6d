#include "tokenizer/unicode_normalize.h"

#include <array>
#include <unordered_map>

#include "tokenizer/unicode_blocks.h"
#include "tokenizer/unicode_data.h"
#include "tokenizer/unicode_utf8.h"

namespace weir::tok::unicode {
namespace {

// Hangul syllables are computed (Unicode 3.12).
constexpr char32_t s_base = 0xAC00, l_base = 0x1100, v_base = 0x1161, t_base = 0x11A7;
constexpr char32_t l_count = 19, v_count = 21, t_count = 28, n_count = v_count * t_count, s_count = l_count * n_count;

struct Tables {
    Blocks<uint8_t> ccc;
    Blocks<uint8_t> unsure;                      // by form: 1 << form when a text with this character needs work
    Blocks<uint32_t> canonical, compatible;      // into `parts`: place << 5 | count; 0 none
    std::vector<char32_t> parts;
    std::unordered_map<uint64_t, char32_t> composed;

    Tables() : ccc(read_runs(data::combining)) {
        using enum Form;
        for_mapping(data::canonical, [&](char32_t c, const std::vector<char32_t>& to) {
            const uint32_t place = keep(to);
            canonical.fill(c, c, place), compatible.fill(c, c, place);
            mark(c, c, {nfc, nfd, nfkc, nfkd});
        });
        for_mapping(data::composed, [&](char32_t c, const std::vector<char32_t>& to) {
            composed[uint64_t(to[0]) << 32 | to[1]] = c;
            unsure.update(c, c, [](uint8_t forms) { return static_cast<uint8_t>(forms & ~(bits({nfc, nfkc}))); });
        });
        for (const auto& [pair, c] : composed) mark(static_cast<char32_t>(pair), static_cast<char32_t>(pair), {nfc, nfkc});
        for_mapping(data::compatible, [&](char32_t c, const std::vector<char32_t>& to) {
            compatible.fill(c, c, keep(to));
            mark(c, c, {nfkc, nfkd});
        });
        mark(v_base, v_base + v_count - 1, {nfc, nfkc});
        mark(t_base, t_base + t_count - 1, {nfc, nfkc});
        mark(s_base, s_base + s_count - 1, {nfd, nfkd});
    }

private:
    static uint8_t bits(std::initializer_list<Form> forms) {
        uint8_t out = 0;
        for (const Form form : forms) out |= static_cast<uint8_t>(1 << static_cast<int>(form));
        return out;
    }
    void mark(char32_t first, char32_t last, std::initializer_list<Form> forms) {
        unsure.update(first, last, [more = bits(forms)](uint8_t known) { return static_cast<uint8_t>(known | more); });
    }
    uint32_t keep(const std::vector<char32_t>& to) {
        const auto at = static_cast<uint32_t>(parts.size());
        parts.insert(parts.end(), to.begin(), to.end());
        return at << 5 | static_cast<uint32_t>(to.size());
    }
};

const Tables& tables() {
    static const Tables one;
    return one;
}

char32_t compose(const Tables& t, char32_t a, char32_t b) {
    if (a >= l_base && a < l_base + l_count && b >= v_base && b < v_base + v_count) {
        return s_base + (a - l_base) * n_count + (b - v_base) * t_count;
    }
    if (a >= s_base && a < s_base + s_count && b > t_base && b < t_base + t_count && (a - s_base) % t_count == 0) return a + (b - t_base);
    const auto at = t.composed.find(uint64_t(a) << 32 | b);
    return at == t.composed.end() ? 0 : at->second;
}

// Decomposes character by character; marks are put in order when the next starter comes. Gives (point, change) in order to `out`.
template <class Out>
class Decomposer {
public:
    Decomposer(const Tables& t, bool compat, Out& out) : t_(t), table_(compat ? t.compatible : t.canonical), out_(out) {}
    void feed(char32_t c) {
        if (c < 0x80) return push(c, 0);
        if (c >= s_base && c < s_base + s_count) {
            const char32_t i = c - s_base;
            push(l_base + i / n_count, 0);
            push(v_base + i % n_count / t_count, 1);
            if (i % t_count > 0) push(t_base + i % t_count, 1);
            return;
        }
        const uint32_t entry = table_[c];
        if (entry == 0) return push(c, 0);
        for (uint32_t i = 0; i < (entry & 31); i++) push(t_.parts[(entry >> 5) + i], i == 0 ? 0 : 1);
    }
    void flush() {
        std::stable_sort(marks_.begin(), marks_.end(), [this](const Transformed& a, const Transformed& b) { return t_.ccc[a.c] < t_.ccc[b.c]; });
        for (const Transformed& m : marks_) out_(m);
        marks_.clear();
    }

private:
    void push(char32_t c, int change) {
        if (c >= 0x80 && t_.ccc[c] != 0) {
            marks_.push_back({c, change});
            return;
        }
        if (!marks_.empty()) flush();
        out_(Transformed{c, change});
    }
    const Tables& t_;
    const Blocks<uint32_t>& table_;
    Out& out_;
    std::vector<Transformed> marks_;
};

// Joins what a Decomposer gives: marks that are not blocked join their starter, and so do adjacent starters.
template <class Out>
class Composer {
public:
    Composer(const Tables& t, Out& out) : t_(t), out_(out) {}
    void operator()(Transformed next) {
        const uint8_t ccc = next.c < 0x80 ? 0 : t_.ccc[next.c];
        if (!starter_) {
            if (ccc != 0) return out_(next);
            start(next);
            return;
        }
        const bool blocked = last_ >= 0 && last_ >= ccc;
        const char32_t joined = blocked ? 0 : compose(t_, base_.c, next.c);
        if (joined) {
            base_ = {joined, base_.change + next.change - 1};
        } else if (ccc == 0) {
            flush();
            start(next);
        } else {
            waiting_.push_back(next);
            last_ = ccc;
        }
    }
    void flush() {
        if (starter_) out_(base_);
        for (const Transformed& w : waiting_) out_(w);
        waiting_.clear();
        starter_ = false;
    }

private:
    void start(Transformed base) { base_ = base, starter_ = true, last_ = -1; }
    const Tables& t_;
    Out& out_;
    Transformed base_;
    bool starter_ = false;
    int last_ = -1;                  // class of the last mark that waits; -1 when none does
    std::vector<Transformed> waiting_;
};

template <class Out>
void run(Form form, std::string_view text, Out out) {
    const Tables& t = tables();
    const bool compat = form == Form::nfkc || form == Form::nfkd;
    const char *p = text.data(), *end = p + text.size();
    if (form == Form::nfd || form == Form::nfkd) {
        Decomposer<Out> decomposer(t, compat, out);
        while (p < end) decomposer.feed(next_point(p));
        decomposer.flush();
        return;
    }
    Composer<Out> composer(t, out);
    Decomposer<Composer<Out>> decomposer(t, compat, composer);
    while (p < end) decomposer.feed(next_point(p));
    decomposer.flush();
    composer.flush();
}

}  // namespace

bool quick_check(Form form, std::string_view text) {
    const Tables& t = tables();
    const auto mask = static_cast<uint8_t>(1 << static_cast<int>(form));
    const char *p = text.data(), *end = p + text.size();
    uint8_t last = 0;
    while (p < end) {
        if (static_cast<uint8_t>(*p) < 0x80) {
            uint64_t eight = 0;
            while (end - p >= 8 && (__builtin_memcpy(&eight, p, 8), (eight & 0x8080808080808080u) == 0)) p += 8;
            while (p < end && static_cast<uint8_t>(*p) < 0x80) p++;
            last = 0;
            continue;
        }
        const char32_t c = next_point(p);
        if (t.unsure[c] & mask) return false;
        const uint8_t ccc = t.ccc[c];
        if (ccc != 0 && ccc < last) return false;
        last = ccc;
    }
    return true;
}

void normalize(Form form, std::string_view text, std::string& out) {
    run(form, text, [&out](const Transformed& one) { append_point(out, one.c); });
}

void normalize(Form form, std::string_view text, std::vector<Transformed>& out) {
    run(form, text, [&out](const Transformed& one) { out.push_back(one); });
}

}  // namespace weir::tok::unicode
