// Scripted clients: keep-alive, pipelining, odd splits, slow reading, wrong requests, leaving at any point.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/task.h"
#include "tests/sim/answer_reader.h"
#include "tests/sim/sim_engine.h"
#include "tests/sim/sim_net.h"

namespace weir::sim {

struct Served;

struct Request {
    std::string bytes;                   // head and framed body
    size_t head_bytes = 0;
    const Ask* ask = nullptr;            // goes to a worker; else the gateway answers
    int status = 200;                    // expected without an ask; 0: any from 400 to 505, and the connection ends
    bool head_method = false, expects_continue = false;
};

class SimClient {
public:
    SimClient(World& world, int index) : world_(world), index_(index) {}
    Task<void> run();

private:
    enum class Leave : uint8_t { never, within_request, before_answer, within_answer };
    struct Connection {
        std::unique_ptr<SimTransport> t;
        const Served* served = nullptr;
        std::string in;                  // received, not yet part of an answer
        bool ended = false;              // end of stream or broken
    };
    Task<bool> batch(Connection& c);
    Task<bool> send(Connection& c, std::string bytes, size_t bytes_max);
    Task<bool> await_continue(Connection& c, AnswerReader& reader);
    Task<void> read(Connection& c, AnswerReader& reader, size_t bytes_max);
    Request make();
    Request own();
    Request wrong();
    std::string frame_body(const std::string& body, bool& chunked);
    World& world_;
    int index_;
    uint64_t pace_ms_ = 0;
};

}  // namespace weir::sim
