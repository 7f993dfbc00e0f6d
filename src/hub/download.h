// One file on its way into the cache: written beside its place, resumed, counted, digested.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "hub/hub_answers.h"
#include "hub/hub_http.h"

namespace weir::hub {

class Download final : public HubBody {
public:
    Download(std::string part_path, const FileFacts& facts, uint64_t bytes_max) : path_(std::move(part_path)), facts_(facts), bytes_max_(bytes_max) {}
    Download(const Download&) = delete;
    ~Download() override;
    Result<void> open();                            // what an earlier try left is taken up again
    bool head(const HubResponse&) override;
    bool bytes(std::string_view piece) override;
    void ended();                                   // the answer came to its end: a length nobody named is known now

    uint64_t size() const { return size_; }         // on disk
    uint64_t fetched() const { return fetched_; }   // by us
    bool complete() const { return total_ && size_ == *total_; }
    std::optional<Failure>& failure() { return failure_; }   // of the disk, or of an answer nothing can be done about
    bool digest_matches();                          // reads the file; true when the hub names none that can be checked
    void restart();                                 // throws away what is there
    Result<void> keep_as(const std::string& path);  // flushed, then renamed

    std::function<void(uint64_t)> on_progress;

private:
    std::string path_;
    const FileFacts& facts_;
    uint64_t bytes_max_, size_ = 0, fetched_ = 0;
    std::optional<uint64_t> total_ = facts_.bytes;
    int fd_ = -1;
    bool taking_ = false;
    std::optional<Failure> failure_;
};

}  // namespace weir::hub
