#include "gateway/mock_host.h"

namespace weir {

struct MockHost::Impl {};
MockHost::MockHost() = default;
MockHost::~MockHost() = default;
int MockHost::run() { return 1; }
Result<std::unique_ptr<MockHost>> MockHost::start(const MockerConfig&, unsigned, const std::string&) {
    return Failure(Code::not_supported, "not supported yet: simulated engines behind sockets");
}

}  // namespace weir
