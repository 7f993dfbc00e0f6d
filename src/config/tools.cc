#include "config/tools.h"

#include <algorithm>

#include "config/value.h"

namespace weir::config {
namespace {

constexpr ToolFlag model{"--model", "PATH", "the model: a folder, a tokenizer file or a .gguf file", "model"};
constexpr ToolFlag jsonl{"--jsonl", "", "one JSON object a line in, one a line out, in order; a line that fails gives {\"error\": {\"kind\", \"message\"}}"};

constexpr ToolFlag tokenize[] = {model, jsonl,
                                 {"--no-special", "", "without the special tokens that the model puts around a text; a line's add_special_tokens wins"}};
constexpr ToolFlag detokenize[] = {model, jsonl, {"--keep-special", "", "with special tokens; a line's skip_special_tokens wins"}};
constexpr ToolFlag chat_template[] = {{"--model", "PATH", "the model: a folder with a chat template", "template"},
                                      {"--chat-template", "FILE", "a template by itself, or in place of the model's", "template"}, jsonl};

constexpr ToolFlag replay[] = {
    {"--trace", "FILE", "requests to replay, in Mooncake's format", "load"},
    {"--synthetic", "KNOBS", "made-up requests instead: requests= prompt= out= shared= groups= skew= turns= burst=, with commas", "load"},
    {"--decisions", "FILE", "a log of decisions instead: what each of --policies would have chosen", "load"},
    {"--part", "FROM:TO", "only these of the requests, as fractions"},
    {"--workers", "N", "engines; 8"},
    {"--decode-workers", "N", "that many decode what the others prefill; 0: each does both"},
    {"--policies", "A,B", "who competes; PREFILL+DECODE names one for each part"},
    {"--load", "FRACTIONS", "of capacity, the highest rate that round_robin bears; with commas; 0.8"},
    {"--rate", "N", "requests a second instead"},
    {"--copies", "N", "of the requests, played at once by different users; one for each 8 workers"},
    {"--repeat", "N", "of the requests, one after the other"},
    {"--seed", "N", "of all chance; 1"},
    {"--json", "FILE", "figures to write"},
    {"--html", "FILE", "a page with charts to write"},
    {"--block-size", "N", "tokens of a KV block; 64"},
    {"--num-gpu-blocks", "N", "KV blocks of an engine; 16384"},
    {"--max-num-seqs", "N", "requests in one batch; 256"},
    {"--max-num-batched-tokens", "N", "tokens in one step; 8192"},
    {"--router-queue-threshold", "N", "requests wait while every worker has more prompt tokens under way than N times its batch; no queue"},
    {"--router-queue-policy", "ORDER", "of who waits: fcfs, wspt or lcfs; fcfs"},
    {"--transfer-ms", "MS", "from prefill to decode worker; 5"},
    {"--report-ms", "MS", "between load reports of an engine, 0: none; 1000"},
    {"--no-kv-events", "", "the index knows only what it was predicted"},
    {"--predicted-ttl-ms", "MS", "a choice is believed to fill the cache at once, for so long"},
    {"--index-max-bytes", "N", "memory of the index; 1 GiB"},
    {"--kill", "N[@S[:DOWN]]", "so many workers die, one a second from second S, and are back DOWN seconds later; 30, 60"},
    {"--event-lag-ms", "MS", "from an engine's KV event to the index; 10"},
    {"--event-loss", "SHARE", "of KV events that never arrive"},
    {"--stale-load-ms", "MS", "loads are as old as that when a policy reads them"},
    {"--no-cpu", "", "no CPU times in the reports: two runs give the same bytes"},
    {"--quiet", "", "no lines of progress"}};

// One row a command.
constexpr Tool table[] = {
    {"tokenize", "Text on standard input to token ids.", tokenize},
    {"detokenize", "Token ids on standard input to text.", detokenize},
    {"template", "A conversation on standard input to the text that the model reads.", chat_template},
    {"replay", "Routing policies side by side on simulated engines, under the load of a trace.", replay},
};

}  // namespace

std::span<const Tool> tools() { return table; }

const Tool* tool_named(Str name) {
    for (const Tool& tool : table)
        if (tool.name == name) return &tool;
    return nullptr;
}

std::string tool_names() {
    std::string out;
    for (const Tool& tool : table) out += (out.empty() ? "" : " ") + std::string(tool.name);
    return out;
}

bool ToolCall::has(Str flag) const {
    return std::any_of(given.begin(), given.end(), [&](const auto& pair) { return pair.first == flag; });
}

std::string ToolCall::value(Str flag) const {
    for (size_t i = given.size(); i-- > 0;)
        if (given[i].first == flag) return given[i].second;
    return {};
}

Result<ToolCall> parse_tool(const Tool& tool, std::span<const std::string> args) {
    ToolCall call{&tool, {}};
    for (size_t i = 0; i < args.size(); i++) {
        const size_t equals = args[i].starts_with("--") ? args[i].find('=') : std::string::npos;
        const Str name = Str(args[i]).substr(0, equals);
        const auto flag = std::find_if(tool.flags.begin(), tool.flags.end(), [&](const ToolFlag& f) { return f.flag == name; });
        if (flag == tool.flags.end()) return Failure(Code::bad_field, "'" + printable(name) + "' is not a flag of weir " + std::string(tool.name));
        std::string value;
        if (flag->metavar.empty()) {
            if (equals != std::string::npos) return Failure(Code::bad_field, std::string(name) + ": takes no value");
        } else if (equals != std::string::npos) {
            value = args[i].substr(equals + 1);
        } else {
            if (++i == args.size()) return Failure(Code::bad_field, std::string(name) + ": needs a value, " + std::string(flag->metavar));
            value = args[i];
        }
        call.given.emplace_back(flag->flag, std::move(value));
    }
    for (const ToolFlag& flag : tool.flags) {
        if (flag.needs.empty()) continue;
        std::string wanted;
        bool met = false;
        for (const ToolFlag& other : tool.flags)
            if (other.needs == flag.needs) wanted += (wanted.empty() ? "" : " or ") + std::string(other.flag), met |= call.has(other.flag);
        if (!met) return Failure(Code::bad_field, wanted + " is needed");
    }
    return call;
}

std::string tool_help(const Tool& tool) {
    std::string out = "usage: weir " + std::string(tool.name) + " [flags]\n\n" + std::string(tool.about) + "\n\n";
    for (const ToolFlag& flag : tool.flags) {
        const std::string title = std::string(flag.flag) + (flag.metavar.empty() ? "" : " " + std::string(flag.metavar));
        out += "  " + title + std::string(title.size() < 22 ? 22 - title.size() : 1, ' ') + std::string(flag.help) + "\n";
    }
    return out + "  -h, --help            this text\n";
}

}  // namespace weir::config
