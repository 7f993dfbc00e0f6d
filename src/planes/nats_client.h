// A connection to NATS: subscriptions that outlive reconnections, requests answered on an inbox. One core.
#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "net/transport.h"
#include "wire/nats.h"

namespace weir {

struct NatsOptions {
    std::vector<std::string> servers{"nats://localhost:4222"};   // of one cluster: [nats:// or tls://][user:password@]host[:port]
    std::string user, password, token; // empty: none; those of an address win
    std::string nkey;                  // seed of a user's key
    std::string credentials_file;      // a JWT and its seed; wins over nkey
    std::string tls_ca, tls_cert, tls_key;   // PEM files. Given any: TLS is wanted, whatever an address says
    bool tls_insecure = false;         // the server's certificate is not looked at
};
// The options, read and checked; shared by all cores' clients. Failure: bad_field.
struct NatsServer;
struct NatsSetup;
Result<std::shared_ptr<const NatsSetup>> nats_setup(const NatsOptions& options);

struct NatsTimes {
    uint64_t connect_ms = 5'000, ping_ms = 20'000, pong_ms = 10'000;
    uint64_t retry_first_ms = 100, retry_max_ms = 3'000;
    uint64_t wait_for_connection_ms = 2'000;   // of a request that comes while there is none
};
inline constexpr size_t nats_message_max = 64 * 1024 * 1024;     // received
inline constexpr size_t nats_pending_max = 16 * 1024 * 1024;     // bytes the server has not taken
inline constexpr size_t nats_requests_max = 65'536;              // waiting for their answers

class NatsListener {                   // called on the client's core; may end its own subscription, not the client
public:
    virtual ~NatsListener() = default;
    virtual void connected() {}        // what is published from now on comes; what was before is lost
    virtual void message(const NatsMessage& message) = 0;   // views, good during the call
    virtual void lost() {}             // after connected(): nothing comes until the next connected()
};

class NatsClient {
public:
    NatsClient(Core& core, Resolver& resolver, std::shared_ptr<const NatsSetup> setup, NatsTimes times = {});
    ~NatsClient();                     // on the core, when subscriptions have ended; who waits for an answer is never resumed
    void start();                      // on the core: connects, and again whenever the connection is lost
    bool connected() const { return up_; }
    const std::string& trouble() const { return trouble_; }   // what was wrong last, empty while connected

    struct Answer { std::string headers, payload; };
    // Failures: connect_failed (no connection, nobody subscribed there, too much waits: nobody has it); reset_before_byte,
    // first_byte_timeout (somebody may have it); too_large. `headers`: a block (wire/nats.h) or empty. Views outlive the call.
    Task<Result<Answer>> request(Str subject, Str headers, Str payload, uint64_t timeout_ms);
    // False: not connected, too large, or too much waits for the server already.
    bool publish(Str subject, Str payload);
    size_t waiting() const { return requests_.size(); }
    struct Counts { uint64_t connections = 0, errors = 0, refused = 0, unexpected = 0; } counts;   // refused: too much waited

    // Lives as long as somebody wants to hear; ends before the client. An invalid subject hears nothing.
    class Subscription {
    public:
        Subscription(NatsClient& client, std::string subject, NatsListener& listener);
        ~Subscription();
        Subscription(const Subscription&) = delete;

    private:
        friend class NatsClient;
        NatsClient& client_;
        const std::string subject_;
        NatsListener& listener_;
        const uint64_t sid_;
        uint64_t confirmed_by_ = 0;    // the PONG that says the server knows it; 0: not said to it yet
        bool told_ = false;
    };

private:
    struct Request;
    struct Connection;                 // somebody who waits for one
    Task<void> run();
    Task<Result<std::unique_ptr<Transport>>> dial(const NatsServer& server);
    Task<void> talk(Transport& socket, const NatsServer& server);
    Result<void> read_info(Str json);
    std::string connect_line(const NatsServer& server) const;
    void heard(NatsReader::Kind kind, const NatsReader& reader);
    void message(const NatsMessage& message);
    void ponged();
    void subscribe(Subscription& s, std::string& out);
    bool say(std::span<const iovec> pieces);
    void lost();
    Core& core_;
    Resolver& resolver_;
    const std::shared_ptr<const NatsSetup> setup_;
    const NatsTimes times_;
    std::string inbox_;                // "_INBOX.xxx.": an answer's subject is that and the request's number
    Transport* socket_ = nullptr;      // while there is one that has said hello
    bool up_ = false;                  // and knows our inbox
    std::string nonce_, trouble_;      // trouble_: why there is no connection
    size_t payload_max_ = 1024 * 1024; // as the server says
    bool tls_required_ = false, headers_ = false;
    uint64_t pings_ = 0, pongs_ = 0;   // of this connection
    size_t held_back_ = 0;             // bytes given to a socket that was full, since it was
    uint64_t next_request_ = 1, next_sid_ = 2;   // sid 1: the inbox
    std::unordered_map<uint64_t, Request*> requests_;
    std::map<uint64_t, Subscription*> subscriptions_;   // by sid
    List<Waiter> want_connection_;     // requests
    Nursery tasks_;
};

}  // namespace weir
