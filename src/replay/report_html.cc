#include <algorithm>
#include <cmath>
#include <cstdio>

#include "replay/report.h"

namespace weir::replay {
namespace {

constexpr const char* colours[] = {"#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0"};

std::string text_of(const char* format, auto... values) {
    char line[600];
    std::snprintf(line, sizeof line, format, values...);
    return line;
}

std::string safe(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '<') out += "&lt;";
        else if (c == '&') out += "&amp;";
        else if (c == '"') out += "&quot;";
        else out += c;
    }
    return out;
}

const char* colour(size_t i) { return colours[i % std::size(colours)]; }

// Percentile across, TTFT upwards in powers of ten.
std::string curves(const Round& round) {
    constexpr double width = 620, height = 300, left = 60, top = 10;
    double least = 1e18, most = 1;
    for (const Figures& f : round.figures)
        if (!f.ttft_curve_ms.empty()) least = std::min(least, f.ttft_curve_ms.front()), most = std::max(most, f.ttft_curve_ms.back());
    const double low = std::floor(std::log10(std::max(1.0, std::min(least, most)))), high = std::max(low + 1, std::ceil(std::log10(most)));
    auto x = [&](double p) { return left + p / 100 * width; };
    auto y = [&](double ms) { return top + height * (1 - (std::log10(std::max(1.0, ms)) - low) / (high - low)); };
    std::string out = text_of("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"TTFT by percentile\">", left + width + 20, top + height + 40);
    for (double decade = low; decade <= high; ++decade) {
        const double ms = std::pow(10, decade);
        out += text_of("<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/><text x=\"%.0f\" y=\"%.1f\" class=\"left\">%s</text>", left,
                       left + width, y(ms), y(ms), left - 6, y(ms) + 4, ms >= 1'000 ? text_of("%.0f s", ms / 1'000).c_str() : text_of("%.0f ms", ms).c_str());
    }
    for (const int p : {0, 25, 50, 75, 90, 100})
        out += text_of("<text x=\"%.1f\" y=\"%.0f\" class=\"mid\">p%d</text>", x(p), top + height + 20, p);
    for (size_t i = 0; i < round.figures.size(); ++i) {
        const auto& curve = round.figures[i].ttft_curve_ms;
        if (curve.empty()) continue;
        out += text_of("<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour(i));
        for (size_t p = 0; p < curve.size(); ++p) out += text_of("%.1f,%.1f ", x(static_cast<double>(p + 1)), y(curve[p]));
        out += "\"><title>" + safe(round.figures[i].policy) + "</title></polyline>";
    }
    return out + "</svg>";
}

// A bar for each policy; `value` is what it shows.
std::string bars(const Round& round, const char* title, const char* format, double (*value)(const Figures&)) {
    constexpr double width = 300, bar = 18, gap = 6, label = 150;
    double most = 0;
    for (const Figures& f : round.figures) most = std::max(most, value(f));
    const double height = (bar + gap) * static_cast<double>(round.figures.size());
    std::string out = text_of("<figure><figcaption>%s</figcaption><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">", title,
                              label + width + 70, height, title);
    for (size_t i = 0; i < round.figures.size(); ++i) {
        const Figures& f = round.figures[i];
        const double y = (bar + gap) * static_cast<double>(i), length = most > 0 ? value(f) / most * width : 0;
        out += text_of("<text x=\"%.0f\" y=\"%.1f\" class=\"left\">", label - 6, y + bar - 5) + safe(f.policy) + "</text>";
        out += text_of("<rect x=\"%.0f\" y=\"%.1f\" width=\"%.1f\" height=\"%.0f\" fill=\"%s\"/>", label, y, length, bar, colour(i));
        out += text_of("<text x=\"%.1f\" y=\"%.1f\">", label + length + 6, y + bar - 5) + text_of(format, value(f)) + "</text>";
    }
    return out + "</svg></figure>";
}

std::string legend(const Round& round) {
    std::string out = "<p class=\"legend\">";
    for (size_t i = 0; i < round.figures.size(); ++i)
        out += text_of("<span><i style=\"background:%s\"></i>", colour(i)) + safe(round.figures[i].policy) + "</span> ";
    return out + "</p>";
}

constexpr const char* style_sheet =
    "body{font:15px/1.45 system-ui,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
    "svg{width:100%;height:auto;max-width:700px}svg text{font:12px system-ui,sans-serif;fill:currentColor}.left{text-anchor:end}.mid{text-anchor:middle}"
    ".grid{stroke:#ccc}.bars{display:grid;grid-template-columns:repeat(auto-fit,minmax(340px,1fr));gap:1em}figure{margin:0}figcaption{font-weight:600}"
    "pre{overflow-x:auto;background:#f5f5f5;padding:1em}.legend i{display:inline-block;width:12px;height:12px;margin:0 6px}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}pre{background:#242424}.grid{stroke:#444}}";

}  // namespace

std::string report_html(const Outcomes& o, const Contest& contest, const ReportStyle& style) {
    std::string out = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
                      "<title>weir replay</title><style>";
    out += style_sheet;
    out += "</style><h1>weir replay</h1><p>" + safe(style.workload) + "</p>";
    for (const Round& round : o.rounds) {
        out += "<h2>" + (round.load > 0 ? text_of("%.0f %% of capacity, ", round.load * 100) : std::string()) + text_of("%.2f requests/s</h2>", round.rate);
        out += legend(round) + "<h3>Time to the first token, by percentile</h3>" + curves(round) + "<div class=\"bars\">";
        out += bars(round, "TTFT p90, ms", "%.0f", [](const Figures& f) { return f.ttft_ms.p90; });
        out += bars(round, "TTFT p50, ms", "%.0f", [](const Figures& f) { return f.ttft_ms.p50; });
        out += bars(round, "ITL p90, ms", "%.1f", [](const Figures& f) { return f.itl_ms.p90; });
        out += bars(round, "Prompt tokens from the cache, %", "%.1f", [](const Figures& f) { return f.hit_rate * 100; });
        out += bars(round, "Generated tokens a second", "%.0f", [](const Figures& f) { return f.throughput_tokens_per_s; });
        out += bars(round, "Variation of load", "%.3f", [](const Figures& f) { return f.load_cv; });
        out += "</div>";
    }
    return out + "<h2>Figures</h2><pre>" + safe(report_table(o, contest, style)) + "</pre></html>\n";
}

}  // namespace weir::replay
