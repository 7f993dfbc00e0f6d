#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "config/cli.h"
#include "config/render.h"
#include "config/spelling.h"
#include "config/tools.h"
#include "tests/support/golden.h"

namespace weir::config {
namespace {

const Environment mem = {{"WEIR_DISCOVERY_BACKEND", "mem"}};

std::string temporary(const std::string& name) { return testing::TempDir() + "weir-config-" + std::to_string(getpid()) + "-" + name; }
Result<std::string> text_of(const std::string& text) { return text; }

TEST(Render, DocsAreFresh) {
    const std::string path = WEIR_SOURCE_DIR "/docs/flags.md";
    if (std::getenv("WEIR_GOLDEN_UPDATE")) {
        ASSERT_TRUE(write_whole_file(path, flags_markdown()));
    }
    EXPECT_TRUE(golden::slurp(path) == flags_markdown()) << path << " is stale: weir --write-docs docs";
}

TEST(Render, Help) {
    golden::check("config/help.txt", [](const std::string& input) {
        if (input == "weir") return overview_text();
        for (Command c : {Command::frontend, Command::launch, Command::epp, Command::mocker})
            if (input == "weir " + std::string(name(c))) return help_text(c);
        return std::string("?");
    });
}

TEST(Render, HelpNamesEveryFlagOfTheCommand) {
    for (Command c : {Command::frontend, Command::launch, Command::epp, Command::mocker}) {
        const std::string text = help_text(c);
        for (const Area& area : areas())
            for (const Row& row : area.rows)
                EXPECT_NE(text.find(shown_flag(row, c)), std::string::npos) << row.key;
        for (Str line : words(text, "\n")) EXPECT_LE(line.size(), 145u) << line;
    }
}

// What is dumped is what a start with it as --config comes to.
void round_trip(Command command, std::vector<std::string> argv, Environment environment = {}) {
    const Result<Loaded> first = load({command, std::move(argv), std::move(environment), {}});
    ASSERT_TRUE(first) << first.error()->message;
    const std::string dump = dump_text(*first);
    const Result<Loaded> second = load({command, {"--config", "dump"}, {}, [&](const std::string&) { return text_of(dump); }});
    ASSERT_TRUE(second) << second.error()->message << "\n" << dump;
    for (size_t i = 0; i < row_count(); i++) {
        const Setting &a = first->settings[i], &b = second->settings[i];
        const bool written = a.row->state == State::done || a.origin > Origin::compat;
        if (!written || a.row->check.secret || a.row->key == "run.config") continue;
        EXPECT_EQ(a.words, b.words) << a.row->key << "\n" << dump;
    }
}

TEST(Render, DumpReadsBack) {
    round_trip(Command::frontend, {"--worker-urls", "http://a:1", "http://b:2", "--http-port", "0", "--compat-defaults", "1.6.1"});
    round_trip(Command::frontend, {"--no-router-kv-events", "--router-queue-policy", "fcfs", "--log-level", "info,net=debug"}, mem);
    round_trip(Command::launch, {"--prometheus-duration-buckets", "0.001", "2.5", "--cors-allowed-origins", "http://x\"y\\z",
                                 "--tls-cert-path", "a b # c", "--tls-key-path", "'"});
    round_trip(Command::launch, {"--demo-engines", "2", "--listen", "unix:/tmp/s", "--disable-retries"});
    round_trip(Command::mocker, {"--num-workers", "2", "--ports", "1", "2", "--fault", "stall@2:100ms", "drop@3"});
}

TEST(Render, SecretsAreNeverShown) {
    const Result<Loaded> loaded = load({Command::mocker, {"--api-key", "the-secret"}, {}, {}});
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->config.mocker.api_key, "the-secret");
    EXPECT_NE(dump_text(*loaded).find("api_key: ***"), std::string::npos);
    EXPECT_EQ(dump_text(*loaded).find("the-secret"), std::string::npos);
    EXPECT_EQ(check_text(*loaded).find("the-secret"), std::string::npos);
    for (const char* flag : {"--api-key", "--redis-url", "--oracle-password", "--control-plane-api-keys"}) {
        const Result<Loaded> refused = load({Command::launch, {flag, "the-secret\x01"}, {}, {}});
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error()->message.find("the-secret"), std::string::npos) << refused.error()->message;
    }
    const Environment environment = {{"WEIR_DISCOVERY_BACKEND", "mem"}, {"ETCD_AUTH_PASSWORD", "the-secret"}};
    const Result<Loaded> dormant = load({Command::frontend, {}, environment, {}});
    ASSERT_TRUE(dormant);
    EXPECT_EQ(dump_text(*dormant).find("the-secret"), std::string::npos);
    EXPECT_EQ(check_text(*dormant).find("the-secret"), std::string::npos);
}

