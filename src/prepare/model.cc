#include "prepare/model.h"

#include <algorithm>
#include <filesystem>

#include "tokenizer/gguf.h"
#include "tokenizer/load.h"

namespace weir::prepare {
namespace {

using Templates = std::vector<std::pair<std::string, std::string>>;

// A local path for what may be a hub's id; `commit` is set for the latter.
Result<std::string> place_of(const std::string& given, const std::string& revision, const ModelLoading& loading, std::string& commit) {
    if (is_local(given)) return given;
    size_t at = given.rfind('@');
    std::string id = given.substr(0, at), wanted = at == std::string::npos ? revision : given.substr(at + 1);
    if (!looks_like_hub_id(id)) return Failure(Code::model_unknown, "'" + given + "' is neither a path that exists nor the id of a model on a hub");
    if (!loading.http || !loading.stop) return Failure(Code::not_supported, "models cannot be fetched from a hub here");
    TRY(HubFetched got, fetch_model(loading.hub, id, wanted, *loading.http, *loading.stop, loading.on_bytes));
    if (!got.warning.empty() && loading.warn) loading.warn("the cached copy of " + id + " is used: " + got.warning);
    commit = got.commit;
    return got.folder;
}

// A GGUF file says itself what else lies in a folder of files.
Result<void> read_own(const std::string& gguf, Model& model) {
    TRY(tok::GgufFile file, tok::read_gguf_file(gguf));
    ModelFiles& files = model.files;
    if (files.templates.empty()) {
        if (!file.info.chat_template.empty()) files.templates.emplace_back("default", file.info.chat_template);
        for (auto& [name, text] : file.info.named_templates) files.templates.emplace_back(name, text);
        files.template_file = std::filesystem::path(gguf).filename();
    }
    auto text_of = [&](std::optional<uint32_t> id, std::string& text) {
        if (id && text.empty()) text = model.tokenizer->token(*id);
    };
    text_of(file.info.bos_id, files.bos);
    text_of(file.info.eos_id, files.eos);
    text_of(file.info.pad_id, files.pad);
    text_of(file.info.unk_id, files.unk);
    if (files.stop_ids.empty()) files.stop_ids = file.info.end_ids;
    if (!files.max_position) files.max_position = file.info.context_length;
    if (files.model_type.empty()) files.model_type = file.info.architecture;
    return Nothing{};
}

void fill(Model& model) {
    uint32_t id = 0;
    model.stop_ids = model.files.stop_ids;
    if (model.stop_ids.empty() && !model.files.eos.empty() && model.tokenizer->find(model.files.eos, id)) model.stop_ids.push_back(id);
    model.context = model.files.max_position;
    if (auto most = model.files.model_max_length; most && *most) model.context = model.context ? std::min(model.context, *most) : *most;
    for (auto& [name, text] : model.files.templates) {
        auto compiled = ChatTemplate::compile(text);
        if (compiled) model.templates.push_back({name, *std::move(compiled), {}});
        else model.templates.push_back({name, nullptr, compiled.error()->message});
    }
}

}  // namespace

bool is_local(const std::string& path) {
    std::error_code why;
    return std::filesystem::exists(path, why) || path.starts_with('/') || path.starts_with("./") || path.starts_with("../") || path.starts_with('~');
}

Result<const ChatTemplate*> Model::template_for(bool has_tools, std::string_view wanted) const {
    auto named = [&](std::string_view name) {
        auto at = std::ranges::find(templates, name, &Compiled::name);
        return at == templates.end() ? nullptr : &*at;
    };
    const Compiled* found = wanted.empty() ? nullptr : named(wanted);
    if (!wanted.empty() && !found) return Failure(Code::not_supported, "the model has no chat template named '" + std::string(wanted) + "'");
    if (!found && has_tools) found = named("tool_use");
    if (!found) found = named("default");
    if (!found) return Failure(Code::not_supported, templates.empty() ? "the model has no chat template" : "the model has no default chat template");
    if (!found->chat) return Failure(Code::not_supported, "the model's chat template cannot be used: " + found->refused);
    return found->chat.get();
}

Result<ModelRef> load_model(const ModelSource& source, const ModelLoading& loading) {
    auto model = std::make_shared<Model>();
    model->source = source.model.empty() ? source.tokenizer : source.model;
    TRY(std::string place, place_of(model->source, source.revision, loading, model->revision));
    TRY(model->files, read_model_files(place));
    std::string vocabulary = model->files.tokenizer;
    if (!source.tokenizer.empty() && !source.model.empty()) {
        std::string commit;
        TRY(vocabulary, place_of(source.tokenizer, source.revision, loading, commit));
    }
    TRY(model->tokenizer, load_tokenizer(vocabulary));
    if (vocabulary.ends_with(".gguf")) TRY_OK(read_own(vocabulary, *model));
    if (!source.chat_template.empty()) {
        TRY(model->files.templates, read_template_file(source.chat_template));
        model->files.template_file = source.chat_template;
    }
    fill(*model);
    return ModelRef(std::move(model));
}

}  // namespace weir::prepare
