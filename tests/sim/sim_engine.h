// Scripted workers: they answer like an OpenAI engine, or fail in one of many ways. What they told is written down for the judge.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/task.h"
#include "tests/sim/sim_net.h"

namespace weir::sim {

class World;

enum class Kind : uint8_t { chat, completions, embeddings };

struct Ask {                         // a request for a worker, as a client sends it
    int id = 0;
    Kind kind = Kind::chat;
    bool stream = false, usage = false;
    std::string body;
    std::string name() const { return "rq-" + std::to_string(id); }
};

enum class Fault : uint8_t {
    none, slow, close_after, extra_after, early_answer,   // the client must get the whole answer all the same
    error_status,                                         // an answer, though not the one hoped for
    cut_close, cut_reset, cut_stall, garbage_head, bad_chunk, length_short, length_long, bad_event, error_frame, not_json,
    count_
};
const char* name(Fault);
inline bool harmless(Fault f) { return f <= Fault::early_answer; }

struct Told {                        // what the workers did with one request
    int heard = 0;                   // how many times one of them read its head
    Fault fault = Fault::none;
    int status = 0;                  // 0: no answer begun
    bool finished = false;           // the script ran to its end
    bool until_close = false;        // the body ended with the connection: its cut cannot be told from its end
    bool crashed = false;            // its worker did while it was on its connection
    bool poisoned = false;           // bytes of nobody's answer came before it on its connection: what the client got is the worker's doing
    std::vector<std::string> tokens; // texts of the answer, numbered
    std::string payload;             // the whole body without framing
    Instant stalled = 0, noticed = 0;   // cut_stall: since when; when the end of the connection was seen
};

class SimEngine {
public:
    SimEngine(World& world, int index) : world_(world), index_(index) {}
    Task<void> serve(std::unique_ptr<SimTransport> transport);   // one connection
    Nursery connections;

private:
    struct Frame { std::string bytes; uint64_t wait_ms = 0; };
    struct Heard { std::string method, path, id; size_t length = 0; };
    struct Script { Fault fault = Fault::none; std::vector<Frame> frames; bool closes = false, stalls = false, until_close = false; };
    struct AtWork;
    Task<bool> read_head(SimTransport& t, std::string& in, Heard& heard);
    Task<bool> read_body(SimTransport& t, std::string& in, size_t length, std::string& body);
    Task<bool> play(SimTransport& t, Script& script, Told& told);
    Task<void> stall(SimTransport& t, Told& told);
    Script write(const Ask& ask, Told& told);
    std::vector<std::string> payload(const Ask& ask, Fault fault, Told& told);
    void frame(const std::vector<std::string>& pieces, const std::string& type, int status, Script& script);
    void cut(Script& script);
    World& world_;
    int index_;
};

}  // namespace weir::sim
