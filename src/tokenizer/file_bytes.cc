#include "tokenizer/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/limits.h"

namespace weir::tok {
namespace {

Failure unreadable(const std::string& path, int error) {
    return Failure(Code::bad_request, "cannot read " + path + ": " + std::strerror(error));
}

struct Descriptor {
    int fd;
    ~Descriptor() {
        if (fd >= 0) ::close(fd);
    }
};

}  // namespace

FileBytes::FileBytes(size_t size) : size_(size) {
    constexpr size_t huge = size_t(2) << 20;
    const size_t unit = size + pad >= huge ? huge : 64, whole = (size + pad + unit - 1) / unit * unit;
    bytes_.reset(static_cast<char*>(std::aligned_alloc(unit, whole)), std::free);
    if (!bytes_) std::abort();
    if (unit == huge) madvise(bytes_.get(), whole, MADV_HUGEPAGE);
    std::memset(bytes_.get() + size, 0, pad);
}

FileBytes FileBytes::copy_of(std::string_view text) {
    FileBytes out(text.size());
    if (!text.empty()) std::memcpy(out.bytes_.get(), text.data(), text.size());
    return out;
}

Result<FileBytes> FileBytes::read(const std::string& path) {
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat facts {};
    if (file.fd < 0 || ::fstat(file.fd, &facts) != 0) return unreadable(path, errno);
    if (!S_ISREG(facts.st_mode)) return unreadable(path, S_ISDIR(facts.st_mode) ? EISDIR : EINVAL);
    if (static_cast<uint64_t>(facts.st_size) > limits::tokenizer_file_max) return Failure(Code::too_large, path + " is too large for a tokenizer");
    FileBytes out(static_cast<size_t>(facts.st_size));
    for (size_t at = 0; at < out.size_;) {
        const ssize_t got = ::read(file.fd, out.bytes_.get() + at, out.size_ - at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return unreadable(path, errno);
        if (got == 0) return Failure(Code::bad_request, "cannot read " + path + ": it became shorter meanwhile");
        at += static_cast<size_t>(got);
    }
    return out;
}

}  // namespace weir::tok
