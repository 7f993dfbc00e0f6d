// The forms that g++ 12.2 compiles rightly, next to those of docs/traps.md that it does not: a compiler that breaks one is found here.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"

namespace weir {
namespace {

// Really suspends, so that no form is tested on its easy path only.
struct Later {
    static inline std::vector<std::coroutine_handle<>> waiting;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) { waiting.push_back(h); }
    void await_resume() const noexcept {}
    static void run() {
        while (!waiting.empty()) {
            auto h = waiting.back();
            waiting.pop_back();
            h.resume();
        }
    }
};

template <class T>
Task<T> give(T value, bool suspend) {
    if (suspend) co_await Later{};
    co_return value;
}

template <class T>
T result_of(Task<T> task) {
    bool done = task.start(std::noop_coroutine());
    if (!done) Later::run();
    EXPECT_TRUE(task.done());
    return task.take();
}

enum class Colour { red, green, blue };
Task<int> named_switch(Colour c, bool suspend) {   // `switch (co_await ...)` takes the wrong branch
    auto colour = co_await give(c, suspend);
    switch (colour) {
    case Colour::red: co_return 1;
    case Colour::green: co_return 2;
    case Colour::blue: co_return 3;
    }
    co_return 0;
}
TEST(Traps, SwitchOnAValueThatHasAName) {
    for (bool suspend : {false, true})
        for (int i = 0; i < 3; i++) EXPECT_EQ(result_of(named_switch(static_cast<Colour>(i), suspend)), i + 1);
}

Task<std::vector<int>> named_list(bool suspend) {   // co_await inside the braces does not compile, or compiles wrongly
    int a = co_await give(1, suspend);
    int b = co_await give(2, suspend);
    std::vector<int> list{a, b};
    co_return list;
}
TEST(Traps, ListOfValuesThatHaveNames) {
    for (bool suspend : {false, true}) EXPECT_EQ(result_of(named_list(suspend)), (std::vector<int>{1, 2}));
}

struct Args {
    std::string name, value;
    std::vector<std::string> more;
};
Task<std::string> joined(Args args, bool suspend) {
    if (suspend) co_await Later{};
    std::string all = args.name + "=" + args.value;
    for (auto& m : args.more) all += "," + m;
    co_return all;
}
Task<std::string> named_aggregate(bool suspend) {   // f({.name = s}) as an awaited call's argument destroys the strings twice
    std::string lasting(64, 'n');
    Args args{lasting, "a value that is too long for the small buffer", {lasting, "m"}};
    std::string all = co_await joined(std::move(args), suspend);
    co_return all;
}
TEST(Traps, AggregateThatIsMovedIn) {
    std::string n(64, 'n');
    for (bool suspend : {false, true})
        EXPECT_EQ(result_of(named_aggregate(suspend)), n + "=a value that is too long for the small buffer," + n + ",m");
}

Task<Result<int>> maybe(int n, bool suspend) {
    if (suspend) co_await Later{};
    if (n < 0) co_return Failure(Code::bad_field, "negative");
    co_return n;
}
Task<Result<void>> check(int n, bool suspend) {
    if (suspend) co_await Later{};
    if (n > 10) co_return Failure(Code::too_large, "too large");
    co_return Nothing{};
}
Task<Result<int>> tries(int a, int b, bool suspend) {   // macros of statements; a statement expression kills the compiler
    CO_TRY(int x, co_await maybe(a, suspend));
    CO_TRY(int y, co_await maybe(b, suspend));
    CO_TRY_OK(co_await check(x + y, suspend));
    co_return x + y;
}
TEST(Traps, CoTryInStatements) {
    for (bool suspend : {false, true}) {
        EXPECT_EQ(*result_of(tries(3, 4, suspend)), 7);
        EXPECT_EQ(result_of(tries(3, -4, suspend)).error()->code, Code::bad_field);
        EXPECT_EQ(result_of(tries(30, 4, suspend)).error()->code, Code::too_large);
    }
}

// These have been seen to be right.
Task<int> in_if_initialiser(bool suspend) {
    if (int n = co_await give(4, suspend); n > 3) co_return n;
    co_return 0;
}
Task<int> in_conjunction(bool suspend) {
    bool both = co_await give(true, suspend) && co_await give(true, suspend);
    bool short_cut = false && co_await give(true, suspend);
    co_return both && !short_cut ? 5 : 0;
}
Task<int> in_structured_binding(bool suspend) {
    auto [a, b] = co_await give(std::pair<int, int>(2, 4), suspend);
    co_return a + b;
}
Task<int> in_subscript_assignment(bool suspend) {
    std::map<std::string, int> m;
    m["k"] = co_await give(7, suspend);
    co_return m["k"];
}
Task<int> in_range_initialiser(bool suspend) {
    std::vector<int> parts{1, 3, 4};   // in the call itself the list is the trap above
    int sum = 0;
    for (int n : co_await give(parts, suspend)) sum += n;
    co_return sum;
}
Task<int> in_loop_condition(bool suspend) {
    int n = 0;
    while (co_await give(n < 9, suspend)) n++;
    co_return n;
}
TEST(Traps, FormsThatAreRight) {
    for (bool suspend : {false, true}) {
        EXPECT_EQ(result_of(in_if_initialiser(suspend)), 4);
        EXPECT_EQ(result_of(in_conjunction(suspend)), 5);
        EXPECT_EQ(result_of(in_structured_binding(suspend)), 6);
        EXPECT_EQ(result_of(in_subscript_assignment(suspend)), 7);
        EXPECT_EQ(result_of(in_range_initialiser(suspend)), 8);
        EXPECT_EQ(result_of(in_loop_condition(suspend)), 9);
    }
}

// A task that finishes at once never grows the stack: symmetric transfer would, at -O0 and under ASan.
Task<int> countdown(int n) {
    int left = n;
    while (left > 0) left = co_await give(left - 1, false);
    co_return left;
}
TEST(Traps, NoStackForAwaitsThatFinishAtOnce) { EXPECT_EQ(result_of(countdown(3'000'000)), 0); }

}  // namespace
}  // namespace weir
