// The model card of a simulated worker, and the ids its answers are made of, both from a model's folder.
#pragma once
#include <string>
#include <vector>

#include "mocker/dynamo_worker.h"

namespace weir::mocker {

// The card's JSON. The folder must hold config.json and a tokenizer (tokenizer.json, or tiktoken.model); a chat template comes from
// tokenizer_config.json or chat_template.jinja. Blocks: reads and hashes the files. Failure: bad_field.
Result<std::string> write_card(const WorkerSettings& settings, const std::string& folder);

// Ids of `tokenizer_json` whose text is a blank and two to eight small letters, or, when it has none, one to eight letters without a blank;
// in the order of the ids, the first ids_max of them. Text made of words reads back as the same ids nearly everywhere.
inline constexpr size_t ids_max = 4'096;
std::vector<uint32_t> word_ids(Str tokenizer_json);
// The same of a folder; without a tokenizer.json, or without words in it, ids 1000 to 1999 as Dynamo's mocker draws them.
std::vector<uint32_t> answer_ids(const std::string& folder);

}  // namespace weir::mocker
