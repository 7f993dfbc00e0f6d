// Running and stopping: readiness first, then listeners, then streams, then everything.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "gateway/dynamo_site.h"
#include "gateway/gateway.h"
#include "gateway/loads.h"
#include "gateway/mock_host.h"
#include "gateway/routings.h"
#include "gateway/tokenizers.h"
#include "obs/log.h"
#include "obs/progress.h"

namespace weir {
namespace {
constexpr uint64_t tick_ms = 20, tls_check_ms = 1'000, progress_ms = 100, expire_ms = 1'000;

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, s);
    return set;
}
}

void Gateway::publish(FleetViewRef view) {
    workers_ready_.store(view->workers(), std::memory_order_relaxed);
    enough_workers_ = enough_workers_ || view->workers() >= config_.router.workers_min;
    if (!enough_workers_) return;                       // as if nobody were there yet
    auto routings = routings_->follow(view);
    for (auto& state : states_) {
        CoreState* s = state.get();
        s->core.post([this, s, view, routings] {
            // Idle connections to workers that left are of no use.
            for (auto& entry : s->fleet->entries())
                if (!view->entry(entry->view.slot)) s->pool.forget(entry->view.slot);
            s->fleet = view;
            s->routings = routings;
        });
    }
    if (loads_ && Core::maybe_here() == ctl_) loads_->follow(view);   // before the start there is nothing to follow
    {
        std::lock_guard lock(view_mutex_);
        view_ = view;
    }
    metrics_.hide(Metric::worker_pool_size);
    for (auto& model : view->models()) {
        size_t n = 0;
        for (uint64_t bits : *view->serving(model)) n += static_cast<size_t>(__builtin_popcountll(bits));
        metrics_.set(Metric::worker_pool_size, {"regular", "http", model}, static_cast<double>(n));
        metrics_.set(Metric::model_ready, {model}, n ? 1 : 0);
    }
}

// What nobody has heard of for long is no longer counted.
Task<void> Gateway::expire_bookings(CoreState& state) {
    for (;;) {
        co_await sleep_ms(expire_ms);
        if (size_t n = state.leases.expire(state.core.now())) LOG_WARN(route, "requests taken out of the accounts: nothing was heard of them", {"requests", n});
    }
}

Task<void> Gateway::watch_files() {
    for (;;) {
        co_await sleep_ms(tls_check_ms);
        auto changed = tls_server_->reload_if_changed();
        if (!changed) LOG_ERROR(net, "certificate not reloaded, the old one stays", {"why", changed.error()->message});
        else if (*changed) LOG_INFO(net, "certificate reloaded", {"file", config_.tls.cert});
    }
}

void Gateway::start() {
    for (auto& core : cores_) {
        Core* c = core.get();
        threads_.emplace_back([c] { c->run(); });
    }
    routings_->start();
    for (auto& state : states_)
        state->core.post([this, s = state.get()] { s->core.nursery().spawn(expire_bookings(*s)); });
    if (tls_server_) ctl_->post([this] { ctl_->nursery().spawn(watch_files()); });
    if (dynamo_) dynamo_->start();
    if (metrics_server_) metrics_server_->start();
    for (auto& server : main_) server->start();
}

void Gateway::announce() {
    LOG_INFO(main, "listening", {"host", config_.listen.host}, {"port", port()}, {"cores", data_.size()}, {"policy", config_.router.policy});
    if (!config_.listen.unix_path.empty()) LOG_INFO(main, "listening", {"unix", config_.listen.unix_path});
    if (metrics_server_) LOG_INFO(main, "metrics", {"host", config_.metrics.host}, {"port", metrics_server_->port()});
    if (config_.listen.ready_file.empty()) return;
    // Written whole, then renamed: who waits for the file never reads half of it.
    std::string part = config_.listen.ready_file + ".part";
    std::ofstream(part) << "{\"http\": " << port() << ", \"metrics\": " << (metrics_server_ ? metrics_server_->port() : port()) << "}\n";
    std::rename(part.c_str(), config_.listen.ready_file.c_str());
}

uint64_t Gateway::active() const {
    uint64_t n = 0;
    for (auto& state : states_) n += state->active.load(std::memory_order_relaxed);
    return n;
}

int Gateway::run() {
    start();
    announce();
    return wait_for_end();
}

// On a terminal: how many workers have answered so far. Returns the signal that came meanwhile, or 0.
int Gateway::wait_for_workers() {
    Progress progress("waiting for workers", workers_known_);
    sigset_t set = stop_signals();
    while (progress.active() && workers_ready_.load(std::memory_order_relaxed) < workers_known_) {
        progress.at(workers_ready_.load(std::memory_order_relaxed));
        timespec t{0, static_cast<long>(progress_ms * ns_per_ms)};
        int got = sigtimedwait(&set, nullptr, &t);
        if (got == SIGINT || got == SIGTERM) return got;
    }
    return 0;
}

int Gateway::wait_for_end() {
    sigset_t set = stop_signals();
    auto wait = [&](uint64_t ms) -> bool {   // true: asked to stop (again)
        timespec t{static_cast<time_t>(ms / 1'000), static_cast<long>(ms % 1'000 * 1'000'000)};
        int got = sigtimedwait(&set, nullptr, &t);
        return got == SIGINT || got == SIGTERM;
    };
    for (int got = wait_for_workers(); got != SIGINT && got != SIGTERM;) {
        got = sigwaitinfo(&set, nullptr);
        if (got == SIGHUP) LOG_INFO(main, "SIGHUP: certificates are followed by themselves, nothing else can be reloaded yet");
    }
    LOG_INFO(main, "shutting down", {"active", active()});
    draining_.store(true, std::memory_order_relaxed);
    int code = 0;
    bool hurry = false;
    for (uint64_t t = 0; t < config_.shutdown.settle_ms && !hurry; t += tick_ms) hurry = wait(tick_ms);
    for (auto& server : main_) {
        server->drain();
        server->stop_accepting();
    }
    for (uint64_t t = 0; t < config_.shutdown.grace_ms && active() && !hurry; t += tick_ms) hurry = wait(tick_ms);
    if (active()) {
        LOG_WARN(main, "ending with requests under way", {"active", active()});
        code = hurry ? 130 : 0;
    }
    for (auto& server : main_) server->cancel_all();
    for (auto& core : cores_) core->stop();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    routings_->stop();
    return code;
}

Gateway::~Gateway() {
    for (auto& core : cores_) core->stop();
    for (auto& thread : threads_) thread.join();
    // Each core's objects die in its name, connections before what they use.
    metrics_server_.reset();
    main_.clear();
    for (auto& core : cores_) {
        Core::Enter enter(*core);
        core->nursery().cancel();
        core->afterwards().cancel();
    }
    for (auto& state : states_) {
        Core::Enter enter(state->core);
        state.reset();
    }
    Core::Enter enter(*ctl_);
    dynamo_.reset();
    loads_.reset();
    ctl_pool_.reset();
    ctl_resolver_.reset();
}

}  // namespace weir
