// weir: reads its configuration, makes the gateway (or simulated engines), runs until told to stop.
#include <signal.h>

#include <cstdio>

#include "command/command.h"
#include "config/cli.h"
#include "gateway/gateway.h"
#include "gateway/mock_host.h"
#include "gateway/mock_workers.h"
#include "obs/log.h"
#include "obs/metrics.h"

namespace {

// All threads inherit the mask: signals come to the main thread alone, when it asks (Gateway::run).
void block_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, s);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signal(SIGPIPE, SIG_IGN);
}

int complain(const weir::Failure& failure) {
    std::fprintf(stderr, "weir: %s%s%s\n", failure->message.c_str(), failure->detail.empty() ? "" : ": ", failure->detail.c_str());
    return failure->code == weir::Code::not_supported || failure->code == weir::Code::bad_field ? 2 : 1;
}

weir::Result<void> start_logging(const weir::LogConfig& config) {
    weir::LogOptions options;
    TRY(options.levels, weir::parse_log_spec(config.spec));
    options.dir = config.dir;
    options.json = config.json;
    options.local_time = config.local_time;
    return weir::log_start(std::move(options));
}

int serve(const weir::config::Loaded& loaded) {
    auto logging = start_logging(loaded.config.log);
    if (!logging) return complain(logging.error());
    for (auto& warning : loaded.warnings) LOG_WARN(config, warning);
    for (auto& note : loaded.notes) LOG_INFO(config, note);
    int code = 0;
    if (loaded.config.command == weir::Command::mocker && loaded.config.mocker.dynamo) {
        auto ended = weir::run_mock_workers(loaded.config.mocker, loaded.config.listen.ready_file);
        code = ended ? *ended : complain(ended.error());
    } else if (loaded.config.command == weir::Command::mocker) {
        auto engines = weir::MockHost::start(loaded.config.mocker, loaded.config.mocker.workers, loaded.config.listen.ready_file);
        code = engines ? (*engines)->run() : complain(engines.error());
    } else {
        auto gateway = weir::Gateway::build(loaded.config);
        code = gateway ? (*gateway)->run() : complain(gateway.error());
    }
    weir::log_stop();
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    block_signals();
    weir::config::CliInput input{{argv, argv + argc}, weir::config::process_environment(), WEIR_VERSION " (" WEIR_REVISION ")"};
    std::string out, err;
    weir::config::CliOutcome outcome = weir::config::run_cli(input, out, err);
    std::fwrite(err.data(), 1, err.size(), stderr);
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
    if (!outcome.docs_dir.empty()) {
        auto written = weir::config::write_whole_file(outcome.docs_dir + "/metrics.md", weir::metrics_markdown());
        if (!written) return complain(written.error());
    }
    if (outcome.tool) return weir::run_tool(*outcome.tool);
    return outcome.exit ? *outcome.exit : serve(*outcome.loaded);
}
