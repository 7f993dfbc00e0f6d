#include "tokenizer/load.h"

#include <algorithm>
#include <filesystem>

#include "tokenizer/formats.h"
#include "tokenizer/gguf.h"
#include "tokenizer/vocab_files.h"

namespace weir {
namespace {

namespace fs = std::filesystem;
using tok::FileBytes;
using tok::FolderConfig;
using tok::TokenizerSpec;

// A file that need not be there.
Result<std::string> read_beside(const fs::path& folder, const char* name) {
    std::error_code error;
    if (!fs::is_regular_file(folder / name, error)) return std::string();
    TRY(const FileBytes bytes, FileBytes::read((folder / name).string()));
    return std::string(bytes.text());
}

Result<FolderConfig> config_of(const fs::path& folder) {
    TRY(const std::string tokenizer_config, read_beside(folder, "tokenizer_config.json"));
    TRY(const std::string config, read_beside(folder, "config.json"));
    return FolderConfig::read(tokenizer_config, config);
}

// Of a folder whose vocabulary says nothing but tokens: everything around it.
Result<FolderConfig> old_config_of(const fs::path& folder) {
    TRY(const std::string tokenizer_config, read_beside(folder, "tokenizer_config.json"));
    TRY(const std::string config, read_beside(folder, "config.json"));
    TRY(const std::string special, read_beside(folder, "special_tokens_map.json"));
    TRY(const std::string added, read_beside(folder, "added_tokens.json"));
    return FolderConfig::read(tokenizer_config, config, special, added);
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
                                 named(name("tokenizer.model")), named(name("spiece.model")), named(ends(".model")), named(ends(".gguf")),
                                 named(name("vocab.json")), named(name("vocab.txt"))})
        if (path) return *path;
    return Failure(Code::bad_request, "no tokenizer in " + folder.string() + " (looked for tokenizer.json, tiktoken.model, *.tiktoken, tekken.json, "
                                          "tokenizer.model, *.gguf, vocab.json, vocab.txt)");
}

Result<TokenizerSpec> read_spec(const fs::path& path) {
    const std::string name = path.filename().string();
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (path.extension() == ".gguf") {
        TRY(auto file, tok::read_gguf_file(path.string()));
        return std::move(file.spec);
    }
    TRY(const FileBytes file, FileBytes::read(path.string()));
    const std::string_view bytes = file.text();
    if (tok::looks_like_gguf(bytes)) {
        TRY(auto file, tok::read_gguf(bytes));
        return std::move(file.spec);
    }
    if (name == "vocab.json" || name == "vocab.txt") {
        TRY(const FolderConfig config, old_config_of(folder));
        if (name == "vocab.txt") return tok::read_word_list(file, config);
        TRY(const FileBytes merges, FileBytes::read((folder / "merges.txt").string()));
        return tok::read_vocab_and_merges(file, merges, config);
    }
    if (path.extension() == ".json") return name.find("tekken") != std::string::npos ? tok::read_tekken(bytes) : read_hf_tokenizer(file);
    TRY(const FolderConfig config, config_of(folder));
    if (tok::looks_like_tiktoken(bytes)) return tok::read_tiktoken(bytes, name, config);
    if (config.tokenizer_class.find("XLMRoberta") == std::string::npos) return tok::read_sentencepiece(bytes, config);
    TRY(const FolderConfig all, old_config_of(folder));
    return tok::read_sentencepiece(bytes, all);
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
