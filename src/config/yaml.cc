#include "config/yaml.h"

#include <algorithm>
#include <yaml-cpp/yaml.h>

namespace weir::config {
namespace {

class FileReader {
public:
    FileReader(const Flags& flags, const std::string& file) : flags_(flags), file_(file) {}
    void map(const YAML::Node& node, const std::string& prefix, size_t depth) {
        if (depth > yaml_depth_max) return wrong(prefix, "is nested too deeply");
        for (const auto& item : node) {
            if (errors.size() > 20) return;
            if (!item.first.IsScalar()) {
                wrong(prefix, "has a key that is not text");
                continue;
            }
            const std::string key = prefix.empty() ? item.first.Scalar() : prefix + "." + item.first.Scalar();
            if (item.second.IsMap()) map(item.second, key, depth + 1);
            else leaf(key, item.second);
        }
    }
    std::vector<Given> given;
    std::vector<std::string> errors;

private:
    void leaf(const std::string& key, const YAML::Node& node) {
        Given found{nullptr, nullptr, {}, file_ + ": " + key};
        bool inverted = false;
        if (!(found.row = find_key(key))) {
            std::string flag = "--" + key;
            std::replace(flag.begin(), flag.end(), '_', '-');
            const FlagRef* ref = flags_.find(flag);
            if (!ref) return unknown(key);
            found.row = ref->row, found.spelling = ref->spelling, inverted = ref->inverted;
        }
        for (const Given& other : given)
            if (other.row == found.row) return wrong(key, "is there twice");
        if (node.IsSequence()) {
            if (!is_list(found.row->check)) return wrong(key, "takes one value");
            if (node.size() > 10'000) return wrong(key, "has too many values");
            for (const auto& item : node) {
                if (!item.IsScalar()) return wrong(key, "has a value that is not text");
                found.words.push_back(item.Scalar());
            }
        } else if (node.IsScalar()) {
            found.words = words_of(*found.row, node.Scalar());
            if (inverted) found.words = {node.Scalar() == "true" || node.Scalar() == "yes" || node.Scalar() == "on" ? "false" : "true"};
        }
        given.push_back(std::move(found));
    }
    void unknown(const std::string& key) {
        if (errors.size() >= errors_with_nearest_max) return wrong(key, "is not known");
        std::vector<Str> keys;
        for (const Area& area : areas())
            for (const Row& row : area.rows) keys.push_back(row.key);
        std::string nearest;
        for (Str word : nearest_words(key, std::move(keys), 2)) nearest += " " + std::string(word);
        for (Str word : flags_.nearest("--" + key, 2)) nearest += " " + std::string(word.substr(2));
        wrong(key, "is not known; nearest:" + nearest);
    }
    void wrong(const std::string& key, const std::string& what) { errors.push_back(file_ + ": " + (key.empty() ? "the file" : printable(key)) + " " + what); }
    const Flags& flags_;
    const std::string& file_;
};
}  // namespace

Result<std::vector<Given>> read_yaml(const Flags& flags, Str text, const std::string& file) {
    if (text.size() > yaml_bytes_max) return Failure(Code::bad_field, file + ": larger than 1 MiB");
    FileReader reader(flags, file);
    try {
        const YAML::Node root = YAML::Load(std::string(text));
        if (root.IsMap()) reader.map(root, "", 1);
        else if (!root.IsNull()) return Failure(Code::bad_field, file + ": the file is not a map of settings");
    } catch (const std::exception& e) {   // syntax, with line and column
        return Failure(Code::bad_field, file + ": " + e.what());
    }
    if (reader.errors.empty()) return std::move(reader.given);
    std::string all;
    for (const std::string& line : reader.errors) all += (all.empty() ? "" : "\n") + line;
    return Failure(Code::bad_field, all);
}

}  // namespace weir::config
