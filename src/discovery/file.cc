// Records as files of a folder that all processes share. A file lives as long as its owner touches it; whoever sees a dead one deletes it.
// Calls that block are short and on local files: this runs on the control core.
#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <map>
#include <set>

#include "discovery/discovery.h"
#include "net/core.h"
#include "obs/log.h"
#include "wire/chars.h"
#include "wire/json_top.h"

namespace weir {
namespace {

constexpr int lock_tries = 100;
constexpr uint64_t lock_retry_ms = 10, list_again_ms = 1'000;
constexpr std::string_view temporary = ".tmp_";

std::string error_text() { return std::strerror(errno); }

struct Fd {
    int fd = -1;
    explicit Fd(int fd) : fd(fd) {}
    Fd(const Fd&) = delete;
    ~Fd() {
        if (fd >= 0) ::close(fd);
    }
};

// A file's text. False: not there, unreadable, or too large.
bool slurp(const std::string& file, std::string& out) {
    Fd f(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat s{};
    if (f.fd < 0 || fstat(f.fd, &s) != 0 || !S_ISREG(s.st_mode) || s.st_size > static_cast<off_t>(record_value_max)) return false;
    out.resize(static_cast<size_t>(s.st_size));
    size_t at = 0;
    for (ssize_t n; at < out.size() && (n = ::read(f.fd, out.data() + at, out.size() - at)) > 0;) at += static_cast<size_t>(n);
    out.resize(at);
    return true;
}

bool spill(const std::string& file, std::string_view text) {
    Fd f(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    while (f.fd >= 0 && !text.empty()) {
        const ssize_t n = ::write(f.fd, text.data(), text.size());
        if (n <= 0) return false;
        text.remove_prefix(static_cast<size_t>(n));
    }
    return f.fd >= 0;
}

bool make_folders(const std::string& folder) {
    for (size_t at = 1; at != std::string::npos;) {
        at = folder.find('/', at);
        const std::string part = folder.substr(0, at);
        if (::mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) return false;
        if (at != std::string::npos) at++;
    }
    return true;
}

class FileDiscovery final : public Discovery {
public:
    explicit FileDiscovery(FileDiscoveryOptions options) : options_(std::move(options)), tick_ms_(std::max<uint64_t>(options_.ttl_ms / 3, 1'000)) {}

    Task<void> run(RecordSink& sink) override;
    Task<Result<void>> publish(Record record) override;
    Task<void> retire() override;

private:
    struct Changes final : Watched, Timer {   // inotify, and the tick
        int fd = -1;
        bool ticked = false;
        Signal signal;
        Changes() {
            fire = [](Timer& t) {
                auto& self = static_cast<Changes&>(t);
                self.ticked = true;
                self.signal.notify();
            };
        }
        ~Changes() override {
            if (fd < 0) return;
            Core::here().epoll().forget(fd, *this);
            ::close(fd);
        }
        void on_events(uint32_t) override { signal.notify(); }
    };
    using Known = std::map<std::string, std::string>;   // key -> value as last told

    std::string folder(Bucket b) const { return options_.root + "/" + path(b); }
    std::string file(Bucket b, const std::string& key) const { return folder(b) + "/" + file_name_of_key(key); }
    static uint64_t wall_ms() { return Core::here().clock().wall(); }
    bool dead(const struct stat& s) const {
        const uint64_t at = static_cast<uint64_t>(s.st_mtim.tv_sec) * 1'000 + static_cast<uint64_t>(s.st_mtim.tv_nsec) / ns_per_ms;
        return at + options_.ttl_ms < wall_ms();
    }
    static timespec stamp() { return {static_cast<time_t>(wall_ms() / 1'000), static_cast<long>(wall_ms() % 1'000 * ns_per_ms)}; }
    static void touch(const std::string& path) {
        const timespec times[2] = {{0, UTIME_OMIT}, stamp()};
        utimensat(AT_FDCWD, path.c_str(), times, 0);
    }

    bool watch(Changes& changes);
    void list(RecordSink& sink);
    void look(Bucket b, const std::string& name, RecordSink& sink);
    bool drain(Changes& changes, RecordSink& sink);
    Task<int> lock(Bucket b);
    Task<void> sweep();
    Task<void> beat();

    const FileDiscoveryOptions options_;
    const uint64_t tick_ms_;
    std::array<Known, 4> known_;
    std::array<int, 4> watches_{-1, -1, -1, -1};
    std::map<std::pair<Bucket, std::string>, std::string> own_;   // published: value
};

// The folders exist and are watched. Deletions and new names are told; that somebody touched a file is not.
bool FileDiscovery::watch(Changes& changes) {
    for (Bucket b : buckets) {
        if (!make_folders(folder(b))) return false;
        const int w = inotify_add_watch(changes.fd, folder(b).c_str(),
                                        IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF);
        if (w < 0) return false;
        watches_[static_cast<size_t>(b)] = w;
    }
    return true;
}

// Compares one name with what was told about it.
void FileDiscovery::look(Bucket b, const std::string& name, RecordSink& sink) {
    Record record{b, {}, {}};
    if (name.starts_with(temporary) || !key_of_file_name(name, record.key)) return;
    Known& known = known_[static_cast<size_t>(b)];
    auto told = known.find(record.key);
    struct stat s{};
    const std::string path = folder(b) + "/" + name;
    if (::stat(path.c_str(), &s) != 0) {
        if (told == known.end()) return;
        known.erase(told);
        sink.gone(b, record.key);
        return;
    }
    if (!slurp(path, record.value)) return;
    if (!check_json(record.value)) return;                 // being written, or nonsense: the last good value stays
    if (told != known.end() && told->second == record.value) return;
    if (told == known.end() && known.size() >= records_max) {
        LOG_WARN(discovery, "too many records", {"bucket", weir::path(b)});
        return;
    }
    known[record.key] = record.value;
    sink.put(record);
}

void FileDiscovery::list(RecordSink& sink) {
    for (Bucket b : buckets) {
        std::set<std::string> names;
        for (auto& [key, value] : known_[static_cast<size_t>(b)]) names.insert(file_name_of_key(key));
        if (DIR* d = ::opendir(folder(b).c_str())) {
            while (const dirent* entry = ::readdir(d)) names.insert(entry->d_name);
            ::closedir(d);
        }
        for (const std::string& name : names) look(b, name, sink);
    }
}

// False: the watch itself is lost, or the kernel dropped events: everything must be listed anew.
bool FileDiscovery::drain(Changes& changes, RecordSink& sink) {
    alignas(inotify_event) char buffer[16 * 1024];
    bool good = true;
    for (ssize_t n; (n = ::read(changes.fd, buffer, sizeof buffer)) > 0;) {
        for (ssize_t at = 0; at < n;) {
            const auto* e = reinterpret_cast<const inotify_event*>(buffer + at);
            at += static_cast<ssize_t>(sizeof *e + e->len);
            if (e->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) good = false;
            for (Bucket b : buckets)
                if (watches_[static_cast<size_t>(b)] == e->wd && e->len) look(b, e->name, sink);
        }
    }
    return good;
}

// Everybody who changes a bucket holds its folder's lock. -1: not to be had.
Task<int> FileDiscovery::lock(Bucket b) {
    const int fd = ::open(folder(b).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < lock_tries; i++) {
        if (::flock(fd, LOCK_EX | LOCK_NB) == 0) co_return fd;
        co_await sleep_ms(lock_retry_ms);
    }
    if (fd >= 0) ::close(fd);
    co_return -1;
}

// Deletes what is dead, ours or not.
Task<void> FileDiscovery::sweep() {
    for (Bucket b : buckets) {
        std::vector<std::string> old;
        if (DIR* d = ::opendir(folder(b).c_str())) {
            struct stat s{};
            while (const dirent* entry = ::readdir(d))
                if (entry->d_name[0] != '.' || std::string_view(entry->d_name).starts_with(temporary))
                    if (fstatat(dirfd(d), entry->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(s.st_mode) && dead(s)) old.emplace_back(entry->d_name);
            ::closedir(d);
        }
        if (old.empty()) continue;
        const int fd = co_await lock(b);
        Fd held(fd);
        if (fd < 0) continue;
        for (const std::string& name : old) {
            struct stat s{};
            const std::string path = folder(b) + "/" + name;
            if (::stat(path.c_str(), &s) == 0 && dead(s)) ::unlink(path.c_str());   // its owner may have come back meanwhile
        }
    }
}

// Touches what we published; what somebody deleted is put back.
Task<void> FileDiscovery::beat() {
    auto own = own_;
    for (auto& [at, value] : own) {
        const std::string path = file(at.first, at.second);
        if (::access(path.c_str(), F_OK) == 0) touch(path);
        else if (own_.contains(at)) {
            Record again{at.first, at.second, value};
            auto ok = co_await publish(std::move(again));
            if (!ok) LOG_WARN(discovery, "a record of ours is gone and cannot be put back", {"key", at.second}, {"why", ok.error()->detail});
        }
    }
}

Task<void> FileDiscovery::run(RecordSink& sink) {
    bool synced = false;
    for (;;) {
        Changes changes;
        changes.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (changes.fd < 0 || !watch(changes)) {
            LOG_WARN(discovery, "cannot watch the folder of records", {"folder", options_.root}, {"why", error_text()});
            if (!synced) sink.synced();
            synced = true;
            co_await sleep_ms(list_again_ms);
            continue;
        }
        Core::here().epoll().watch(changes.fd, changes);
        co_await sweep();
        list(sink);
        if (!synced) sink.synced();
        synced = true;
        for (bool good = true; good;) {
            if (!changes.armed()) Core::here().arm(changes, tick_ms_);
            co_await changes.signal.wait();
            good = drain(changes, sink);
            if (!std::exchange(changes.ticked, false)) continue;
            co_await beat();
            co_await sweep();
        }
    }
}

Task<Result<void>> FileDiscovery::publish(Record record) {
    auto failed = [&](const std::string& what) { return Failure(Code::internal, "cannot publish " + record.key).detail(what + ": " + error_text()); };
    if (record.value.size() > record_value_max) co_return Failure(Code::internal, "a record is too large: " + record.key);
    if (!make_folders(folder(record.bucket))) co_return failed("mkdir");
    const std::string path = file(record.bucket, record.key);
    char suffix[32];
    std::snprintf(suffix, sizeof suffix, "%016llx", static_cast<unsigned long long>(Core::here().random().next()));
    const std::string draft = folder(record.bucket) + "/" + std::string(temporary) + suffix;
    if (!spill(draft, record.value)) co_return failed("write");
    touch(draft);
    const int fd = co_await lock(record.bucket);
    Fd held(fd);
    if (fd < 0) {
        ::unlink(draft.c_str());
        co_return failed("lock");
    }
    const bool ours = own_.contains({record.bucket, record.key});
    const bool done = ours ? ::rename(draft.c_str(), path.c_str()) == 0 : ::link(draft.c_str(), path.c_str()) == 0;   // link: only if there is none
    const bool taken = !done && errno == EEXIST;
    Failure failure = failed("create");
    ::unlink(draft.c_str());
    if (taken) co_return Failure(Code::bad_request, "somebody else published " + record.key);
    if (!done) co_return failure;
    own_[{record.bucket, record.key}] = record.value;
    co_return Nothing{};
}

Task<void> FileDiscovery::retire() {
    auto own = std::exchange(own_, {});
    for (auto& [at, value] : own) {
        const int fd = co_await lock(at.first);   // without it we delete all the same: it is ours
        Fd held(fd);
        ::unlink(file(at.first, at.second).c_str());
    }
}

}  // namespace

std::unique_ptr<Discovery> file_discovery(FileDiscoveryOptions options) { return std::make_unique<FileDiscovery>(std::move(options)); }

std::string file_name_of_key(std::string_view key) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string name;
    for (char c : key) {
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) name += c;
        else name.append({'%', digits[static_cast<uint8_t>(c) >> 4], digits[static_cast<uint8_t>(c) & 15]});
    }
    return name;
}

bool key_of_file_name(std::string_view name, std::string& key) {
    key.clear();
    for (size_t i = 0; i < name.size(); i++) {
        if (name[i] != '%') {
            key += name[i];
            continue;
        }
        if (i + 2 >= name.size()) return false;
        const int high = chars::hex_value(name[i + 1]), low = chars::hex_value(name[i + 2]);
        if (high < 0 || low < 0) return false;
        key += static_cast<char>(high << 4 | low);
        i += 2;
    }
    return !key.empty() && file_name_of_key(key) == name;   // the one spelling
}

}  // namespace weir
