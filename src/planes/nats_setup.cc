#include "planes/nats_setup.h"

#include <fstream>
#include <iterator>

#include "wire/url.h"

namespace weir {
namespace {

constexpr size_t servers_max = 64, credentials_bytes_max = 64 * 1024;
constexpr uint16_t default_port = 4'222;

// [nats:// or tls://][user[:password]@]host[:port]; a user alone is a token.
Result<NatsServer> read_server(const std::string& text) {
    auto refused = [&] {   // without what may be a password
        return Failure(Code::bad_field, "not an address of NATS, which has the form nats://host:port: " + text.substr(text.rfind('@') + 1));
    };
    NatsServer server;
    Str rest = text;
    if (const size_t scheme = rest.find("://"); scheme != Str::npos) {
        const Str name = rest.substr(0, scheme);
        if (name != "nats" && name != "tls") return refused();
        server.tls = name == "tls";
        rest.remove_prefix(scheme + 3);
    }
    if (const size_t at = rest.rfind('@'); at != Str::npos) {
        const Str who = rest.substr(0, at);
        const size_t colon = who.find(':');
        if (!percent_decode(who.substr(0, colon), server.user)) return refused();
        if (colon != Str::npos && !percent_decode(who.substr(colon + 1), server.password)) return refused();
        rest.remove_prefix(at + 1);
    }
    if (rest.ends_with('/')) rest.remove_suffix(1);
    const auto url = parse_worker_url("http://" + std::string(rest));
    if (!url || !url->path.empty()) return refused();
    const size_t colon = rest.find_last_of(":]");
    server.host = url->host;
    server.port = colon != Str::npos && rest[colon] == ':' ? url->port : default_port;
    return server;
}

Result<std::string> read_small_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file || text.size() > credentials_bytes_max) return Failure(Code::bad_field, "cannot read the NATS credentials file " + path);
    return text;
}

}  // namespace

Result<std::shared_ptr<const NatsSetup>> nats_setup(const NatsOptions& options) {
    auto setup = std::make_shared<NatsSetup>();
    if (options.servers.empty() || options.servers.size() > servers_max)
        return Failure(Code::bad_field, "NATS needs 1 to " + std::to_string(servers_max) + " addresses");
    if (options.tls_cert.empty() != options.tls_key.empty())
        return Failure(Code::bad_field, "the certificate shown to NATS and its key must be given together");
    setup->tls_wanted = options.tls_insecure || !options.tls_ca.empty() || !options.tls_cert.empty();
    bool any_tls = setup->tls_wanted;
    for (const std::string& text : options.servers) {
        TRY(NatsServer server, read_server(text));
        any_tls |= server.tls;
        setup->servers.push_back(std::move(server));
    }
    if (any_tls) {
        TlsClientFiles files{options.tls_cert, options.tls_key, {}, !options.tls_insecure};
        if (!options.tls_ca.empty()) files.ca.push_back(options.tls_ca);
        TRY(setup->tls, TlsClient::load(std::move(files)));
    }
    setup->user = options.user;
    setup->password = options.password;
    setup->token = options.token;
    std::string seed = options.nkey;
    if (!options.credentials_file.empty()) {
        TRY(std::string text, read_small_file(options.credentials_file));
        TRY(NatsCredentials credentials, read_nats_credentials(text));
        setup->jwt = std::move(credentials.jwt);
        seed = std::move(credentials.seed);
    }
    if (!seed.empty()) {
        TRY(setup->key, read_nats_seed(seed));
    }
    return std::shared_ptr<const NatsSetup>(std::move(setup));
}

}  // namespace weir
