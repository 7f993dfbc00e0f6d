#include "template/model_templates.h"

#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "template/json_value.h"
#include "template/print.h"

namespace weir {
namespace {

using jinja::Value;

constexpr size_t file_max = 64 << 20;

bool is_folder(const std::string& path) {
    struct stat s {};
    return ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}
std::optional<std::string> slurp(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file || is_folder(path)) return std::nullopt;
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (text.size() > file_max) return std::nullopt;
    return text;
}
std::string_view name_of(const std::string& path) { return std::string_view(path).substr(path.rfind('/') + 1); }

// "</s>", or an added token as an object.
std::optional<std::string> token(const jinja::Dict& config, std::string_view name) {
    const Value* v = config.find(name);
    if (v && v->is(jinja::Kind::dict)) v = v->dict->find("content");
    if (!v || !v->is_string()) return std::nullopt;
    return std::string(v->str());
}

struct Config {
    jinja::Heap heap{256 << 20};
    std::string text;
    const jinja::Dict* dict = nullptr;
};
Result<bool> read(const std::string& path, Config& config) {
    auto text = slurp(path);
    if (!text) return false;
    config.text = std::move(*text);
    try {
        const Value v = jinja::read_json(config.heap, config.text, name_of(path));
        if (!v.is(jinja::Kind::dict)) return Failure(Code::bad_field, std::string(name_of(path)) + " is no JSON object");
        config.dict = v.dict;
        return true;
    } catch (const jinja::Raised& raised) {
        return Failure(Code::bad_field, raised.message);
    }
}
// "chat_template" of a configuration, when it has one.
Result<bool> take_templates(const Config& config, ModelTemplates& out) {
    const Value* v = config.dict->find("chat_template");
    if (!v || v->is(jinja::Kind::none)) return false;
    if (v->is_string()) {
        out.templates.push_back({"default", std::string(v->str())});
        return true;
    }
    jinja::Heap heap(256 << 20);
    jinja::Out json(heap, file_max);
    jinja::write_json(json, *v, {});
    TRY(out.templates, read_named_templates(json.since(0)));
    return true;
}

}  // namespace

Result<ModelTemplates> load_template_file(const std::string& path) {
    auto text = slurp(path);
    if (!text) return Failure(Code::bad_field, "'" + path + "' cannot be read");
    ModelTemplates out;
    if (path.ends_with(".json")) {
        Config config;
        TRY(const bool there, read(path, config));
        TRY(const bool found, take_templates(config, out));
        if (!there || !found) return Failure(Code::bad_field, "'" + path + "' has no \"chat_template\"");
        return out;
    }
    out.templates.push_back({"default", std::move(*text)});
    return out;
}

Result<ModelTemplates> load_model_templates(const std::string& path) {
    if (!is_folder(path)) return load_template_file(path);
    ModelTemplates out;
    Config config;
    TRY(const bool configured, read(path + "/tokenizer_config.json", config));
    if (configured) {
        out.bos_token = token(*config.dict, "bos_token");
        out.eos_token = token(*config.dict, "eos_token");
        out.pad_token = token(*config.dict, "pad_token");
        out.unk_token = token(*config.dict, "unk_token");
    }
    if (auto text = slurp(path + "/chat_template.jinja")) {
        out.templates.push_back({"default", std::move(*text)});
        return out;
    }
    bool found = false;
    if (configured) {
        TRY(found, take_templates(config, out));
    }
    if (!found) {
        Config old;
        TRY(const bool there, read(path + "/chat_template.json", old));
        if (there) {
            TRY(found, take_templates(old, out));
        }
    }
    if (!found) return Failure(Code::bad_field, "'" + path + "' has no chat template: no chat_template.jinja, none in tokenizer_config.json");
    return out;
}

}  // namespace weir
