// The metrics page on a port of its own: GET /metrics, nothing else. Runs on the control core.
#pragma once
#include "api/table.h"
#include "net/exchange.h"
#include "obs/metrics.h"

namespace weir {

class MetricsService final : public HttpService {
public:
    explicit MetricsService(Metrics& metrics) : metrics_(metrics) {}
    Task<void> serve(HttpExchange& http) override {
        bool get = http.head().method == "GET" || http.head().method == "HEAD";
        std::string lines, body;
        Reply reply;
        if (!get || http.head().path != "/metrics") {
            reply.status = http.head().path != "/metrics" ? 404 : 405;
            if (reply.status == 405) append_header(lines, "allow", "GET, HEAD");
        } else {
            append_header(lines, "content-type", metrics_type_launch);
            metrics_.render(body);
        }
        reply.lines = lines;
        http.reply(reply, body);
        co_return;
    }
    void refuse(int, std::string_view why, std::string& lines, std::string& body) override {
        append_header(lines, "content-type", "text/plain");
        body = why;
    }

private:
    Metrics& metrics_;
};

}  // namespace weir
