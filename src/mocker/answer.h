// How one kind of answer is written: pieces of a stream, or the whole body. One object per request, no engine, no time.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mocker/ask.h"
#include "mocker/reply.h"
#include "sim/engine_model.h"

namespace weir::mocker {

struct AnswerHead {
    EngineKind kind = EngineKind::vllm;
    std::string id;                  // without the prefix of the route
    std::string model;               // as the client named it
    int64_t created = 0;             // seconds
    bool cached_details = true;      // usage tells cached_tokens
    uint32_t dimensions = 256;       // of embedding vectors
};

struct Choice {                      // what a choice has so far
    std::string text;                // all of it, also what is held back
    std::vector<uint32_t> ids;
    size_t text_sent = 0, ids_sent = 0;
    uint32_t prompt_tokens = 0, cached_tokens = 0;
    uint64_t seed = 0;               // of its words and vectors
    sim::Finish finish = sim::Finish::none;
    std::string matched_stop;        // the stop string that ended it, if one did
    bool begun = false;              // something of it was streamed
};

struct AnswerUsage { uint64_t prompt = 0, completion = 0, cached = 0; };
AnswerUsage usage_of(const std::vector<Choice>& choices, uint32_t choices_per_prompt);
void append_usage(std::string& out, const AnswerHead&, const AnswerUsage&);   // the JSON object

class Answer {
public:
    virtual ~Answer() = default;
    // Appends the events that show `delta`, new text of choice `index` (may be empty at its end), and its end if it ended.
    virtual void piece(std::string& out, size_t index, const Choice& choice, std::string_view delta) = 0;
    virtual void tail(std::string& out, const AnswerUsage&) = 0;                  // of a stream: usage where asked, [DONE]
    virtual void whole(std::string& out, const std::vector<Choice>&, uint64_t elapsed_ns) = 0;
};

// `ask` and `head` outlive the answer.
std::unique_ptr<Answer> make_chat_answer(const Ask& ask, const AnswerHead& head);
std::unique_ptr<Answer> make_completions_answer(const Ask& ask, const AnswerHead& head);
std::unique_ptr<Answer> make_embeddings_answer(const Ask& ask, const AnswerHead& head);
std::unique_ptr<Answer> make_generate_answer(const Ask& ask, const AnswerHead& head);

// A made-up logprob of a choice's n-th word, at most -0.01, and alternatives below it.
double logprob(uint64_t seed, uint64_t n, uint32_t rank);
std::string_view finish_name(const Choice&);   // "stop", "length"; empty while it goes on

}  // namespace weir::mocker
