#include "discovery/card_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/http1_peer.h"
#include "wire/blake3.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

struct Cards : testing::Test {
    test::NetLoop loop;
    Resolver resolver{loop.core};
    Pool pool{1, 16};
    fs::path root;
    CardFilesOptions options;
    std::shared_ptr<ModelCard> card = std::make_shared<ModelCard>();
    std::string said;
    test::ListenSocket listener;
    int requests = 0;

    Cards() {
        char name[] = "/tmp/weir-card-files-XXXXXX";
        root = ::mkdtemp(name);
        options.cache = (root / "cache").string();
        card->slug = "tiny";
        card->set = "set1";
    }
    ~Cards() override {
        loop.tasks.cancel();
        fs::remove_all(root);
    }
    CardFile local(const std::string& name, const std::string& text) {
        fs::create_directories(root / "model");
        std::ofstream(root / "model" / name, std::ios::binary) << text;
        return {(root / "model" / name).string(), blake3_hex(text), text.size()};
    }
    std::string url(const std::string& name) { return "http://127.0.0.1:" + std::to_string(listener.port) + "/v1/metadata/ns/c/e/tiny/_base/" + name; }
    Task<void> fetch() {
        auto folder = co_await fetch_card_files(resolver, pool, card, options);
        said = folder ? "ok " + fs::relative(*folder, root).string() : std::string(name(folder.error()->code)) + ": " + folder.error()->message;
    }
    std::string fetched() {
        said.clear();
        loop.tasks.spawn(fetch());
        EXPECT_TRUE(loop.settle());
        return said;
    }
    // Answers each request with `status` and `body`; closes.
    std::string served(const std::string& status, const std::string& body) {
        said.clear();
        loop.tasks.spawn(fetch());
        int fd = -1;
        EXPECT_TRUE(loop.until([&] { return (fd = ::accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0 || !said.empty(); }));
        if (fd < 0) return said;
        requests++;
        std::string got;
        EXPECT_TRUE(loop.until([&] {
            char buffer[2'000];
            const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
            if (n > 0) got.append(buffer, static_cast<size_t>(n));
            return got.ends_with("\r\n\r\n");
        }, 10'000));
        EXPECT_TRUE(got.starts_with("GET /v1/metadata/ns/c/e/tiny/_base/")) << got;
        const std::string answer = "HTTP/1.1 " + status + "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        EXPECT_EQ(::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer.size()));
        EXPECT_TRUE(loop.settle());
        ::close(fd);
        return said;
    }
    std::string text(const std::string& name) {
        std::ifstream in(root / "cache/by-slug/tiny/set1" / name, std::ios::binary);
        return in ? std::string(std::istreambuf_iterator<char>(in), {}) : "(none)";
    }
};

TEST_F(Cards, LocalFilesAreKeptByTheirHash) {
    card->config = local("config.json", "{}");
    card->tokenizer = local("tokenizer.json", std::string(100'000, 't'));
    card->extra_files = {local("special_tokens_map.json", "x")};
    EXPECT_EQ(fetched(), "ok cache/by-slug/tiny/set1");
    EXPECT_EQ(text("config.json"), "{}");
    EXPECT_EQ(text("tokenizer.json").size(), 100'000u);
    EXPECT_EQ(text("special_tokens_map.json"), "x");
    EXPECT_TRUE(fs::exists(root / "cache/blobs" / card->config->blake3));
    fs::remove_all(root / "model");    // now it is all here
    EXPECT_EQ(fetched(), "ok cache/by-slug/tiny/set1");
    for (auto& entry : fs::recursive_directory_iterator(root / "cache")) EXPECT_EQ(entry.path().string().find(".part-"), std::string::npos);
}

TEST_F(Cards, AWrongHashOrSizeIsRefused) {
    card->config = local("config.json", "{}");
    card->config->blake3 = blake3_hex("other");
    EXPECT_EQ(fetched(), "bad_field: a model's file is not what its card says");
    card->config = local("config.json", "{}");
    card->config->size = 1;            // the card lies: the file is larger
    EXPECT_EQ(fetched(), "bad_field: a model's file cannot be read");
    card->config->size = 3;
    EXPECT_EQ(fetched(), "bad_field: a model's file is not what its card says");
    EXPECT_EQ(text("config.json"), "(none)");
}

TEST_F(Cards, ADamagedBlobIsFetchedAnew) {
    card->config = local("config.json", "{}");
    EXPECT_EQ(fetched(), "ok cache/by-slug/tiny/set1");
    std::ofstream(root / "cache/blobs" / card->config->blake3) << "{";
    EXPECT_EQ(fetched(), "ok cache/by-slug/tiny/set1");
    EXPECT_EQ(text("config.json"), "{}");
}

TEST_F(Cards, WorkersServeTheirOwn) {
    card->config = CardFile{url("config.json"), blake3_hex("served"), 6};
    EXPECT_EQ(served("200 OK", "served"), "ok cache/by-slug/tiny/set1");
    EXPECT_EQ(text("config.json"), "served");
    EXPECT_EQ(served("200 OK", "served"), "ok cache/by-slug/tiny/set1");
    EXPECT_EQ(requests, 1) << "it was here";
}

TEST_F(Cards, WhatWorkersServeIsChecked) {
    card->config = CardFile{url("config.json"), blake3_hex("served"), 6};
    EXPECT_EQ(served("200 OK", "severd"), "bad_field: a model's file is not what its card says");
    EXPECT_EQ(served("200 OK", "served and more"), "too_large: a model's file is larger than its card says");
    EXPECT_EQ(served("404 Not Found", ""), "engine_status: a model's file is not served");
    options.file_max = 5;
    EXPECT_EQ(fetched(), "too_large: a model's file is too large");
    EXPECT_EQ(text("config.json"), "(none)");
}

TEST_F(Cards, NamesLeadNowhereElse) {
    for (const char* path : {"/model/..", "/model/.hidden", "/model/", "model/a b", "http://h/x/%2e%2e"}) {
        card->config = CardFile{path, {}, 0};
        EXPECT_EQ(fetched(), "bad_field: a model card's file has no usable name") << path;
    }
    card->config.reset();
    for (const char* slug : {"", "..", "a/b", ".x"}) {
        card->slug = slug;
        EXPECT_EQ(fetched(), "bad_field: a model card's slug is no folder name") << slug;
    }
    card->slug = "tiny";
    card->config = CardFile{"hf://repo/config.json", {}, 0};
    EXPECT_EQ(fetched(), "not_supported: a model card names a file in a way not known here");
    card->config = CardFile{"https://h/config.json", {}, 0};
    EXPECT_EQ(fetched(), "not_supported: no certificates to check https by");
}

}  // namespace
}  // namespace weir
