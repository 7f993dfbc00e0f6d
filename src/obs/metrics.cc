#include "obs/metrics.h"

#include "base/assert.h"
#include "obs/escape.h"
#include "obs/metric_buckets.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

namespace weir {
namespace {

constexpr size_t label_bytes_max = 256;
constexpr uint32_t sink_cells = buckets_max + 2;   // where a default-made Series adds

bool is_set(MetricKind kind) { return kind == MetricKind::level || kind == MetricKind::reading; }

std::vector<std::string_view> split(std::string_view text, char by) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const size_t end = std::min(text.find(by), text.size());
        if (end > 0) parts.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

std::string clean_prefix(std::string_view given) {
    std::string prefix;
    for (const char c : given) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
        prefix += letter || (c >= '0' && c <= '9' && !prefix.empty()) ? c : '_';
    }
    return prefix.empty() ? MetricsOptions{}.prefix : prefix;
}

template <class Values>
std::string label_text(const MetricRow& row, const Values& values) {
    std::string text;
    size_t i = 0;
    for (const std::string_view key : split(row.labels, ',')) {
        if (i > 0) text += ',';
        text.append(key) += '=';
        append_label(text, values[i++].substr(0, label_bytes_max));
    }
    return text;
}

}  // namespace

namespace detail {

Cells::~Cells() {
    for (auto& s : at_) delete[] s.load(std::memory_order_relaxed);
}

uint32_t bucket_of(Bounds b, uint64_t value) {   // index of the first bound >= value
    uint32_t first = 0, n = b.n;
    while (n > 1) {                              // arithmetic instead of branches: bounds are few and values jump
        const uint32_t half = n / 2;
        first += static_cast<uint32_t>(b.at[first + half - 1] < value) * half;
        n -= half;
    }
    return first + (n == 1 ? static_cast<uint32_t>(b.at[first] < value) : 0);
}

}  // namespace detail

const std::array<MetricRow, static_cast<size_t>(Metric::count_)>& metric_rows() {
#define WEIR_METRIC_ROW(id, kind, unit, buckets, labels, names, help) \
    MetricRow{#id, MetricKind::kind, MetricUnit::unit, #buckets, labels, names, help},
    static const std::array<MetricRow, static_cast<size_t>(Metric::count_)> rows = {WEIR_METRICS(WEIR_METRIC_ROW)};
#undef WEIR_METRIC_ROW
    return rows;
}

Metrics::Metrics(unsigned cores, MetricsOptions options) : series_max_(options.series_max) {
    const std::string prefix = clean_prefix(options.prefix) + "_";
    for (const double seconds : options.duration_buckets) custom_bounds_.push_back(static_cast<uint64_t>(std::llround(seconds * 1e9)));
    ASSERT(custom_bounds_.size() <= buckets_max && std::is_sorted(custom_bounds_.begin(), custom_bounds_.end()));
    for (size_t i = 0; i < metrics_n; ++i) {
        const MetricRow& row = metric_rows()[i];
        for (const std::string_view name : split(row.names, ' '))
            families_[i].names.push_back(name.front() == '~' ? prefix + std::string(name.substr(1)) : std::string(name));
        std::span<const uint64_t> bounds = metric_buckets(row.buckets);
        if (row.buckets == "duration_s" && !custom_bounds_.empty()) bounds = custom_bounds_;
        bounds_[i] = {bounds.data(), static_cast<uint32_t>(bounds.size())};
    }
    for (unsigned i = 0; i <= cores; ++i) {
        cores_.push_back(std::make_unique<CoreMetrics>());
        cores_.back()->bounds_ = bounds_.data();
    }
    take_cells(sink_cells);
}

Metrics::~Metrics() = default;

uint32_t Metrics::take_cells(uint32_t n) {       // 0: no room. A series never straddles two segments.
    using detail::Cells;
    uint32_t first = next_cell_;
    if (first / Cells::segment != (first + n - 1) / Cells::segment || first % Cells::segment == 0) {
        first = (first + Cells::segment - 1) / Cells::segment * Cells::segment;
        const uint32_t s = first / Cells::segment;
        if (s >= Cells::segments_max) return 0;
        for (auto& core : cores_) core->cells_.at_[s].store(new detail::Cell[Cells::segment]{}, std::memory_order_release);
    }
    next_cell_ = first + n;
    return first;
}

Metrics::Entry* Metrics::make(Family& family, Metric m, std::string labels) {
    const MetricRow& row = metric_rows()[static_cast<size_t>(m)];
    const uint32_t cell = take_cells(row.kind == MetricKind::histogram ? bounds_[static_cast<size_t>(m)].n + 2 : 1);
    if (cell == 0) return nullptr;
    auto entry = std::make_unique<Entry>();
    entry->labels = std::move(labels);
    entry->series = {cell, static_cast<uint16_t>(m), static_cast<uint16_t>(family.entries.size())};
    entry->shown.store(!is_set(row.kind), std::memory_order_relaxed);
    Entry* made = family.entries.emplace_back(std::move(entry)).get();
    family.by_key.emplace(made->labels, made);
    return made;
}

Series Metrics::series(Metric m, std::initializer_list<std::string_view> values) {
    const MetricRow& row = metric_rows()[static_cast<size_t>(m)];
    const size_t labels_n = split(row.labels, ',').size();
    ASSERT(values.size() == labels_n);
    std::string key = label_text(row, values.begin());
    Series capped;
    {
        std::lock_guard lock(mutex_);
        Family& family = families_[static_cast<size_t>(m)];
        if (const auto it = family.by_key.find(key); it != family.by_key.end()) return it->second->series;
        if (family.entries.size() < series_max_)
            if (Entry* made = make(family, m, std::move(key))) return made->series;
        if (!family.other) {
            std::string other = label_text(row, std::vector<std::string_view>(labels_n, "other"));
            const auto it = family.by_key.find(other);       // somebody may count under this very name
            family.other = it != family.by_key.end() ? it->second : make(family, m, std::move(other));
        }
        if (family.other) capped = family.other->series;
    }
    if (m != Metric::series_capped) add(series(Metric::series_capped, {row.id}));
    return capped;
}

void Metrics::add(Series s, int64_t n) { cores_.back()->cells_[s.cell].fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed); }

