// Hub answers and model files from bytes. The first byte says which reader; header fields are lines "name: value".
#include <cstdint>
#include <cstdlib>

#include "hub/config_json.cc"
#include "hub/hub_answers.cc"
#include "hub/model_files.cc"

using namespace weir;

static void check(bool good) {
    if (!good) std::abort();
}

static HubResponse response_of(std::string_view text) {
    HubResponse r;
    r.status = text.empty() ? 200 : 200 + static_cast<unsigned char>(text[0]) % 4 * 100;
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        size_t colon = line.find(':');
        if (colon != line.npos) r.fields.emplace_back(line.substr(0, colon), line.substr(colon + 1));
    }
    return r;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    ModelFiles files;
    bool lists = false;
    switch (data[0] % 8) {
    case 0:
        if (auto listing = hub::read_listing(text)) {
            check(hub::is_commit(listing->commit));
            for (auto& name : listing->files) check(hub::is_inner_path(name) && name.find("..") != 0 && name[0] != '/');
        }
        break;
    case 1: {
        HubResponse r = response_of(text);
        if (auto facts = hub::read_facts(r, "https://hub.test/a/b/resolve/main/x")) {
            check(facts->etag.find('/') == std::string::npos && facts->etag[0] != '.' && !facts->etag.empty());
            check(hub::origin_of(facts->url).has_value() && facts->url.starts_with("https:"));
        }
        check(!hub::refusal(r, "x", false)->message.empty());
        break;
    }
    case 2: {
        size_t cut = text.find('\n');
        auto to = hub::follow(text.substr(0, cut), cut == text.npos ? "" : text.substr(cut + 1));
        if (to) check(hub::origin_of(*to).has_value());
        break;
    }
    case 3: (void)hub::read_config_json(text, files); break;
    case 4: (void)hub::read_generation_config(text, files); break;
    case 5: (void)hub::read_tokenizer_config(text, files, lists); break;
    case 6: (void)hub::read_special_tokens_map(text, files); break;
    default: (void)hub::read_template_json(text, files); break;
    }
    check(files.stop_ids.size() <= 1'024 && files.templates.size() <= 64);
    return 0;
}
