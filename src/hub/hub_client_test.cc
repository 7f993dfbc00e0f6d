#include "hub/hub_client.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <thread>

#include "hub/fake_hub_test.h"
#include "hub/hub_cache.h"

namespace weir {
namespace {

using testing::FakeHub;
using testing::slurp;
using testing::TempDir;
namespace fs = std::filesystem;

struct HubClient : ::testing::Test {
    HubClient() {
        hub.files["config.json"] = {"{\"model_type\":\"llama\"}"};
        hub.files["tokenizer.json"] = {std::string(50'000, 'x') + "end", true};
        hub.files["model.safetensors"] = {std::string(1'000, 'w'), true};
        hub.files["tokenizer.model"] = {"not needed", true};
        options.endpoint = FakeHub::endpoint;
        options.cache_dir = dir.path + "/hub";
        options.backoff_ms = 0;
    }
    Result<HubFetched> fetch(const std::string& revision = "") { return fetch_model(options, "org/model", revision, hub, stop); }
    std::string blob(const std::string& name) { return options.cache_dir + "/models--org--model/blobs/" + testing::digest_of(hub.files[name].bytes, hub.files[name].large); }
    size_t asked(std::string_view what) {
        return static_cast<size_t>(std::ranges::count_if(hub.asked, [&](auto& a) { return a.find(what) != a.npos; }));
    }
    TempDir dir;
    FakeHub hub;
    HubStop stop;
    HubOptions options;
};

TEST_F(HubClient, LaysTheCacheOutAsPythonDoes) {
    auto got = fetch();
    ASSERT_TRUE(got) << got.error()->message;
    std::string repo = options.cache_dir + "/models--org--model";
    EXPECT_EQ(got->folder, repo + "/snapshots/" + hub.commit);
    EXPECT_EQ(slurp(repo + "/refs/main"), hub.commit);
    EXPECT_EQ(slurp(got->folder + "/tokenizer.json"), hub.files["tokenizer.json"].bytes);
    EXPECT_EQ(fs::read_symlink(got->folder + "/tokenizer.json"), "../../blobs/" + testing::digest_of(hub.files["tokenizer.json"].bytes, true));
    EXPECT_TRUE(fs::exists(repo + "/.no_exist/" + hub.commit + "/chat_template.jinja"));
    EXPECT_FALSE(fs::exists(repo + "/.no_exist/" + hub.commit + "/config.json"));
    EXPECT_TRUE(fs::exists(options.cache_dir + "/.locks/models--org--model/" + testing::digest_of(hub.files["tokenizer.json"].bytes, true) + ".lock"));
    EXPECT_FALSE(fs::exists(got->folder + "/model.safetensors"));
    EXPECT_FALSE(fs::exists(got->folder + "/tokenizer.model")) << "tokenizer.json is there";
    EXPECT_EQ(got->files_fetched, 2u);
}

TEST_F(HubClient, AsksOnlyForTheListWhenAllIsThere) {
    ASSERT_TRUE(fetch());
    hub.asked.clear();
    auto again = fetch();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->files_fetched, 0u);
    EXPECT_EQ(hub.asked.size(), 1u);
}

TEST_F(HubClient, GivesTheTokenToTheHubAndNotToItsCdn) {
    hub.token = options.token = "hf_secret";
    ASSERT_TRUE(fetch());
    EXPECT_FALSE(hub.token_at_cdn);
    EXPECT_GT(asked("GET https://cdn.test/tokenizer.json"), 0u);
}

TEST_F(HubClient, SaysWhatToDoAboutAPrivateModel) {
    hub.token = "hf_secret";
    auto got = fetch();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error()->code, Code::unauthenticated);
    EXPECT_NE(got.error()->message.find("HF_TOKEN is not set"), std::string::npos) << got.error()->message;
}

TEST_F(HubClient, NamesAnUnknownRevision) {
    auto got = fetch("nightly");
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error()->code, Code::model_unknown);
    EXPECT_NE(got.error()->message.find("no such revision"), std::string::npos);
}

TEST_F(HubClient, ResumesWhereADownloadBroke) {
    hub.cut_after = {20'000, 20'000};
    auto got = fetch();
    ASSERT_TRUE(got) << got.error()->message;
    EXPECT_EQ(slurp(got->folder + "/tokenizer.json"), hub.files["tokenizer.json"].bytes);
    EXPECT_EQ(asked("GET https://cdn.test/tokenizer.json 20000"), 1u);
    EXPECT_EQ(asked("GET https://cdn.test/tokenizer.json 40000"), 1u);
    EXPECT_EQ(got->bytes_fetched, hub.files["tokenizer.json"].bytes.size() + hub.files["config.json"].bytes.size());
}

TEST_F(HubClient, TakesUpWhatAnEarlierProcessLeft) {
    dir.write("hub/models--org--model/blobs/" + testing::digest_of(hub.files["tokenizer.json"].bytes, true) + ".incomplete", std::string(10'000, 'x'));
    auto got = fetch();
    ASSERT_TRUE(got);
    EXPECT_EQ(asked("GET https://cdn.test/tokenizer.json 10000"), 1u);
    EXPECT_EQ(slurp(got->folder + "/tokenizer.json"), hub.files["tokenizer.json"].bytes);
}

TEST_F(HubClient, BeginsAgainWhenTheRestIsOfAnotherFile) {
    dir.write("hub/models--org--model/blobs/" + testing::digest_of(hub.files["tokenizer.json"].bytes, true) + ".incomplete", std::string(10'000, '?'));
    auto got = fetch();
    ASSERT_TRUE(got) << got.error()->message;
    EXPECT_EQ(slurp(got->folder + "/tokenizer.json"), hub.files["tokenizer.json"].bytes);
}

TEST_F(HubClient, BeginsAgainWhenRangesAreNotHeeded) {
    hub.ranges = false;
    hub.cut_after = {20'000};
    auto got = fetch();
    ASSERT_TRUE(got) << got.error()->message;
    EXPECT_EQ(slurp(got->folder + "/tokenizer.json"), hub.files["tokenizer.json"].bytes);
}

TEST_F(HubClient, RefusesBytesOfAnotherDigest) {
    hub.swapped = std::string(50'003, 'y');
    hub.files.erase("config.json");
    auto got = fetch();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error()->code, Code::engine_garbage);
    EXPECT_FALSE(fs::exists(blob("tokenizer.json")));
}

TEST_F(HubClient, RefusesAnotherLengthThanNamed) {
    hub.swapped = std::string(70'000, 'y');
    hub.files.erase("config.json");
    auto got = fetch();
    ASSERT_FALSE(got);
    EXPECT_FALSE(fs::exists(blob("tokenizer.json")));
}

TEST_F(HubClient, RefusesFilesBeyondTheBound) {
    options.file_bytes_max = 40'000;
    auto got = fetch();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error()->code, Code::too_large);
}

TEST_F(HubClient, RefusesTooManyFiles) {
    options.files_max = 1;
    auto got = fetch();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error()->code, Code::too_large);
}

TEST_F(HubClient, TriesAgainAndGivesUpAtTheBound) {
    hub.statuses = {503, 429};
    hub.unreachable = 1;
    ASSERT_TRUE(fetch());
    hub.asked.clear();
    hub.unreachable = 1'000;
    TempDir empty;
    options.cache_dir = empty.path;
    auto got = fetch();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error()->code, Code::connect_failed);
    EXPECT_EQ(hub.asked.size(), options.tries_max);
}

TEST_F(HubClient, ADownloadThatNeverComesFurtherEnds) {
    hub.files.erase("config.json");
    hub.cut_after.assign(1'000, 0);
    auto got = fetch();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error()->code, Code::incomplete);
}

TEST_F(HubClient, UsesTheCacheWhenTheHubIsAwayOrForbidden) {
    ASSERT_TRUE(fetch());
    hub.unreachable = 1'000;
    auto away = fetch();
    ASSERT_TRUE(away);
    EXPECT_FALSE(away->warning.empty());
    hub.asked.clear();
    options.offline = true;
    auto offline = fetch();
    ASSERT_TRUE(offline);
    EXPECT_EQ(offline->commit, hub.commit);
    EXPECT_TRUE(hub.asked.empty());
    EXPECT_FALSE(fetch("v1")) << "never fetched under that name";
}

TEST_F(HubClient, FollowsABranchThatMoved) {
    ASSERT_TRUE(fetch());
    hub.commit = std::string(40, 'b');
    auto got = fetch();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->commit, hub.commit);
    EXPECT_EQ(got->files_fetched, 0u) << "the blobs are the same";
    EXPECT_EQ(slurp(options.cache_dir + "/models--org--model/refs/main"), hub.commit);
}

TEST_F(HubClient, WaitsForTheLockOfAnotherProcess) {
    std::string lock = options.cache_dir + "/.locks/models--org--model/" + testing::digest_of(hub.files["tokenizer.json"].bytes, true) + ".lock";
    fs::create_directories(fs::path(lock).parent_path());
    int fd = open(lock.c_str(), O_RDWR | O_CREAT, 0664);
    ASSERT_EQ(flock(fd, LOCK_EX), 0);
    options.lock_wait_ms = 0;
    auto refused = fetch();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error()->code, Code::deadline);
    close(fd);
    EXPECT_TRUE(fetch());
}

TEST_F(HubClient, ManyAtOnceFillOneCache) {
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (int i = 0; i < 8; i++)
        threads.emplace_back([&] {
            FakeHub own;
            own.files = hub.files;
            HubStop never;
            auto got = fetch_model(options, "org/model", "", own, never);
            if (got && slurp(got->folder + "/tokenizer.json") == own.files["tokenizer.json"].bytes) good++;
        });
    for (auto& t : threads) t.join();
    EXPECT_EQ(good, 8);
}

TEST_F(HubClient, AStopEndsTheWait) {
    hub.unreachable = 1'000;
    options.backoff_ms = 1'000'000;
    std::thread stopper([&] { stop.stop(); });
    auto got = fetch();
    stopper.join();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error()->code, Code::cancelled);
}

TEST_F(HubClient, RefusesNamesThatAreNoIds) {
    for (const char* bad : {"", "a/b/c", "../x", "a/..", ".a/b", "a--b/c", "a b", "a/b\n"}) EXPECT_FALSE(looks_like_hub_id(bad)) << bad;
    for (const char* good : {"gpt2", "org/model-1.5_x", "meta-llama/Llama-3.1-8B"}) EXPECT_TRUE(looks_like_hub_id(good)) << good;
    EXPECT_FALSE(fetch("../../etc"));
}

TEST(HubAnswers, NamesOfFilesStayInside) {
    auto listing = hub::read_listing(R"({"sha":"0123456789012345678901234567890123456789","siblings":[{"rfilename":"../evil"},{"rfilename":"/abs"},)"
                                     R"({"rfilename":"a/./b"},{"rfilename":"ok/tokenizer.json"},{"rfilename":"tokenizer.json","size":3}]})");
    ASSERT_TRUE(listing);
    EXPECT_EQ(listing->files, (std::vector<std::string>{"ok/tokenizer.json", "tokenizer.json"}));
    for (const char* bad : {"", "[]", "{}", R"({"sha":"main","siblings":[]})", R"({"sha":"0123456789012345678901234567890123456789"})"})
        EXPECT_FALSE(hub::read_listing(bad)) << bad;
}

TEST(HubAnswers, RedirectsAreResolvedAndNotMadeLessSafe) {
    EXPECT_EQ(hub::follow("https://h/a/b?x=1", "/c"), "https://h/c");
    EXPECT_EQ(hub::follow("https://h/a/b?x=1", "c"), "https://h/a/c");
    EXPECT_EQ(hub::follow("https://h/a", "//cdn/x#f"), "https://cdn/x");
    EXPECT_EQ(hub::follow("https://h/a", "http://h/a"), std::nullopt);
    EXPECT_EQ(hub::follow("https://h/a", "file:///etc/passwd"), std::nullopt);
    EXPECT_EQ(hub::follow("http://h/a", "https://u:p@h/a"), std::nullopt);
    EXPECT_TRUE(hub::keeps_token("https://h/a", "https://H:443/b"));
    EXPECT_FALSE(hub::keeps_token("https://h/a", "https://h:8443/b"));
    EXPECT_FALSE(hub::keeps_token("https://h.test/a", "https://evil.test/b"));
}

TEST(HubAnswers, EtagsBecomeFileNamesOnlyWhenHarmless) {
    auto facts = [](const char* etag) {
        HubResponse r{200, {{"x-repo-commit", std::string(40, 'a')}, {"etag", etag}, {"content-length", "5"}}};
        return hub::read_facts(r, "https://h/x");
    };
    EXPECT_EQ(facts("W/\"abc\"")->etag, "abc");
    for (const char* bad : {"", "\"../x\"", "\"a/b\"", "\".hidden\"", "\"a b\""}) EXPECT_FALSE(facts(bad)) << bad;
}

}  // namespace
}  // namespace weir
