#include "discovery/dynamo_fleet.h"

#include <gtest/gtest.h>

#include "tests/support/golden.h"

namespace weir {
namespace {

std::string shown(const DynamoInstance& i) {
    return i.endpoint.ns + "." + i.endpoint.component + "." + i.endpoint.name + " " + std::to_string(i.id) + (i.plane == DynamoInstance::tcp ? " tcp " : " nats ") + i.address +
           " " + name(i.codec) + " " + i.device;
}

std::string shown(const std::optional<CardFile>& f) { return f ? f->path + " " + f->blake3.substr(0, 8) + " " + std::to_string(f->size) : "-"; }

std::string shown(const ModelCard& c) {
    std::string s = c.name + " of " + c.endpoint.ns + "." + c.endpoint.component + "." + c.endpoint.name + " " + std::to_string(c.instance_id);
    for (auto& a : c.aliases) s += " alias " + a;
    s += "\ntypes " + std::to_string(c.types) + " [" + c.types_unknown + "] input " + std::to_string(c.input) + " " + name(c.worker_type) + " needs";
    for (auto& set : c.needs) {
        s += " (";
        for (WorkerType t : set) s += std::string(" ") + name(t);
        s += " )";
    }
    s += "\nconfig " + shown(c.config) + "\ntokenizer " + shown(c.tokenizer) + (c.tokenizer_is_tiktoken ? " tiktoken" : "") + "\nformatter " + shown(c.formatter) +
         "\ntemplate " + shown(c.chat_template) + (c.template_is_custom ? " custom" : "") + "\ngeneration " + shown(c.generation);
    for (auto& f : c.extra_files) s += "\nextra " + shown(f);
    s += "\ncontext " + std::to_string(c.context) + "/" + std::to_string(c.context_architectural) + " block " + std::to_string(c.block) + " blocks " + std::to_string(c.kv_blocks) +
         " seqs " + std::to_string(c.seqs_max) + " batch " + std::to_string(c.batch_tokens_max) + " ranks " + std::to_string(c.rank_first) + "+" + std::to_string(c.ranks);
    s += "\nbootstrap " + c.bootstrap_host + ":" + std::to_string(c.bootstrap_port) + " lora " + c.lora + " parsers " + c.tool_parser + "/" + c.reasoning_parser + " events " +
         std::to_string(c.kv_events) + std::to_string(c.local_indexer) + " taints";
    for (auto& t : c.taints) s += " " + t;
    return s;
}

TEST(DynamoRecords, Golden) {   // records as real processes wrote them
    golden::check("discovery/dynamo_records.txt", [](const std::string& json) -> std::string {
        auto refused = [](const Failure& f) { return "refused: " + f->message; };
        if (json.find("\"Model\"") != std::string::npos) {
            auto c = read_card(json);
            return c ? shown(**c) : refused(c.error());
        }
        if (json.find("\"EventChannel\"") != std::string::npos) {
            auto c = read_event_channel(json);
            if (!c) return refused(c.error());
            if (auto again = read_event_channel(write_event_channel(*c)); !again || !(again->scope == c->scope) || again->endpoint != c->endpoint) return "not the same again";
            return event_key(c->scope, c->topic, c->publisher_id) + "\n" + std::to_string(c->transport) + " " + c->endpoint + (c->xpub.empty() ? "" : " " + c->xpub[0]);
        }
        if (json.find("\"EventSource\"") != std::string::npos) {
            auto s = read_event_source(json);
            if (!s) return refused(s.error());
            return event_key(s->scope, s->topic, s->publisher_id) + "\nworker " + std::to_string(s->worker_id) + " rank " + std::to_string(s->dp_rank) +
                   (s->recovery ? "\n" + shown(*s->recovery) : "");
        }
        auto i = read_instance(json);
        if (!i) return refused(i.error());
        return shown(*i) + "\n" + write_instance(*i);
    });
}

struct Fleet : testing::Test, FoundSink {
    std::string said;
    std::unique_ptr<DynamoFleet> fleet;
    void make(DynamoFilter filter = {}) { fleet = std::make_unique<DynamoFleet>(std::move(filter), *this); }
    void put(const FoundWorker& w) override {
        said += "+" + w.model + "@" + w.instance.address;
        for (auto& t : w.card->taints) said += "!" + t;
        said += ";";
    }
    void gone(const FoundWorker& w) override { said += "-" + w.model + "@" + w.instance.address + ";"; }
    void model(const std::string& name, bool ready) override { said += name + (ready ? " ready;" : " not ready;"); }
    void channel(const EventChannel& c, bool there) override { said += (there ? "+" : "-") + c.topic + " " + c.endpoint + ";"; }
    void source(const EventSource& s, bool there) override { said += (there ? "+" : "-") + s.topic + " " + std::to_string(s.worker_id) + ";"; }
    void synced() override { said += "synced;"; }
    std::string heard() { return std::exchange(said, {}); }

