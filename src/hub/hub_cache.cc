#include "hub/hub_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "hub/hub_answers.h"

namespace weir::hub {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t lock_poll_ms = 50;
constexpr std::string_view cachedir_tag = "Signature: 8a477f597d28d172789f06886806bc55\n# Model files; tools that make backups may leave this folder out.\n";

Failure broken(std::string what, const std::string& path, const std::error_code& why) {
    return Failure(Code::internal, "the cache of model files cannot be written: " + what).detail(path + ": " + why.message());
}

Result<void> make_parent(const fs::path& path) {
    std::error_code why;
    fs::create_directories(path.parent_path(), why);
    if (why) return broken("folder", path.parent_path(), why);
    return Nothing{};
}

// Unique in this process and, by the process id, on this machine.
std::string aside(const std::string& path) {
    static std::atomic<uint32_t> n{0};
    return path + "." + std::to_string(getpid()) + "-" + std::to_string(n.fetch_add(1, std::memory_order_relaxed)) + ".tmp";
}

Result<void> write_whole(const std::string& path, std::string_view text) {
    TRY_OK(make_parent(path));
    std::string part = aside(path);
    {
        std::ofstream out(part, std::ios::binary);
        out << text;
        if (!out.flush()) return broken("file", part, std::error_code(errno, std::generic_category()));
    }
    std::error_code why;
    fs::rename(part, path, why);
    if (why) return broken("file", path, why);
    return Nothing{};
}

}  // namespace

FileLock::~FileLock() {
    if (fd_ < 0) return;
    flock(fd_, LOCK_UN);
    close(fd_);
}

Cache::Cache(std::string dir, std::string_view repo_id) : dir_(std::move(dir)), repo_("models--") {
    for (char c : repo_id) c == '/' ? repo_.append("--") : repo_.append(1, c);
    folder_ = dir_ + "/" + repo_;
}

std::string Cache::commit_of(std::string_view revision) const {
    if (is_commit(revision)) return std::string(revision);
    std::ifstream in(folder_ + "/refs/" + std::string(revision), std::ios::binary);
    char text[64];
    in.read(text, sizeof text);
    std::string_view commit(text, static_cast<size_t>(in.gcount()));
    while (!commit.empty() && (commit.back() == '\n' || commit.back() == ' ' || commit.back() == '\r')) commit.remove_suffix(1);
    return is_commit(commit) ? std::string(commit) : "";
}

Result<void> Cache::remember(std::string_view revision, std::string_view commit) {
    if (revision == commit || commit_of(revision) == commit) return Nothing{};
    return write_whole(folder_ + "/refs/" + std::string(revision), commit);
}

std::string Cache::snapshot(std::string_view commit) const { return folder_ + "/snapshots/" + std::string(commit); }
std::string Cache::blob(std::string_view etag) const { return folder_ + "/blobs/" + std::string(etag); }

bool Cache::has(std::string_view commit, std::string_view file) const {
    std::error_code why;
    return fs::is_regular_file(snapshot(commit) + "/" + std::string(file), why);
}

bool Cache::has_blob(std::string_view etag) const {
    std::error_code why;
    return fs::is_regular_file(blob(etag), why);
}

Result<void> Cache::prepare() {
    TRY_OK(make_parent(blob("x")));
    std::string tag = dir_ + "/CACHEDIR.TAG";
    std::error_code why;
    if (!fs::exists(tag, why)) (void)write_whole(tag, cachedir_tag);   // a courtesy: a cache that cannot be tagged still serves
    return Nothing{};
}

Result<void> Cache::link(std::string_view commit, std::string_view file, std::string_view etag) {
    if (has(commit, file)) return Nothing{};
    fs::path pointer = snapshot(commit) + "/" + std::string(file);
    TRY_OK(make_parent(pointer));
    std::string up = "../../";
    for (char c : file) up += c == '/' ? "../" : "";
    // Made aside and renamed: a reader sees the old pointer, or the new one, and never none.
    std::string target = up + "blobs/" + std::string(etag), part = aside(pointer);
    std::error_code why;
    fs::create_symlink(target, part, why);
    if (!why) fs::rename(part, pointer, why);
    if (!why) return Nothing{};
    // File systems without symlinks: the file itself, as Python does.
    std::error_code ignored;
    fs::remove(part, ignored);
    fs::copy_file(blob(etag), pointer, fs::copy_options::overwrite_existing, why);
    if (why) return broken("pointer", pointer, why);
    return Nothing{};
}

void Cache::note_absent(std::string_view commit, std::string_view file) {
    std::string path = folder_ + "/.no_exist/" + std::string(commit) + "/" + std::string(file);
    std::error_code why;
    if (!fs::exists(path, why)) (void)write_whole(path, "");
}

Result<FileLock> Cache::lock(std::string_view etag, HubStop& stop, uint64_t wait_ms_max) const {
    std::string path = dir_ + "/.locks/" + repo_ + "/" + std::string(etag) + ".lock";
    TRY_OK(make_parent(path));
    for (uint64_t waited = 0;; waited += lock_poll_ms) {
        int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0664);
        if (fd < 0) return broken("lock", path, std::error_code(errno, std::generic_category()));
        int error = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
        struct stat held{}, named{};
        // A lock on a file that was unlinked meanwhile locks nothing.
        bool same = !error && fstat(fd, &held) == 0 && stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev;
        if (same || (error && error != EWOULDBLOCK && error != EINTR && error != EACCES)) return FileLock(fd);   // no flock here: renames keep us whole
        close(fd);
        if (waited >= wait_ms_max) return Failure(Code::deadline, "another process holds the lock of a model file").detail(path);
        if (!stop.wait_ms(lock_poll_ms)) return Failure(Code::cancelled, "stopped");
    }
}

}  // namespace weir::hub
