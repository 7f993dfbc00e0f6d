// The page: families in the order of the list, series in the order in which they appeared.
#include "obs/escape.h"
#include "obs/metrics.h"

#include <algorithm>
#include <bit>

namespace weir {
namespace {

std::string_view type_word(MetricKind kind) {
    switch (kind) {
        case MetricKind::counter:
        case MetricKind::reading: return "counter";
        case MetricKind::gauge:
        case MetricKind::level: return "gauge";
        case MetricKind::histogram: break;
    }
    return "histogram";
}

void append_name(std::string& out, std::string_view name, std::string_view suffix, const std::string& labels, std::string_view le = {}) {
    out.append(name).append(suffix);
    if (!labels.empty() || !le.empty()) {
        out.append("{").append(labels);
        if (!le.empty()) out.append(labels.empty() ? "le=\"" : ",le=\"").append(le).append("\"");
        out += '}';
    }
    out += ' ';
}

void append_value(std::string& out, MetricUnit unit, uint64_t native) {
    if (unit == MetricUnit::ns) append_number(out, static_cast<double>(native) / 1e9);
    else append_number(out, native);
    out += '\n';
}

}  // namespace

void Metrics::render(std::string& out) {
    std::lock_guard one_at_a_time(render_mutex_);
    for (const auto& collect : collectors_) collect(*this);
    std::vector<Entry*> entries;
    for (size_t i = 0; i < metrics_n; ++i) {
        entries.clear();
        {   // entries are never moved nor freed, so the lock is not held while their text is made
            std::lock_guard lock(mutex_);
            for (const auto& entry : families_[i].entries)
                if (entry->shown.load(std::memory_order_relaxed)) entries.push_back(entry.get());
        }
        if (!entries.empty()) render_family(static_cast<Metric>(i), entries, out);
    }
}

void Metrics::render_family(Metric m, const std::vector<Entry*>& entries, std::string& out) const {
    const MetricRow& row = metric_rows()[static_cast<size_t>(m)];
    for (const std::string& name : families_[static_cast<size_t>(m)].names) {
        out.append("# HELP ").append(name).append(" ").append(row.help);
        out.append("\n# TYPE ").append(name).append(" ").append(type_word(row.kind)).append("\n");
        for (const Entry* entry : entries) render_entry(m, name, *entry, out);
    }
}

void Metrics::render_entry(Metric m, const std::string& name, const Entry& entry, std::string& out) const {
    const MetricRow& row = metric_rows()[static_cast<size_t>(m)];
    const uint32_t cell = entry.series.cell;
    if (row.kind != MetricKind::histogram) {
        append_name(out, name, "", entry.labels);
        if (row.kind == MetricKind::counter) return append_value(out, row.unit, sum(cell));
        if (row.kind == MetricKind::gauge) append_number(out, static_cast<int64_t>(sum(cell)));
        else append_number(out, std::bit_cast<double>(sum(cell)));
        out += '\n';
        return;
    }
    const detail::Bounds bounds = bounds_[static_cast<size_t>(m)];
    uint64_t upto = 0;
    std::string le;
    for (uint32_t i = 0; i <= bounds.n; ++i) {
        upto += sum(cell + i);
        le.clear();
        if (i == bounds.n) le = "+Inf";
        else if (row.unit == MetricUnit::ns) append_number(le, static_cast<double>(bounds.at[i]) / 1e9);
        else append_number(le, bounds.at[i]);
        append_name(out, name, "_bucket", entry.labels, le);
        append_number(out, upto);
        out += '\n';
    }
    append_name(out, name, "_sum", entry.labels);
    append_value(out, row.unit, sum(cell + bounds.n + 1));
    append_name(out, name, "_count", entry.labels);
    append_number(out, upto);
    out += '\n';
}

}  // namespace weir
