// Simulated workers as discovery shows them: announced, read by the gateway's own side, taken back. And their publishers' bounds.
#include "mocker/dynamo_workers.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "discovery/card_files.h"
#include "discovery/dynamo_fleet.h"
#include "mocker/dynamo_card.h"
#include "tests/support/net_loop.h"
#include "wire/json_top.h"
#include "wire/zmtp.h"

namespace weir::mocker {
namespace {

namespace fs = std::filesystem;

struct Folder {
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "weir-mocker-XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        path = name;
        fs::create_directory(path / "model");
        write("config.json", R"({"model_type":"llama","max_position_embeddings":8192})");
        write("tokenizer.json", R"({"model":{"type":"BPE","vocab":{"a":0,"\u0120word":7,"\u0120":2,"\u0120x":3,"\u0120UP":4,"\u0120other":5,"plain":6}}})");
        write("tokenizer_config.json", R"({"chat_template":"{{ messages }}"})");
    }
    ~Folder() { fs::remove_all(path); }
    void write(const char* name, const char* text) { std::ofstream(path / "model" / name) << text; }
    std::string model() const { return (path / "model").string(); }
    size_t files() const {
        size_t n = 0;
        for (auto& e : fs::recursive_directory_iterator(path / "kv")) n += e.is_regular_file();
        return n;
    }
};

MockerConfig config_of(const Folder& folder) {
    MockerConfig c;
    c.dynamo = true;
    c.model_names = {"tiny", "other-name"};
    c.model_path = folder.model();
    c.workers = 3;
    c.dp_size = 2;
    c.speedup_ratio = 0;
    return c;
}

struct Found final : FoundSink {
    std::map<std::string, FoundWorker> workers;
    size_t channels = 0, sources = 0;
    bool ready = false;
    void put(const FoundWorker& w) override { workers[w.key] = w; }
    void gone(const FoundWorker& w) override { workers.erase(w.key); }
    void model(const std::string&, bool is) override { ready = is; }
    void channel(const EventChannel&, bool there) override { there ? channels++ : channels--; }
    void source(const EventSource& s, bool there) override { sources += (there ? 1 : -1) * (s.recovery ? 1 : 100); }
    void synced() override {}
};

Task<void> fetch(Resolver& resolver, Pool& pool, std::shared_ptr<const ModelCard> card, CardFilesOptions options, std::optional<Result<std::string>>& out) {
    auto folder = co_await fetch_card_files(resolver, pool, std::move(card), std::move(options));
    out.emplace(std::move(folder));
}

TEST(DynamoWorkersAnnounced, FoundByTheGatewaysSideAndTakenBack) {
    Folder folder;
    test::NetLoop loop;
    const MockerConfig config = config_of(folder);
    auto settings = worker_settings_of(config);
    ASSERT_TRUE(settings) << settings.error()->message;
    auto card = write_card(*settings, config.model_path);
    ASSERT_TRUE(card);
    const FileDiscoveryOptions store{(folder.path / "kv").string()};
    DynamoWorkers workers(loop.core, *settings, *card, file_discovery(store), config.workers);
    ASSERT_TRUE(workers.listen());
    Found found;
    DynamoFleet fleet({}, found);
    auto watching = file_discovery(store);
    loop.tasks.spawn(watching->run(fleet));
    bool announced = false, left = false;
    workers.start(0, [&](Result<void> ok) { announced = static_cast<bool>(ok); });
    ASSERT_TRUE(loop.until([&] { return announced && found.workers.size() == 3 && found.sources == 6; }));
    EXPECT_EQ(found.channels, 9u);           // KV events of each rank, load of each worker
    EXPECT_TRUE(found.ready);
    EXPECT_EQ(fleet.refused(), 0u);
    const ModelCard& c = *found.workers.begin()->second.card;
    EXPECT_EQ(c.name, "tiny");
    EXPECT_EQ(c.aliases, (std::vector<std::string>{"other-name"}));
    EXPECT_EQ(c.types, model_type::chat | model_type::completions);
    EXPECT_EQ(c.ranks, 2u);
    EXPECT_EQ(c.block, 16u);
    EXPECT_EQ(c.kv_blocks, config.num_gpu_blocks);
    EXPECT_EQ(c.context, config.max_model_len);
    EXPECT_EQ(c.context_architectural, 8'192u);
    EXPECT_TRUE(c.config && c.tokenizer && c.formatter && !c.generation && c.kv_events);
    EXPECT_EQ(found.workers.begin()->second.instance.codec, PayloadCodec::msgpack);

    // Its files are what the card says.
    Resolver resolver(loop.core);
    Pool pool(1, 16);
    std::optional<Result<std::string>> fetched;
    CardFilesOptions cache;
    cache.cache = (folder.path / "cache").string();
    loop.tasks.spawn(fetch(resolver, pool, found.workers.begin()->second.card, cache, fetched));
    ASSERT_TRUE(loop.until([&] { return fetched.has_value(); }));
    EXPECT_TRUE(*fetched) << fetched->error()->message << fetched->error()->detail;

    workers.leave(1'000, [&] { left = true; });
    EXPECT_TRUE(loop.until([&] { return left && found.workers.empty() && found.channels == 0 && found.sources == 0; }));
    EXPECT_FALSE(found.ready);
    EXPECT_EQ(folder.files(), 0u);
}

TEST(DynamoSettings, Roles) {
    Folder folder;
    MockerConfig c = config_of(folder);
    auto text = [&] {
        auto s = worker_settings_of(c);
        if (!s) return "refused: " + s.error()->message;
        auto card = write_card(*s, c.model_path);
        const Str json = *card;
        return s->endpoint.ns + "." + s->endpoint.component + "." + s->endpoint.name + " " + name(s->role) + (json.find("\"Chat | ") == Str::npos ? "" : " chat") +
               (json.find(R"("needs":[["prefill"]])") == Str::npos ? "" : " needs prefill") + (json.find(R"("needs":[["decode"]])") == Str::npos ? "" : " needs decode");
    };
    EXPECT_EQ(text(), "dynamo.backend.generate aggregated chat");
    c.prefill_worker = true;
    EXPECT_EQ(text(), "dynamo.prefill.generate prefill needs decode");
    c.role = "decode";
    EXPECT_TRUE(text().starts_with("refused")) << text();
    c.prefill_worker = false, c.ns = "prod";
    EXPECT_EQ(text(), "prod.backend.generate decode chat needs prefill");
    c.endpoint = "dyn://a.b.c";
    EXPECT_EQ(text(), "a.b.c decode chat needs prefill");
    for (const char* bad : {"dyn://a.b", "a", "dyn://a..c", "dyn://a.b.c.d"}) {
        c.endpoint = bad;
        EXPECT_TRUE(text().starts_with("refused: --endpoint")) << text();
    }
    c.endpoint.clear();
    c.faults = {"refuse"};
    EXPECT_TRUE(text().starts_with("refused: a fault")) << text();
}

TEST(DynamoCards, WhatAFolderMustHave) {
    Folder folder;
    auto settings = worker_settings_of(config_of(folder));
    fs::remove(fs::path(folder.model()) / "tokenizer.json");
    EXPECT_FALSE(write_card(*settings, folder.model()));
    folder.write("tiktoken.model", "x");
    folder.write("chat_template.jinja", "{{ x }}");
    auto card = write_card(*settings, folder.model());
    ASSERT_TRUE(card);
    auto read = read_card(R"({"namespace":"n","component":"c","endpoint":"e","instance_id":1,"card_json":)" + *card + "}");
    ASSERT_TRUE(read);
    EXPECT_TRUE((*read)->tokenizer_is_tiktoken);
    EXPECT_TRUE((*read)->chat_template && !(*read)->template_is_custom);
    fs::remove(fs::path(folder.model()) / "config.json");
    EXPECT_FALSE(write_card(*settings, folder.model()));
    EXPECT_FALSE(write_card(*settings, folder.model() + "/none"));
}

TEST(DynamoCards, AnswersAreMadeOfWords) {
    Folder folder;
    EXPECT_EQ(answer_ids(folder.model()), (std::vector<uint32_t>{5, 7}));
    EXPECT_EQ(word_ids(R"({"model":{"vocab":{"a":0,"B":1,"he":2,"\u0120z":3}}})"), (std::vector<uint32_t>{0, 2}));   // no words: letters
    EXPECT_EQ(word_ids(R"({"model":{"vocab":[["<unk>",0],["\u2581word",-1.5],["x",-2]]}})"), (std::vector<uint32_t>{1}));
    for (const char* none : {"", "[]", "{}", R"({"model":1})", R"({"model":{"vocab":{"\u0120UP":1}}})", R"({"model":{"vocab":{"\u0120word":-1}}})", "{\"model\""})
        EXPECT_TRUE(word_ids(none).empty()) << none;
    EXPECT_EQ(answer_ids("/nonexistent").size(), 1'000u);
    std::string many = R"({"model":{"vocab":{)";
    for (uint32_t i = 0; i < ids_max + 10; i++) {
        std::string letters;
        for (uint32_t n = i + 26 * 26; n; n /= 26) letters.push_back(static_cast<char>('a' + n % 26));
        many += (i ? ",\"\\u0120" : "\"\\u0120") + letters + "\":" + std::to_string(i);
    }
    EXPECT_EQ(word_ids(many + "}}}").size(), ids_max);
}

// A subscriber made of bytes.
struct RawSubscriber {
    SocketTransport socket;
    explicit RawSubscriber(int fd) : socket(fd) {}
    void say_hello(size_t topics) {
        std::string bytes;
        append_zmtp_greeting(bytes);
        append_zmtp_ready(bytes, "SUB");
        for (size_t i = 0; i < topics; i++) append_zmtp_subscribe(bytes, "kv-ev");
        socket.send(bytes);
    }
};

int connected(uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET, a.sin_port = htons(port), a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a), 0);
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

TEST(EventPublishers, WhoDoesNotReadLosesMessagesAndNobodyElseDoes) {
    test::NetLoop loop;
    EventPublisher publisher(loop.core, "kv-events", 5);
    ASSERT_TRUE(publisher.open("127.0.0.1"));
    publisher.start();
    RawSubscriber lazy(connected(publisher.port())), greedy(connected(publisher.port()));
    lazy.say_hello(1);
    ASSERT_TRUE(loop.until([&] { return publisher.subscribers() == 1; }));
    const std::string payload(1'000'000, 'x');
    for (size_t i = 0; i < 60; i++) {
        publisher.publish(payload, 0);
        loop.core.turn(0);
    }
    EXPECT_GT(publisher.counts.dropped, 0u);
    EXPECT_LT(publisher.counts.dropped, 60u);
    publisher.publish("small", 0);           // and it goes on for those who read
    greedy.say_hello(EventPublisher::topics_max + 1);
    Transport::Got got;
    EXPECT_TRUE(loop.until([&] {             // too many topics: shown the door
        while (greedy.socket.recv_now(got) && got.n > 0) {}
        return got.n == 0 || (got.n < 0 && got.n != -EAGAIN);
    }));
    EXPECT_EQ(publisher.subscribers(), 1u);
}

}  // namespace
}  // namespace weir::mocker
