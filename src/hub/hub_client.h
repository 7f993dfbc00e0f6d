// A Hugging Face id to a local folder. Fetches what a gateway needs, never weights. Blocking: for a pool thread or a tool.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hub/hub_http.h"

namespace weir {

struct HubOptions {
    std::string endpoint = "https://huggingface.co";   // HF_ENDPOINT
    std::string token;                                 // HF_TOKEN, or what its file holds; empty: none
    std::string cache_dir;                             // HF_HUB_CACHE, else HF_HOME/hub; must be set
    bool offline = false;                              // HF_HUB_OFFLINE: only the cache is asked
    uint64_t file_bytes_max = 256u << 20;
    size_t files_max = 64;                             // of one model
    unsigned tries_max = 5;                            // of one exchange that brings nothing new
    uint64_t backoff_ms = 500;                         // doubled from try to try; Retry-After is honoured up to retry_after_max_s
    uint64_t lock_wait_ms = 600'000;                   // for another process that fetches the same file
};

struct HubFetched {
    std::string folder;                                // the snapshot
    std::string commit;
    std::string warning;                               // why the hub's present state could not be had; the cache's is used
    size_t files_fetched = 0;
    uint64_t bytes_fetched = 0;
};

// `id`: "org/name"; `revision`: branch, tag or commit, "" is "main". `on_bytes(done, total)` is told of the download's progress.
// Each file is checked against its size and digest before it appears in the cache; a broken download goes on where it stopped.
// Failure: what the user can do about it in the message, addresses in the detail.
Result<HubFetched> fetch_model(const HubOptions&, std::string_view id, std::string_view revision, HubHttp&, HubStop&,
                               const std::function<void(uint64_t done, uint64_t total)>& on_bytes = {});

bool looks_like_hub_id(std::string_view text);         // by its form; whether a folder of that name exists is the caller's question

}  // namespace weir
