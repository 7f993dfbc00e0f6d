#include "hub/hub_client.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "hub/download.h"
#include "hub/hub_answers.h"
#include "hub/hub_cache.h"

namespace weir {
namespace {

constexpr uint64_t retry_after_max_s = 30;
constexpr unsigned redirects_max = 10, exchanges_max = 200;   // of one file, however little each brings

// An answer's body, kept up to a bound.
class Collected final : public HubBody {
public:
    explicit Collected(size_t max) : max_(max) {}
    bool head(const HubResponse&) override { return true; }
    bool bytes(std::string_view piece) override {
        if (text.size() + piece.size() > max_) return too_large = true, false;
        text.append(piece);
        return true;
    }
    std::string text;
    bool too_large = false;

private:
    size_t max_;
};

bool worth_another_try(const Failure& failure) { return failure->code == Code::connect_failed || failure->code == Code::incomplete; }
bool worth_another_try(int status) { return status == 408 || status == 429 || status >= 500; }

class Fetch {
public:
    Fetch(const HubOptions& options, std::string_view id, std::string_view revision, HubHttp& http, HubStop& stop,
          const std::function<void(uint64_t, uint64_t)>& on_bytes)
        : options_(options), id_(id), revision_(revision.empty() ? "main" : revision), http_(http), stop_(stop), on_bytes_(on_bytes),
          cache_(options.cache_dir, id), endpoint_(options.endpoint), name_("model '" + id_ + "'") {
        while (endpoint_.ends_with('/')) endpoint_.pop_back();
    }
    Result<HubFetched> run();

private:
    struct File { std::string name; hub::FileFacts facts; };
    Result<HubFetched> from_cache(Failure why);
    Result<hub::Listing> list();
    Result<void> look_up(const std::vector<std::string>& names, std::string_view commit, std::vector<File>& out);
    Result<void> fetch(const File&, std::string_view commit);
    Result<void> download(const File&);
    Result<void> judge(const HubResponse&, const File&, hub::Download&);
    Result<HubResponse> ask(const HubRequest&, HubBody&, std::string_view what, unsigned tries_max);
    bool pause(unsigned attempt, unsigned tries_max, const HubResponse* said);
    std::string quoted_name(const File& f) const { return "file '" + f.name + "' of " + name_; }

