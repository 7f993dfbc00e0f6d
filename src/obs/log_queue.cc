#include "obs/log_queue.h"

#include "base/assert.h"

#include <sys/mman.h>

#include <memory>
#include <new>

namespace weir {

LogQueue::LogQueue()
    : slots_(static_cast<Slot*>(::mmap(nullptr, lines_max * sizeof(Slot), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    ASSERT(slots_ != MAP_FAILED);
}

LogQueue::~LogQueue() {
    while (pop([](const LogLine&) {})) {}
    ::munmap(slots_, lines_max * sizeof(Slot));
}

bool LogQueue::push(uint64_t unix_us, LogModule module, LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
    const size_t bytes = packed_size(message, fields);
    std::unique_ptr<char[]> more(bytes > inline_bytes ? new (std::nothrow) char[bytes] : nullptr);
    if (bytes > inline_bytes && !more) return false;
    uint64_t at = head_.load(std::memory_order_relaxed);
    for (;;) {
        const uint64_t now = turn(slots_[at & (lines_max - 1)]).load(std::memory_order_acquire);
        if (now == free(at)) {
            if (head_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) break;
        } else if (now < free(at)) {
            return false;
        } else {
            at = head_.load(std::memory_order_relaxed);
        }
    }
    Slot& slot = slots_[at & (lines_max - 1)];
    slot.unix_us = unix_us;
    slot.module = module;
    slot.level = level;
    slot.bytes = static_cast<uint32_t>(bytes);
    pack(message, fields, more ? more.get() : slot.text);
    slot.more = more.release();
    turn(slot).store(full(at), std::memory_order_release);
    return true;
}

void LogQueue::release(Slot& slot) {
    delete[] slot.more;
    turn(slot).store(free(tail_ + lines_max), std::memory_order_release);
    ++tail_;
    popped_.store(tail_, std::memory_order_relaxed);
}

}  // namespace weir
