// The hub over libcurl: one easy handle, kept so that connections are reused. No callback of ours throws through C.
// The library is loaded when a model is fetched: with all that it links (Kerberos, LDAP, GnuTLS) it costs 4 MB and 6 ms at start.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstring>

#include "hub/hub_http.h"

namespace weir {
namespace {

#undef curl_easy_setopt   // a macro that would count arguments

struct Curl {
    decltype(&::curl_global_init) global_init;
    decltype(&::curl_easy_init) easy_init;
    decltype(&::curl_easy_cleanup) easy_cleanup;
    decltype(&::curl_easy_reset) easy_reset;
    decltype(&::curl_easy_setopt) easy_setopt;
    decltype(&::curl_easy_perform) easy_perform;
    decltype(&::curl_easy_strerror) easy_strerror;
    decltype(&::curl_slist_append) slist_append;
    decltype(&::curl_slist_free_all) slist_free_all;
    bool usable = false;

    Curl() {
        void* library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);   // for good: a library that starts threads is never unloaded
        if (!library) return;
        const auto find = [&](auto& function, const char* name) {
            function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
            return function != nullptr;
        };
        usable = find(global_init, "curl_global_init") && find(easy_init, "curl_easy_init") && find(easy_cleanup, "curl_easy_cleanup") &&
                 find(easy_reset, "curl_easy_reset") && find(easy_setopt, "curl_easy_setopt") && find(easy_perform, "curl_easy_perform") &&
                 find(easy_strerror, "curl_easy_strerror") && find(slist_append, "curl_slist_append") &&
                 find(slist_free_all, "curl_slist_free_all") && global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    }
};

const Curl& curl() {
    static const Curl loaded;
    return loaded;
}

constexpr long low_speed_bytes = 1'024;
constexpr size_t fields_max = 256;

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return out;
}

std::string_view trim(std::string_view s) {
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r' || s.back() == '\n')) s.remove_suffix(1);
    return s;
}

struct Exchange {
    HubResponse response;
    HubBody* body = nullptr;
    const HubStop* stop = nullptr;
    bool head_given = false, ended_by_us = false, too_much = false;

    bool give_head() {
        if (head_given) return true;
        head_given = true;
        if (body->head(response)) return true;
        ended_by_us = true;
        return false;
    }
};

size_t on_field(char* data, size_t size, size_t n, void* self) {
    auto& x = *static_cast<Exchange*>(self);
    std::string_view line(data, size * n);
    if (line.starts_with("HTTP/")) {   // a new head: what came before was a proxy's or a 100
        x.response = {};
        size_t at = line.find(' ');
        if (at != line.npos) x.response.status = std::atoi(std::string(line.substr(at + 1, 3)).c_str());
        return size * n;
    }
    size_t colon = line.find(':');
    if (colon == line.npos) return size * n;
    if (x.response.fields.size() >= fields_max) {
        x.too_much = true;
        return 0;
    }
    x.response.fields.emplace_back(lower(trim(line.substr(0, colon))), trim(line.substr(colon + 1)));
    return size * n;
}

size_t on_bytes(char* data, size_t size, size_t n, void* self) {
    auto& x = *static_cast<Exchange*>(self);
    if (!x.give_head()) return CURL_WRITEFUNC_ERROR;
    if (x.body->bytes({data, size * n})) return size * n;
    x.ended_by_us = true;
    return CURL_WRITEFUNC_ERROR;
}

int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Exchange*>(self)->stop->stopped() ? 1 : 0;
}

class CurlHttp final : public HubHttp {
public:
    CurlHttp(const HubHttpLimits& limits, const HubStop& stop) : limits_(limits), stop_(stop) {
        if (curl().usable) handle_ = curl().easy_init();
    }
    ~CurlHttp() override {
        if (handle_) curl().easy_cleanup(handle_);
    }
    Result<HubResponse> ask(const HubRequest&, HubBody&) override;

private:
    void set_up(const HubRequest&, Exchange&, curl_slist* fields, char* why);
    HubHttpLimits limits_;
    const HubStop& stop_;
    CURL* handle_ = nullptr;
};

