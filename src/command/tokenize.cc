// weir tokenize: text to ids.
#include <unistd.h>

#include <cstdio>

#include "command/command.h"
#include "command/lines.h"
#include "tokenizer/load.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"

namespace weir {
namespace {

struct Request {
    std::string_view text;             // into the line, or into `unescaped`
    bool add_special_tokens = true;
};

Result<Request> read(std::string_view line, bool special, std::string& unescaped) {
    TRY_OK(check_json(line));
    const size_t from = line.find_first_not_of(" \t\r");
    line = line.substr(from, json_skip(line, from) - from);
    if (json_kind(line) != JsonKind::object) return Failure(Code::bad_field, "a line is not a JSON object");
    Request out{{}, special};
    bool has_text = false;
    for (JsonMembers m(line); m.next();) {
        if (m.key == "text") {
            if (json_kind(m.value) != JsonKind::string) return Failure(Code::bad_field, "text: is not a string", "text");
            out.text = json_unescaped(json_inside(m.value), unescaped);
            if (!out.text.data()) return Failure(Code::bad_json, "text: holds half a surrogate pair", "text");
            has_text = true;
        } else if (m.key == "add_special_tokens") {
            if (json_kind(m.value) != JsonKind::boolean) return Failure(Code::bad_field, "add_special_tokens: is not true or false", "add_special_tokens");
            out.add_special_tokens = m.value == "true";
        } else {
            return Failure(Code::unsupported_field, "'" + std::string(m.key) + "' is unknown; there are text and add_special_tokens");
        }
    }
    if (!has_text) return Failure(Code::missing_field, "text: is missing", "text");
    return out;
}

class Encoder {
public:
    explicit Encoder(TokenizerRef tokenizer) : tokenizer_(std::move(tokenizer)), scratch_(tokenizer_->scratch()) {}
    // The ids the way the gateway gets them, and once more for the offsets: the two ways must agree.
    Result<void> run(std::string_view text, bool special) {
        ids.clear(), offsets.clear(), again_.clear();
        TRY_OK(tokenizer_->encode(text, {special, false}, *scratch_, ids));
        TRY_OK(tokenizer_->encode(text, {special, false}, *scratch_, again_, &offsets));
        if (ids != again_) return Failure(Code::internal, "the ids with offsets and those without differ: a bug in weir");
        return {};
    }
    const Tokenizer& tokenizer() const { return *tokenizer_; }
    std::vector<uint32_t> ids;
    std::vector<TokenOffset> offsets;

private:
    TokenizerRef tokenizer_;
    std::unique_ptr<EncodeScratch> scratch_;
    std::vector<uint32_t> again_;
};

void put_number(std::string& out, uint32_t value) {
    char digits[10];
    size_t at = sizeof digits;
    do digits[--at] = static_cast<char>('0' + value % 10);
    while (value /= 10);
    out.append(digits + at, sizeof digits - at);
}

void put_tokens(std::string& out, const Encoder& encoder) {
    out += "{\"ids\":[";
    for (size_t i = 0; i < encoder.ids.size(); i++) {
        if (i) out += ',';
        put_number(out, encoder.ids[i]);
    }
    out += "],\"offsets\":[";
    for (size_t i = 0; i < encoder.offsets.size(); i++) {
        out += i ? ",[" : "[";
        put_number(out, encoder.offsets[i].begin);
        out += ',';
        put_number(out, encoder.offsets[i].end);
        out += ']';
    }
    out += "]}";
}

int lines(Encoder& encoder, bool special) {
    Lines in(STDIN_FILENO);
    Output out(STDOUT_FILENO);
    std::string unescaped;
    while (const auto line = in.next()) {
        const Result<Request> request = read(*line, special, unescaped);
        Result<void> encoded = request ? encoder.run(request->text, request->add_special_tokens) : Result<void>();
        if (!request) append_error(out.text(), request.error());
        else if (!encoded) append_error(out.text(), encoded.error());
        else put_tokens(out.text(), encoder);
        out.line();
        if (in.waiting() && !out.flush()) return 1;           // whoever asks line by line gets its answer
    }
    return out.flush() && !in.failed() ? 0 : 1;
}

// One token a line: id, place, text as JSON; on a terminal the text itself with a colour a token, then the ids.
int reader(Encoder& encoder, bool special) {
    const std::string text = Lines(STDIN_FILENO).rest();
    if (auto encoded = encoder.run(text, special); !encoded) {
        std::fprintf(stderr, "weir tokenize: %s\n", encoded.error()->message.c_str());
        return 1;
    }
    Output out(STDOUT_FILENO);
    const bool colours = is_terminal(STDOUT_FILENO);
    if (colours) {
        constexpr int palette[] = {44, 42, 45, 46, 43, 41};
        for (size_t i = 0; i < encoder.ids.size(); i++) {
            const std::string piece = encoder.tokenizer().decode({&encoder.ids[i], 1}, false);
            out.text() += "\x1b[30;" + std::to_string(palette[i % 6]) + "m";
            for (const char c : piece) {
                if (c == '\n') out.text() += "\\n\x1b[0m\n\x1b[30;" + std::to_string(palette[i % 6]) + "m";
                else if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F) out.text() += '?';
                else out.text() += c;
            }
            out.text() += "\x1b[0m";
        }
        out.text() += "\n";
        for (const uint32_t id : encoder.ids) out.text() += std::to_string(id) + " ";
        out.text() += "\n" + std::to_string(encoder.ids.size()) + " tokens, " + std::to_string(text.size()) + " bytes\n";
        return out.flush() ? 0 : 1;
    }
    for (size_t i = 0; i < encoder.ids.size(); i++) {
        out.text() += std::to_string(encoder.ids[i]) + "\t" + std::to_string(encoder.offsets[i].begin) + "-" + std::to_string(encoder.offsets[i].end) + "\t";
        append_json_string(out.text(), encoder.tokenizer().token(encoder.ids[i]));
        out.line();
    }
    return out.flush() ? 0 : 1;
}

}  // namespace

int tokenize(const config::ToolCall& call) {
    auto tokenizer = load_tokenizer(call.value("--model"));
    if (!tokenizer) {
        std::fprintf(stderr, "weir tokenize: %s\n", tokenizer.error()->message.c_str());
        return 1;
    }
    Encoder encoder(*std::move(tokenizer));
    const bool special = !call.has("--no-special");
    return call.has("--jsonl") ? lines(encoder, special) : reader(encoder, special);
}

}  // namespace weir
