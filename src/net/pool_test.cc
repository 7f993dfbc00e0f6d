#include "net/pool.h"

#include <gtest/gtest.h>

#include <future>

#include "base/limits.h"
#include "tests/support/net_loop.h"

namespace weir {
namespace {

using test::NetLoop;

Task<void> square(Pool& pool, std::shared_ptr<int> value, std::string& said) {
    std::thread::id here = std::this_thread::get_id();
    std::function<void()> job = [value, here] {
        EXPECT_NE(std::this_thread::get_id(), here);
        *value *= *value;
    };
    InPool elsewhere(pool, std::move(job));
    bool ran = co_await elsewhere;
    EXPECT_EQ(std::this_thread::get_id(), here);
    said += ran ? std::to_string(*value) : "refused";
}

TEST(Pool, RunsAJobElsewhereAndComesBack) {
    NetLoop loop;
    Pool pool(2, 10);
    std::string said;
    loop.tasks.spawn(square(pool, std::make_shared<int>(7), said));
    EXPECT_EQ(said, "");
    EXPECT_TRUE(loop.settle());
    EXPECT_EQ(said, "49");
}

TEST(Pool, AFullQueueRefuses) {
    NetLoop loop;
    std::promise<void> go, begun;   // outlive the pool's threads
    Pool pool(1, limits::pool_jobs_max);
    ASSERT_TRUE(pool.run([&] {
        begun.set_value();
        go.get_future().wait();
    }));
    begun.get_future().wait();
    for (size_t i = 0; i < limits::pool_jobs_max; i++) ASSERT_TRUE(pool.run([] {}));
    std::string said;
    loop.tasks.spawn(square(pool, std::make_shared<int>(7), said));
    EXPECT_EQ(said, "refused");
    go.set_value();
}

TEST(Pool, WhoeverWaitsMayBeDestroyed) {
    NetLoop loop;
    auto value = std::make_shared<int>(3);
    std::string said;
    {
        std::promise<void> go;
        Pool pool(1, 10);
        ASSERT_TRUE(pool.run([&] { go.get_future().wait(); }));
        loop.tasks.spawn(square(pool, value, said));
        loop.tasks.cancel();
        go.set_value();
    }
    loop.core.turn(0);
    EXPECT_EQ(said, "");
    EXPECT_TRUE(*value == 9 || *value == 3) << "run for nobody, or dropped with the pool";
    EXPECT_EQ(value.use_count(), 1);
}

}  // namespace
}  // namespace weir
