#include "config/options/rows.h"

namespace weir::config {
namespace {
constexpr Str mcp = "MCP", wasm = "WebAssembly plug-ins", rtc = "WebRTC", hooks = "storage hooks", mesh = "the mesh of routers";
constexpr Row mcp_table[] = {
    later("mcp.config", file(), "", mcp, "File that lists MCP servers.").la("--mcp-config-path"),
    dormant("mcp.http_proxy", text(), "", "Proxy towards MCP servers.").la("", "MCP_HTTP_PROXY"),
    dormant("mcp.https_proxy", text(), "", "Proxy towards MCP servers over TLS.").la("", "MCP_HTTPS_PROXY"),
    dormant("mcp.no_proxy", text(), "", "Hosts reached without it.").la("", "MCP_NO_PROXY"),
    later("mcp.wasm", flag(), "false", wasm, "Run WebAssembly modules.").la("--enable-wasm"),
    later("mcp.storage_hook", file(), "", hooks, "WebAssembly component around storage.").la("--storage-hook-wasm-path"),
    later("mcp.storage_headers", list(), "", hooks, "Request headers handed to it, HEADER=KEY.").la("--storage-context-headers"),
    later("mcp.webrtc_bind", text(), "0.0.0.0", rtc, "Address of WebRTC sockets.").la("--webrtc-bind-addr"),
    later("mcp.webrtc_stun", text(), "stun.l.google.com:19302", rtc, "STUN server, host:port.").la("--webrtc-stun-server"),
    later("mcp.heap_profiles", file(), "", "heap profiles", "Folder for heap profiles.").la("--jemalloc-prof-dir"),
};
constexpr Row mesh_table[] = {
    later("mesh.enable", flag(), "false", mesh, "Share state with other routers.").la("--enable-mesh"),
    later("mesh.name", text(), "", mesh, "Name of this router; none: made up.").la("--mesh-server-name"),
    later("mesh.host", text(), "0.0.0.0", mesh, "Address of the mesh listener.").la("--mesh-host"),
    later("mesh.advertise_host", text(), "", mesh, "Address told to the others; none: --mesh-host.").la("--mesh-advertise-host"),
    later("mesh.port", integer(1, 65'535), "39527", mesh, "Its port.").la("--mesh-port"),
    later("mesh.peers", list(), "", mesh, "Other routers to join, host:port.").la("--mesh-peer-urls"),
    later("mesh.tls_ca", file(), "", mesh, "CA of the routers' certificates, PEM.").la("--mesh-tls-ca-cert"),
    later("mesh.tls_cert", file(), "", mesh, "This router's certificate, PEM.").la("--mesh-tls-cert"),
    later("mesh.tls_key", file(), "", mesh, "Its private key, PEM.").la("--mesh-tls-key"),
};
}  // namespace
std::span<const Row> mcp_rows() { return mcp_table; }
std::span<const Row> mesh_rows() { return mesh_table; }

}  // namespace weir::config
