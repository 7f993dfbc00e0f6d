#include "discovery/card_files.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "net/upstream.h"
#include "wire/blake3.h"
#include "wire/url.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

bool plain_name(Str name) {            // one path segment that cannot lead elsewhere
    auto fine = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.'; };
    return !name.empty() && name.size() <= 255 && name.front() != '.' && std::all_of(name.begin(), name.end(), fine);
}

// One file: where its bytes are to come from, and what became of it. Runs on a thread that may block; owned by both sides.
struct Work {
    CardFile file;
    fs::path blob, link, source;       // blob: under its hash (without one: the link itself). source: a local path, or empty
    std::string bytes;                 // of a download
    bool have_bytes = false;
    size_t file_max = 0;
    Result<void> done = Failure(Code::internal, "not run");
    bool there = false;                // the blob was there and is right

    static Failure disk(const std::string& what) { return Failure(Code::internal, "a model's file cannot be kept").detail(what); }
    bool matches(Str text) const {
        return (file.size == 0 || text.size() == file.size) && (file.blake3.empty() || blake3_hex(text) == file.blake3);
    }
    static bool slurp(const fs::path& path, size_t max, std::string& out) {
        std::error_code none;
        if (!fs::is_regular_file(path, none) || fs::file_size(path, none) > max || none) return false;
        std::ifstream in(path, std::ios::binary);
        out.assign(std::istreambuf_iterator<char>(in), {});
        return static_cast<bool>(in) || in.eof();
    }
    void look() {                      // is it here already?
        std::string text;
        there = !file.blake3.empty() && slurp(blob, file_max, text) && matches(text);
        done = there ? point() : Result<void>();
    }
    void keep() {
        if (!have_bytes && !slurp(source, file_max, bytes)) {
            done = Failure(Code::bad_field, "a model's file cannot be read").detail(source.string());
            return;
        }
        if (!matches(bytes)) {
            done = Failure(Code::bad_field, "a model's file is not what its card says").detail(file.path);
            return;
        }
        done = write();
    }
    Result<void> write() {
        std::error_code why;
        fs::create_directories(blob.parent_path(), why);
        const fs::path part = blob.string() + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(reinterpret_cast<uintptr_t>(this));
        {
            std::ofstream out(part, std::ios::binary | std::ios::trunc);
            out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
            if (!out.flush()) return fs::remove(part, why), disk("cannot write " + part.string());
        }
        fs::rename(part, blob, why);
        if (why) return disk(blob.string() + ": " + why.message());
        return point();
    }
    Result<void> point() {             // made aside and renamed: a reader sees the old one, or the new one
        std::error_code why;
        if (blob == link) return {};
        fs::create_directories(link.parent_path(), why);
        const fs::path part = link.string() + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(reinterpret_cast<uintptr_t>(this));
        fs::remove(part, why);
        fs::create_symlink(fs::relative(blob, link.parent_path(), why), part, why);
        if (why) return disk(link.string() + ": " + why.message());
        fs::rename(part, link, why);
        if (why) return disk(link.string() + ": " + why.message());
        return {};
    }
};

Task<Result<void>> on_pool(Pool& pool, std::shared_ptr<Work> work, void (Work::*step)()) {
    std::function<void()> job = [work, step] { (work.get()->*step)(); };
    InPool elsewhere(pool, std::move(job));
    bool ran = co_await elsewhere;
    if (!ran) co_return Failure(Code::internal, "too many jobs wait");
    if (!work->done) co_return std::move(work->done).error();
    co_return Nothing{};
}

Task<Result<std::string>> download(Resolver& resolver, std::string url, size_t max, const CardFilesOptions& options) {
    CO_TRY(WorkerUrl at, parse_worker_url(url));
    Target target;
    target.host = at.host;
    target.port = at.port;
    target.authority = at.authority();
    target.tls = at.tls();
    target.tls_client = options.tls;
    if (target.tls && !options.tls) co_return Failure(Code::not_supported, "no certificates to check https by");
    UpstreamLimits limits;
    limits.connect_ms = options.connect_ms;
    ClientPool pool(Core::here(), resolver, limits);
    CO_TRY(auto up, co_await pool.open(target));
    UpstreamRequest request{"GET", at.path.empty() ? Str("/") : Str(at.path), "accept: application/octet-stream\r\n", {}};
    if (!up->send(request)) co_return Failure(Code::reset_before_byte, "connection lost");
    up->deadline_in(options.first_byte_ms);
    ResponseHead head;
    CO_TRY_OK(co_await up->read_head(head));
    if (head.status != 200) co_return Failure(Code::engine_status, "a model's file is not served").detail(url + ": status " + std::to_string(head.status));
    std::string bytes;
    for (bool end = false; !end;) {
        up->deadline_in(options.idle_ms);
        CO_TRY(Piece piece, co_await up->next());
        end = piece.end;
        bytes.append(piece.bytes);
        if (bytes.size() > max) co_return Failure(Code::too_large, "a model's file is larger than its card says").detail(url);
    }
    co_return bytes;
}

Task<Result<void>> fetch_one(Resolver& resolver, Pool& pool, CardFile file, fs::path folder, const CardFilesOptions& options) {
    const size_t max = file.size ? std::min<size_t>(options.file_max, file.size) : options.file_max;
    const std::string name = file.path.substr(file.path.rfind('/') + 1);
    if (!plain_name(name)) co_return Failure(Code::bad_field, "a model card's file has no usable name").detail(file.path);
    if (file.size > options.file_max) co_return Failure(Code::too_large, "a model's file is too large").detail(file.path);
    auto work = std::make_shared<Work>();
    work->file = file;
    work->file_max = max;
    work->link = folder / name;
    work->blob = file.blake3.empty() ? work->link : fs::path(options.cache) / "blobs" / file.blake3;
    CO_TRY_OK(co_await on_pool(pool, work, &Work::look));
    if (work->there) co_return Nothing{};
    const size_t scheme = file.path.find("://");
    const std::string kind = scheme == std::string::npos ? "file" : file.path.substr(0, scheme);
    if (kind == "http" || kind == "https") {
        CO_TRY(work->bytes, co_await download(resolver, file.path, max, options));
        work->have_bytes = true;
    } else if (kind == "file") {
        work->source = scheme == std::string::npos ? file.path : file.path.substr(scheme + 3);
    } else {
        co_return Failure(Code::not_supported, "a model card names a file in a way not known here").detail(file.path);
    }
    co_return co_await on_pool(pool, work, &Work::keep);
}

}  // namespace

Task<Result<std::string>> fetch_card_files(Resolver& resolver, Pool& pool, std::shared_ptr<const ModelCard> card, CardFilesOptions options) {
    if (!plain_name(card->slug)) co_return Failure(Code::bad_field, "a model card's slug is no folder name").detail(card->slug);
    const fs::path folder = fs::path(options.cache) / "by-slug" / card->slug / card->set;
    std::vector<CardFile> files(card->extra_files);
    for (auto* slot : {&card->config, &card->tokenizer, &card->formatter, &card->chat_template, &card->generation})
        if (*slot) files.push_back(**slot);
    for (CardFile& file : files) {
        auto ok = co_await fetch_one(resolver, pool, file, folder, options);
        if (!ok) co_return std::move(ok).error();
    }
    co_return folder.string();
}

}  // namespace weir
