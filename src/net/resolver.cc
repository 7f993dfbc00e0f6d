// c-ares on the core's poller. Its callbacks only fill entries and make waiters ready.
#include "net/resolver.h"

#include <ares.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "wire/http1.h"

namespace weir {
namespace {

constexpr uint64_t ttl_ms_min = 1'000, ttl_ms_max = 60'000, refusal_ms = 1'000;
constexpr int query_timeout_ms = 2'000, query_tries = 3;

struct Entry {
    std::vector<Address> addresses;   // ports are 0; empty: unknown
    std::string why;
    uint64_t expires_ms = 0;
    bool pending = false;
    List<Waiter> waiting;
};

// co_await: until the entry is answered or the time is over.
struct EntryAwait : Timer {
    Entry& entry;
    uint64_t timeout_ms;
    Waiter waiter;
    EntryAwait(Entry& entry, uint64_t timeout_ms) : entry(entry), timeout_ms(timeout_ms) {
        fire = [](Timer& t) { Core::here().ready(static_cast<EntryAwait&>(t).waiter); };
    }
    bool await_ready() const { return !entry.pending; }
    void await_suspend(std::coroutine_handle<> h) {
        waiter.frame = h;
        entry.waiting.push_back(waiter);
        if (timeout_ms) Core::here().arm(*this, timeout_ms);
    }
    void await_resume() const {}
};

bool is_localhost(const std::string& host) {
    std::string_view name = host;
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.size() < 9) return false;
    std::string_view last = name.substr(name.size() - 9);
    return same_ignoring_case(last, "localhost") && (name.size() == 9 || name[name.size() - 10] == '.');
}

}  // namespace

struct Resolver::Impl {
    struct Socket final : Watched {   // one of c-ares' sockets
        Impl* impl;
        ares_socket_t fd;
        void on_events(uint32_t events) override;
    };
    struct Query {
        Impl* impl;
        std::shared_ptr<Entry> entry;
    };
    struct Tick : Timer { Impl* impl; };

