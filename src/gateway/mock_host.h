// Simulated engines inside the gateway process, on a thread of their own: the demo of a laptop without a GPU.
#pragma once
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "kv/index.h"
#include "types/call.h"

namespace weir {

class MockHost {
public:
    // Listens and serves on a thread of its own. `ready_file`: as Config::listen.ready_file, empty for none.
    static Result<std::unique_ptr<MockHost>> start(const MockerConfig&, unsigned engines, const std::string& ready_file);
    ~MockHost();
    int run();                                                       // `weir mocker`: until a signal asks to stop; the exit code
    const std::vector<std::string>& urls() const { return urls_; }   // "http://127.0.0.1:port"

    // From now on the engine's cache tells the index what it holds, as this rank. Before requests come.
    void publish(size_t engine, kv::Rank rank, std::shared_ptr<kv::KvIndex> index);
    bool serves(Str model) const;
    // Ids of the prompt in such a body, as the engines count them: they have no tokenizer that could be loaded. Any thread.
    // False: the engines would refuse it.
    bool prompt(Api, Str body, std::vector<uint32_t>& ids) const;
    uint32_t block() const { return block_; }                        // tokens

private:
    MockHost();
    struct Impl;
    std::unique_ptr<Impl> impl_;
    std::vector<std::string> urls_, models_;
    uint32_t block_ = 0;
};

}  // namespace weir
