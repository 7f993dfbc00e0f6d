// A whole file in memory, on huge pages where the system gives them, and readable some way past its end.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::tok {

class FileBytes {
public:
    static constexpr size_t pad = 64;
    // Refuses what is above limits::tokenizer_file_max.
    static Result<FileBytes> read(const std::string& path);
    static FileBytes copy_of(std::string_view text);

    std::string_view text() const { return {bytes_.get(), size_}; }
    // Keeps the bytes alive for others.
    std::shared_ptr<const void> share() const { return bytes_; }

private:
    explicit FileBytes(size_t size);
    std::shared_ptr<char> bytes_;
    size_t size_;
};

}  // namespace weir::tok
