#include "hub/hub_answers.h"

#include <algorithm>
#include <charconv>

#include "wire/json_top.h"
#include "wire/json_walk.h"

namespace weir::hub {
namespace {

constexpr size_t repo_id_max = 96, etag_max = 128, url_max = 16 * 1024;

bool is_word(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.'; }

bool is_repo_part(std::string_view part) {
    if (part.empty() || !std::ranges::all_of(part, is_word)) return false;
    auto bad_end = [](char c) { return c == '-' || c == '.'; };
    return !bad_end(part.front()) && !bad_end(part.back()) && part.find("--") == part.npos && part.find("..") == part.npos;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return out;
}

// W/"abc" and "abc" name the same blob.
std::string_view bare_etag(std::string_view etag) {
    if (etag.starts_with("W/")) etag.remove_prefix(2);
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
    return etag;
}

std::optional<uint64_t> number(std::string_view text) {
    uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

bool is_repo_id(std::string_view id) {
    if (id.size() > repo_id_max) return false;
    size_t slash = id.find('/');
    if (slash == id.npos) return is_repo_part(id);
    return is_repo_part(id.substr(0, slash)) && is_repo_part(id.substr(slash + 1));
}

bool is_commit(std::string_view text) {
    return text.size() == 40 && std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_inner_path(std::string_view path) {
    if (path.empty() || path.size() > name_bytes_max) return false;
    for (unsigned char c : path)
        if (c < 0x20 || c == 0x7f || c == '\\') return false;
    for (size_t at = 0; at <= path.size();) {
        size_t end = std::min(path.find('/', at), path.size());
        std::string_view part = path.substr(at, end - at);
        if (part.empty() || part == "." || part == ".." || part.size() > 255) return false;
        at = end + 1;
    }
    return true;
}

const std::vector<std::string_view>& wanted_by_name() {
    static const std::vector<std::string_view> names = {"config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json",
                                                        "added_tokens.json", "chat_template.jinja", "chat_template.json", "tokenizer.json"};
    return names;
}

bool is_wanted(std::string_view file, bool has_tokenizer_json) {
    constexpr std::string_view templates = "additional_chat_templates/";
    if (file.starts_with(templates)) return file.ends_with(".jinja") && file.find('/', templates.size()) == file.npos;
    if (file.find('/') != file.npos) return false;
    if (std::ranges::count(wanted_by_name(), file)) return true;
    return !has_tokenizer_json && (is_vocabulary(file) || file == "merges.txt");
}

bool is_vocabulary(std::string_view file) {
    constexpr std::string_view names[] = {"tokenizer.json", "tokenizer.model", "tiktoken.model", "tekken.json", "vocab.json", "vocab.txt", "spiece.model",
                                          "sentencepiece.bpe.model", "spm.model"};
    return std::ranges::count(names, file) || file.ends_with(".tiktoken") || file.starts_with("tokenizer.model.v");
}

Result<Listing> read_listing(std::string_view json) {
    if (json.size() > listing_bytes_max) return Failure(Code::too_large, "the hub's list of files is too long");
    if (auto valid = check_json(json); !valid)
        return Failure(Code::engine_garbage, "the hub's list of files is not JSON").detail(valid.error()->message);
    size_t first = json.find_first_not_of(" \t\r\n"), last = json.find_last_not_of(" \t\r\n");
    Str top = json.substr(first, last - first + 1);
    Failure strange(Code::engine_garbage, "the hub's list of files is not what a hub says");
    if (json_kind(top) != JsonKind::object) return strange;
    Arena arena;
    Listing out;
    Str sha = json_member(top, "sha"), siblings = json_member(top, "siblings");
    if (sha.empty() || json_kind(sha) != JsonKind::string || !is_commit(json_inside(sha))) return strange;
    out.commit = json_inside(sha);
    if (siblings.empty() || json_kind(siblings) != JsonKind::array) return strange;
    for (JsonItems items(siblings); items.next();) {
        if (json_kind(items.value) != JsonKind::object) return strange;
        Str name = json_member(items.value, "rfilename");
        if (name.empty() || json_kind(name) != JsonKind::string) return strange;
        Str text = json_text(name, arena);
        if (!is_inner_path(text)) continue;   // never one of ours
        if (out.files.size() >= listing_files_max) return Failure(Code::too_large, "the hub lists too many files");
        out.files.emplace_back(text);
    }
    return out;
}

Result<FileFacts> read_facts(const HubResponse& response, std::string_view asked) {
    FileFacts facts;
    facts.commit = response.field("x-repo-commit");
    if (!is_commit(facts.commit)) return Failure(Code::engine_garbage, "the answer is not a model hub's: it names no commit (is HF_ENDPOINT right?)");
    std::string_view linked = response.field("x-linked-etag");
    facts.etag = bare_etag(linked.empty() ? response.field("etag") : linked);
    bool redirect = response.status / 100 == 3;
    if (facts.etag.empty() || facts.etag.size() > etag_max || !std::ranges::all_of(facts.etag, is_word) || facts.etag.front() == '.')
        return Failure(Code::engine_garbage, "the hub names no usable ETag for a file");
    std::string_view size = response.field("x-linked-size");
    if (size.empty() && !redirect) size = response.field("content-length");
    if (!size.empty()) {
        facts.bytes = number(size);
        if (!facts.bytes) return Failure(Code::engine_garbage, "the hub's length of a file is no number");
    }
    facts.url = asked;
    if (redirect) {
        auto to = follow(asked, response.field("location"));
        if (!to) return Failure(Code::engine_garbage, "the hub sends us to a place that may not be followed");
        facts.url = *std::move(to);
    }
    return facts;
}

Failure refusal(const HubResponse& response, std::string_view what, bool token_given) {
    std::string name(what), code(response.field("x-error-code"));
    const char* hint = token_given ? " with the token given" : "; HF_TOKEN is not set";
    if (code == "RevisionNotFound") return Failure(Code::model_unknown, name + ": the hub has no such revision");
    if (code == "EntryNotFound") return Failure(Code::model_unknown, name + ": the hub has no such file");
    if (code == "GatedRepo" || response.status == 403)
        return Failure(Code::forbidden, name + ": the hub's owner grants access by request; this one is refused" + hint);
    if (code == "RepoNotFound" || response.status == 401)
        return Failure(Code::unauthenticated, name + ": it does not exist on the hub, or is private and not to be seen" + hint);
    if (response.status == 404) return Failure(Code::model_unknown, name + ": the hub does not know it");
    if (response.status == 429) return Failure(Code::rate_limited, name + ": the hub asks us to slow down");
    return Failure(response.status >= 500 ? Code::incomplete : Code::engine_garbage,
                   name + ": the hub answered with status " + std::to_string(response.status));
}

std::optional<Origin> origin_of(std::string_view url) {
    Origin origin;
    size_t at = url.find("://");
    if (at == url.npos || url.size() > url_max) return std::nullopt;
    origin.scheme = lower(url.substr(0, at));
    if (origin.scheme != "http" && origin.scheme != "https") return std::nullopt;
    std::string_view rest = url.substr(at + 3), authority = rest.substr(0, rest.find_first_of("/?#"));
    for (unsigned char c : url)
        if (c <= 0x20 || c == 0x7f || c == '\\') return std::nullopt;
    if (authority.find('@') != authority.npos) return std::nullopt;
    size_t bracket = authority.rfind(']'), colon = authority.rfind(':');
    if (colon != authority.npos && (bracket == authority.npos || colon > bracket)) {
        origin.port = authority.substr(colon + 1);
        authority = authority.substr(0, colon);
        auto port = number(origin.port);
        if (!port || *port == 0 || *port > 65'535) return std::nullopt;
        origin.port = std::to_string(*port);
    } else {
        origin.port = origin.scheme == "https" ? "443" : "80";
    }
    origin.host = lower(authority);
    if (origin.host.empty()) return std::nullopt;
    return origin;
}

std::optional<std::string> follow(std::string_view from, std::string_view location) {
    auto here = origin_of(from);
    if (!here || location.empty()) return std::nullopt;
    std::string to(location.substr(0, location.find('#')));
    if (to.starts_with("//")) {
        to = here->scheme + ":" + to;
    } else if (to.find("://") == to.npos || to.find("://") > to.find_first_of("/?#")) {
        size_t path = from.find('/', from.find("://") + 3);
        std::string base(from.substr(0, path));
        if (to.starts_with('/')) {
            to = base + to;
        } else {
            std::string_view folder = path == from.npos ? "/" : from.substr(path, from.substr(0, from.find('?')).rfind('/') + 1 - path);
            to = base + std::string(folder) + to;
        }
    }
    auto there = origin_of(to);
    if (!there || (here->scheme == "https" && there->scheme == "http")) return std::nullopt;
    return to;
}

bool keeps_token(std::string_view from, std::string_view to) {
    auto here = origin_of(from), there = origin_of(to);
    if (!here || !there) return false;
    if (*here == *there) return true;
    if (there->scheme == "https" && there->host == "huggingface.co" && there->port == "443") return true;   // whose token it is
    return here->host == there->host && here->scheme == "http" && there->scheme == "https" && here->port == "80" && there->port == "443";
}

std::string quote(std::string_view text, bool keep_slash) {
    std::string out;
    for (unsigned char c : text) {
        if (is_word(static_cast<char>(c)) || c == '~' || (keep_slash && c == '/')) {
            out.push_back(static_cast<char>(c));
        } else {
            constexpr const char* digits = "0123456789ABCDEF";
            out.append({'%', digits[c >> 4], digits[c & 15]});
        }
    }
    return out;
}

}  // namespace weir::hub
