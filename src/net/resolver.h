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
    explicit Resolver(Core&);
    ~Resolver();
    // At least one address, order as the resolver gave it (rotated by the caller). Literals, localhost without DNS. connect_failed when unknown.
    Task<Result<std::vector<Address>>> resolve(std::string host, uint16_t port, uint64_t timeout_ms);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// A connected, non-blocking fd with TCP_NODELAY; tries the addresses in turn within `timeout_ms`. connect_failed otherwise.
Task<Result<int>> connect_any(std::vector<Address> addresses, uint64_t timeout_ms);

}  // namespace weir
