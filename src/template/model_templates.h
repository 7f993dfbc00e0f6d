// The chat templates of a model folder, and the special tokens they are given.
#pragma once
#include <optional>

#include "template/chat_template.h"

namespace weir {

struct ModelTemplates {
    std::vector<NamedTemplate> templates;
    std::optional<std::string> bos_token, eos_token, pad_token, unk_token;   // as tokenizer_config.json names them
};

// chat_template.jinja wins over "chat_template" of tokenizer_config.json, which wins over chat_template.json; transformers' order.
// A path to a file is one template by itself. Failure: nothing there, a file that cannot be read, or is no JSON.
Result<ModelTemplates> load_model_templates(const std::string& path);
// A --chat-template value: a file, or a file of JSON ({"chat_template": ...}).
Result<ModelTemplates> load_template_file(const std::string& path);

}  // namespace weir
