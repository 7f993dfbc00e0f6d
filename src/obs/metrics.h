// Counters, gauges and histograms: per-core cells that only their core writes, summed when somebody scrapes.
#pragma once
#include "obs/metric_list.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir {

enum class Metric : uint16_t {
#define WEIR_METRIC_ID(id, ...) id,
    WEIR_METRICS(WEIR_METRIC_ID)
#undef WEIR_METRIC_ID
    count_
};

// A metric with its label values, resolved once (when a model or worker appears), then used as an index.
// A default-made Series is harmless: what is added to it goes nowhere.
struct Series {
    uint32_t cell = 0;
    uint16_t metric = static_cast<uint16_t>(Metric::count_);
    uint16_t entry = 0;              // its place in the metric's list
    explicit operator bool() const { return cell != 0; }
    bool operator==(const Series&) const = default;
};

namespace detail {
using Cell = std::atomic<uint64_t>;
struct Bounds { const uint64_t* at = nullptr; uint32_t n = 0; };   // upper bounds in native units, ascending

struct Cells {   // grows by segments that never move
    static constexpr uint32_t segment_bits = 9, segment = 1u << segment_bits, segments_max = 1'024;
    std::array<std::atomic<Cell*>, segments_max> at_{};
    ~Cells();
    Cell& operator[](uint32_t i) const { return at_[i >> segment_bits].load(std::memory_order_acquire)[i & (segment - 1)]; }
};
uint32_t bucket_of(Bounds, uint64_t value);
}  // namespace detail

// The cells of one core. Only the thread of that core may call these; 1.5 ns each, about 6 ns for observe.
class CoreMetrics {
public:
    void add(Series s, uint64_t n = 1) { bump(cells_[s.cell], n); }
    void sub(Series s, uint64_t n = 1) { bump(cells_[s.cell], 0 - n); }
    // Histograms only. `value`: nanoseconds where the metric's unit is ns, else plain.
    void observe(Series s, uint64_t value) {
        const detail::Bounds b = bounds_[s.metric];
        bump(cells_[s.cell + detail::bucket_of(b, value)], 1);
        bump(cells_[s.cell + b.n + 1], value);
    }
    // Several at once: `n` values whose sum is `sum`, each counted as value `each` (tokens of one event share its gap).
    void observe_many(Series s, uint64_t each, uint64_t n, uint64_t sum) {
        const detail::Bounds b = bounds_[s.metric];
        bump(cells_[s.cell + detail::bucket_of(b, each)], n);
        bump(cells_[s.cell + b.n + 1], sum);
    }

private:
    friend class Metrics;
    static void bump(detail::Cell& c, uint64_t n) { c.store(c.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
    detail::Cells cells_;
    const detail::Bounds* bounds_ = nullptr;
};

struct MetricsOptions {
    std::string prefix = "dynamo_frontend";        // --metrics-prefix; characters that Prometheus does not take become '_'
    std::vector<double> duration_buckets;          // --prometheus-duration-buckets, seconds; empty: the default ones. Ascending, at most 64
    uint16_t series_max = 1'000;                   // per metric; further label sets share one row with every label "other"
};

class Metrics {
public:
    explicit Metrics(unsigned cores, MetricsOptions = {});
    Metrics(const Metrics&) = delete;
    ~Metrics();

    // Any thread; takes a lock, so keep what it returns. One value per label of the metric, in the list's order (asserted).
    Series series(Metric, std::initializer_list<std::string_view> labels);
    CoreMetrics& core(unsigned index) { return *cores_[index]; }
    unsigned cores() const { return static_cast<unsigned>(cores_.size()) - 1; }

    // For threads without a CoreMetrics of their own, and for levels and readings. Any thread, about 20 ns.
    void add(Series, int64_t n = 1);
    void observe(Series, uint64_t value);
    void set(Series, double value);
    void set(Metric m, std::initializer_list<std::string_view> labels, double value) { set(series(m, labels), value); }
    // Takes all series of a level or reading off the page until they are set again: for lists that may shrink (workers).
    void hide(Metric);

    // Runs before each render, on its thread: sets levels from what their owners hold. Before the first render only.
    void on_scrape(std::function<void(Metrics&)> fn) { collectors_.push_back(std::move(fn)); }
    // Appends the page in the Prometheus text format 0.0.4. Any thread, one at a time; cores keep adding meanwhile.
    void render(std::string& out);
    // The sum over all cores; for tests and for other pages. Histograms: how many values were observed.
    double value(Metric, std::initializer_list<std::string_view> labels);

private:
    struct Entry {
        std::string labels;                        // as printed, without braces
        Series series;
        std::atomic<bool> shown{true};
    };
    struct Family {
        std::vector<std::string> names;
        std::unordered_map<std::string, Entry*> by_key;
        std::vector<std::unique_ptr<Entry>> entries;
        Entry* other = nullptr;
    };
    Entry* make(Family&, Metric, std::string labels);
    uint32_t take_cells(uint32_t n);
    uint64_t sum(uint32_t cell) const;
    void render_family(Metric, const std::vector<Entry*>&, std::string& out) const;
    void render_entry(Metric, const std::string& name, const Entry&, std::string& out) const;

    static constexpr size_t metrics_n = static_cast<size_t>(Metric::count_);
    std::vector<std::unique_ptr<CoreMetrics>> cores_;     // the last one is shared by all other threads
    std::array<detail::Bounds, metrics_n + 1> bounds_{};
    std::vector<uint64_t> custom_bounds_;
    std::mutex mutex_;                                    // families_ and next_cell_
    std::mutex render_mutex_;
    std::array<Family, metrics_n> families_;
    uint32_t next_cell_ = 0, series_max_;
    std::vector<std::function<void(Metrics&)>> collectors_;
};

inline constexpr std::string_view metrics_type_frontend = "text/plain; charset=utf-8";
inline constexpr std::string_view metrics_type_launch = "text/plain; version=0.0.4; charset=utf-8";

// What the list says, for docs/metrics.md and tests.
enum class MetricKind : uint8_t { counter, gauge, histogram, level, reading };
enum class MetricUnit : uint8_t { one, ns };
struct MetricRow {
    std::string_view id;
    MetricKind kind;
    MetricUnit unit;
    std::string_view buckets, labels, names, help;
};
const std::array<MetricRow, static_cast<size_t>(Metric::count_)>& metric_rows();
std::string metrics_markdown();                    // docs/metrics.md

}  // namespace weir
