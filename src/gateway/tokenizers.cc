#include "gateway/tokenizers.h"

#include <sys/random.h>

#include <algorithm>

#include "obs/log.h"
#include "obs/progress.h"

namespace weir {
namespace {

constexpr unsigned pool_threads = 2;

// Version 7: begins with the time, so that later ones sort behind earlier ones.
std::string new_uuid() {
    uint64_t random[2] = {};
    if (getrandom(random, sizeof random, 0) != sizeof random) random[0] = mix64(system_clock().now());
    uint64_t hi = system_clock().wall() << 16 | 0x7000 | (random[0] & 0xfff), lo = 0x8000'0000'0000'0000ull | random[1] >> 2;
    char text[40];
    std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(hi >> 32), static_cast<unsigned>(hi >> 16 & 0xffff),
                  static_cast<unsigned>(hi & 0xffff), static_cast<unsigned>(lo >> 48), static_cast<unsigned long long>(lo & 0xffff'ffff'ffffull));
    return text;
}

}  // namespace

const char* name(Tokenizers::State state) {
    switch (state) {
    case Tokenizers::State::pending: return "pending";
    case Tokenizers::State::processing: return "processing";
    case Tokenizers::State::completed: return "completed";
    case Tokenizers::State::failed: break;
    }
    return "failed";
}

Tokenizers::Tokenizers(HubOptions hub, const prepare::TextCacheOptions& caches, bool special_as_text)
    : hub_(std::move(hub)), special_as_text_(special_as_text), caches_(caches), pool_(std::make_unique<Pool>(pool_threads, limits::pool_jobs_max)) {}

Tokenizers::~Tokenizers() { stop(); }

void Tokenizers::stop() {
    stop_.stop();
    pool_->end();
}

Tokenizers::Entry* Tokenizers::find_entry(std::string_view id_or_name) {
    for (auto& e : entries_)
        if (e.id == id_or_name || e.name == id_or_name) return &e;
    return nullptr;
}

Result<Tokenizers::Added> Tokenizers::add(std::string name, prepare::ModelSource source, bool fallback) {
    Entry entry;
    {
        std::lock_guard lock(mutex_);
        auto same = std::ranges::find(entries_, name, &Entry::name);
        if (same != entries_.end() && same->state != State::failed) return Added{*same, false};
        if (same != entries_.end()) entries_.erase(same);   // it never worked: another try
        if (entries_.size() >= limits::tokenizers_max) return Failure(Code::shed, "too many tokenizers");
        entry.id = new_uuid();
        entry.name = std::move(name);
        entry.source = std::move(source);
        entry.fallback = fallback;
        entries_.push_back(entry);
    }
    if (!pool_->run([this, id = entry.id] { load(id); })) {
        (void)remove(entry.id);
        return Failure(Code::shed, "too many tokenizers are being loaded");
    }
    return Added{std::move(entry), true};
}

Result<void> Tokenizers::load_now(std::string name, prepare::ModelSource source) {
    TRY(prepare::ModelRef model, fetch(source));
    Entry entry;
    entry.id = new_uuid();
    entry.name = std::move(name);
    entry.source = std::move(source);
    entry.fallback = true;
    std::string id = entry.id;
    {
        std::lock_guard lock(mutex_);
        entries_.push_back(std::move(entry));
    }
    settle(id, std::move(model));
    return Nothing{};
}

bool Tokenizers::adopt(std::string name, std::string source, prepare::ModelRef model) {
    Entry entry;
    entry.id = new_uuid();
    entry.name = std::move(name);
    entry.source.model = std::move(source);
    std::string id = entry.id;
    {
        std::lock_guard lock(mutex_);
        if (entries_.size() >= limits::tokenizers_max || std::ranges::find(entries_, entry.name, &Entry::name) != entries_.end()) return false;
        entries_.push_back(std::move(entry));
    }
    settle(id, std::move(model));
    return true;
}

void Tokenizers::load(const std::string& id) {
    prepare::ModelSource source;
    {
        std::lock_guard lock(mutex_);
        Entry* entry = find_entry(id);
        if (!entry) return;   // removed meanwhile
        entry->state = State::processing;
        source = entry->source;
    }
    settle(id, fetch(source));
}

Result<prepare::ModelRef> Tokenizers::fetch(const prepare::ModelSource& source) {
    std::unique_ptr<HubHttp> http = hub_http_curl({}, stop_);
    std::unique_ptr<Progress> progress;
    prepare::ModelLoading loading;
    loading.hub = hub_;
    loading.http = http.get();
    loading.stop = &stop_;
    loading.on_bytes = [&](uint64_t done, uint64_t total) {
        if (!progress) progress = std::make_unique<Progress>("fetching " + (source.model.empty() ? source.tokenizer : source.model), total);
        progress->at(done);
    };
    loading.warn = [](const std::string& text) { LOG_WARN(main, text); };
    return prepare::load_model(source, loading);
}

void Tokenizers::settle(const std::string& id, Result<prepare::ModelRef> loaded) {
    std::lock_guard lock(mutex_);
    Entry* entry = find_entry(id);
    if (!entry) return;
    if (!loaded) {
        entry->state = State::failed;
        entry->message = loaded.error()->message;
        LOG_ERROR(main, "tokenizer not loaded", {"name", entry->name}, {"why", loaded.error()->message}, {"detail", loaded.error()->detail});
        return;
    }
    entry->state = State::completed;
    entry->model = *std::move(loaded);
    LOG_INFO(main, "tokenizer loaded", {"name", entry->name}, {"file", entry->model->files.tokenizer},
             {"tokens", entry->model->tokenizer->vocab_size()}, {"bytes", entry->model->tokenizer->memory_bytes()});
    for (auto& t : entry->model->templates)
        if (!t.chat) LOG_WARN(main, "chat template cannot be used", {"name", entry->name}, {"template", t.name}, {"why", t.refused});
}

prepare::ModelRef Tokenizers::find(std::string_view model) const {
    std::lock_guard lock(mutex_);
    const Entry* found = nullptr;
    for (auto& e : entries_) {
        if (e.state != State::completed) continue;
        if (e.name == model) return e.model;
        if (e.fallback) found = &e;
    }
    return found ? found->model : nullptr;
}

bool Tokenizers::any() const {
    std::lock_guard lock(mutex_);
    return std::ranges::any_of(entries_, [](auto& e) { return e.state == State::completed; });
}

std::vector<Tokenizers::Entry> Tokenizers::list() const {
    std::lock_guard lock(mutex_);
    return entries_;
}

Result<Tokenizers::Entry> Tokenizers::entry(std::string_view id_or_name) const {
    std::lock_guard lock(mutex_);
    const Entry* found = const_cast<Tokenizers*>(this)->find_entry(id_or_name);
    if (!found) return Failure(Code::model_unknown, "no such tokenizer");
    return *found;
}

Result<Tokenizers::Entry> Tokenizers::remove(std::string_view id_or_name) {
    std::lock_guard lock(mutex_);
    Entry* found = find_entry(id_or_name);
    if (!found) return Failure(Code::model_unknown, "no such tokenizer");
    Entry gone = std::move(*found);
    entries_.erase(entries_.begin() + (found - entries_.data()));
    return gone;
}

}  // namespace weir
