// The tokenizers of the process by name: loaded at start or added over HTTP, on pool threads; and what encoding needs beside them.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "net/pool.h"
#include "prepare/model.h"
#include "prepare/text_caches.h"

namespace weir {

class Tokenizers {
public:
    enum class State : uint8_t { pending, processing, completed, failed };
    struct Entry {
        std::string id, name, message;           // id: UUID version 7; message: why it failed
        prepare::ModelSource source;
        State state = State::pending;
        prepare::ModelRef model;                 // completed
        bool fallback = false;                   // serves every model that has no tokenizer of its own name
    };

    Tokenizers(HubOptions hub, const prepare::TextCacheOptions& caches, bool special_as_text);
    ~Tokenizers();
    Tokenizers(const Tokenizers&) = delete;

    // All of these: any thread.
    // Begins to load; `fresh` false: that name is there already, and is returned. Failure: shed when there are too many.
    struct Added { Entry entry; bool fresh; };
    Result<Added> add(std::string name, prepare::ModelSource source, bool fallback = false);
    Result<void> load_now(std::string name, prepare::ModelSource source);   // start-up: loaded when it returns, serves as fallback
    Result<prepare::ModelRef> load_here(const prepare::ModelSource& source) { return fetch(source); }   // blocks; nothing is kept
    bool adopt(std::string name, std::string source, prepare::ModelRef model);   // one that was loaded elsewhere; false: the name is taken
    prepare::ModelRef find(std::string_view model) const;                   // by name, else the fallback; null: none
    bool any() const;
    std::vector<Entry> list() const;             // in the order added
    Result<Entry> entry(std::string_view id_or_name) const;                 // Failure: model_unknown
    Result<Entry> remove(std::string_view id_or_name);
    void stop();                                 // ends downloads and takes no more work

    prepare::TextCaches& caches() { return caches_; }
    Pool& pool() { return *pool_; }
    bool special_as_text() const { return special_as_text_; }

private:
    Entry* find_entry(std::string_view id_or_name);
    void load(const std::string& id);
    Result<prepare::ModelRef> fetch(const prepare::ModelSource& source);
    void settle(const std::string& id, Result<prepare::ModelRef> loaded);

    const HubOptions hub_;
    const bool special_as_text_;
    prepare::TextCaches caches_;
    HubStop stop_;
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;                 // guarded by mutex_
    std::unique_ptr<Pool> pool_;                 // last: its threads use the rest
};

const char* name(Tokenizers::State);

}  // namespace weir