    Impl(Core& core, std::string servers) : core(core), servers(std::move(servers)) {
        static std::once_flag once;
        std::call_once(once, [] { ares_library_init(ARES_LIB_INIT_ALL); });
        tick.impl = this;
        tick.fire = [](Timer& t) { static_cast<Tick&>(t).impl->process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); };
    }
    ~Impl() { close(); }

    bool open() {
        struct stat now{};
        ::stat("/etc/resolv.conf", &now);
        bool changed = now.st_mtim.tv_sec != conf.st_mtim.tv_sec || now.st_ino != conf.st_ino || now.st_size != conf.st_size;
        if (channel && (!changed || !servers.empty() || under_way)) return true;
        close();
        conf = now;
        ares_options options{};
        options.timeout = query_timeout_ms;
        options.tries = query_tries;
        options.sock_state_cb = &on_socket;
        options.sock_state_cb_data = this;
        char lookups[] = "fb";
        options.lookups = lookups;
        int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS;
        if (ares_init_options(&channel, &options, mask) != ARES_SUCCESS) {
            channel = nullptr;
            return false;
        }
        return servers.empty() || ares_set_servers_ports_csv(channel, servers.c_str()) == ARES_SUCCESS;
    }

    void close() {
        if (channel) ares_destroy(channel);   // calls back for every query under way, and for every socket
        channel = nullptr;
    }

    static void on_socket(void* self, ares_socket_t fd, int readable, int writable) {
        Impl& impl = *static_cast<Impl*>(self);
        auto& socket = impl.sockets[fd];
        if (!readable && !writable) {
            if (socket) impl.core.epoll().forget(fd, *socket);
            impl.sockets.erase(fd);
            return;
        }
        if (!socket) {
            socket = std::make_unique<Socket>();
            socket->impl = &impl;
            socket->fd = fd;
        }
        impl.core.epoll().watch_level(fd, (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u), *socket);
    }

    static void on_answer(void* arg, int status, int, ares_addrinfo* info) {
        std::unique_ptr<Query> query(static_cast<Query*>(arg));
        Impl& impl = *query->impl;
        Entry& entry = *query->entry;
        impl.under_way--;
        entry.pending = false;
        uint64_t ttl_ms = ttl_ms_max;
        if (status == ARES_SUCCESS && info) {
            for (auto* c = info->cnames; c; c = c->next) ttl_ms = std::min<uint64_t>(ttl_ms, std::max(c->ttl, 0) * 1'000ull);
            for (auto* node = info->nodes; node; node = node->ai_next) {
                if (node->ai_addrlen > sizeof(sockaddr_storage) || entry.addresses.size() >= limits::dns_addresses_max) continue;
                Address a;
                std::memcpy(&a.storage, node->ai_addr, node->ai_addrlen);
                a.length = node->ai_addrlen;
                entry.addresses.push_back(a);
                ttl_ms = std::min<uint64_t>(ttl_ms, std::max(node->ai_ttl, 0) * 1'000ull);
            }
        }
        if (info) ares_freeaddrinfo(info);
        if (entry.addresses.empty()) {
            entry.why = status == ARES_SUCCESS ? "no address" : ares_strerror(status);
            ttl_ms = refusal_ms;
        }
        entry.expires_ms = impl.core.now_ms() + std::max(ttl_ms, ttl_ms_min);
        while (Waiter* w = entry.waiting.pop_front()) impl.core.ready(*w);
    }

    void process(ares_socket_t in, ares_socket_t out) {
        ares_process_fd(channel, in, out);
        timeval tv{};
        if (!ares_timeout(channel, nullptr, &tv)) return tick.unlink();
        core.arm(tick, static_cast<uint64_t>(tv.tv_sec) * 1'000 + static_cast<uint64_t>(tv.tv_usec) / 1'000 + 1);
    }

    // The entry of a name, answered or being asked for. Null: every place is taken by a look-up under way.
    std::shared_ptr<Entry> ask(const std::string& host) {
        auto found = entries.find(host);
        if (found != entries.end()) {
            if (found->second->pending || found->second->expires_ms > core.now_ms()) return found->second;
            entries.erase(found);
        }
        if (entries.size() >= limits::dns_names_max && !evict()) return nullptr;
        auto entry = std::make_shared<Entry>();
        if (!open()) {
            entry->why = "the resolver cannot start";
            return entry;
        }
        entries[host] = entry;
        entry->pending = true;
        under_way++;
        queries++;
        ares_addrinfo_hints hints{};
        hints.ai_family = AF_UNSPEC;
        hints.ai_socktype = SOCK_STREAM;
        ares_getaddrinfo(channel, host.c_str(), nullptr, &hints, &on_answer, new Query{this, entry});
        process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        return entry;
    }

    bool evict() {
        auto oldest = entries.end();
        for (auto at = entries.begin(); at != entries.end(); ++at)
            if (!at->second->pending && (oldest == entries.end() || at->second->expires_ms < oldest->second->expires_ms)) oldest = at;
        if (oldest == entries.end()) return false;
        entries.erase(oldest);
        return true;
    }

    Core& core;
    std::string servers;
    ares_channel channel = nullptr;
    struct stat conf{};
    size_t under_way = 0;
    uint64_t queries = 0;
    std::unordered_map<std::string, std::shared_ptr<Entry>> entries;
    std::unordered_map<int, std::unique_ptr<Socket>> sockets;
    Tick tick;
};

void Resolver::Impl::Socket::on_events(uint32_t events) {
    // c-ares may close this socket, and so destroy us, while it works.
    bool out = events & EPOLLOUT, in = events & ~EPOLLOUT;
    impl->process(in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
}

Resolver::Resolver(Core& core, std::string servers) : impl_(std::make_unique<Impl>(core, std::move(servers))) {}
Resolver::~Resolver() = default;
size_t Resolver::cached() const { return impl_->entries.size(); }
uint64_t Resolver::queries() const { return impl_->queries; }

Task<Result<std::vector<Address>>> Resolver::resolve(std::string host, uint16_t port, uint64_t timeout_ms) {
    std::vector<Address> out;
    if (auto literal = parse_address(host, port)) {
        out.push_back(*literal);
        co_return out;
    }
    if (is_localhost(host)) {
        for (const char* loopback : {"127.0.0.1", "::1"}) out.push_back(*parse_address(loopback, port));
        co_return out;
    }
    std::shared_ptr<Entry> entry = impl_->ask(host);
    if (!entry) co_return Failure(Code::connect_failed, "cannot find the worker's address").detail("too many names are being looked up");
    co_await EntryAwait(*entry, timeout_ms);
    if (entry->pending) co_return Failure(Code::connect_failed, "cannot find the worker's address").detail(host + ": no answer in time");
    if (entry->addresses.empty())
        co_return Failure(Code::connect_failed, "cannot find the worker's address").detail(host + ": " + entry->why);
    out = entry->addresses;
    for (auto& a : out) {
        if (a.storage.ss_family == AF_INET) reinterpret_cast<sockaddr_in&>(a.storage).sin_port = htons(port);
        else reinterpret_cast<sockaddr_in6&>(a.storage).sin6_port = htons(port);
    }
    co_return out;
}

}  // namespace weir
