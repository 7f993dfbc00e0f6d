// The digest that a hub names a file by: SHA-256 for large files, git's SHA-1 of a blob for the others.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir {

class Digest {
public:
    enum class Kind : uint8_t { none, sha256, git_sha1 };
    static Kind kind_of(std::string_view etag);          // by its form: 64 or 40 lower-case hex digits
    Digest(Kind kind, uint64_t file_bytes);              // git's digest begins with the file's length
    ~Digest();
    void add(std::string_view bytes);
    std::string hex();                                   // ends it; empty for Kind::none

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace weir
