// What the files of a model's folder say, as far as a gateway needs it. Blocking; for a pool thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace weir {

struct ModelFiles {
    std::string path;                          // as given: a folder, or one file
    std::string folder;                        // where the other files are; empty for a GGUF file, which carries everything itself
    std::string tokenizer;                     // path of the vocabulary file, for load_tokenizer
    // "default", "tool_use" ...; chat_template.jinja and additional_chat_templates/*.jinja, else what tokenizer_config.json
    // holds, else chat_template.json. In the order of the file.
    std::vector<std::pair<std::string, std::string>> templates;
    std::string template_file;                 // which of these it was
    std::string bos, eos, pad, unk;            // texts; empty: the model has none
    std::vector<uint32_t> stop_ids;            // eos_token_id of generation_config.json, else of config.json (or its text_config)
    uint64_t max_position = 0;                 // of config.json (or its text_config), unscaled; 0: not said
    uint64_t vocab_size = 0;                   // of config.json; may be padded beyond the tokenizer's
    std::string model_type;                    // "llama"
    std::vector<std::string> architectures;
    std::string tokenizer_class;
    std::optional<bool> add_bos, add_eos;      // as tokenizer_config.json says; a tokenizer.json has its own post-processor instead
    bool clean_up_spaces = false;              // clean_up_tokenization_spaces
    std::optional<uint64_t> model_max_length;  // unset also for the "no limit" that some files spell 1e30
};

// `path`: a folder, or a tokenizer or GGUF file. Precedence as transformers 5.23 has it. Failure: bad_request, names the file at
// fault; model_unknown when there is nothing at `path`, or no vocabulary in it where one is wanted.
Result<ModelFiles> read_model_files(const std::string& path, bool vocabulary_wanted = true);

// --chat-template FILE: Jinja text; a *.json file may hold it as a string, or under "chat_template" as a string or a list of
// {name, template}.
Result<std::vector<std::pair<std::string, std::string>>> read_template_file(const std::string& path);

// The same from text, for fuzzing and tests: each appends or overwrites what its file says.
namespace hub {
Result<void> read_config_json(std::string_view text, ModelFiles&);
Result<void> read_generation_config(std::string_view text, ModelFiles&);
Result<void> read_tokenizer_config(std::string_view text, ModelFiles&, bool& lists_added_tokens);
Result<void> read_special_tokens_map(std::string_view text, ModelFiles&);
Result<void> read_template_json(std::string_view text, ModelFiles&);
}  // namespace hub

}  // namespace weir
