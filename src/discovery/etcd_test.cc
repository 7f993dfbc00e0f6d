#include "discovery/etcd_messages.h"

#include <gtest/gtest.h>

#include "discovery/discovery.h"
#include "discovery/fake_etcd_test.h"

namespace weir {
namespace {

using test::FakeEtcd;

struct Etcd : testing::Test, RecordSink {
    ManualClock clock;
    test::NetLoop loop{clock};
    FakeEtcd etcd{loop};
    EtcdDiscoveryOptions options;
    std::unique_ptr<Discovery> discovery;
    std::string said, published;

    Etcd() { options.endpoints = {etcd.address()}; }
    ~Etcd() override { loop.tasks.cancel(); }
    void put(const Record& r) override { said += "+" + r.key + "=" + r.value + ";"; }
    void gone(Bucket, const std::string& key) override { said += "-" + key + ";"; }
    void synced() override { said += "synced;"; }

    void start() {
        auto made = etcd_discovery(options);
        ASSERT_TRUE(made) << made.error()->message;
        discovery = *std::move(made);
        loop.tasks.spawn(discovery->run(*this));
    }
    bool hears(const std::string& text) {
        const bool heard = loop.until([&] { return said == text; });
        if (!heard) ADD_FAILURE() << said << " instead of " << text;
        said.clear();
        return heard;
    }
    bool watched(size_t n = 1) {
        return loop.until([&] { return etcd.watches.size() == n && !etcd.watches[n - 1]->gone; });
    }
    Task<void> publish_one(Record r) {
        auto done = co_await discovery->publish(std::move(r));
        published += done ? "ok;" : std::string(name(done.error()->code)) + ";";
    }
    std::string publish(const std::string& key, const std::string& value) {
        published.clear();
        loop.tasks.spawn(publish_one({Bucket::instances, key, value}));
        loop.until([&] { return !published.empty(); });
        return published;
    }
    // Lets time pass until `done`; what waits for other ends is given its turns.
    template <class Done>
    bool passes(Done done, uint64_t step_ms = 500) {
        return loop.until([&] {
            clock.advance_ms(step_ms);
            loop.core.turn(1);
            return done();
        });
    }
};

TEST_F(Etcd, WhatIsThereIsListedAndWhatComesIsWatched) {
    etcd.put("v1/instances/a/b/c/1", "{}");
    etcd.put("v1/mdc/a/b/c/1", R"({"x":1})");
    etcd.put("v1/other/z", "{}");
    etcd.put("v10/instances/z", "{}");
    etcd.put("v1/instances/broken", "{");
    start();
    ASSERT_TRUE(hears(R"(+a/b/c/1={};+a/b/c/1={"x":1};synced;)"));
    ASSERT_TRUE(watched());
    EXPECT_EQ(etcd.watched_from, std::vector<int64_t>{etcd.revision + 1});
    etcd.put("v1/instances/a/b/c/2", "{}");
    etcd.put("v1/instances/a/b/c/2", "{}");       // nothing new
    etcd.put("v1/instances/a/b/c/2", "[1]");
    etcd.put("v1/instances/a/b/c/2", "nonsense"); // the last good one stays
    etcd.put("v1/other/z", "[2]");
    etcd.remove("v1/mdc/a/b/c/1");
    etcd.remove("v1/other/z");
    EXPECT_TRUE(hears("+a/b/c/2={};+a/b/c/2=[1];-a/b/c/1;"));
}

TEST_F(Etcd, ListsComeInPagesAndMayShrink) {
    std::string all;
    for (int i = 1000; i < 1600; i++) {
        etcd.put("v1/instances/" + std::to_string(i), "1");
        all += "+" + std::to_string(i) + "=1;";
    }
    etcd.page_max = 64;                           // the server refuses to send more
    start();
    ASSERT_TRUE(hears(all + "synced;"));
    EXPECT_EQ(etcd.ranges, 1 + (600 + 63) / 64u);
}

TEST_F(Etcd, AfterABreakItIsListedAnewAndOnlyChangesAreTold) {
    etcd.put("v1/instances/1", "1");
    etcd.put("v1/instances/2", "2");
    etcd.put("v1/instances/3", "3");
    start();
    ASSERT_TRUE(hears("+1=1;+2=2;+3=3;synced;"));
    ASSERT_TRUE(watched());
    etcd.watches.clear();
    etcd.peer.drop();
    etcd.silent = true;                           // back, but not yet itself
    ASSERT_TRUE(passes([&] { return etcd.peer.accepted >= 2; }));
    EXPECT_EQ(said, "");                          // nobody is removed for that
    etcd.remove("v1/instances/1");
    etcd.put("v1/instances/2", "22");
    etcd.put("v1/instances/4", "4");
    etcd.silent = false;
    ASSERT_TRUE(passes([&] { return !etcd.watches.empty(); }));
    EXPECT_TRUE(hears("-1;+2=22;+4=4;"));
    etcd.put("v1/instances/5", "5");
    EXPECT_TRUE(hears("+5=5;"));
}

TEST_F(Etcd, ACancelledWatchBeginsAnew) {
    start();
    ASSERT_TRUE(hears("synced;"));
    for (const int64_t compacted : {int64_t{7}, int64_t{0}}) {
        ASSERT_TRUE(watched());
        etcd.cancel_watches(compacted, "etcdserver: mvcc: required revision has been compacted");
        etcd.put("v1/instances/1", std::to_string(compacted));   // nobody watches
        ASSERT_TRUE(passes([&] { return etcd.watches.size() == 1; }));
        EXPECT_TRUE(hears("+1=" + std::to_string(compacted) + ";"));
    }
}

TEST_F(Etcd, ASilentWatchIsAskedWhetherItLives) {
    start();
    ASSERT_TRUE(hears("synced;"));
    ASSERT_TRUE(watched());
    ASSERT_TRUE(passes([&] { return etcd.progress >= 3; }));
    EXPECT_EQ(etcd.ranges, 1u);                   // it does
    etcd.silent = true;
    const size_t before = etcd.peer.accepted;
    ASSERT_TRUE(passes([&] { return etcd.peer.accepted > before; }));
    etcd.silent = false;
    etcd.watches.clear();
    etcd.put("v1/instances/1", "1");
    ASSERT_TRUE(passes([&] { return !etcd.watches.empty(); }));
    EXPECT_TRUE(hears("+1=1;"));
}

TEST_F(Etcd, TheNextAddressIsTakenWhenOneIsNotThere) {
    FakeEtcd other(loop);
    other.put("v1/instances/1", "1");
    options.endpoints = {"http://127.0.0.1:" + std::to_string(test::ListenSocket().port), other.address(), etcd.address()};
    etcd.put("v1/instances/1", "1");
    start();
    ASSERT_TRUE(hears("+1=1;synced;"));
    ASSERT_TRUE(loop.until([&] { return other.watches.size() == 1; }));
    EXPECT_EQ(etcd.ranges, 0u);
    other.watches.clear();
    other.peer.drop();
    ASSERT_TRUE(passes([&] { return etcd.watches.size() == 1; }));
    EXPECT_EQ(said, "");
}

TEST_F(Etcd, TokensAreAskedForAndRenewed) {
    etcd.token = "first";
    options.user = "weir", options.password = "secret";
    start();
    ASSERT_TRUE(hears("synced;"));
    EXPECT_EQ(etcd.authentications, 1u);
    EXPECT_EQ(publish("1", "1"), "ok;");
    EXPECT_EQ(etcd.authentications, 1u);
    etcd.token = "second";
    EXPECT_EQ(publish("2", "2"), "ok;");
    EXPECT_GE(etcd.authentications, 2u);
    EXPECT_LE(etcd.authentications, 3u);          // the lease's keeper may have asked at the same time
}

TEST_F(Etcd, AClusterWithoutAuthenticationTakesAnybody) {
    options.user = "weir", options.password = "secret";
    start();
    EXPECT_TRUE(hears("synced;"));
}

TEST_F(Etcd, PublishedRecordsHangOnOneLease) {
    start();
    ASSERT_TRUE(hears("synced;"));
    ASSERT_TRUE(watched());
    EXPECT_EQ(publish("mine", "1"), "ok;");
    EXPECT_EQ(publish("mine", "2"), "ok;");       // our own may be replaced
    EXPECT_EQ(publish("mine too", "1"), "ok;");
    EXPECT_TRUE(hears("+mine=1;+mine=2;+mine too=1;"));
    EXPECT_EQ(etcd.leases, (std::map<int64_t, int64_t>{{100, 30}}));
    EXPECT_EQ(etcd.kvs["v1/instances/mine"].lease, 100);
    etcd.put("v1/instances/theirs", "x", 7);
    EXPECT_EQ(publish("theirs", "1"), "bad_request;");
    EXPECT_EQ(etcd.kvs["v1/instances/theirs"].value, "x");
    ASSERT_TRUE(passes([&] { return etcd.beats >= 3; }));
    said.clear();
    loop.tasks.spawn(discovery->retire());
    EXPECT_TRUE(loop.until([&] { return etcd.leases.empty(); }));
    EXPECT_TRUE(hears("-mine;-mine too;"));
    EXPECT_EQ(etcd.kvs.size(), 1u);
}

TEST_F(Etcd, WhatWasLostWithTheLeaseIsPutBack) {
    start();
    ASSERT_TRUE(hears("synced;"));
    EXPECT_EQ(publish("mine", "1"), "ok;");
    EXPECT_EQ(publish("other", "2"), "ok;");
    EXPECT_TRUE(hears("+mine=1;+other=2;"));
    etcd.revoke(100);                             // it ran out while we were away
    ASSERT_TRUE(passes([&] { return etcd.kvs.size() == 2; }));
    EXPECT_EQ(etcd.kvs["v1/instances/mine"].lease, 101);
    EXPECT_EQ(etcd.kvs["v1/instances/mine"].value, "1");
    etcd.remove("v1/instances/other");            // somebody deletes it
    ASSERT_TRUE(passes([&] { return etcd.kvs.size() == 2; }));
    EXPECT_EQ(etcd.leases, (std::map<int64_t, int64_t>{{101, 30}}));
}

TEST_F(Etcd, WhatIsNoAddressIsRefused) {
    for (const char* bad : {"ftp://x", "http://", "http://h:0", "http://h:1/path", "unix:/x", "grpc://h:1"}) {
        options.endpoints = {bad};
        auto made = etcd_discovery(options);
        EXPECT_FALSE(made) << bad;
    }
    for (const char* good : {"http://h", "h", "h:1", "https://h:1", "[::1]", "http://[::1]:9"}) {
        options.endpoints = {good};
        EXPECT_TRUE(etcd_discovery(options)) << good;
    }
    options.endpoints.clear();
    EXPECT_FALSE(etcd_discovery(options));
    options.endpoints = {"h"};
    options.tls_cert = "/no/such/file";
    EXPECT_FALSE(etcd_discovery(options));
    options.tls_key = "/no/such/file";
    EXPECT_FALSE(etcd_discovery(options));
}

TEST(EtcdMessages, PrefixesHaveAnEnd) {
    EXPECT_EQ(etcd::end_of_prefix("v1/"), "v10");
    EXPECT_EQ(etcd::end_of_prefix("a\xff\xff"), "b");
    EXPECT_EQ(etcd::end_of_prefix("\xff"), std::string(1, '\0'));
}

TEST(EtcdMessages, NonsenseIsRefused) {
    for (const Str bad : {Str("\x0a"), Str("\x0a\x7f"), Str("\xff\xff")}) {
        EXPECT_FALSE(etcd::read_range(bad));
        EXPECT_FALSE(etcd::read_put_if(bad));
        EXPECT_FALSE(etcd::read_watch(bad));
        EXPECT_FALSE(etcd::read_lease(bad));
        EXPECT_FALSE(etcd::read_token(bad));
    }
    EXPECT_FALSE(etcd::read_token("\x12\x03" "a\nb"));   // would be a header of its own
}

}  // namespace
}  // namespace weir
