#include "wire/url.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "wire/chars.h"

namespace weir {
namespace {

struct SchemeRow { std::string_view prefix; WorkerUrl::Scheme scheme; uint16_t port; };
constexpr SchemeRow schemes[] = {
    {"http", WorkerUrl::Scheme::http, 80}, {"https", WorkerUrl::Scheme::https, 443},
    {"grpc", WorkerUrl::Scheme::grpc, 50051}, {"grpcs", WorkerUrl::Scheme::grpcs, 50051},
};

std::string lowered(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), chars::lower);
    return out;
}

Failure refuse(std::string_view url, const char* why) {
    std::string shown;   // the URL may come from a stranger: keep it to one line
    for (char c : url.substr(0, 200)) shown.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c);
    return Failure(Code::bad_field, "bad worker URL '" + shown + "': " + why);
}

const char* take_port(std::string_view text, uint16_t& out) {   // nullptr or what is wrong
    unsigned port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool number = !text.empty() && text.size() <= 5 && error == std::errc{} && end == text.data() + text.size();
    if (!number) return "the port is not a number";
    if (port == 0 || port > 65535) return "the port is not in 1..65535";
    out = static_cast<uint16_t>(port);
    return nullptr;
}

const char* take_name(std::string_view host) {
    if (host.empty()) return "no host";
    if (host.size() > 253) return "the host name is too long";
    const bool numeric = std::all_of(host.begin(), host.end(), [](char c) { return chars::is(c, chars::digit) || c == '.'; });
    if (numeric) return is_ipv4(host) ? nullptr : "not an IPv4 address";
    if (host.front() == '.' || host.front() == '-' || host.find("..") != std::string_view::npos) return "bad host name";
    const bool good = std::all_of(host.begin(), host.end(), [](char c) {   // letters, digits, and what names have in practice
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_';
    });
    return good ? nullptr : "bad character in the host name";
}

const char* take_authority(std::string_view text, WorkerUrl& out) {
    std::string_view host = text, port;
    bool has_port = false;
    if (!text.empty() && text.front() == '[') {
        const size_t close = text.find(']');
        if (close == std::string_view::npos) return "']' is missing";
        host = text.substr(1, close - 1);
        if (!is_ipv6(host)) return "not an IPv6 address";
        out.is_ipv6 = true;
        const std::string_view rest = text.substr(close + 1);
        has_port = !rest.empty();
        if (has_port && rest.front() != ':') return "unexpected text behind ']'";
        if (has_port) port = rest.substr(1);
    } else {
        if (text.find('@') != std::string_view::npos) return "user info is not allowed";
        const size_t colon = text.find(':');
        has_port = colon != std::string_view::npos;
        host = text.substr(0, colon);
        if (has_port) port = text.substr(colon + 1);
        if (port.find(':') != std::string_view::npos) return "an IPv6 address needs brackets";
        if (const char* why = take_name(host)) return why;
    }
    out.host = lowered(host);
    return has_port ? take_port(port, out.port) : nullptr;
}

const char* take_path(std::string_view path, WorkerUrl& out) {
    if (path.find_first_of("?#") != std::string_view::npos) return "query and fragment are not allowed";
    for (char c : path)
        if (!chars::is(c, chars::target)) return "bad character in the path";
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    out.path = path;
    return nullptr;
}

Result<WorkerUrl> unix_url(std::string_view text) {
    std::string_view path = text.substr(5);
    if (path.substr(0, 2) == "//") path.remove_prefix(2);
    WorkerUrl url;
    url.scheme = WorkerUrl::Scheme::unix_http;
    if (path.empty() || path.front() != '/') return refuse(text, "a socket path starts with '/'");
    if (path.size() > 107) return refuse(text, "the socket path is longer than 107 bytes");
    url.path = path;
    return url;
}

}  // namespace

