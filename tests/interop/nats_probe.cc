// A client of NATS: hears a subject, answers what wants an answer, asks what it is told to. Prints what happens, a line each.
//   nats_probe SERVER,... [SUBJECT]    "up", "down", "heard SUBJECT PAYLOAD"; on its input, a line each:
//     ask SUBJECT PAYLOAD              prints "answer PAYLOAD" or "failed CODE DETAIL"
//     flood SUBJECT COUNT              publishes COUNT messages as fast as they are taken
// NATS_AUTH_* and NATS_TLS_* as Dynamo has them.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <sstream>

#include "net/core.h"
#include "planes/nats_client.h"

using namespace weir;

namespace {

void print(const std::string& line) { std::cout << line << std::endl; }
std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

struct Ear final : NatsListener {
    NatsClient& client;
    size_t heard = 0;
    explicit Ear(NatsClient& client) : client(client) {}
    void connected() override { print("up"); }
    void lost() override { print("down"); }
    void message(const NatsMessage& m) override {
        heard++;
        if (m.payload.size() < 100) print("heard " + std::string(m.subject) + " " + std::string(m.payload));
        if (!m.reply.empty()) client.publish(m.reply, "re: " + std::string(m.payload));
    }
};

struct Input final : Watched {
    Signal ready;
    void on_events(uint32_t) override { ready.notify(); }
};

Task<void> ask(NatsClient& client, std::string subject, std::string payload) {
    auto answer = co_await client.request(subject, "NATS/1.0\r\nrequest-id: 1\r\n\r\n", payload, 5'000);
    print(answer ? "answer " + answer->payload : std::string("failed ") + name(answer.error()->code) + " " + answer.error()->detail);
}

Task<void> flood(NatsClient& client, std::string subject, size_t count) {
    for (size_t i = 0; i < count;) {
        if (client.publish(subject, std::to_string(i) + std::string(1'000, ' '))) i++;
        else co_await sleep_ms(1);
    }
    print("flooded");
}

Task<void> obey(Core& core, NatsClient& client, Nursery& tasks) {
    Input input;
    core.epoll().watch_level(STDIN_FILENO, 1 /* EPOLLIN */, input);
    std::string text;
    for (char buffer[4'096];;) {
        co_await input.ready.wait();
        const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
        if (n <= 0) break;
        text.append(buffer, static_cast<size_t>(n));
        for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
            std::istringstream line(text.substr(0, end));
            std::string word, subject, rest;
            line >> word >> subject >> rest;
            if (word == "ask") tasks.spawn(ask(client, subject, rest));
            if (word == "flood") tasks.spawn(flood(client, subject, std::stoul(rest)));
        }
    }
    core.epoll().forget(STDIN_FILENO, input);
    core.stop();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    Core core(0, system_clock(), std::make_unique<EpollPoller>(), std::random_device{}());
    Core::Enter enter(core);
    NatsOptions options;
    options.servers.clear();
    std::istringstream servers(argv[1]);
    for (std::string one; std::getline(servers, one, ',');) options.servers.push_back(one);
    options.user = variable("NATS_AUTH_USERNAME"), options.password = variable("NATS_AUTH_PASSWORD"), options.token = variable("NATS_AUTH_TOKEN");
    options.nkey = variable("NATS_AUTH_NKEY"), options.credentials_file = variable("NATS_AUTH_CREDENTIALS_FILE");
    options.tls_ca = variable("NATS_TLS_CA_CERT_PATH"), options.tls_insecure = !variable("NATS_TLS_INSECURE").empty();
    options.tls_cert = variable("NATS_TLS_CLIENT_CERT_PATH"), options.tls_key = variable("NATS_TLS_CLIENT_KEY_PATH");
    auto setup = nats_setup(options);
    if (!setup) {
        print(setup.error()->message);
        return 1;
    }
    Resolver resolver(core);
    NatsClient client(core, resolver, *setup);
    Ear ear(client);
    NatsClient::Subscription subscription(client, argc > 2 ? argv[2] : "nobody.says.this", ear);
    client.start();
    Nursery tasks, asking;
    tasks.spawn(obey(core, client, asking));
    core.run();
    asking.cancel();
    tasks.cancel();
    return 0;
}
