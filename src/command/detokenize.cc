// weir detokenize: ids to text.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <limits>
#include <optional>

#include "command/command.h"
#include "command/lines.h"
#include "tokenizer/load.h"
#include "wire/json_top.h"
#include "wire/json_walk.h"
#include "wire/json_write.h"

namespace weir {
namespace {

struct Request {
    std::vector<uint32_t> ids;
    std::optional<bool> skip_special_tokens;
    bool stream = false;
};

Result<bool> flag(Str value, const char* name) {
    if (json_kind(value) != JsonKind::boolean) return Failure(Code::bad_field, std::string(name) + ": is not true or false", name);
    return value == "true";
}

Result<void> read(std::string_view line, Request& out) {
    TRY_OK(check_json(line));
    const size_t from = line.find_first_not_of(" \t\r");
    line = line.substr(from, json_skip(line, from) - from);
    if (json_kind(line) != JsonKind::object) return Failure(Code::bad_field, "a line is not a JSON object");
    out.ids.clear();
    out.skip_special_tokens.reset();
    out.stream = false;
    bool has_ids = false;
    for (JsonMembers m(line); m.next();) {
        if (m.key == "ids") {
            if (json_kind(m.value) != JsonKind::array) return Failure(Code::bad_field, "ids: is not a list", "ids");
            for (JsonItems items(m.value); items.next();) {
                const auto id = json_kind(items.value) == JsonKind::number ? json_uint(items.value) : std::nullopt;
                if (!id || *id > std::numeric_limits<uint32_t>::max())
                    return Failure(Code::bad_field, "ids: '" + std::string(items.value.substr(0, 40)) + "' is not a token id", "ids");
                out.ids.push_back(static_cast<uint32_t>(*id));
            }
            has_ids = true;
        } else if (m.key == "skip_special_tokens") {
            TRY(out.skip_special_tokens, flag(m.value, "skip_special_tokens"));
        } else if (m.key == "stream") {
            TRY(out.stream, flag(m.value, "stream"));
        } else {
            return Failure(Code::unsupported_field, "'" + std::string(m.key) + "' is unknown; there are ids, skip_special_tokens and stream");
        }
    }
    if (!has_ids) return Failure(Code::missing_field, "ids: is missing", "ids");
    return {};
}

// {"chunks": [one for each id, null where it gave nothing yet], "rest": what the end of the stream sets free}
void put_chunks(std::string& out, const Tokenizer& tokenizer, const Request& request) {
    const auto stream = tokenizer.detokenizer(request.skip_special_tokens.value_or(false));
    std::string chunk;
    out += "{\"chunks\":[";
    for (size_t i = 0; i < request.ids.size(); i++) {
        chunk.clear();
        stream->feed(request.ids[i], chunk);
        if (i) out += ',';
        if (chunk.empty()) out += "null";
        else append_json_string(out, chunk);
    }
    out += ']';
    chunk.clear();
    stream->flush(chunk);
    if (!chunk.empty()) out += ",\"rest\":", append_json_string(out, chunk);
    out += '}';
}

int lines(const Tokenizer& tokenizer, bool keep_special) {
    Lines in(STDIN_FILENO);
    Output out(STDOUT_FILENO);
    Request request;
    while (const auto line = in.next()) {
        if (auto good = read(*line, request); !good) {
            append_error(out.text(), good.error());
        } else {
            if (keep_special && !request.skip_special_tokens) request.skip_special_tokens = false;
            if (request.stream) put_chunks(out.text(), tokenizer, request);
            else JsonWriter(out.text()).object().member("text", tokenizer.decode(request.ids, request.skip_special_tokens.value_or(true))).end_object();
        }
        out.line();
        if (in.waiting() && !out.flush()) return 1;
    }
    return out.flush() && !in.failed() ? 0 : 1;
}

// Numbers with anything but digits between them.
int reader(const Tokenizer& tokenizer, bool keep_special) {
    const std::string text = Lines(STDIN_FILENO).rest();
    std::vector<uint32_t> ids;
    for (size_t at = text.find_first_of("0123456789"); at != std::string::npos; at = text.find_first_of("0123456789", at)) {
        uint32_t id = 0;
        const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), id);
        at = static_cast<size_t>(end - text.data());
        if (error != std::errc()) {
            std::fprintf(stderr, "weir detokenize: a number is too large for a token id\n");
            return 1;
        }
        ids.push_back(id);
    }
    Output out(STDOUT_FILENO);
    out.text() = tokenizer.decode(ids, !keep_special);
    if (is_terminal(STDOUT_FILENO)) out.text() += '\n';
    return out.flush() ? 0 : 1;
}

}  // namespace

int detokenize(const config::ToolCall& call) {
    const auto tokenizer = load_tokenizer(call.value("--model"));
    if (!tokenizer) {
        std::fprintf(stderr, "weir detokenize: %s\n", tokenizer.error()->message.c_str());
        return 1;
    }
    const bool keep_special = call.has("--keep-special");
    return call.has("--jsonl") ? lines(**tokenizer, keep_special) : reader(**tokenizer, keep_special);
}

}  // namespace weir