Result<WorkerUrl> parse_worker_url(std::string_view text) {
    if (text.empty()) return refuse(text, "empty");
    for (char c : text)
        if (chars::is_control(c) || chars::is_blank(c)) return refuse(text, "blank or control character");
    if (text.substr(0, 5) == "unix:") return unix_url(text);
    WorkerUrl url;
    std::string_view rest = text;
    const size_t colon = text.find("://");
    url.scheme_given = colon != std::string_view::npos;
    url.port = 80;
    if (url.scheme_given) {
        const std::string scheme = lowered(text.substr(0, colon));
        const auto named = [&](const SchemeRow& r) { return r.prefix == scheme; };
        const auto* row = std::find_if(std::begin(schemes), std::end(schemes), named);
        if (row == std::end(schemes)) return refuse(text, "unknown scheme, one of http, https, grpc, grpcs, unix");
        url.scheme = row->scheme;
        url.port = row->port;
        rest.remove_prefix(colon + 3);
    }
    const size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
    const std::string_view authority = rest.substr(0, slash);
    if (!url.scheme_given && authority.find(':') == std::string_view::npos) return refuse(text, "neither scheme nor port");
    if (const char* why = take_authority(authority, url)) return refuse(text, why);
    if (const char* why = take_path(rest.substr(slash), url)) return refuse(text, why);
    return url;
}

std::string WorkerUrl::authority() const {
    if (scheme == Scheme::unix_http) return "localhost";
    const std::string name = is_ipv6 ? "[" + host + "]" : host;
    const bool usual = (scheme == Scheme::http && port == 80) || (scheme == Scheme::https && port == 443);
    return usual ? name : name + ":" + std::to_string(port);
}

std::string WorkerUrl::text() const {
    if (scheme == Scheme::unix_http) return "unix:" + path;
    for (const SchemeRow& row : schemes)
        if (row.scheme == scheme) return std::string(row.prefix) + "://" + authority() + path;
    return {};
}

bool is_ipv4(std::string_view text) {
    for (int part = 0; part < 4; ++part) {
        const size_t dot = std::min(text.find('.'), text.size());
        const std::string_view digits = text.substr(0, dot);
        if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits.front() == '0')) return false;
        unsigned value = 0;
        for (char c : digits) {
            if (!chars::is(c, chars::digit)) return false;
            value = value * 10 + static_cast<unsigned>(c - '0');
        }
        if (value > 255 || (part < 3) != (dot < text.size())) return false;
        text.remove_prefix(std::min(dot + 1, text.size()));
    }
    return text.empty();
}

bool is_ipv6(std::string_view text) {
    size_t groups = 0;
    bool gap = false;
    if (text.substr(0, 2) == "::") {
        gap = true;
        text.remove_prefix(2);
    }
    while (!text.empty()) {
        const size_t colon = std::min(text.find(':'), text.size());
        const std::string_view group = text.substr(0, colon);
        if (colon == text.size() && group.find('.') != std::string_view::npos) {
            groups += 2;
            if (!is_ipv4(group)) return false;
            break;
        }
        const bool hex = std::all_of(group.begin(), group.end(), [](char c) { return chars::is(c, chars::hex); });
        if (group.empty() || group.size() > 4 || !hex) return false;
        ++groups;
        if (colon == text.size()) break;
        text.remove_prefix(colon + 1);
        if (text.empty()) return false;   // ends with one ':'
        if (text.front() == ':') {
            if (gap) return false;
            gap = true;
            text.remove_prefix(1);
        }
    }
    return gap ? groups < 8 : groups == 8;
}

bool percent_decode(std::string_view text, std::string& out, bool plus_is_blank) {
    out.clear();
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out.push_back(plus_is_blank && text[i] == '+' ? ' ' : text[i]);
            continue;
        }
        if (i + 2 >= text.size()) return false;
        const int high = chars::hex_value(text[i + 1]), low = chars::hex_value(text[i + 2]);
        if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
        out.push_back(static_cast<char>(high << 4 | low));
        i += 2;
    }
    return true;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
    std::string key, value;
    while (!query.empty()) {
        const size_t amp = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, amp);
        query.remove_prefix(std::min(amp + 1, query.size()));
        const size_t equals = std::min(pair.find('='), pair.size());
        if (!percent_decode(pair.substr(0, equals), key, true) || key != name) continue;
        if (!percent_decode(pair.substr(std::min(equals + 1, pair.size())), value, true)) return std::nullopt;
        return value;
    }
    return std::nullopt;
}

}  // namespace weir
