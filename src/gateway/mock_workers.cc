#include "gateway/mock_workers.h"

#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "mocker/dynamo_card.h"
#include "mocker/dynamo_workers.h"
#include "obs/log.h"
#include "wire/json_write.h"

namespace weir {
namespace {

using mocker::DynamoWorkers;

std::string store_of(const MockerConfig& config) {
    std::error_code none;
    return !config.store.empty() ? config.store : (std::filesystem::temp_directory_path(none) / "dynamo_store_kv").string();
}

uint64_t random_seed() {
    std::random_device source;
    return uint64_t{source()} << 32 | source();
}

void write_ready(DynamoWorkers& workers, const std::string& file) {
    std::string text;
    JsonWriter w(text);
    w.object().key("workers").array();
    for (size_t i = 0; i < workers.size(); i++) w.object().member("id", workers.worker(i).id()).member("port", workers.worker(i).port()).end_object();
    w.end_array().end_object();
    std::ofstream(file + ".part") << text << "\n";
    std::rename((file + ".part").c_str(), file.c_str());
}

int wait_for_signal() {
    sigset_t set;
    sigemptyset(&set);
    for (int s : {SIGINT, SIGTERM}) sigaddset(&set, s);
    int got = 0;
    sigwait(&set, &got);
    return got;
}

}  // namespace

Result<int> run_mock_workers(const MockerConfig& config, const std::string& ready_file) {
    TRY(mocker::WorkerSettings settings, mocker::worker_settings_of(config));
    TRY(std::string card, mocker::write_card(settings, config.model_path));
    Core core(1'000, system_clock(), std::make_unique<EpollPoller>(), random_seed());
    std::unique_ptr<DynamoWorkers> workers;
    {
        Core::Enter enter(core);
        workers = std::make_unique<DynamoWorkers>(core, settings, std::move(card), file_discovery({store_of(config)}), config.workers);
        TRY_OK(workers->listen());
    }
    std::atomic<bool> failed{false}, over{false};
    const pthread_t main_thread = pthread_self();
    auto end = [&, main_thread] {
        over = true;
        pthread_kill(main_thread, SIGTERM);    // it waits for signals only
    };
    auto announced = [&](Result<void> done) {
        if (!done) {
            LOG_ERROR(mocker, "workers cannot be announced", {"why", done.error()->message}, {"detail", done.error()->detail});
            failed = true;
            return end();
        }
        LOG_INFO(mocker, "simulated workers are announced", {"workers", workers->size()}, {"model", settings.engine.model}, {"folder", store_of(config)});
        if (!ready_file.empty()) write_ready(*workers, ready_file);
    };
    const auto startup_ms = static_cast<uint64_t>(config.startup_time_s * 1'000);
    (void)core.post([&] { workers->start(startup_ms, announced); });
    std::thread thread([&core] { core.run(); });
    wait_for_signal();
    if (!over) {
        (void)core.post([&] { workers->leave(uint64_t{config.grace_s} * 1'000, end); });
        wait_for_signal();
    }
    core.stop();
    thread.join();
    Core::Enter enter(core);
    workers.reset();
    return failed ? 1 : 0;
}

}  // namespace weir
