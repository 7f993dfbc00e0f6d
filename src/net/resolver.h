// Names to addresses (c-ares, in net/resolver.cc alone), cached by their TTL. One per core.
#pragma once
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/core.h"

namespace weir {

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    std::string text() const;
};
Result<Address> parse_address(const std::string& literal, uint16_t port);   // IPv4 or IPv6 literal (no brackets)
Result<Address> unix_address(const std::string& path);

class Resolver {
public:
    // `servers`: "address:port,..." instead of those in /etc/resolv.conf (tests).
    explicit Resolver(Core&, std::string servers = {});
    ~Resolver();
    // At least one address, in RFC 6724 order. Literals and localhost need no DNS; /etc/hosts comes before it. An answer is kept for
    // its TTL (1 s to 60 s, a refusal 1 s) and asked for again before it is used later; equal look-ups under way share one query.
    // connect_failed when unknown or after timeout_ms (0: none beyond the resolver's own).
    Task<Result<std::vector<Address>>> resolve(std::string host, uint16_t port, uint64_t timeout_ms);
    size_t cached() const;         // names kept, at most limits::dns_names_max
    uint64_t queries() const;      // look-ups that went to c-ares

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// A connected, non-blocking fd with TCP_NODELAY; tries the addresses in turn within `timeout_ms`. connect_failed otherwise.
Task<Result<int>> connect_any(std::vector<Address> addresses, uint64_t timeout_ms);

}  // namespace weir