// Asks the script itself, the way the shell would.
std::string completed(const std::string& line) {
    const std::string script = temporary("completion.bash");
    EXPECT_TRUE(write_whole_file(script, *completion_text("bash")));
    const std::string command = "bash -c 'source " + script + "; COMP_WORDS=(" + line + "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); " +
                                "_weir; echo ${COMPREPLY[@]}' 2>&1";
    std::string out;
    if (FILE* pipe = ::popen(command.c_str(), "r")) {
        char buffer[4096];
        while (size_t n = ::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, n);
        ::pclose(pipe);
    }
    ::unlink(script.c_str());
    return out;
}

TEST(Completion, Bash) {
    EXPECT_EQ(completed("weir mo"), "mocker\n");
    EXPECT_EQ(completed("weir frontend --http-p"), "--http-port\n");
    EXPECT_EQ(completed("weir launch --policy \"\""), "round_robin random power_of_two cache_aware prefix_hash consistent_hashing bucket manual least_load "
                                                     "passthrough default soonest\n");
    EXPECT_EQ(completed("weir frontend --router-mode po"), "power-of-two\n");
    EXPECT_EQ(completed("weir check-config \"\""), "frontend launch epp mocker\n");
    EXPECT_EQ(completed("weir check-config launch --prometheus-h"), "--prometheus-host\n");
    EXPECT_EQ(completed("weir completion z"), "zsh\n");
    EXPECT_EQ(completed("weir frontend --enable-anthropic"), "\n");   // not built, not offered
}

TEST(Completion, OtherShells) {
    EXPECT_TRUE(completion_text("zsh")->starts_with("#compdef weir\n"));
    const std::string fish = *completion_text("fish");
    EXPECT_NE(fish.find("-l http-port -r -d 'TCP port"), std::string::npos);
    EXPECT_NE(fish.find("-l policy -r -f -a 'round_robin random power_of_two cache_aware "), std::string::npos);
    EXPECT_FALSE(completion_text("tcsh"));
}

struct Ran { int exit = -1; std::string out, err; std::optional<Loaded> loaded; };
Ran run(std::vector<std::string> argv, Environment environment = {}) {
    argv.insert(argv.begin(), argv.empty() || argv[0] != "smg" ? "/usr/bin/weir" : "/opt/smg");
    if (argv.size() > 1 && argv[1] == "smg") argv.erase(argv.begin() + 1);
    Ran ran;
    CliOutcome outcome = run_cli({std::move(argv), std::move(environment), "1.2.3"}, ran.out, ran.err);
    ran.exit = outcome.exit.value_or(-1);
    ran.loaded = std::move(outcome.loaded);
    EXPECT_NE(outcome.exit.has_value(), ran.loaded.has_value());
    return ran;
}

TEST(Cli, Commands) {
    EXPECT_EQ(run({}).out, overview_text());
    EXPECT_EQ(run({"--help"}).exit, 0);
    EXPECT_EQ(run({"--version"}).out, "weir 1.2.3\n");
    EXPECT_EQ(run({"frontend", "--version"}).out, "weir 1.2.3\n");
    EXPECT_EQ(run({"launch", "--no-such-flag", "--help"}).out, help_text(Command::launch));
    EXPECT_EQ(run({"frontend", "--discovery-backend", "mem"}).loaded->config.command, Command::frontend);
    EXPECT_EQ(run({"mocker"}).loaded->config.command, Command::mocker);
    EXPECT_EQ(run({"--worker-urls", "http://a"}).loaded->config.command, Command::launch);
    EXPECT_EQ(run({"smg", "--port", "5"}).loaded->config.listen.port, 5);
    EXPECT_EQ(run({"smg", "launch", "--port", "5"}).loaded->config.listen.port, 5);
}

