// NATS' options, read: where the servers are and what is shown to them.
#pragma once
#include <optional>

#include "planes/nats_client.h"
#include "planes/nats_keys.h"

namespace weir {

struct NatsServer {
    std::string host;
    uint16_t port = 0;
    bool tls = false;
    std::string user, password;        // of its address
    std::string text() const { return host + ":" + std::to_string(port); }
};

struct NatsSetup {
    std::vector<NatsServer> servers;
    std::unique_ptr<TlsClient> tls;    // null: nobody asked for TLS
    bool tls_wanted = false;           // of every server
    std::string user, password, token, jwt;
    std::optional<NatsKey> key;
};

}  // namespace weir