    static std::string hex(uint64_t id) {
        char text[20];
        std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(id));
        return text;
    }
    static std::string key(uint64_t id, const std::string& component = "backend", const std::string& ns = "dynamo") { return ns + "/" + component + "/generate/" + hex(id); }
    void instance(uint64_t id, const std::string& host, const std::string& component = "backend", const std::string& ns = "dynamo") {
        fleet->put({Bucket::instances, key(id, component, ns),
                    R"({"type":"Endpoint","component":")" + component + R"(","endpoint":"generate","namespace":")" + ns + R"(","instance_id":)" + std::to_string(id) +
                        R"(,"transport":{"tcp":")" + host + R"(:1/x"}})"});
    }
    void card(uint64_t id, const std::string& members = "", const std::string& component = "backend", const std::string& ns = "dynamo", const std::string& name = "tiny") {
        fleet->put({Bucket::cards, key(id, component, ns),
                    R"({"type":"Model","namespace":")" + ns + R"(","component":")" + component + R"(","endpoint":"generate","instance_id":)" + std::to_string(id) +
                        R"(,"card_json":{"display_name":")" + name + R"(","migration_limit":0,"model_type":"Chat")" + members + "}}"});
    }
};

TEST_F(Fleet, AWorkerIsFoundWhenBothHalvesAre) {
    make();
    const uint64_t id = 18446385850734466672u;   // beyond 2^53
    instance(id, "a");
    EXPECT_EQ(heard(), "");
    card(id);
    EXPECT_EQ(heard(), "+tiny@a:1/x;tiny ready;");
    fleet->synced();
    EXPECT_EQ(heard(), "synced;");
    instance(id, "b");   // moved
    EXPECT_EQ(heard(), "+tiny@b:1/x;");
    fleet->gone(Bucket::instances, key(id));
    EXPECT_EQ(heard(), "-tiny@b:1/x;tiny not ready;");
    instance(id, "c");
    EXPECT_EQ(heard(), "+tiny@c:1/x;tiny ready;");
    fleet->gone(Bucket::cards, key(id));
    EXPECT_EQ(heard(), "-tiny@c:1/x;tiny not ready;");
    fleet->gone(Bucket::cards, key(id));
    fleet->gone(Bucket::instances, "no/such/key/1");
    EXPECT_EQ(heard(), "");
    EXPECT_EQ(fleet->workers(), 0u);
}

TEST_F(Fleet, ACardIsFixedButForItsTaints) {
    make();
    instance(1, "a");
    card(1, R"(,"kv_cache_block_size":16,"runtime_config":{"taints":["x"],"max_num_seqs":7})");
    EXPECT_EQ(heard(), "+tiny@a:1/x!x;tiny ready;");
    card(1, R"(,"kv_cache_block_size":32,"runtime_config":{"taints":["x"],"max_num_seqs":7})");
    card(1, R"(,"kv_cache_block_size":16,"runtime_config":{"taints":["x"],"max_num_seqs":8})");
    EXPECT_EQ(heard(), "");
    EXPECT_EQ(fleet->refused(), 2u);
    card(1, R"(,"kv_cache_block_size":16,"runtime_config":{"taints":["y","z"],"max_num_seqs":7})");
    EXPECT_EQ(heard(), "+tiny@a:1/x!y!z;");
}

TEST_F(Fleet, ASetAgrees) {
    make();
    for (uint64_t id : {1, 2, 3}) instance(id, std::string(1, static_cast<char>('a' + id)));
    card(1, R"(,"kv_cache_block_size":16)");
    card(2, R"(,"kv_cache_block_size":32)");
    card(3, R"(,"kv_cache_block_size":16)");
    EXPECT_EQ(heard(), "+tiny@b:1/x;tiny ready;+tiny@d:1/x;");
    EXPECT_EQ(fleet->refused(), 1u);
    fleet->gone(Bucket::instances, key(1));
    EXPECT_EQ(heard(), "-tiny@b:1/x;");
    fleet->gone(Bucket::instances, key(3));   // the set ends: who was refused makes a new one
    EXPECT_EQ(heard(), "-tiny@d:1/x;tiny not ready;+tiny@c:1/x;tiny ready;");
}

TEST_F(Fleet, NeedsAreWaitedFor) {
    make();
    instance(1, "d");
    card(1, R"(,"worker_type":"decode","needs":[["prefill"]])");
    EXPECT_EQ(heard(), "+tiny@d:1/x;");
    instance(2, "p", "prefill");
    card(2, R"(,"worker_type":"prefill","needs":[["decode"],["encode","aggregated"]])", "prefill");
    EXPECT_EQ(heard(), "+tiny@p:1/x;tiny ready;");
    fleet->gone(Bucket::instances, key(2, "prefill"));
    EXPECT_EQ(heard(), "-tiny@p:1/x;tiny not ready;");
}

TEST_F(Fleet, NamespacesAreFilters) {
    make({"dynamo", "", ""});
    for (auto* ns : {"dynamo", "dynamo-2", "other"}) instance(1, ns, "backend", ns), card(1, "", "backend", ns);
    EXPECT_EQ(heard(), "+tiny@dynamo:1/x;tiny ready;");
    make({"dynamo", "dyn", ""});   // the prefix wins
    for (auto* ns : {"dynamo", "dynamo-2", "other"}) instance(1, ns, "backend", ns), card(1, "", "backend", ns);
    EXPECT_EQ(heard(), "+tiny@dynamo:1/x;tiny ready;+tiny@dynamo-2:1/x;");
    make({"", "", "served"});
    instance(1, "a");
    card(1);
    EXPECT_EQ(heard(), "+served@a:1/x;served ready;");
}

TEST_F(Fleet, ManyModels) {
    make();
    instance(1, "a");
    card(1);
    instance(2, "b");
    card(2, "", "backend", "dynamo", "large");
    EXPECT_EQ(heard(), "+tiny@a:1/x;tiny ready;+large@b:1/x;large ready;");
}

TEST_F(Fleet, EventRecordsPassThrough) {
    make({"dynamo", "", ""});
    const std::string scope = R"("scope":{"kind":"endpoint","endpoint":{"namespace":"dynamo","component":"backend","name":"generate"}},"topic":"kv-events")";
    fleet->put({Bucket::event_channels, "k", R"({"type":"EventChannel",)" + scope + R"(,"instance_id":7,"transport":{"kind":"Zmq","config":{"endpoint":"tcp://a:1"}}})"});
    fleet->put({Bucket::event_channels, "k", R"({"type":"EventChannel",)" + scope + R"(,"instance_id":7,"transport":{"kind":"Zmq","config":{"endpoint":"tcp://a:2"}}})"});
    fleet->put({Bucket::event_sources, "k", R"({"type":"EventSource",)" + scope + R"(,"publisher_id":7,"metadata":{"worker":{"worker_id":9}}})"});
    fleet->put({Bucket::event_channels, "bad", "{}"});
    EXPECT_EQ(heard(), "+kv-events tcp://a:1;-kv-events tcp://a:1;+kv-events tcp://a:2;+kv-events 9;");
    fleet->gone(Bucket::event_channels, "k");
    fleet->gone(Bucket::event_sources, "k");
    fleet->gone(Bucket::event_sources, "k");
    EXPECT_EQ(heard(), "-kv-events tcp://a:2;-kv-events 9;");
    EXPECT_EQ(fleet->refused(), 1u);
}

TEST_F(Fleet, MalformedRecordsAreRefusedAndTheRestStands) {
    make();
    instance(1, "a");
    card(1);
    heard();
    fleet->put({Bucket::instances, key(1), "{}"});
    fleet->put({Bucket::cards, key(1), R"({"card_json":[]})"});
    fleet->put({Bucket::cards, key(2), "nonsense"});
    EXPECT_EQ(heard(), "");
    EXPECT_EQ(fleet->refused(), 3u);
    EXPECT_EQ(fleet->workers(), 1u);
}

}  // namespace
}  // namespace weir
