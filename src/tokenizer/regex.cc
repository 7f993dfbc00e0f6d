#include "tokenizer/regex.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tokenizer/regex_translate.h"
#include "tokenizer/unicode_utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace weir::tok {
namespace {

constexpr uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NO_UTF_CHECK | PCRE2_MATCH_UNSET_BACKREF;
constexpr uint32_t match_limit = 20'000'000, depth_limit = 100'000, heap_limit_kib = 64 * 1024;
constexpr size_t jit_stack_max = 4 * 1024 * 1024;

struct CodeFree {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};

// Match memory of a thread.
struct Memory {
    pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
    pcre2_match_context* context = pcre2_match_context_create(nullptr);
    pcre2_jit_stack* stack = pcre2_jit_stack_create(32 * 1024, jit_stack_max, nullptr);
    Memory() {
        pcre2_set_match_limit(context, match_limit);
        pcre2_set_depth_limit(context, depth_limit);
        pcre2_set_heap_limit(context, heap_limit_kib);
        pcre2_jit_stack_assign(context, nullptr, stack);
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory() {
        pcre2_jit_stack_free(stack);
        pcre2_match_context_free(context);
        pcre2_match_data_free(data);
    }
};

Memory& memory() {
    thread_local Memory one;
    return one;
}

std::string message_of(int error) {
    char text[200] = "";
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
    return text;
}

Result<pcre2_code*> compile_pcre(const std::string& pattern) {
    pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    int error = 0;
    PCRE2_SIZE at = 0;
    pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &error, &at, context);
    pcre2_compile_context_free(context);
    if (!code) return Failure(Code::bad_field, "regular expression: " + message_of(error));
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);    // without a JIT it is interpreted: slower, the same
    return code;
}

// The next match, or a negative error; PCRE2_ERROR_NOMATCH among them.
int search(const pcre2_code* code, std::string_view text, size_t from) {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data() ? text.data() : "");
    int rc = pcre2_match(code, subject, text.size(), from, PCRE2_NO_UTF_CHECK, memory().data, memory().context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
        rc = pcre2_match(code, subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, memory().data, memory().context);
    }
    return rc;
}

// What this PCRE2's tables take for unassigned and ours do not.
std::vector<unicode::Range> find_late() {
    std::vector<unicode::Range> out;
    auto code = compile_pcre("\\p{Cn}+");
    if (!code) return out;
    std::string assigned;
    const auto edges = unicode::property_edges();
    for (size_t i = 0; i + 1 < edges.size(); i++) {
        using enum unicode::Category;
        const unicode::Category kind = unicode::category(edges[i]);
        if (kind == Cn || kind == Cs || kind == Co) continue;
        for (char32_t c = std::max<char32_t>(edges[i], 0x80); c < edges[i + 1]; c++) {
            const bool old = (c >= 0xAC00 && c < 0xD7A4) || (c >= 0x4E00 && c < 0x9FA6);
            if (!old) unicode::append_point(assigned, c);
        }
    }
    for (size_t at = 0; search(*code, assigned, at) >= 0;) {
        const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(memory().data);
        for (const char *p = assigned.data() + ends[0], *end = assigned.data() + ends[1]; p < end;) {
            const char32_t c = unicode::next_point(p);
            if (!out.empty() && out.back().last + 1 == c) out.back().last = c;
            else out.push_back({c, c});
        }
        at = ends[1];
    }
    pcre2_code_free(*code);
    return out;
}

const std::vector<unicode::Range>& late() {
    static const std::vector<unicode::Range> ranges = find_late();
    return ranges;
}

}  // namespace

struct Regex::Code {
    std::unique_ptr<pcre2_code, CodeFree> code;
};

Regex::Regex(std::unique_ptr<Code> code) : code_(std::move(code)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::compile(std::string_view onig_pattern) {
    TRY(const std::string pattern, translate_regex(onig_pattern, late()));
    TRY(pcre2_code* code, compile_pcre(pattern));
    auto held = std::make_unique<Code>();
    held->code.reset(code);
    return Regex(std::move(held));
}

Result<std::optional<Regex::Match>> Regex::find(std::string_view text, size_t from) const {
    const int rc = search(code_->code.get(), text, from);
    if (rc == PCRE2_ERROR_NOMATCH) return std::optional<Match>();
    if (rc < 0) return Failure(weir::Code::bad_request, "a regular expression of the tokenizer gave up on this text: " + message_of(rc));
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(memory().data);
    return std::optional<Match>(Match{ends[0], std::max(ends[0], ends[1])});
}

}  // namespace weir::tok
