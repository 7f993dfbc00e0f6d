#include "obs/metrics.h"

#include "obs/collect.h"
#include "obs/escape.h"
#include "obs/metric_buckets.h"
#include "obs/request_metrics.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

namespace weir {
namespace {

std::string read_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

// WEIR_GOLDEN_UPDATE=1 writes the file instead.
void expect_golden(const std::string& path, const std::string& text) {
    const std::string full = std::string(WEIR_SOURCE_DIR "/") + path;
    if (std::getenv("WEIR_GOLDEN_UPDATE")) {
        std::ofstream(full, std::ios::binary) << text;
        return;
    }
    EXPECT_EQ(read_text(full), text) << path << " is stale: run the test with WEIR_GOLDEN_UPDATE=1 and look at the difference";
}

std::string page(Metrics& metrics) {
    std::string out;
    metrics.render(out);
    return out;
}

TEST(Metrics, EmptyUntilSomethingHappens) {
    Metrics metrics(2);
    EXPECT_EQ(page(metrics), "");
    metrics.core(0).add(Series{}, 5);          // a series nobody resolved
    metrics.core(1).observe(Series{}, 5);
    metrics.add(Series{}, 1);
    metrics.set(Series{}, 1);
    EXPECT_EQ(page(metrics), "");
}

TEST(Metrics, CountersAreSummedOverCores) {
    Metrics metrics(3);
    const Series s = metrics.series(Metric::tokens, {"m", "input"});
    EXPECT_EQ(s, metrics.series(Metric::tokens, {"m", "input"}));
    EXPECT_NE(s, metrics.series(Metric::tokens, {"m", "output"}));
    metrics.core(0).add(s, 2);
    metrics.core(2).add(s, 40);
    metrics.add(s);
    EXPECT_EQ(metrics.value(Metric::tokens, {"m", "input"}), 43);
}

TEST(Metrics, GaugesGoDownOnAnotherCore) {
    Metrics metrics(2);
    const Series s = metrics.series(Metric::disconnected_clients, {});
    metrics.core(0).add(s, 2);
    metrics.core(1).sub(s, 3);
    EXPECT_EQ(metrics.value(Metric::disconnected_clients, {}), -1);
    EXPECT_NE(page(metrics).find("\ndynamo_frontend_disconnected_clients -1\n"), std::string::npos);
}

TEST(Metrics, ValueOnABoundBelongsToItsBucket) {
    const auto bounds = metric_buckets("duration_s");
    const detail::Bounds b{bounds.data(), static_cast<uint32_t>(bounds.size())};
    for (uint32_t i = 0; i < b.n; ++i) {
        EXPECT_EQ(detail::bucket_of(b, b.at[i]), i);
        EXPECT_EQ(detail::bucket_of(b, b.at[i] + 1), i + 1);
        if (b.at[i] > 0) { EXPECT_EQ(detail::bucket_of(b, b.at[i] - 1), i); }
    }
    EXPECT_EQ(detail::bucket_of(b, ~0ull), b.n);
    EXPECT_EQ(detail::bucket_of({}, 7), 0u);
    for (uint32_t n = 1; n <= b.n; ++n) EXPECT_EQ(detail::bucket_of({b.at, n}, b.at[n - 1] + 1), n);
}

TEST(Metrics, HistogramText) {
    Metrics metrics(2, {.prefix = "p", .duration_buckets = {0.001, 0.5}});
    const Series s = metrics.series(Metric::http_seconds, {"GET", "/x"});
    metrics.core(0).observe(s, 1'000'000);
    metrics.core(1).observe(s, 1'000'001);
    metrics.core(1).observe_many(s, 700'000'000, 3, 2'100'000'000);
    EXPECT_EQ(page(metrics),
              "# HELP smg_http_request_duration_seconds Time from the first byte of a request to the end of its answer\n"
              "# TYPE smg_http_request_duration_seconds histogram\n"
              "smg_http_request_duration_seconds_bucket{method=\"GET\",path=\"/x\",le=\"0.001\"} 1\n"
              "smg_http_request_duration_seconds_bucket{method=\"GET\",path=\"/x\",le=\"0.5\"} 2\n"
              "smg_http_request_duration_seconds_bucket{method=\"GET\",path=\"/x\",le=\"+Inf\"} 5\n"
              "smg_http_request_duration_seconds_sum{method=\"GET\",path=\"/x\"} 2.102000001\n"
              "smg_http_request_duration_seconds_count{method=\"GET\",path=\"/x\"} 5\n");
}

TEST(Metrics, LabelValuesAreEscaped) {
    Metrics metrics(1);
    metrics.core(0).add(metrics.series(Metric::requests_inflight, {"a\"b\\c\nd\x01\xff\xc3\xa9"}));
    const std::string text = page(metrics);
    EXPECT_NE(text.find("{model=\"a\\\"b\\\\c\\nd?\xef\xbf\xbd\xc3\xa9\"} 1\n"), std::string::npos) << text;
}

TEST(Metrics, LabelValuesAreCutAndCountedOnce) {
    Metrics metrics(1);
    const Series a = metrics.series(Metric::requests_inflight, {std::string(300, 'x')});
    EXPECT_EQ(a, metrics.series(Metric::requests_inflight, {std::string(400, 'x')}));
}

TEST(Metrics, TooManyLabelSetsShareTheRowOther) {
    Metrics metrics(1, {.series_max = 3});
    for (const char* worker : {"w1", "w2", "w3", "w4", "w5"})
        metrics.core(0).add(metrics.series(Metric::worker_requests, {"m", worker}));
    EXPECT_EQ(metrics.value(Metric::worker_requests, {"other", "other"}), 2);
    EXPECT_EQ(metrics.value(Metric::worker_requests, {"m", "w3"}), 1);
    EXPECT_EQ(metrics.value(Metric::series_capped, {"worker_requests"}), 2);
    std::set<std::string> lines;
    std::istringstream text(page(metrics));
    for (std::string line; std::getline(text, line);)
        if (line.starts_with("smg_worker_requests_total{")) lines.insert(line);
    EXPECT_EQ(lines.size(), 4u);
}

TEST(Metrics, ARealRowNamedOtherIsTheOneForTheRest) {
    Metrics metrics(1, {.series_max = 2});
    for (const char* model : {"other", "a", "b", "c"}) metrics.core(0).add(metrics.series(Metric::requests_inflight, {model}));
    EXPECT_NE(page(metrics).find("dynamo_frontend_inflight_requests{model=\"other\"} 3\ndynamo_frontend_inflight_requests{model=\"a\"} 1\n#"),
              std::string::npos);
}

TEST(Metrics, ManySeriesGrowBySegments) {
    Metrics metrics(2, {.series_max = 5'000});
    std::vector<Series> all;
    for (int i = 0; i < 3'000; ++i) all.push_back(metrics.series(Metric::http_seconds, {"GET", "/" + std::to_string(i)}));
    for (const Series s : all) metrics.core(1).observe(s, 5);
    for (int i = 0; i < 3'000; ++i) ASSERT_EQ(metrics.value(Metric::http_seconds, {"GET", "/" + std::to_string(i)}), 1) << i;
}

TEST(Metrics, OutOfCellsFoldsInsteadOfFailing) {
    Metrics metrics(1, {.series_max = 60'000});
    Series last;
    for (int i = 0; i < 20'000; ++i) {
        last = metrics.series(Metric::http_seconds, {"GET", std::to_string(i)});
        metrics.core(0).observe(last, 5);
    }
    EXPECT_GT(metrics.value(Metric::series_capped, {"http_seconds"}), 0);
}

TEST(Metrics, LevelsAppearWhenSetAndGoWhenHidden) {
    Metrics metrics(1);
    int workers = 2;
    metrics.on_scrape([&](Metrics& m) {
        m.hide(Metric::worker_active);
        for (int i = 0; i < workers; ++i) m.set(Metric::worker_active, {"w" + std::to_string(i)}, i + 0.5);
    });
    EXPECT_NE(page(metrics).find("smg_worker_requests_active{worker=\"w1\"} 1.5\n"), std::string::npos);
    workers = 1;
    const std::string text = page(metrics);
    EXPECT_NE(text.find("smg_worker_requests_active{worker=\"w0\"} 0.5\n"), std::string::npos);
    EXPECT_EQ(text.find("w1"), std::string::npos);
    workers = 0;
    EXPECT_EQ(page(metrics), "");
}

TEST(Metrics, PrefixIsCleanedAndAliasesHaveTheSameValue) {
    Metrics metrics(1, {.prefix = "my-gateway.x"});
    metrics.core(0).add(metrics.series(Metric::requests, {"chat_completions", "", "m", "unary", "success"}), 7);
    const std::string text = page(metrics), labels = "{endpoint=\"chat_completions\",error_type=\"\",model=\"m\",request_type=\"unary\",status=\"success\"} 7\n";
    EXPECT_NE(text.find("my_gateway_x_requests_total" + labels), std::string::npos) << text;
    EXPECT_NE(text.find("my_gateway_x_request_total" + labels), std::string::npos);
    Metrics nameless(1, {.prefix = ""});
    nameless.core(0).add(nameless.series(Metric::disconnected_clients, {}));
    EXPECT_NE(page(nameless).find("dynamo_frontend_disconnected_clients 1\n"), std::string::npos);
}

TEST(Metrics, NoNameTwiceUnderAnyLikelyPrefix) {
    for (const std::string prefix : {"dynamo_frontend", "smg", "weir", "process"}) {
        std::set<std::string> names;
        for (const MetricRow& row : metric_rows()) {
            std::istringstream words{std::string(row.names)};
            for (std::string name; words >> name;) {
                if (name.front() == '~') name = prefix + "_" + name.substr(1);
                EXPECT_TRUE(names.insert(name).second) << name << " with prefix " << prefix;
                EXPECT_TRUE(name.ends_with("_seconds") || name.ends_with("_ratio") || name.ends_with("_rate") || row.unit != MetricUnit::ns) << name;
            }
            EXPECT_EQ(row.kind == MetricKind::histogram, row.buckets != "none") << row.id;
        }
    }
}

// Adds on two cores while a third thread makes series and a fourth scrapes: nothing is lost, nothing is torn (TSan watches).
TEST(Metrics, AddsWhileScraping) {
    constexpr int rounds = 20'000;
    Metrics metrics(2);
    const Series count = metrics.series(Metric::core_stalls, {}), time = metrics.series(Metric::retry_backoff_seconds, {"1"});
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (unsigned core = 0; core < 2; ++core)
        threads.emplace_back([&, core] {
            for (int i = 0; i < rounds; ++i) {
                metrics.core(core).add(count);
                metrics.core(core).observe(time, static_cast<uint64_t>(i) * 1'000'000);
                if (i % 1'000 == 0) metrics.core(core).add(metrics.series(Metric::requests_queued, {"m" + std::to_string(i)}));
            }
        });
    std::thread scraper([&] {
        while (!stop.load()) {
            const std::string text = page(metrics);
            EXPECT_NE(text.find("weir_core_stalls_total"), std::string::npos);
        }
    });
    for (auto& t : threads) t.join();
    stop = true;
    scraper.join();
    EXPECT_EQ(metrics.value(Metric::core_stalls, {}), 2 * rounds);
    EXPECT_EQ(metrics.value(Metric::retry_backoff_seconds, {"1"}), 2 * rounds);
    EXPECT_EQ(metrics.value(Metric::requests_queued, {"m1000"}), 2);
}

// Every row of the list with fixed values: a name, a label, a bucket or a help text that changes shows here.
TEST(Metrics, GoldenEveryRow) {
    Metrics metrics(2);
    uint64_t n = 0;
    for (size_t i = 0; i < metric_rows().size(); ++i) {
        const MetricRow& row = metric_rows()[i];
        const auto m = static_cast<Metric>(i);
        const auto labels_n = row.labels.empty() ? 0 : 1 + std::count(row.labels.begin(), row.labels.end(), ',');
        Series s;
        switch (labels_n) {
            case 0: s = metrics.series(m, {}); break;
            case 1: s = metrics.series(m, {"a"}); break;
            case 2: s = metrics.series(m, {"a", "b"}); break;
            case 3: s = metrics.series(m, {"a", "b", "c"}); break;
            case 4: s = metrics.series(m, {"a", "b", "c", "d"}); break;
            case 5: s = metrics.series(m, {"a", "b", "c", "d", "e"}); break;
            case 6: s = metrics.series(m, {"a", "b", "c", "d", "e", "f"}); break;
            default: FAIL() << row.id;
        }
        ++n;
        if (row.kind == MetricKind::histogram) metrics.core(n % 2).observe(s, row.unit == MetricUnit::ns ? n * 1'000'000 : n);
        else if (row.kind == MetricKind::level || row.kind == MetricKind::reading) metrics.set(s, static_cast<double>(n) + 0.25);
        else metrics.core(n % 2).add(s, n);
    }
    expect_golden("tests/golden/metrics.txt", page(metrics));
}

TEST(Metrics, DocsAreFresh) { expect_golden("docs/metrics.md", metrics_markdown()); }

TEST(Collect, ProcessAndBudget) {
    Metrics metrics(1);
    Budget budget("bodies", 1'000);
    ASSERT_TRUE(budget.take(400));
    ASSERT_FALSE(budget.take(700));
    metrics.on_scrape([&](Metrics& m) {
        collect_process(m);
        collect_budget(m, budget);
        collect_log(m, nullptr);
        set_build_info(m, "1.2.3", "abc");
    });
    const std::string text = page(metrics);
    for (const char* line : {"weir_budget_used_bytes{budget=\"bodies\"} 400\n", "weir_budget_limit_bytes{budget=\"bodies\"} 1000\n",
                             "weir_budget_refused_total{budget=\"bodies\"} 1\n", "smg_log_dropped_lines{sink=\"log\"} 0\n",
                             "weir_build_info{version=\"1.2.3\",revision=\"abc\",compiler=\"g++ "})
        EXPECT_NE(text.find(line), std::string::npos) << line;
    EXPECT_GT(metrics.value(Metric::process_rss, {}), 1e6);
    EXPECT_GE(metrics.value(Metric::process_fds, {}), 3);
    EXPECT_GT(metrics.value(Metric::process_start, {}), 1.6e9);
    EXPECT_GE(metrics.value(Metric::process_threads, {}), 1);
    EXPECT_GT(metrics.value(Metric::process_vm, {}), metrics.value(Metric::process_rss, {}));
}

}  // namespace
}  // namespace weir
