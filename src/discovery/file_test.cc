#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "discovery/discovery.h"
#include "tests/support/net_loop.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

struct Told final : RecordSink {
    std::string said;
    void put(const Record& r) override { said += "+" + r.key + "=" + r.value + ";"; }
    void gone(Bucket, const std::string& key) override { said += "-" + key + ";"; }
    void synced() override { said += "synced;"; }
};

struct Files : testing::Test {
    ManualClock clock;
    test::NetLoop loop{clock};
    fs::path root;
    std::unique_ptr<Discovery> store;
    Told told;

    Files() {
        char name[] = "/tmp/weir-file-discovery-XXXXXX";
        root = ::mkdtemp(name);
        store = make();
    }
    ~Files() override {
        loop.tasks.cancel();
        fs::remove_all(root);
    }
    std::unique_ptr<Discovery> make() { return file_discovery({root.string(), 10'000}); }
    fs::path place(const std::string& key, Bucket b = Bucket::instances) { return root / path(b) / file_name_of_key(key); }
    // As another process writes: beside, then renamed.
    void write(const std::string& key, const std::string& value, uint64_t age_ms = 0) {
        fs::create_directories(root / path(Bucket::instances));
        const fs::path draft = root / path(Bucket::instances) / ".tmp_0123456789abcdef";
        std::ofstream(draft) << value;
        touch(draft, age_ms);
        fs::rename(draft, place(key));
    }
    void touch(const fs::path& file, uint64_t age_ms) {
        const uint64_t at = clock.wall() - age_ms;
        const timespec t{static_cast<time_t>(at / 1'000), static_cast<long>(at % 1'000 * ns_per_ms)}, times[2] = {t, t};
        ASSERT_EQ(utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
    }
    void start() { loop.tasks.spawn(store->run(told)); }
    void hears(const std::string& text) {
        loop.until([&] { return told.said == text; });
        EXPECT_EQ(told.said, text);
    }
    static Task<void> publish(Discovery& d, Record r, std::string& out) {
        auto ok = co_await d.publish(std::move(r));
        out += ok ? "ok;" : std::string(name(ok.error()->code)) + ";";
    }
    static Task<void> retire(Discovery& d) { co_await d.retire(); }
    std::string published(Discovery& d, const std::string& key, const std::string& value) {
        std::string out;
        Nursery tasks;
        tasks.spawn(publish(d, {Bucket::instances, key, value}, out));
        EXPECT_TRUE(loop.until([&] { return tasks.size() == 0; }));
        return out;
    }
    void pass_ms(uint64_t ms) {
        clock.advance_ms(ms);
        for (int i = 0; i < 3; i++) loop.core.turn(0);
    }
    std::string slurp(const std::string& key) {
        std::ifstream file(place(key));
        return {std::istreambuf_iterator<char>(file), {}};
    }
};

TEST(FileNames, AreTheKeysEncoded) {
    EXPECT_EQ(file_name_of_key("dynamo/backend/generate/fffeba32b6d1d670"), "dynamo%2Fbackend%2Fgenerate%2Ffffeba32b6d1d670");
    EXPECT_EQ(file_name_of_key("a_b-c%d.\xc3"), "a%5Fb%2Dc%25d%2E%C3");
    std::string key;
    EXPECT_TRUE(key_of_file_name("worker%5Fkv%2Dx", key));
    EXPECT_EQ(key, "worker_kv-x");
    for (const char* bad : {"", "a%", "a%2", "a%zz", "a_b", "%41", "a%2fb"}) EXPECT_FALSE(key_of_file_name(bad, key)) << bad;
}

TEST_F(Files, TellsWhatIsThereAndWhatChanges) {
    write("a/b", "1");
    write("c", "[2]");
    start();
    hears("+a/b=1;+c=[2];synced;");
    told.said.clear();
    write("d", "3");
    hears("+d=3;");
    write("a/b", "4");
    hears("+d=3;+a/b=4;");
    fs::remove(place("c"));
    hears("+d=3;+a/b=4;-c;");
    std::ofstream(place("e")) << "5";   // in place
    hears("+d=3;+a/b=4;-c;+e=5;");
}

TEST_F(Files, TouchingAndRewritingTheSameIsNoChange) {
    write("a", "1");
    start();
    hears("+a=1;synced;");
    touch(place("a"), 0);
    write("a", "1");
    write("b", "2");
    hears("+a=1;synced;+b=2;");
}

TEST_F(Files, NonsenseLeavesTheLastGoodValue) {
    write("a", "1");
    start();
    hears("+a=1;synced;");
    write("a", "{\"cut\":");
    write("x", "");
    std::ofstream(root / path(Bucket::instances) / "not_a_name") << "7";
    fs::create_directories(place("folder"));
    write("b", "2");
    hears("+a=1;synced;+b=2;");
    write("a", "{\"cut\":1}");
    hears("+a=1;synced;+b=2;+a={\"cut\":1};");
}

TEST_F(Files, TheDeadAreDeletedByWhoeverSeesThem) {
    write("dead", "1", 10'100);
    write("alive", "2", 9'000);
    start();
    hears("+alive=2;synced;");
    EXPECT_FALSE(fs::exists(place("dead")));
    pass_ms(3'400);                    // nobody touches it
    hears("+alive=2;synced;-alive;");
    EXPECT_FALSE(fs::exists(place("alive")));
}

TEST_F(Files, WhatOthersTouchLives) {
    write("a", "1");
    start();
    hears("+a=1;synced;");
    for (int i = 0; i < 10; i++) {
        pass_ms(3'400);
        touch(place("a"), 0);
    }
    EXPECT_EQ(told.said, "+a=1;synced;");
}

TEST_F(Files, PublishedRecordsLiveAsLongAsWeDo) {
    start();
    EXPECT_EQ(published(*store, "ours", "1"), "ok;");
    hears("synced;+ours=1;");
    EXPECT_EQ(published(*store, "ours", "2"), "ok;");   // replaced
    hears("synced;+ours=1;+ours=2;");
    for (int i = 0; i < 10; i++) pass_ms(3'400);
    EXPECT_EQ(slurp("ours"), "2") << "touched in time";
    fs::remove(place("ours"));                           // somebody else's mistake
    hears("synced;+ours=1;+ours=2;-ours;");
    pass_ms(3'400);
    hears("synced;+ours=1;+ours=2;-ours;+ours=2;");
    Nursery tasks;
    tasks.spawn(retire(*store));
    loop.until([&] { return tasks.size() == 0; });
    EXPECT_FALSE(fs::exists(place("ours")));
    hears("synced;+ours=1;+ours=2;-ours;+ours=2;-ours;");
    for (auto& entry : fs::directory_iterator(root / path(Bucket::instances))) ADD_FAILURE() << "left over: " << entry.path();
}

TEST_F(Files, ANameIsTakenOnce) {
    auto other = make();
    EXPECT_EQ(published(*store, "k", "1"), "ok;");
    EXPECT_EQ(published(*other, "k", "2"), "bad_request;");
    EXPECT_EQ(slurp("k"), "1");
}

TEST_F(Files, ChangesWaitForTheFoldersLock) {
    EXPECT_EQ(published(*store, "k", "1"), "ok;");
    const int fd = ::open((root / path(Bucket::instances)).c_str(), O_RDONLY | O_DIRECTORY);
    ASSERT_EQ(::flock(fd, LOCK_EX), 0);
    std::string out;
    Nursery tasks;
    tasks.spawn(publish(*store, {Bucket::instances, "later", "2"}, out));
    for (int i = 0; i < 50; i++) pass_ms(10);
    EXPECT_EQ(out, "");
    EXPECT_FALSE(fs::exists(place("later")));
    ::flock(fd, LOCK_UN);
    pass_ms(10);
    EXPECT_TRUE(loop.until([&] { return out == "ok;"; }));
    ASSERT_EQ(::flock(fd, LOCK_EX), 0);
    tasks.spawn(publish(*store, {Bucket::instances, "never", "3"}, out));
    for (int i = 0; i < 110; i++) pass_ms(10);
    EXPECT_EQ(out, "ok;internal;");
    ::close(fd);
}

TEST_F(Files, TheFolderMayVanish) {
    write("a", "1");
    start();
    hears("+a=1;synced;");
    fs::remove_all(root / "v1");
    loop.until([&] { return told.said.ends_with("-a;") && fs::exists(root / path(Bucket::cards)); });
    write("b", "2");
    hears("+a=1;synced;-a;+b=2;");
}

TEST_F(Files, ARecordIsBounded) {
    write("big", std::string(record_value_max + 1, '1'));
    write("fits", "\"" + std::string(record_value_max - 2, 'x') + "\"");
    start();
    EXPECT_TRUE(loop.until([&] { return told.said.ends_with("synced;"); }));
    EXPECT_TRUE(told.said.starts_with("+fits="));
    EXPECT_EQ(published(*store, "k", std::string(record_value_max + 1, '1')), "internal;");
}

TEST(Memory, TellsWhatIsPublished) {
    test::NetLoop loop;
    auto store = memory_discovery();
    Told told;
    std::string out;
    loop.tasks.spawn(Files::publish(*store, {Bucket::cards, "a", "1"}, out));
    loop.tasks.spawn(store->run(told));
    loop.tasks.spawn(Files::publish(*store, {Bucket::cards, "b", "2"}, out));
    loop.tasks.spawn(Files::publish(*store, {Bucket::cards, "b", "2"}, out));
    loop.tasks.spawn(Files::retire(*store));
    EXPECT_EQ(out, "ok;ok;ok;");
    EXPECT_EQ(told.said, "+a=1;synced;+b=2;-a;-b;");
    loop.tasks.cancel();
}

}  // namespace
}  // namespace weir