    const HubOptions& options_;
    std::string id_, revision_;
    HubHttp& http_;
    HubStop& stop_;
    const std::function<void(uint64_t, uint64_t)>& on_bytes_;
    hub::Cache cache_;
    std::string endpoint_, name_;
    HubFetched out_;
    uint64_t bytes_total_ = 0, bytes_before_ = 0;
};

// Waits before another try; false when there is none.
bool Fetch::pause(unsigned attempt, unsigned tries_max, const HubResponse* said) {
    if (attempt >= tries_max) return false;
    uint64_t ms = options_.backoff_ms << std::min(attempt - 1, 6u), after = 0;
    std::string_view text = said ? said->field("retry-after") : std::string_view();
    std::from_chars(text.data(), text.data() + text.size(), after);
    return stop_.wait_ms(std::max(ms, std::min(after, retry_after_max_s) * 1'000));
}

// One question, tried again while the network or the hub is at fault. Redirects inside the hub are followed; one that leads
// elsewhere is an answer when it names a commit (a file's bytes lie on a CDN), else followed without the token.
Result<HubResponse> Fetch::ask(const HubRequest& first, HubBody& body, std::string_view what, unsigned tries_max) {
    HubRequest request = first;
    for (unsigned attempt = 1, hops = 0;;) {
        auto got = http_.ask(request, body);
        if (!got && (tries_max == 1 || !worth_another_try(got.error()))) return got;
        if (got && got->status / 100 == 3 && got->status != 304) {
            std::string_view location = got->field("location");
            auto to = hub::follow(request.url, location);
            bool inside = to && hub::keeps_token(request.url, *to);
            if (!inside && request.head && !got->field("x-repo-commit").empty()) return got;
            if (!to || ++hops > redirects_max)
                return Failure(Code::engine_garbage, std::string(what) + ": the hub sends us in circles or to a strange place")
                    .detail(std::string(location));
            if (!inside) request.token.clear();
            request.url = *std::move(to);
            continue;
        }
        if (got && !worth_another_try(got->status)) return got;
        if (pause(attempt++, tries_max, got ? &*got : nullptr)) continue;
        if (stop_.stopped()) return Failure(Code::cancelled, "stopped");
        return got;
    }
}

Result<hub::Listing> Fetch::list() {
    HubRequest request;
    request.url = endpoint_ + "/api/models/" + hub::quote(id_, true) + "/revision/" + hub::quote(revision_, false);
    request.token = options_.token;
    Collected body(hub::listing_bytes_max);
    TRY(HubResponse response, ask(request, body, name_, options_.tries_max));
    if (body.too_large) return Failure(Code::too_large, name_ + ": the hub's list of files is too long");
    if (response.status != 200) return hub::refusal(response, name_ + " at revision '" + revision_ + "'", !options_.token.empty());
    return hub::read_listing(body.text);
}

// What the hub cannot tell now, the cache may know from before.
Result<HubFetched> Fetch::from_cache(Failure why) {
    out_.commit = cache_.commit_of(revision_);
    if (!out_.commit.empty()) {
        std::error_code ignored;
        for (auto& entry : std::filesystem::directory_iterator(cache_.snapshot(out_.commit), ignored)) {
            std::string file = entry.path().filename();
            if (!hub::is_vocabulary(file) || !cache_.has(out_.commit, file)) continue;
            out_.folder = cache_.snapshot(out_.commit);
            out_.warning = why->message;
            return std::move(out_);
        }
    }
    if (options_.offline)
        return Failure(Code::model_unknown, name_ + ": not in the cache, and HF_HUB_OFFLINE forbids to ask the hub").detail(options_.cache_dir);
    return why;
}

Result<void> Fetch::look_up(const std::vector<std::string>& names, std::string_view commit, std::vector<File>& out) {
    for (auto& name : names) {
        if (cache_.has(commit, name)) continue;
        File file{name, {}};
        HubRequest request;
        request.head = true;
        request.token = options_.token;
        request.url = endpoint_ + "/" + hub::quote(id_, true) + "/resolve/" + std::string(commit) + "/" + hub::quote(name, true);
        Collected none(0);
        TRY(HubResponse response, ask(request, none, quoted_name(file), options_.tries_max));
        if (response.status / 100 != 2 && response.status / 100 != 3) return hub::refusal(response, quoted_name(file), !options_.token.empty());
        TRY(file.facts, hub::read_facts(response, request.url));
        if (file.facts.commit != commit) return Failure(Code::engine_garbage, quoted_name(file) + ": the hub answers for another commit than asked");
        if (file.facts.bytes.value_or(0) > options_.file_bytes_max) return Failure(Code::too_large, quoted_name(file) + ": larger than weir fetches");
        bytes_total_ += file.facts.bytes.value_or(0);
        out.push_back(std::move(file));
    }
    return Nothing{};
}

Result<void> Fetch::fetch(const File& file, std::string_view commit) {
    TRY(hub::FileLock lock, cache_.lock(file.facts.etag, stop_, options_.lock_wait_ms));
    if (!cache_.has_blob(file.facts.etag)) TRY_OK(download(file));
    return cache_.link(commit, file.name, file.facts.etag);
}

// What an answer that arrived means for the download; a status that says "later" is no failure yet.
Result<void> Fetch::judge(const HubResponse& response, const File& file, hub::Download& part) {
    if (response.status == 200 || response.status == 206) return part.ended(), Nothing{};
    if (response.status == 416) part.restart();   // what we had is not a beginning of it
    else if (response.status && !worth_another_try(response.status)) return hub::refusal(response, quoted_name(file), !options_.token.empty());
    return Nothing{};
}

Result<void> Fetch::download(const File& file) {
    hub::Download part(cache_.incomplete(file.facts.etag), file.facts, options_.file_bytes_max);
    TRY_OK(part.open());
    auto progress = [this](uint64_t at) {
        if (on_bytes_) on_bytes_(bytes_before_ + at, bytes_total_);
    };
    part.on_progress = progress;
    uint64_t furthest = part.size();
    unsigned attempt = 0, restarts = 0;
    for (unsigned all = 0;; all++) {
        Result<HubResponse> got = HubResponse{};
        if (!part.complete()) {
            HubRequest request;
            request.from = part.size();
            request.url = file.facts.url;
            if (hub::keeps_token(endpoint_ + "/", request.url)) request.token = options_.token;
            got = ask(request, part, quoted_name(file), 1);
        }
        if (!got && !worth_another_try(got.error())) return std::move(got).error();
        if (part.failure()) return *std::move(part.failure());
        if (got) TRY_OK(judge(*got, file, part));
        if (part.complete()) {
            if (part.digest_matches()) break;
            part.restart();
            furthest = 0;
            if (++restarts > 1) return Failure(Code::engine_garbage, quoted_name(file) + ": what the hub sends has another digest than it names");
        }
        attempt = part.size() > furthest ? 1 : attempt + 1;   // it came further: that is not the same failure again
        furthest = std::max(furthest, part.size());
        if (all < exchanges_max && pause(attempt, options_.tries_max, got ? &*got : nullptr)) continue;
        if (stop_.stopped()) return Failure(Code::cancelled, "stopped");
        if (!got) return std::move(got).error();
        return Failure(Code::incomplete, quoted_name(file) + ": its download keeps breaking off");
    }
    TRY_OK(part.keep_as(cache_.blob(file.facts.etag)));
    out_.files_fetched++;
    out_.bytes_fetched += part.fetched();
    bytes_before_ += part.size();
    return Nothing{};
}

Result<HubFetched> Fetch::run() {
    if (!hub::is_repo_id(id_)) return Failure(Code::bad_request, "'" + id_ + "' is not the name of a model on a hub");
    if (!hub::is_inner_path(revision_)) return Failure(Code::bad_request, name_ + ": not a revision: '" + revision_ + "'");
    if (options_.offline) return from_cache(Failure(Code::ok, ""));
    if (!hub::origin_of(endpoint_)) return Failure(Code::bad_request, "HF_ENDPOINT is not an http or https URL: " + endpoint_);
    auto listing = list();
    if (!listing) {
        if (listing.error()->code == Code::cancelled) return std::move(listing).error();
        return from_cache(std::move(listing).error());
    }
    out_.commit = listing->commit;
    out_.folder = cache_.snapshot(out_.commit);
    bool has_tokenizer_json = std::ranges::count(listing->files, "tokenizer.json");
    std::vector<std::string> names;
    for (auto& file : listing->files)
        if (hub::is_wanted(file, has_tokenizer_json)) names.push_back(file);
    if (names.empty()) return Failure(Code::model_unknown, name_ + ": its repository holds no file that tells of a tokenizer");
    if (names.size() > options_.files_max) return Failure(Code::too_large, name_ + ": its repository has too many files of a tokenizer");
    std::vector<File> missing;
    TRY_OK(look_up(names, out_.commit, missing));
    if (!missing.empty()) TRY_OK(cache_.prepare());
    for (auto& file : missing) TRY_OK(fetch(file, out_.commit));
    if (auto kept = cache_.remember(revision_, out_.commit); !kept && !missing.empty()) return std::move(kept).error();   // else: a cache we may only read
    if (!missing.empty())
        for (auto name : hub::wanted_by_name())
            if (!std::ranges::count(listing->files, name)) cache_.note_absent(out_.commit, name);
    return std::move(out_);
}

}  // namespace

bool looks_like_hub_id(std::string_view text) { return hub::is_repo_id(text); }

Result<HubFetched> fetch_model(const HubOptions& options, std::string_view id, std::string_view revision, HubHttp& http, HubStop& stop,
                               const std::function<void(uint64_t, uint64_t)>& on_bytes) {
    return Fetch(options, id, revision, http, stop, on_bytes).run();
}

}  // namespace weir
