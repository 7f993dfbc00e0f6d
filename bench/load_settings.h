// What the load generator is asked to do, and the requests it sends.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace weir::bench {

struct Settings {
    std::string label = "run", model = "fake", path = "/v1/chat/completions", key;
    uint16_t port = 21001;
    int connections = 64, tokens = 128, body_bytes = 1024, pid = 0;
    double seconds = 5, warm_s = 1, ramp_s = 0;
    double rate = 0;                    // requests per second, Poisson; 0: closed loop
    bool stream = false, tls = false, keep = true, multi_turn = false;
    bool model_text = false;            // replies are a model's own text, counted by their usage; each request has a text of its own
};
Settings read_settings(int argc, char** argv);      // quits with a message

// A conversation of four turns that grows to body_bytes and then starts anew with a text of its own.
struct Conversation {
    int turn = 0;
    std::string messages;
};

class Requests {
public:
    explicit Requests(const Settings&);
    void write(Conversation&, std::string& out);        // replaces out by the next request, head and body

private:
    std::string body(const std::string& messages) const;
    void frame(const std::string& body, std::string& out) const;
    std::string text(size_t bytes, uint64_t seed) const;
    const Settings& settings_;
    std::string words_, head_, fixed_;
    uint64_t conversations_ = 0;
};

}  // namespace weir::bench
