// A hub in memory behind the HubHttp seam: repositories, a CDN on another host, and faults.
#pragma once
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "hub/digest.h"
#include "hub/hub_answers.h"
#include "hub/hub_http.h"

namespace weir::testing {

inline std::string digest_of(const std::string& bytes, bool large) {
    Digest digest(large ? Digest::Kind::sha256 : Digest::Kind::git_sha1, bytes.size());
    digest.add(bytes);
    return digest.hex();
}

struct TempDir {
    TempDir() {
        char name[] = "/tmp/weir-hub-XXXXXX";
        path = mkdtemp(name);
    }
    ~TempDir() { std::filesystem::remove_all(path); }
    void write(const std::string& name, std::string_view text) const {
        std::filesystem::create_directories(std::filesystem::path(path + "/" + name).parent_path());
        std::ofstream(path + "/" + name, std::ios::binary) << text;
    }
    std::string path;
};

inline std::string slurp(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

class FakeHub final : public HubHttp {
public:
    static constexpr const char* endpoint = "https://hub.test";
    struct File { std::string bytes; bool large = false; };   // large: on the CDN, named by SHA-256
    std::string commit = std::string(40, 'a');
    std::map<std::string, File> files;
    std::string token;                       // wanted from everybody; empty: public
    std::vector<std::string> asked;          // "HEAD url", "GET url from"
    bool token_at_cdn = false;               // somebody sent it there
    bool ranges = true;                      // heeded
    // Faults, each taken once per entry.
    std::vector<size_t> cut_after;           // bytes of the next bodies
    std::vector<int> statuses;               // answered before anything else
    int unreachable = 0;
    std::string swapped;                     // sent instead of any file's bytes

    Result<HubResponse> ask(const HubRequest& q, HubBody& body) override {
        asked.push_back((q.head ? "HEAD " : "GET ") + q.url + (q.from ? " " + std::to_string(q.from) : ""));
        if (unreachable) return unreachable--, Failure(Code::connect_failed, "the hub cannot be reached");
        HubResponse r;
        std::string text;
        if (!statuses.empty()) {
            r.status = statuses.front();
            statuses.erase(statuses.begin());
        } else if (q.url.starts_with("https://cdn.test/")) {
            token_at_cdn = token_at_cdn || !q.token.empty();
            serve(q, files.at(q.url.substr(17)).bytes, r, text);
        } else if (!token.empty() && q.token != token) {
            r.status = 401;
            r.fields.emplace_back("x-error-code", "RepoNotFound");
        } else {
            route(q, r, text);
        }
        if (!body.head(r)) return r;
        size_t cut = text.size();
        if (!q.head && !cut_after.empty() && text.size() > cut_after.front()) {
            cut = cut_after.front();
            cut_after.erase(cut_after.begin());
        }
        for (size_t at = 0; at < cut; at += 1'000)
            if (!body.bytes(std::string_view(text).substr(at, std::min<size_t>(1'000, cut - at)))) return r;
        if (cut < text.size()) return Failure(Code::incomplete, "the hub's answer broke off");
        return r;
    }

private:
    void serve(const HubRequest& q, const std::string& bytes, HubResponse& r, std::string& text) {
        const std::string& whole = swapped.empty() ? bytes : swapped;
        r.status = q.from && ranges ? 206 : 200;
        if (q.from > whole.size()) r.status = 416;
        size_t from = r.status == 206 ? q.from : 0;
        if (r.status == 206) r.fields.emplace_back("content-range", "bytes " + std::to_string(from) + "-" + std::to_string(whole.size() - 1) + "/" + std::to_string(whole.size()));
        if (r.status != 416 && !q.head) text = whole.substr(from);
        r.fields.emplace_back("content-length", std::to_string(r.status == 416 ? 0 : whole.size() - from));
    }
    void route(const HubRequest& q, HubResponse& r, std::string& text) {
        std::string path = q.url.substr(std::string(endpoint).size());
        if (path.starts_with("/api/models/org/model/revision/")) {
            std::string revision = path.substr(31);
            r.status = 200;
            if (revision != "main" && revision != "v1" && revision != commit) {
                r.status = 404;
                r.fields.emplace_back("x-error-code", "RevisionNotFound");
                return;
            }
            text = "{\"sha\":\"" + commit + "\",\"siblings\":[";
            for (auto& [name, file] : files) text += (text.back() == '[' ? "" : ",") + ("{\"rfilename\":\"" + name + "\"}");
            text += "]}";
            return;
        }
        std::string prefix = "/org/model/resolve/" + commit + "/";
        r.fields.emplace_back("x-repo-commit", commit);
        if (!path.starts_with(prefix) || !files.count(path.substr(prefix.size()))) {
            r.status = 404;
            r.fields.emplace_back("x-error-code", path.starts_with("/org/model/") ? "EntryNotFound" : "RepoNotFound");
            return;
        }
        std::string name = path.substr(prefix.size());
        const File& file = files.at(name);
        std::string etag = "\"" + digest_of(file.bytes, file.large) + "\"";
        if (!file.large) {
            r.fields.emplace_back("etag", etag);
            return serve(q, file.bytes, r, text);
        }
        r.status = 302;
        r.fields.emplace_back("location", "https://cdn.test/" + name);
        r.fields.emplace_back("x-linked-etag", etag);
        r.fields.emplace_back("x-linked-size", std::to_string(file.bytes.size()));
    }
};

}  // namespace weir::testing
