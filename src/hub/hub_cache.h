// The cache of model files on disk, laid out as Python's huggingface_hub does, so that either fills it for the other:
//   DIR/models--org--name/blobs/ETAG              the bytes, once per content; ETAG.incomplete while they come
//   DIR/models--org--name/snapshots/COMMIT/FILE   relative symlink to its blob
//   DIR/models--org--name/refs/REVISION           the commit a branch or tag last meant
//   DIR/models--org--name/.no_exist/COMMIT/FILE   empty: the repository has no such file
//   DIR/.locks/models--org--name/ETAG.lock        flock while a blob is fetched or linked
// Names must have been checked (hub_answers.h). Blocking; any thread, any number of processes.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hub/hub_http.h"

namespace weir::hub {

// Holds a lock file until destroyed.
class FileLock {
public:
    FileLock() = default;
    explicit FileLock(int fd) : fd_(fd) {}
    FileLock(FileLock&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
    FileLock& operator=(FileLock&& o) noexcept {
        std::swap(fd_, o.fd_);
        return *this;
    }
    ~FileLock();

private:
    int fd_ = -1;
};

class Cache {
public:
    Cache(std::string dir, std::string_view repo_id);
    // The commit that `revision` meant when it was last asked; a commit means itself. Empty: never asked.
    std::string commit_of(std::string_view revision) const;
    Result<void> remember(std::string_view revision, std::string_view commit);
    std::string snapshot(std::string_view commit) const;                    // the folder, whether it exists or not
    bool has(std::string_view commit, std::string_view file) const;         // its pointer leads to a file
    bool has_blob(std::string_view etag) const;
    std::string blob(std::string_view etag) const;
    std::string incomplete(std::string_view etag) const { return blob(etag) + ".incomplete"; }
    Result<void> prepare();                                                 // folders, and the tag that keeps backups out
    Result<void> link(std::string_view commit, std::string_view file, std::string_view etag);
    void note_absent(std::string_view commit, std::string_view file);       // best effort
    // Waits while somebody else holds it. Failure: cancelled, deadline after `wait_ms_max`, internal when the file cannot be made.
    Result<FileLock> lock(std::string_view etag, HubStop& stop, uint64_t wait_ms_max) const;

private:
    std::string dir_, folder_, repo_;
};

}  // namespace weir::hub