TEST(Cli, EachToolIsACommand) {
    ASSERT_NE(tool_named("replay"), nullptr);
    for (const Tool& tool : tools()) EXPECT_EQ(run({std::string(tool.name), "--help"}).out, tool_help(tool));
}

TEST(Cli, MistakesEndWithTwoAndAreOnStandardError) {
    for (std::vector<std::string> argv : {std::vector<std::string>{"nonsense"}, {"launch", "--no-such-flag"}, {"frontend", "--no-such-flag"}, {"epp"},
                                          {"replay", "--no-such-flag"}, {"completion"},
                                          {"completion", "tcsh"}, {"check-config"}, {"check-config", "x"}, {"check-config", "launch", "--port", "x"},
                                          {"check-config", "epp"}, {"--write-docs"}, {"--write-docs", "/no/such/folder"},
                                          {"launch", "--dump-config-to", "/no/such/folder/file"}}) {
        const Ran ran = run(argv);
        EXPECT_EQ(ran.exit, 2) << argv[0];
        EXPECT_EQ(ran.out, "");
        EXPECT_TRUE(ran.err.starts_with("weir") && ran.err.ends_with("\n")) << ran.err;
    }
    EXPECT_NE(run({"nonsense"}).err.find("nonsense"), std::string::npos);
    EXPECT_EQ(run({"epp"}).err, "weir epp: not supported yet: the endpoint picker\n");
}

TEST(Cli, CheckConfigSaysWhatDiffersAndFromWhere) {
    const Ran ran = run({"check-config", "frontend", "--store-kv", "mem"}, {{"DYN_HTTP_PORT", "9"}});
    EXPECT_EQ(ran.exit, 0);
    EXPECT_NE(ran.out.find("listen.port = 9   (DYN_HTTP_PORT)\n"), std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find("warning: --store-kv is an old name"), std::string::npos);
    EXPECT_EQ(run({"check-config", "launch"}).out.find("stands in for cache_aware"), std::string::npos);
}

TEST(Cli, WritesTheDumpAndTheDocs) {
    const std::string dump = temporary("dump.yaml");
    EXPECT_EQ(run({"launch", "--dump-config-to", dump, "--port", "77"}).loaded->config.listen.port, 77);
    EXPECT_NE(golden::slurp(dump).find("  port: 77   # --port\n"), std::string::npos);
    ::unlink(dump.c_str());
    std::string out, err;
    std::string folder = testing::TempDir();
    folder.pop_back();
    const CliOutcome outcome = run_cli({{"weir", "--write-docs", folder}, {}, ""}, out, err);
    EXPECT_EQ(outcome.exit, 0);
    EXPECT_EQ(outcome.docs_dir, folder);
    EXPECT_TRUE(golden::slurp(folder + "/flags.md") == flags_markdown());
    ::unlink((folder + "/flags.md").c_str());
}

TEST(Cli, ReadsARealFile) {
    const std::string file = temporary("file.yaml");
    ASSERT_TRUE(write_whole_file(file, "listen: {port: 78}\n"));
    EXPECT_EQ(run({"launch", "--config", file}).loaded->config.listen.port, 78);
    ASSERT_TRUE(write_whole_file(file, std::string((1 << 20) + 1, '#')));
    EXPECT_NE(run({"launch", "--config", file}).err.find("larger than 1 MiB"), std::string::npos);
    ::unlink(file.c_str());
    EXPECT_NE(run({"launch", "--config", file}).err.find("cannot open"), std::string::npos);
    EXPECT_EQ(run({"launch", "--config", testing::TempDir()}).exit, 2);
}

}  // namespace
}  // namespace weir::config
