#include "hub/download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "hub/digest.h"

namespace weir::hub {
namespace {

Failure disk(const std::string& path) {
    return Failure(Code::internal, std::string("the cache of model files cannot be written: ") + std::strerror(errno)).detail(path);
}

std::optional<uint64_t> length_of(const HubResponse& r) {
    std::string_view text = r.field("content-length");
    uint64_t n = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return n;
}

// "bytes 100-199/200": the first number.
std::optional<uint64_t> range_start(std::string_view range) {
    if (!range.starts_with("bytes ")) return std::nullopt;
    range.remove_prefix(6);
    uint64_t n = 0;
    auto [end, error] = std::from_chars(range.data(), range.data() + range.size(), n);
    if (error != std::errc() || end == range.data() + range.size() || *end != '-') return std::nullopt;
    return n;
}

}  // namespace

Download::~Download() {
    if (fd_ >= 0) close(fd_);
}

Result<void> Download::open() {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    struct stat there{};
    if (fd_ < 0 || fstat(fd_, &there) != 0) return disk(path_);
    size_ = static_cast<uint64_t>(there.st_size);
    if ((total_ && size_ > *total_) || size_ > bytes_max_) restart();
    return Nothing{};
}

void Download::restart() {
    size_ = 0;
    if (ftruncate(fd_, 0) != 0) failure_ = disk(path_);
}

bool Download::head(const HubResponse& response) {
    taking_ = response.status == 200 || response.status == 206;
    if (!taking_) return true;   // an error's body is read past
    if (response.status == 200 && size_) restart();   // the range was not heeded
    if (response.status == 206 && range_start(response.field("content-range")) != size_) {
        restart();
        return taking_ = false;
    }
    auto length = length_of(response);
    if (!total_ && length) total_ = size_ + *length;
    if (length && total_ && size_ + *length != *total_) {   // another file than the one asked for
        failure_ = Failure(Code::engine_garbage, "the hub sends a file of another length than it names");
        return false;
    }
    return true;
}

bool Download::bytes(std::string_view piece) {
    if (!taking_) return true;
    if (size_ + piece.size() > total_.value_or(bytes_max_) || size_ + piece.size() > bytes_max_) {
        failure_ = Failure(Code::too_large, "the hub sends more than it names, or more than weir fetches");
        return false;
    }
    while (!piece.empty()) {
        ssize_t n = pwrite(fd_, piece.data(), piece.size(), static_cast<off_t>(size_));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            failure_ = disk(path_);
            return false;
        }
        piece.remove_prefix(static_cast<size_t>(n));
        size_ += static_cast<uint64_t>(n);
        fetched_ += static_cast<uint64_t>(n);
    }
    if (on_progress) on_progress(size_);
    return true;
}

void Download::ended() {
    if (taking_ && !total_) total_ = size_;
    taking_ = false;
}

bool Download::digest_matches() {
    Digest::Kind kind = Digest::kind_of(facts_.etag);
    if (kind == Digest::Kind::none) return true;
    Digest digest(kind, size_);
    std::string buffer(1u << 20, '\0');
    for (uint64_t at = 0; at < size_;) {
        ssize_t n = pread(fd_, buffer.data(), buffer.size(), static_cast<off_t>(at));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        digest.add({buffer.data(), static_cast<size_t>(n)});
        at += static_cast<uint64_t>(n);
    }
    return digest.hex() == facts_.etag;
}

Result<void> Download::keep_as(const std::string& path) {
    if (fsync(fd_) != 0 || std::rename(path_.c_str(), path.c_str()) != 0) return disk(path);
    return Nothing{};
}

}  // namespace weir::hub
