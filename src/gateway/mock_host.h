// Simulated engines inside the gateway process, on a thread of their own: the demo of a laptop without a GPU.
#pragma once
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace weir {

class MockHost {
public:
    // Listens and serves on a thread of its own. `ready_file`: as Config::listen.ready_file, empty for none.
    static Result<std::unique_ptr<MockHost>> start(const MockerConfig&, unsigned engines, const std::string& ready_file);
    ~MockHost();
    int run();                                                       // `weir mocker`: until a signal asks to stop; the exit code
    const std::vector<std::string>& urls() const { return urls_; }   // "http://127.0.0.1:port"

private:
    MockHost();
    struct Impl;
    std::unique_ptr<Impl> impl_;
    std::vector<std::string> urls_;
};

}  // namespace weir
