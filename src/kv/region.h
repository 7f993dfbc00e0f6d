// Reserved address space: pages become resident when they are first touched, and addresses never change.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

namespace weir::kv {

class Region {
public:
    Region() = default;
    explicit Region(size_t bytes);                 // zeroes; data() is null when the address space cannot be had
    Region(Region&& o) noexcept : data_(std::exchange(o.data_, nullptr)), bytes_(o.bytes_) {}
    Region& operator=(Region&& o) noexcept { std::swap(data_, o.data_); std::swap(bytes_, o.bytes_); return *this; }
    ~Region();
    void* data() const { return data_; }
    template <class T>
    T* as() const { return static_cast<T*>(data_); }

private:
    void* data_ = nullptr;
    size_t bytes_ = 0;
};

// The index's byte budget: what is resident, or will be as soon as it is used. One thread (the writer).
class Bytes {
public:
    explicit Bytes(size_t limit) : limit_(limit) {}
    // `keep`: bytes that must stay free for things of more use than this one.
    bool take(size_t bytes, size_t keep = 0) {
        if (!room(bytes, keep)) return false;
        used_ += bytes;
        return true;
    }
    bool room(size_t bytes, size_t keep = 0) const { return used_ + bytes + keep <= limit_; }
    void give(size_t bytes) { used_ -= bytes; }
    size_t used() const { return used_; }
    size_t limit() const { return limit_; }

private:
    size_t used_ = 0, limit_;
};

}  // namespace weir::kv
