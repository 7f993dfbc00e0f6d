#include "bench/load_settings.h"

#include <algorithm>
#include <random>
#include <string_view>

#include "bench/rig.h"

namespace weir::bench {

Settings read_settings(int argc, char** argv) {
    Settings s;
    for (Arguments args(argc, argv); args.next();) {
        std::string_view flag = args.flag();
        if (flag == "--label") s.label = args.text();
        else if (flag == "--model") s.model = args.text();
        else if (flag == "--path") s.path = args.text();
        else if (flag == "--key") s.key = args.text();
        else if (flag == "--port") s.port = args.port();
        else if (flag == "--connections") s.connections = args.number();
        else if (flag == "--tokens") s.tokens = args.number();
        else if (flag == "--body-bytes") s.body_bytes = args.number();
        else if (flag == "--pid") s.pid = args.number();
        else if (flag == "--seconds") s.seconds = args.real();
        else if (flag == "--warm") s.warm_s = args.real();
        else if (flag == "--ramp") s.ramp_s = args.real();
        else if (flag == "--rate") s.rate = args.real();
        else if (flag == "--stream") s.stream = true;
        else if (flag == "--tls") s.tls = true;
        else if (flag == "--nokeep") s.keep = false;
        else if (flag == "--multi-turn") s.multi_turn = true;
        else if (flag == "--model-text") s.model_text = true;
        else args.unknown();
    }
    if (s.connections < 1 || s.tokens < 1) quit("--connections and --tokens start at 1");
    return s;
}

Requests::Requests(const Settings& s) : settings_(s) {
    static constexpr const char* vocabulary[] = {"the ", "model ", "answers ", "quickly ", "because ", "routing ",
                                                 "tokens ", "cache ", "prefix ", "worker ", "gateway ", "latency ",
                                                 "stream ", "and ", "of ", "42 "};
    std::mt19937_64 random(7);
    while (words_.size() < (1u << 20)) words_ += vocabulary[random() & 15];
    head_ = "POST " + s.path + " HTTP/1.1\r\nhost: 127.0.0.1:" + std::to_string(s.port) +
            "\r\ncontent-type: application/json\r\naccept: */*\r\nuser-agent: weir-bench/1\r\n";
    if (!s.key.empty()) head_ += "authorization: Bearer " + s.key + "\r\n";
    size_t empty = body(R"({"role":"user","content":""})").size(), wanted = static_cast<size_t>(s.body_bytes);
    frame(body(R"({"role":"user","content":")" + text(std::max(wanted, empty + 16) - empty, 1) + "\"}"), fixed_);
}

std::string Requests::text(size_t bytes, uint64_t seed) const {     // another seed, another place in the words
    bytes = std::min(bytes, words_.size() / 2);
    return words_.substr(seed * 0x9e3779b97f4a7c15ull % (words_.size() - bytes), bytes);
}

std::string Requests::body(const std::string& messages) const {
    return "{\"model\":\"" + settings_.model + "\",\"messages\":[" + messages + "],\"max_tokens\":" +
           std::to_string(settings_.tokens) + ",\"temperature\":0.7,\"stream\":" + (settings_.stream ? "true" : "false") +
           (settings_.model_text && settings_.stream ? R"(,"stream_options":{"include_usage":true}})" : "}");
}

void Requests::frame(const std::string& body, std::string& out) const {
    out.assign(head_).append("content-length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
}

void Requests::write(Conversation& talk, std::string& out) {
    auto bytes = static_cast<size_t>(settings_.body_bytes);
    if (settings_.model_text) return frame(body(R"({"role":"user","content":")" + text(bytes, ++conversations_) + "\"}"), out);
    if (!settings_.multi_turn) {
        out = fixed_;
        return;
    }
    if (talk.turn == 0) {       // the system prompt is everybody's
        ++conversations_;
        talk.messages = R"({"role":"system","content":")" + text(bytes / 4, 0) + "\"}";
    }
    uint64_t seed = conversations_ * 4 + static_cast<uint64_t>(talk.turn);
    talk.messages += R"(,{"role":"user","content":")" + text(bytes * 3 / 16, seed) + "\"}";
    frame(body(talk.messages), out);
    talk.messages += R"(,{"role":"assistant","content":"ok then )" + std::to_string(seed) + "\"}";
    talk.turn = (talk.turn + 1) % 4;
}

}  // namespace weir::bench
