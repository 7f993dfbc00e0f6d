#include "config/load.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "base/assert.h"
#include "config/argv.h"
#include "config/cross_check.h"
#include "config/yaml.h"

extern char** environ;

namespace weir::config {
namespace {

class Loader {
public:
    explicit Loader(const LoadInput& in) : in_(in), flags_(Flags::of(in.command)), args_(read_args(in.command, flags_, in.argv)) {}

    Result<Loaded> run() {
        for (const std::string& line : args_.errors) error(line, false);
        out_.warnings = args_.warnings;
        read_file();
        compat_ = compat();
        out_.settings.reserve(row_count());
        for (const Area& area : areas())
            for (const Row& row : area.rows) out_.settings.push_back(resolve(row));
        finish();
        if (errors_.empty()) return std::move(out_);
        if (errors_.size() > errors_max) errors_.resize(errors_max);
        std::string all;
        for (const std::string& line : errors_) all += (all.empty() ? "" : "\n") + line;
        return Failure(unsupported_only_ ? Code::not_supported : Code::bad_field, all);
    }

private:
    void error(std::string line, bool unsupported) {
        unsupported_only_ = unsupported_only_ && unsupported;
        if (errors_.size() <= errors_max) errors_.push_back(std::move(line));
    }
    const std::string* variable(Str name) const {   // an empty one counts as unset
        const auto at = in_.environment.find(name);
        return at == in_.environment.end() || at->second.empty() ? nullptr : &at->second;
    }
    const Given* typed(const Row& row) const {
        for (const Given& g : args_.given)
            if (g.row == &row) return &g;
        return nullptr;
    }
    const Given* filed(const Row& row) const {
        for (const Given& g : file_)
            if (g.row == &row) return &g;
        return nullptr;
    }
    void read_file() {
        const Row& row = *find_key("run.config");
        const Given* given = typed(row);
        const std::string* path = given && !given->words.empty() ? &given->words[0] : variable(native_env(row));
        if (!path) return;
        Result<std::string> text = in_.read_file ? in_.read_file(*path) : read_whole_file(*path);
        if (!text) return error("--config: " + text.error()->message, false);
        Result<std::vector<Given>> settings = read_yaml(flags_, *text, *path);
        if (!settings) return error(settings.error()->message, false);
        file_ = std::move(*settings);
    }
    bool compat() const {   // looked at before all others, because it changes their defaults
        const Row& row = *find_key("run.compat_defaults");
        return in_.command == Command::frontend && (typed(row) || variable(native_env(row)) || filed(row));
    }

    Setting resolve(const Row& row) {
        const Spelling& own = row.of(in_.command);
        if (const Given* g = typed(row)) return take(row, Origin::argv, g->words, g->from, g->spelling->scale, false);
        if (any_native_) {
            const std::string native = native_env(row);
            if (const std::string* text = variable(native)) return take(row, Origin::environment, words_of(row, *text), native, 1, false);
        }
        for (Str name : own.env.empty() ? std::vector<Str>{} : words(own.env))
            if (const std::string* text = variable(name))
                return take(row, Origin::environment, words_of(row, *text), std::string(name), own.scale, true);
        if (const Given* g = filed(row)) return take(row, Origin::file, g->words, g->from, g->spelling ? g->spelling->scale : 1, false);
        return fallback(row);
    }
    Setting fallback(const Row& row) {
        return {&row, default_words(row, in_.command, compat_), compat_ && !row.compat.empty() ? Origin::compat : Origin::fallback, {}};
    }

    Setting take(const Row& row, Origin origin, const Words& given, const std::string& from, double scale, bool peers_env) {
        Setting s{&row, {}, origin, from};
        Result<Words> value = read_value({&row, in_.command, scale, peers_env, from}, given);
        if (!value) {
            error(value.error()->message, value.error()->code == Code::not_supported);
            return fallback(row);
        }
        s.words = std::move(*value);
        const bool may_be_unset = is_list(row.check) || row.check.none_ok || default_words(row, in_.command, false).empty();
        if (s.words.empty() && !may_be_unset) error(from + ": needs a value", false);
        judge(s);
        return s;
    }
    // What is given must exist. Off, and the default, ask for nothing that is missing.
    void judge(const Setting& s) {
        const Row& row = *s.row;
        if (row.state == State::noop_warn) out_.warnings.push_back(s.from + " has no effect: " + std::string(row.deprecated));
        else if (!row.deprecated.empty() && in_.command == Command::frontend && s.origin == Origin::argv)
            out_.warnings.push_back(s.from + " is deprecated in Dynamo: " + std::string(row.deprecated));
        if (s.words.empty()) return;
        const std::string feature(row.feature);
        if (row.state == State::done) {
            if (row.check.kind == Check::choice && choose(choices(row, in_.command), s.words[0]).built == Built::no)
                error("not supported yet: " + feature + " " + s.words[0] + " (" + s.from + ")", true);
            return;
        }
        if (row.state != State::refused || is_off(s)) return;
        const std::string value = row.check.kind == Check::choice ? " " + s.words[0] : "";
        error("not supported yet: " + feature + value + " (" + s.from + ")", true);
    }
    bool is_off(const Setting& s) {
        const Row& row = *s.row;
        if (row.check.kind == Check::boolean && s.words[0] == "false") return true;
        if (s.words == default_words(row, in_.command, compat_)) return true;
        const std::vector<Str> off = words(row.off);
        return s.words.size() == 1 && std::any_of(off.begin(), off.end(), [&](Str word) { return same_choice(word, s.words[0]); });
    }

