// Watches the records at an etcd cluster and prints what it is told, a line each; publishes what it is asked to.
//   records_probe ENDPOINT,... [KEY=JSON...]     then, on its input: "retire" takes back what was published, end of input ends it
// ETCD_AUTH_USERNAME, ETCD_AUTH_PASSWORD, ETCD_AUTH_CA, ETCD_AUTH_CLIENT_CERT, ETCD_AUTH_CLIENT_KEY, ETCD_LEASE_TTL as Dynamo has them.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include "discovery/discovery.h"
#include "net/core.h"

using namespace weir;

namespace {

void print(const std::string& line) { std::cout << line << std::endl; }
std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

struct Printer final : RecordSink {
    void put(const Record& r) override { print("+" + std::string(path(r.bucket)) + "/" + r.key + " " + r.value); }
    void gone(Bucket b, const std::string& key) override { print("-" + std::string(path(b)) + "/" + key); }
    void synced() override { print("synced"); }
};

struct Input final : Watched {
    Signal ready;
    void on_events(uint32_t) override { ready.notify(); }
};

Task<void> talk(Core& core, Discovery& discovery, std::vector<std::string> records) {
    for (const std::string& text : records) {
        const size_t equals = text.find('=');
        Record record{Bucket::instances, text.substr(0, equals), text.substr(equals + 1)};
        auto done = co_await discovery.publish(std::move(record));
        print(done ? "published" : std::string("refused ") + name(done.error()->code) + " " + done.error()->detail);
    }
    Input input;
    core.epoll().watch_level(STDIN_FILENO, 1 /* EPOLLIN */, input);
    for (char text[64];;) {
        co_await input.ready.wait();
        if (::read(STDIN_FILENO, text, sizeof text) <= 0) break;
        co_await discovery.retire();
        print("retired");
    }
    core.epoll().forget(STDIN_FILENO, input);
    core.stop();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    Core core(0, system_clock(), std::make_unique<EpollPoller>(), std::random_device{}());
    Core::Enter enter(core);
    EtcdDiscoveryOptions options;
    options.endpoints.clear();
    const std::string endpoints = argv[1];
    for (size_t at = 0; at <= endpoints.size();) {
        const size_t end = std::min(endpoints.find(',', at), endpoints.size());
        options.endpoints.push_back(endpoints.substr(at, end - at));
        at = end + 1;
    }
    options.user = variable("ETCD_AUTH_USERNAME"), options.password = variable("ETCD_AUTH_PASSWORD");
    options.tls_ca = variable("ETCD_AUTH_CA"), options.tls_cert = variable("ETCD_AUTH_CLIENT_CERT"), options.tls_key = variable("ETCD_AUTH_CLIENT_KEY");
    if (const std::string ttl = variable("ETCD_LEASE_TTL"); !ttl.empty()) options.lease_ttl_s = std::stoul(ttl);
    auto discovery = etcd_discovery(std::move(options));
    if (!discovery) {
        print(discovery.error()->message);
        return 1;
    }
    Printer printer;
    Nursery tasks;
    tasks.spawn((*discovery)->run(printer));
    tasks.spawn(talk(core, **discovery, {argv + 2, argv + argc}));
    core.run();
    tasks.cancel();
    discovery->reset();
    return 0;
}
