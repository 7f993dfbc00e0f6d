// A model as the gateway knows it: tokenizer, chat templates, stop ids, lengths. Immutable, shared by all cores.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hub/hub_client.h"
#include "hub/model_files.h"
#include "template/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace weir::prepare {

struct Model {
    ModelFiles files;
    TokenizerRef tokenizer;
    struct Compiled {
        std::string name;                        // "default", "tool_use" ...
        std::shared_ptr<const ChatTemplate> chat;
        std::string refused;                     // why it cannot be used, when `chat` is null
    };
    std::vector<Compiled> templates;
    std::vector<uint32_t> stop_ids;              // as the files say; when they say nothing, the id of the end-of-sequence token
    uint64_t context = 0;                        // tokens; 0: unknown
    std::string source, revision;                // as given; the commit, for models out of a hub
    // The template for a conversation: with tools "tool_use" where there is one, else "default". `wanted` by name.
    // Failure: not_supported when the model has none that can be used.
    Result<const ChatTemplate*> template_for(bool has_tools, std::string_view wanted = {}) const;
};
using ModelRef = std::shared_ptr<const Model>;

struct ModelSource {
    std::string model;                           // folder, file or hub id, if need be with @REVISION; may be empty when `tokenizer` is set
    std::string tokenizer;                       // the same, instead of the model's own vocabulary
    std::string chat_template;                   // file, instead of the model's own
    std::string revision = "main";               // of hub ids that name none
};

// What loading needs from outside, and whom it tells. `http` may be null while nothing has to be fetched.
struct ModelLoading {
    HubOptions hub;
    HubHttp* http = nullptr;
    HubStop* stop = nullptr;
    std::function<void(uint64_t done, uint64_t total)> on_bytes;
    std::function<void(const std::string& warning)> warn;
};

bool is_local(const std::string& path);          // something is there, or it can only be a path
// Blocking: tens of milliseconds from disk, longer from a hub. For a pool thread or a tool.
Result<ModelRef> load_model(const ModelSource&, const ModelLoading&);

}  // namespace weir::prepare
