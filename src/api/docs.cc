// The page over /openapi.json: Swagger UI, embedded gzip-compressed by cmake/swagger.cmake; nothing comes from another host.
#include <zlib.h>

#include <array>

#include "api/answers.h"
#include "api/docs_assets.h"
#include "wire/chars.h"

namespace weir::api {
namespace {

constexpr Str page = R"(<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>weir API</title><link rel="stylesheet" href="swagger-ui.css"></head>
<body><div id="ui"></div>
<script src="swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#ui", deepLinking: true, validatorUrl: null});</script>
</body>
</html>
)";
constexpr Str page_without = R"(<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>weir API</title></head>
<body><h1>weir API</h1>
<p>This build has no Swagger UI: the Debian package r-cran-swagger could not be fetched when it was made.
The document itself is at <a href="/openapi.json">/openapi.json</a>.</p>
</body>
</html>
)";

std::string inflate_all(Str gzip) {
    z_stream z{};
    std::string out;
    if (inflateInit2(&z, 15 + 16) != Z_OK) return out;
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(gzip.data()));
    z.avail_in = static_cast<uInt>(gzip.size());
    std::array<char, 16 * 1024> piece;
    int state = Z_OK;
    while (state == Z_OK) {
        z.next_out = reinterpret_cast<Bytef*>(piece.data());
        z.avail_out = piece.size();
        state = inflate(&z, Z_NO_FLUSH);
        out.append(piece.data(), piece.size() - z.avail_out);
    }
    inflateEnd(&z);
    return out;
}

// "gzip" named without q=0; `*` does not count, identity is what such clients mean in practice.
bool accepts_gzip(Str accept) {
    while (!accept.empty()) {
        size_t comma = std::min(accept.find(','), accept.size());
        Str one = accept.substr(0, comma);
        accept.remove_prefix(std::min(comma + 1, accept.size()));
        size_t semicolon = std::min(one.find(';'), one.size());
        std::string coding, rest;
        for (char c : chars::trim_blanks(one.substr(0, semicolon)).substr(0, 16)) coding += chars::lower(c);
        for (char c : one.substr(semicolon))
            if (!chars::is_blank(c)) rest += c;
        if (coding != "gzip") continue;
        return !rest.starts_with(";q=0") || rest.find_first_of("123456789") != std::string::npos;
    }
    return false;
}

}  // namespace

Reply docs_reply(const Options& options, const Routes&, Str rest, Str accept_encoding, const Asked& asked) {
    Reply reply;
    if (asked.path == "/docs") {
        reply.status = 303;
        reply.headers = "location: /docs/\r\n";
        return reply;
    }
    if (rest.empty() || rest == "index.html") {
        reply.content_type = "text/html; charset=utf-8";
        reply.body = docs_assets().empty() ? page_without : page;
        return reply;
    }
    for (const DocsAsset& asset : docs_assets()) {
        if (asset.name != rest) continue;
        reply.content_type = asset.name.ends_with(".css") ? "text/css" : "text/javascript";
        reply.headers = "vary: accept-encoding\r\ncache-control: max-age=86400\r\n";
        if (accepts_gzip(accept_encoding)) {
            reply.headers += "content-encoding: gzip\r\n";
            reply.body = asset.gzip;
        } else {
            reply.body = inflate_all(asset.gzip);
        }
        return reply;
    }
    FailureBody f;
    f.code = Code::route_unknown;
    return error_reply(options, f, asked);
}

}  // namespace weir::api
