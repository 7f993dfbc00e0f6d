// Data frames of a Dynamo worker's answer: tokens, their end, errors; whole two-part messages for the call-home stream.
#pragma once
#include <span>
#include <string>

#include "wire/dynamo_frames.h"

namespace weir::mocker {

struct ItemUsage { uint32_t prompt = 0, completion = 0, cached = 0; };
struct Item {
    const uint32_t* token = nullptr;         // null: none
    const char* finish = nullptr;            // "length", "eos", "cancelled"; null: it goes on
    const ItemUsage* usage = nullptr;
    int64_t index = -1;                      // of the choice; -1: there is one only
    bool prefilled = false;                  // says where the prompt's KV blocks are, as a prefill worker does
    int logprobs = -1;                       // alternatives of the token; -1: not asked for
    uint64_t seed = 0, n = 0;                // of the token, for its made-up logprobs
};

class ItemWriter {
public:
    // `where`: what a prefilled item says, as JSON text of an object.
    ItemWriter(PayloadCodec codec, std::string where);
    void token(std::string& out, uint32_t id) const;   // the plain one: one token and nothing else
    void item(std::string& out, const Item&) const;
    void error(std::string& out, Str kind, Str message) const;   // the answer broke: an item of type "error"
    void answer(std::string& out, Str msgpack_value) const;      // {"data": value}: of the recovery endpoint
    void end(std::string& out) const;        // complete_final, and the sentinel behind it
    void complete(std::string& out) const;   // complete_final alone
    PayloadCodec codec() const { return codec_; }

private:
    void frame(std::string& out, Str msgpack) const;
    const PayloadCodec codec_;
    std::string where_;                      // MessagePack
    std::string before_, after_;             // around the id of a plain token
};

// A prologue that refuses, as workers write it: {"error": message, "typed_error": {...}}. kind: "InvalidArgument", ...
void append_refusal(std::string& out, Str kind, Str message);

}  // namespace weir::mocker