void Metrics::observe(Series s, uint64_t value) {
    const detail::Bounds b = bounds_[s.metric];
    const detail::Cells& cells = cores_.back()->cells_;
    cells[s.cell + detail::bucket_of(b, value)].fetch_add(1, std::memory_order_relaxed);
    cells[s.cell + b.n + 1].fetch_add(value, std::memory_order_relaxed);
}

void Metrics::set(Series s, double value) {
    if (!s) return;
    cores_.back()->cells_[s.cell].store(std::bit_cast<uint64_t>(value), std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    families_[s.metric].entries[s.entry]->shown.store(true, std::memory_order_relaxed);
}

void Metrics::hide(Metric m) {
    ASSERT(is_set(metric_rows()[static_cast<size_t>(m)].kind));
    std::lock_guard lock(mutex_);
    for (const auto& entry : families_[static_cast<size_t>(m)].entries) entry->shown.store(false, std::memory_order_relaxed);
}

uint64_t Metrics::sum(uint32_t cell) const {
    uint64_t total = 0;
    for (const auto& core : cores_) total += core->cells_[cell].load(std::memory_order_relaxed);
    return total;
}

double Metrics::value(Metric m, std::initializer_list<std::string_view> labels) {
    const Series s = series(m, labels);
    switch (metric_rows()[static_cast<size_t>(m)].kind) {
        case MetricKind::counter: return static_cast<double>(sum(s.cell));
        case MetricKind::gauge: return static_cast<double>(static_cast<int64_t>(sum(s.cell)));
        case MetricKind::level:
        case MetricKind::reading: return std::bit_cast<double>(sum(s.cell));
        case MetricKind::histogram: break;
    }
    uint64_t n = 0;
    for (uint32_t i = 0; i <= bounds_[static_cast<size_t>(m)].n; ++i) n += sum(s.cell + i);
    return static_cast<double>(n);
}

}  // namespace weir
