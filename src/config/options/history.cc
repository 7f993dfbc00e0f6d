#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str store = "stored conversations", oracle = "Oracle storage", postgres = "PostgreSQL storage", redis = "Redis storage";
constexpr Row table[] = {
    later("history.backend", choice("none | memory oracle postgres redis"), "memory", "history backend",
          "Where conversations and responses are kept.")
        .la("--history-backend").off_at("none"),
    later("history.memory_responses", integer(1), "10000", store, "Responses kept in memory.")
        .la("--history-memory-max-responses"),
    later("history.memory_items", integer(1), "100000", store, "Conversation items kept in memory.")
        .la("--history-memory-max-items"),
    later("history.memory_s", integer(), "86400", store, "Seconds they are kept; 0: until pushed out.")
        .la("--history-memory-retention-secs"),
    later("history.schema", file(), "", store, "YAML that renames tables and columns.").la("--schema-config"),
    later("history.migrate", flag(), "false", store, "Bring database tables up to date at start.").la("", "DB_AUTO_MIGRATE"),
    later("history.oracle_wallet", file(), "", oracle, "Folder of the wallet.").la("--oracle-wallet-path", "ATP_WALLET_PATH"),
    later("history.oracle_alias", text(), "", oracle, "Alias in tnsnames.ora.").la("--oracle-tns-alias", "ATP_TNS_ALIAS"),
    later("history.oracle_dsn", text(), "", oracle, "Connection descriptor.")
        .la("--oracle-dsn --oracle-connect-descriptor", "ATP_DSN"),
    later("history.oracle_user", text(), "", oracle, "User.").la("--oracle-user --oracle-username", "ATP_USER"),
    later("history.oracle_password", secret(), "", oracle, "Password.").la("--oracle-password", "ATP_PASSWORD"),
    later("history.oracle_external", flag(), "false", oracle, "Authentication by the wallet.")
        .la("--oracle-external-auth", "ATP_EXTERNAL_AUTH"),
    later("history.oracle_pool_min", integer(), "1", oracle, "Connections kept.").la("--oracle-pool-min", "ATP_POOL_MIN"),
    later("history.oracle_pool_max", integer(1), "16", oracle, "Connections at most.").la("--oracle-pool-max", "ATP_POOL_MAX"),
    later("history.oracle_pool_timeout_s", integer(), "30", oracle, "Wait for a connection, seconds.")
        .la("--oracle-pool-timeout-secs", "ATP_POOL_TIMEOUT_SECS"),
    later("history.postgres_url", secret(), "", postgres, "Connection URL.").la("--postgres-db-url", "POSTGRES_DB_URL"),
    later("history.postgres_pool_max", integer(1), "16", postgres, "Connections at most.")
        .la("--postgres-pool-max-size --postgres-pool-max", "POSTGRES_POOL_MAX"),
    later("history.postgres_timeout_s", integer(), "5", postgres, "Time for one call, seconds.")
        .la("--postgres-op-timeout-secs", "POSTGRES_OP_TIMEOUT_SECS"),
    later("history.redis_url", secret(), "", redis, "Connection URL.").la("--redis-url", "REDIS_URL"),
    later("history.redis_pool_max", integer(1), "16", redis, "Connections at most.")
        .la("--redis-pool-max-size --redis-pool-max", "REDIS_POOL_MAX"),
    later("history.redis_days", integer(-1), "30", redis, "Days records are kept; -1: for ever.")
        .la("--redis-retention-days", "REDIS_RETENTION_DAYS"),
    later("history.redis_timeout_s", integer(), "5", redis, "Time for one call, seconds.")
        .la("--redis-op-timeout-secs", "REDIS_OP_TIMEOUT_SECS"),
};
}  // namespace
std::span<const Row> history_rows() { return table; }

}  // namespace weir::config
