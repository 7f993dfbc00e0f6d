// A listening tcp socket on one core whose connections are taken one by one.
#pragma once
#include <string>

#include "base/result.h"
#include "net/core.h"

namespace weir::mocker {

class Listener final : Watched {
public:
    explicit Listener(Core& core) : core_(core) {}
    ~Listener() override { close(); }
    Result<void> open(const std::string& host, uint16_t port);   // an address literal; port 0: the kernel chooses
    uint16_t port() const { return port_; }
    void watch();                        // on the core, before accept()
    Task<int> accept();                  // a non-blocking socket with TCP_NODELAY. One waiter
    void close();                        // on the core, or with it entered

private:
    void on_events(uint32_t) override { ready_.notify(); }
    Core& core_;
    int fd_ = -1;
    uint16_t port_ = 0;
    bool watched_ = false;
    Signal ready_;
};

}  // namespace weir::mocker
