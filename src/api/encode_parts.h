// The pieces encoders are made of. All append to `out`.
#pragma once
#include <string>
#include <vector>

#include "api/encode.h"
#include "wire/json_write.h"

namespace weir::api {

// What the engine, or else we, say about the answer as a whole; kept over the stream's life.
struct Head {
    std::string id, model, fingerprint, extra;   // fingerprint: JSON text; extra: members, JSON text
    int64_t created = 0;
    void take(const BeginHead&);
};
Head first_head(const Tail&, int64_t now_s);

void put_usage(const Options&, Api, const Event&, std::string& out);   // the object; event: Event::usage
Str finish_word(const Event&);                                         // of Event::finish
void put_logprobs(Api, const Logprobs&, std::string& out);             // the object

// Members as JSON text "k":v,"k":v — written with a leading comma each. `nulls`: also those that are null or [].
void put_members(Str members, bool nulls, std::string& out);
// The same for a fold: several lists, each name once, none of `taken`.
void put_members_once(Str members, bool nulls, std::span<const Str> taken, std::string& out);

// Adds the lists of one logprobs object to what was gathered of it; both chat's and completions' form.
class LogprobsFold {
public:
    void add(Api, const Logprobs&);
    bool empty() const { return lists_.empty(); }
    void put(std::string& out) const;

private:
    struct List { std::string name, inside; bool null = true; };
    std::vector<List> lists_;
};

std::unique_ptr<Encoder> make_text_encoder(const Options&, const Tail&, int64_t now_s);        // chat and completions
std::unique_ptr<Encoder> make_embeddings_encoder(const Options&, const Tail&, int64_t now_s);

}  // namespace weir::api
