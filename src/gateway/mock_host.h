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
    static Result<std::unique_ptr<MockHost>> start(const MockerConfig&, unsigned engines);
    ~MockHost();
    const std::vector<std::string>& urls() const { return urls_; }   // "http://127.0.0.1:port"

private:
    MockHost();
    struct Impl;
    std::unique_ptr<Impl> impl_;
    std::vector<std::string> urls_;
};

}  // namespace weir