    void replace(Str key, const std::string& word, std::string why) {   // what a default comes to
        Setting& s = out_.settings[index_of(*find_key(key))];
        s.words = {word};
        s.from = std::move(why);
    }
    void finish();
    void resolve_hub(HubConfig& hub) const;
    void stand_ins();
    void note_missing();

    const LoadInput& in_;
    const Flags& flags_;
    const Args args_;
    std::vector<Given> file_;
    const bool any_native_ = in_.environment.lower_bound("WEIR_") != in_.environment.lower_bound("WEIR`");
    bool compat_ = false;
    std::vector<std::string> errors_;
    bool unsupported_only_ = true;
    Loaded out_;
};

void Loader::finish() {
    Config& config = out_.config;
    config.command = in_.command;
    config.dialect = in_.command == Command::launch ? Dialect::launch : Dialect::frontend;
    for (const Setting& s : out_.settings) store(config, s.row->field, s.words);
    if (!config.listen.unix_path.empty()) config.listen.unix_path.erase(0, Str("unix:").size());
    config.metrics.own_port = in_.command == Command::launch;
    if (out_.of("metrics.host").origin == Origin::fallback && config.listen.host.find(':') != std::string::npos)
        replace("metrics.host", config.metrics.host = "::", "as --host");
    for (std::string& header : config.api.request_id_headers)
        for (char& c : header)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    resolve_hub(config.hub);
    std::replace(config.router.policy.begin(), config.router.policy.end(), '-', '_');
    for (const auto& rules : {cross_checks_of_all(), cross_checks(in_.command)})
        for (const CrossCheck& rule : rules)
            if (rule.broken(out_)) error(std::string(rule.message), false);
    stand_ins();
    note_missing();
}

// The folders as Python's tools find them.
void Loader::resolve_hub(HubConfig& hub) const {
    const std::string* user = variable("HOME");
    const passwd* entry = user ? nullptr : getpwuid(getuid());
    const std::string home = user ? *user : entry && entry->pw_dir ? entry->pw_dir : "/";
    auto expand = [&](std::string& path) {
        if (path == "~" || path.starts_with("~/")) path = home + path.substr(1);
    };
    if (hub.home.empty()) {
        const std::string* cache = variable("XDG_CACHE_HOME");
        hub.home = (cache ? *cache : home + "/.cache") + "/huggingface";
    }
    expand(hub.home);
    if (hub.cache.empty()) hub.cache = hub.home + "/hub";
    if (hub.token_file.empty()) hub.token_file = hub.home + "/token";
    expand(hub.cache);
    expand(hub.token_file);
}

void Loader::stand_ins() {
    Config& config = out_.config;
    if (in_.command == Command::launch && out_.of("router.policy").origin == Origin::fallback) {
        const Row& row = *out_.of("router.policy").row;
        if (choose(choices(row, in_.command), config.router.policy).built == Built::no) {
            const std::string instead = "stands in for " + config.router.policy;
            out_.notes.push_back(std::string(row.stand_in) + " " + instead + " until it exists");
            replace("router.policy", config.router.policy = row.stand_in, instead);
        }
    }
    const Setting& backend = out_.of("discovery.backend");   // its default gives way to workers that were named
    const bool named = !config.workers.urls.empty() || config.discovery.demo_engines > 0;
    if (backend.origin > Origin::compat || backend.words[0] == backend.row->stand_in || !named) return;
    out_.notes.push_back("static workers stand in for discovery through " + backend.words[0]);
    replace("discovery.backend", config.discovery.backend = backend.row->stand_in, "stands in for " + backend.words[0]);
}

void Loader::note_missing() {
    if (in_.command != Command::launch) return;
    std::string missing;
    const std::pair<Str, Str> parts[] = {
        {"resilience.retry_off", "retries"}, {"resilience.breaker_off", "circuit breakers"}, {"resilience.health_off", "health checks"}};
    for (const auto& [key, name] : parts) {
        const Setting& off = out_.of(key);
        if (off.row->state == State::refused && off.words == Words{"false"}) missing += (missing.empty() ? "" : ", ") + std::string(name);
    }
    if (!missing.empty()) out_.notes.push_back("not there yet: " + missing + "; another worker is tried only while nothing was sent to the first");
}
}  // namespace

const Setting& Loaded::of(Str key) const {
    const Row* row = find_key(key);
    ASSERT(row && settings.size() == row_count());
    return settings[index_of(*row)];
}

Result<Loaded> load(const LoadInput& in) { return Loader(in).run(); }

Environment process_environment() {
    Environment out;
    for (char** at = environ; *at; at++) {
        const Str entry = *at;
        if (const size_t equals = entry.find('='); equals != Str::npos) out.emplace(entry.substr(0, equals), entry.substr(equals + 1));
    }
    return out;
}

Result<std::string> read_whole_file(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return Failure(Code::bad_field, "cannot open '" + path + "'");
    std::string text(yaml_bytes_max + 1, '\0');
    size_t size = 0;
    ssize_t n = 0;
    while (size < text.size() && (n = ::read(fd, text.data() + size, text.size() - size)) > 0) size += static_cast<size_t>(n);
    ::close(fd);
    if (n < 0) return Failure(Code::bad_field, "cannot read '" + path + "'");
    if (size > yaml_bytes_max) return Failure(Code::bad_field, "'" + path + "' is larger than 1 MiB");
    text.resize(size);
    return text;
}

}  // namespace weir::config
