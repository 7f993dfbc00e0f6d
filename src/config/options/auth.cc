#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str keys = "API keys", admin = "keys of the control plane", jwt = "sign-in by JWT", tenant = "tenants";
constexpr Row table[] = {
    later("auth.api_key", secret(), "", keys, "Key that clients must show; also sent to workers.").la("--api-key"),
    later("auth.tenant_keys", secrets(), "", tenant, "Keys of tenants, TENANT:KEY; may be repeated.").la("--tenant-api-key"),
    later("auth.trust_tenant_header", flag(), "false", tenant, "Believe the tenant header.").la("--trust-tenant-header"),
    later("auth.tenant_header", text(), "x-smg-tenant-id", tenant, "Its name.").la("--tenant-header-name"),
    later("auth.admin_keys", secrets(), "", admin, "Keys of the admin routes, id:name:role:key.")
        .la("--control-plane-api-keys", "CONTROL_PLANE_API_KEYS"),
    later("auth.jwt_issuer", text(), "", jwt, "Issuer URL.").la("--jwt-issuer", "JWT_ISSUER"),
    later("auth.jwt_audience", text(), "", jwt, "Audience that tokens must have.").la("--jwt-audience", "JWT_AUDIENCE"),
    later("auth.jwt_jwks", text(), "", jwt, "Where the issuer's keys are; none: discovered.")
        .la("--jwt-jwks-uri", "JWT_JWKS_URI"),
    later("auth.jwt_role_claim", text(), "roles", jwt, "Claim with the role.").la("--jwt-role-claim"),
    later("auth.jwt_roles", list(), "", jwt, "Issuer's role to ours, THEIRS=OURS.").la("--jwt-role-mapping"),
    later("auth.audit", flag(), "true", "the audit log", "Log what the admin routes are used for.")
        .la("--control-plane-audit-enabled !--disable-audit-logging"),
};
}  // namespace
std::span<const Row> auth_rows() { return table; }

}  // namespace weir::config
