#include "tokenizer/load.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/limits.h"
#include "tokenizer/formats.h"
#include "tokenizer/gguf.h"

namespace weir {
namespace {

namespace fs = std::filesystem;
using tok::FolderConfig;
using tok::TokenizerSpec;

Result<std::string> read_file(const fs::path& path) {
    std::error_code error;
    const uintmax_t size = fs::file_size(path, error);
    if (error) return Failure(Code::bad_request, "cannot read " + path.string() + ": " + error.message());
    if (size > limits::tokenizer_file_max) return Failure(Code::too_large, path.string() + " is too large for a tokenizer");
    std::ifstream in(path, std::ios::binary);
    std::string bytes(size, '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(size));
    if (static_cast<uintmax_t>(in.gcount()) != size) return Failure(Code::bad_request, "cannot read " + path.string());
    return bytes;
}

// A file that need not be there.
Result<std::string> read_beside(const fs::path& folder, const char* name) {
    std::error_code error;
    return fs::is_regular_file(folder / name, error) ? read_file(folder / name) : Result<std::string>(std::string());
}

Result<FolderConfig> config_of(const fs::path& folder) {
    TRY(const std::string tokenizer_config, read_beside(folder, "tokenizer_config.json"));
    TRY(const std::string config, read_beside(folder, "config.json"));
    return FolderConfig::read(tokenizer_config, config);
}

// The folder's vocabulary: the one that says most comes first.
Result<fs::path> choose(const fs::path& folder) {
    std::error_code error;
    std::vector<fs::path> files;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
        if (at->is_regular_file(error)) files.push_back(at->path());
    if (error) return Failure(Code::bad_request, "cannot list " + folder.string() + ": " + error.message());
    std::sort(files.begin(), files.end());
    const auto named = [&](auto&& fits) -> const fs::path* {
        const auto found = std::find_if(files.begin(), files.end(), [&](const fs::path& p) { return fits(p); });
        return found == files.end() ? nullptr : &*found;
    };
    const auto name = [](const char* text) { return [text](const fs::path& p) { return p.filename() == text; }; };
    const auto ends = [](const char* text) { return [text](const fs::path& p) { return p.extension() == text; }; };
    for (const fs::path* path : {named(name("tokenizer.json")), named(name("tiktoken.model")), named(ends(".tiktoken")), named(name("tekken.json")),
                                 named(name("tokenizer.model")), named(name("spiece.model")), named(ends(".model")), named(ends(".gguf"))})
        if (path) return *path;
    return Failure(Code::bad_request, "no tokenizer in " + folder.string() +
                                          " (looked for tokenizer.json, tiktoken.model, *.tiktoken, tekken.json, tokenizer.model, *.gguf)");
}

Result<TokenizerSpec> read_spec(const fs::path& path) {
    const std::string name = path.filename().string();
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (path.extension() == ".gguf") {
        TRY(auto file, tok::read_gguf_file(path.string()));
        return std::move(file.spec);
    }
    TRY(const std::string bytes, read_file(path));
    if (tok::looks_like_gguf(bytes)) {
        TRY(auto file, tok::read_gguf(bytes));
        return std::move(file.spec);
    }
    if (path.extension() == ".json") return name.find("tekken") != std::string::npos ? tok::read_tekken(bytes) : read_hf_tokenizer(bytes);
    TRY(const FolderConfig config, config_of(folder));
    if (tok::looks_like_tiktoken(bytes)) return tok::read_tiktoken(bytes, name, config);
    return tok::read_sentencepiece(bytes, config);
}

}  // namespace

Result<TokenizerRef> load_tokenizer(const std::string& path) {
    std::error_code error;
    fs::path file = path;
    if (fs::is_directory(file, error)) {
        TRY(file, choose(path));
    } else if (!fs::exists(file, error)) {
        return Failure(Code::bad_request, "there is no " + path);
    }
    TRY(auto spec, read_spec(file));
    return build_tokenizer(std::move(spec));
}

}  // namespace weir
