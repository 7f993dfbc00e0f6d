// What command line, environment and file come to: the cases are tests/golden/config/load.txt. "### [NAME=VALUE...] command flags",
// further "### " lines are the file that --config names. Output: what is not the default, or the mistakes.
#include <gtest/gtest.h>

#include "config/cross_check.h"
#include "config/load.h"
#include "config/spelling.h"
#include "config/value.h"
#include "tests/support/golden.h"

namespace weir::config {
namespace {

LoadInput input(const std::string& text) {
    const size_t line_end = std::min(text.find('\n'), text.size());
    const std::string file = line_end < text.size() ? text.substr(line_end + 1) : "";
    LoadInput in;
    bool command = false;
    for (Str word : words(Str(text).substr(0, line_end))) {
        const size_t equals = word.find('=');
        if (!command && equals != Str::npos) {
            std::string value(word.substr(equals + 1));
            std::replace(value.begin(), value.end(), '+', ' ');   // a blank inside a variable
            in.environment.emplace(word.substr(0, equals), value);
        } else if (!command) {
            command = true;
            for (Command c : {Command::frontend, Command::launch, Command::epp, Command::mocker})
                if (word == name(c)) in.command = c;
        } else {
            in.argv.emplace_back(word);
        }
    }
    in.read_file = [file](const std::string& path) -> Result<std::string> {
        if (file.empty()) return Failure(Code::bad_field, "cannot open '" + path + "'");
        return file;
    };
    return in;
}

std::string shown(const std::string& text) {
    const Result<Loaded> loaded = load(input(text));
    std::string out;
    if (!loaded) {
        const std::string kind = loaded.error()->code == Code::not_supported ? "unsupported: " : "error: ";
        for (Str line : words(loaded.error()->message, "\n")) out += kind + std::string(line) + "\n";
        return out;
    }
    for (const Setting& s : loaded->settings) {
        if (s.origin == Origin::fallback && s.from.empty()) continue;
        out += std::string(s.row->key) + " =";
        for (const std::string& word : s.words) out += " " + word;
        out += s.origin == Origin::compat ? "   (1.6.1)\n" : "   (" + s.from + ")\n";
    }
    for (const std::string& note : loaded->notes) out += "note: " + note + "\n";
    for (const std::string& warning : loaded->warnings) out += "warning: " + warning + "\n";
    return out.empty() ? "all defaults\n" : out;
}

Config config_of(const std::string& text) {
    Result<Loaded> loaded = load(input(text));
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error()->message);
    return loaded ? std::move(loaded->config) : Config{};
}

TEST(Load, Golden) { golden::check("config/load.txt", shown); }

TEST(Load, PrecedenceIsArgvEnvironmentFileDefault) {
    const std::string file = "\nlisten: {port: 3}\n";
    EXPECT_EQ(config_of("DYN_HTTP_PORT=2 frontend --discovery-backend mem --http-port 1 --config f" + file).listen.port, 1);
    EXPECT_EQ(config_of("DYN_HTTP_PORT=2 frontend --discovery-backend mem --config f" + file).listen.port, 2);
    EXPECT_EQ(config_of("frontend --discovery-backend mem --config f" + file).listen.port, 3);
    EXPECT_EQ(config_of("WEIR_RUN_CONFIG=f frontend --discovery-backend mem" + file).listen.port, 3);
    EXPECT_EQ(config_of("frontend --discovery-backend mem").listen.port, 8000);
    EXPECT_EQ(config_of("DYN_HTTP_PORT=2 WEIR_LISTEN_PORT=4 frontend --discovery-backend mem").listen.port, 4);   // our own name is the surer one
    EXPECT_EQ(config_of("DYN_HTTP_PORT= frontend --discovery-backend mem").listen.port, 8000);                    // empty is unset
}

TEST(Load, OnlyThePeersOwnVariablesCount) {
    EXPECT_EQ(config_of("DYN_HTTP_PORT=2 launch").listen.port, 30000);
    EXPECT_EQ(config_of("RUST_LOG=debug frontend --discovery-backend mem").log.spec, "info");
    EXPECT_EQ(config_of("RUST_LOG=debug DYN_LOG=warn launch").log.spec, "debug");
    EXPECT_EQ(config_of("RUST_LOG=smg=debug,hyper=warn launch").log.spec, "smg=debug,hyper=warn");
    EXPECT_EQ(config_of("HTTP_PROXY=http://p DYN_ROUTER_REPLICA_SYNC=1 JWT_ISSUER= launch").listen.port, 30000);
}

TEST(Load, TruthOfVariables) {
    for (const char* word : {"1", "true", "TRUE", "yes", "Yes", "on"})
        EXPECT_TRUE(config_of(std::string("DYN_LOGGING_JSONL=") + word + " frontend --discovery-backend mem").log.json) << word;
    for (const char* word : {"0", "false", "no", "off", "2", "nonsense"})
        EXPECT_FALSE(config_of(std::string("DYN_LOGGING_JSONL=") + word + " frontend --discovery-backend mem").log.json) << word;
    EXPECT_FALSE(load(input("WEIR_LOG_JSON=nonsense frontend --discovery-backend mem")));
    EXPECT_TRUE(config_of("WEIR_LOG_JSON=on frontend --discovery-backend mem").log.json);
}

TEST(Load, UnitsOfSpellings) {
    EXPECT_EQ(config_of("launch --request-timeout-secs 7").limits.request_ms, 7'000u);
    EXPECT_EQ(config_of("WEIR_LIMITS_REQUEST_MS=7 launch").limits.request_ms, 7u);
    EXPECT_EQ(config_of("launch --config f\nrequest-timeout-secs: 8\n").limits.request_ms, 8'000u);
    EXPECT_EQ(config_of("launch --config f\nlimits: {request_ms: 9}\n").limits.request_ms, 9u);
    EXPECT_EQ(config_of("DYN_HTTP_BODY_LIMIT_MB=2 frontend --discovery-backend mem").limits.body_max, 2u << 20);
    EXPECT_EQ(config_of("launch --max-payload-size 3").limits.body_max, 3u);
    EXPECT_EQ(config_of("launch --max-payload-size 3M").limits.body_max, 3u << 20);
    EXPECT_EQ(config_of("DYN_HTTP_SSE_KEEP_ALIVE_INTERVAL_MS=250 frontend --discovery-backend mem").api.sse_keepalive_ms, 250u);
    EXPECT_EQ(config_of("launch --sse-keepalive-secs 2").api.sse_keepalive_ms, 2'000u);
    EXPECT_EQ(config_of("DYN_HTTP_GRACEFUL_SHUTDOWN_TIMEOUT_SECS=3 frontend --discovery-backend mem").shutdown.grace_ms, 3'000u);
    EXPECT_EQ(config_of("DYN_HTTP_BACKEND_STREAM_TIMEOUT_SECS=4 frontend --discovery-backend mem").limits.stream_idle_ms, 4'000u);
}

TEST(Load, DefaultsOfTheDialects) {
    const Config frontend = config_of("frontend --discovery-backend mem"), launch = config_of("launch");
    const Config compat = config_of("frontend --discovery-backend mem --compat-defaults 1.6.1");
    EXPECT_EQ(frontend.limits.body_max, 192u << 20);
    EXPECT_EQ(compat.limits.body_max, 45u << 20);
    EXPECT_EQ(frontend.api.overload_status, 503);
    EXPECT_EQ(compat.api.overload_status, 529);
    EXPECT_EQ(launch.limits.body_max, 512u << 20);
    EXPECT_EQ(frontend.shutdown.grace_ms, 5'000u);
    EXPECT_EQ(launch.shutdown.grace_ms, 180'000u);
    EXPECT_EQ(launch.shutdown.settle_ms, 5'000u);
    EXPECT_EQ(launch.limits.request_ms, 1'800'000u);
    EXPECT_EQ(frontend.metrics.own_port, false);
    EXPECT_EQ(launch.metrics.own_port, true);
    EXPECT_EQ(launch.metrics.port, 29000);
    EXPECT_EQ(launch.router.policy, "cache_aware");
    EXPECT_EQ(frontend.router.policy, "round_robin");
    EXPECT_EQ(frontend.dialect, Dialect::frontend);
    EXPECT_EQ(launch.dialect, Dialect::launch);
    EXPECT_EQ(config_of("mocker").mocker.model_names, (std::vector<std::string>{"demo"}));
}

TEST(Load, ListsInEveryShape) {
    const std::vector<std::string> both = {"http://a:1", "http://b:2"};
    EXPECT_EQ(config_of("launch --worker-urls http://a:1 http://b:2 --port 1").workers.urls, both);
    EXPECT_EQ(config_of("launch --worker-urls http://a:1,http://b:2").workers.urls, both);
    EXPECT_EQ(config_of("launch --worker-urls=http://a:1 http://b:2").workers.urls, both);
    EXPECT_EQ(config_of("launch --worker-urls http://a:1 --port 1 --worker-urls http://b:2").workers.urls, both);
    EXPECT_EQ(config_of("WEIR_WORKERS_URLS=http://a:1+http://b:2 launch").workers.urls, both);
    EXPECT_EQ(config_of("launch --config f\nworkers:\n  urls: [\"http://a:1\", \"http://b:2\"]\n").workers.urls, both);
    EXPECT_EQ(config_of("launch --config f\nworker_urls: http://a:1 http://b:2\n").workers.urls, both);
    EXPECT_TRUE(config_of("launch --worker-urls --port 1").workers.urls.empty());
    EXPECT_EQ(config_of("launch --prometheus-duration-buckets 0.5 1 2.5").metrics.duration_buckets_s, (std::vector<double>{0.5, 1, 2.5}));
    EXPECT_EQ(config_of("launch --request-id-headers X-Mine x-other").api.request_id_headers, (std::vector<std::string>{"x-mine", "x-other"}));
    EXPECT_EQ(config_of("mocker --num-workers 2 --ports 1 2").mocker.ports, (std::vector<uint16_t>{1, 2}));
}

TEST(Load, EveryCrossCheckIsReachedByTheGoldenCases) {
    const std::string cases = golden::slurp(WEIR_SOURCE_DIR "/tests/golden/config/load.txt");
    for (Command c : {Command::frontend, Command::launch, Command::epp, Command::mocker})
        for (const auto& rules : {cross_checks_of_all(), cross_checks(c)})
            for (const CrossCheck& rule : rules) EXPECT_NE(cases.find("error: " + std::string(rule.message) + "\n"), std::string::npos) << rule.message;
}

TEST(Load, ManyMistakesAreCutShort) {
    std::string text = "launch";
    for (int i = 0; i < 40; i++) text += " --no-such-flag-" + std::to_string(i);
    const Result<Loaded> loaded = load(input(text));
    ASSERT_FALSE(loaded);
    EXPECT_EQ(words(loaded.error()->message, "\n").size(), errors_max);
}

Command command_with(const Row& row) {
    for (Command c : {Command::frontend, Command::launch, Command::epp, Command::mocker})
        if (!row.of(c).flags.empty() || !row.of(c).env.empty()) return c;
    return Command::frontend;
}

TEST(Load, EveryRefusedRowIsRefusedWhenItsValueAsksForSomething) {
    for (const Area& area : areas())
        for (const Row& row : area.rows) {
            if (row.state != State::refused) continue;
            SCOPED_TRACE(std::string(row.key));
            const Command c = command_with(row);
            std::string value = number_text(row.check.lo + 7);
            if (row.check.kind == Check::boolean) value = "true";
            if (row.check.kind == Check::choice) value = words(choices(row, c), " |").back();
            if (row.check.kind == Check::path) value = "/elsewhere";
            if (row.check.kind == Check::urls || row.check.kind == Check::url_port) value = "http://h:1";
            if (row.check.kind == Check::real && row.check.hi <= 1) value = "0.125";
            const Result<Loaded> given = load({c, {}, {{"WEIR_DISCOVERY_BACKEND", "mem"}, {native_env(row), value}}, {}});
            if (given) {   // only where that is the default or the off value
                const bool off = Str(row.off).find(value) != Str::npos;
                EXPECT_TRUE(off || default_words(row, c, false) == Words{value}) << value;
            } else {
                EXPECT_NE(given.error()->message.find("not supported yet: " + std::string(row.feature)), std::string::npos) << given.error()->message;
            }
        }
}

}  // namespace
}  // namespace weir::config
