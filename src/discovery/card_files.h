// The files a model card names, brought into a local folder: from local paths or the worker's own HTTP server, checked by their hashes.
#pragma once
#include <memory>
#include <string>

#include "discovery/dynamo_records.h"
#include "net/pool.h"
#include "net/resolver.h"

namespace weir {

class TlsClient;

struct CardFilesOptions {
    std::string cache;                 // ~/.cache/dynamo/mdc: blobs/<hash>, by-slug/<slug>/<digest of the set>/<file name>, as the peer has it
    size_t file_max = 512 * 1024 * 1024;
    uint64_t connect_ms = 5'000, first_byte_ms = 10'000, idle_ms = 10'000;
    const TlsClient* tls = nullptr;    // for https
};

// The folder that holds all of the card's files under their own names. Blobs that are there already are checked, not fetched again; a
// wrong one is fetched anew. References outlive the call. Failures: not_supported (hf:// and other schemes: the hub's business),
// bad_field (a name that is no file name, a hash that does not match), too_large, internal (disk), and those of the download.
Task<Result<std::string>> fetch_card_files(Resolver& resolver, Pool& pool, std::shared_ptr<const ModelCard> card, CardFilesOptions options);

}  // namespace weir