void CurlHttp::set_up(const HubRequest& request, Exchange& x, curl_slist* fields, char* why) {
    curl().easy_reset(handle_);   // connections stay
    curl().easy_setopt(handle_, CURLOPT_URL, request.url.c_str());
    curl().easy_setopt(handle_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl().easy_setopt(handle_, CURLOPT_FOLLOWLOCATION, 0L);   // ours to decide: the token must not travel
    curl().easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
    curl().easy_setopt(handle_, CURLOPT_NOBODY, request.head ? 1L : 0L);
    curl().easy_setopt(handle_, CURLOPT_HTTPHEADER, fields);
    curl().easy_setopt(handle_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits_.connect_ms));
    curl().easy_setopt(handle_, CURLOPT_LOW_SPEED_LIMIT, low_speed_bytes);
    curl().easy_setopt(handle_, CURLOPT_LOW_SPEED_TIME, std::max(1L, static_cast<long>(limits_.stall_ms / 1'000)));
    curl().easy_setopt(handle_, CURLOPT_USERAGENT, limits_.user_agent.c_str());
    curl().easy_setopt(handle_, CURLOPT_ERRORBUFFER, why);
    curl().easy_setopt(handle_, CURLOPT_HEADERFUNCTION, on_field);
    curl().easy_setopt(handle_, CURLOPT_HEADERDATA, &x);
    curl().easy_setopt(handle_, CURLOPT_WRITEFUNCTION, on_bytes);
    curl().easy_setopt(handle_, CURLOPT_WRITEDATA, &x);
    curl().easy_setopt(handle_, CURLOPT_NOPROGRESS, 0L);
    curl().easy_setopt(handle_, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl().easy_setopt(handle_, CURLOPT_XFERINFODATA, &x);
    if (!limits_.ca_file.empty()) curl().easy_setopt(handle_, CURLOPT_CAINFO, limits_.ca_file.c_str());
    if (request.from && !request.head) curl().easy_setopt(handle_, CURLOPT_RANGE, (std::to_string(request.from) + "-").c_str());
}

Result<HubResponse> CurlHttp::ask(const HubRequest& request, HubBody& body) {
    if (!handle_) return Failure(Code::internal, "libcurl cannot be loaded (Debian: libcurl4)");
    Exchange x;
    x.body = &body;
    x.stop = &stop_;
    char why[CURL_ERROR_SIZE] = "";
    curl_slist* fields = curl().slist_append(nullptr, "Accept-Encoding: identity");   // sizes and ranges are of the file itself
    if (!request.token.empty()) fields = curl().slist_append(fields, ("Authorization: Bearer " + request.token).c_str());
    set_up(request, x, fields, why);
    CURLcode code = curl().easy_perform(handle_);
    curl().slist_free_all(fields);
    if (code == CURLE_OK || (x.ended_by_us && x.response.status)) {
        if (!x.ended_by_us) x.give_head();
        return std::move(x.response);
    }
    std::string said = why[0] ? why : curl().easy_strerror(code);
    if (stop_.stopped()) return Failure(Code::cancelled, "stopped");
    if (x.too_much) return Failure(Code::engine_garbage, "the hub's answer has too many header fields");
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return Failure(Code::bad_request, "not a URL that can be asked").detail(said);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: return Failure(Code::connect_failed, "the hub cannot be reached").detail(said);
    default: break;
    }
    if (x.response.status == 0) return Failure(Code::connect_failed, "the hub did not answer").detail(said);
    return Failure(Code::incomplete, "the hub's answer broke off").detail(said);
}

}  // namespace

std::unique_ptr<HubHttp> hub_http_curl(const HubHttpLimits& limits, const HubStop& stop) { return std::make_unique<CurlHttp>(limits, stop); }

}  // namespace weir
