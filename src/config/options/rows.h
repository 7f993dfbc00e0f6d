// The rows of each area; config/table.cc puts them together. A new option is one row here and, when built, one field in config.h.
#pragma once
#include "config/row.h"

namespace weir::config {

#define WEIR_AREA_ROWS(name) std::span<const Row> name##_rows()
WEIR_AREA_ROWS(listen);
WEIR_AREA_ROWS(paths);
WEIR_AREA_ROWS(tls);
WEIR_AREA_ROWS(workers);
WEIR_AREA_ROWS(discovery);
WEIR_AREA_ROWS(planes);
WEIR_AREA_ROWS(router);
WEIR_AREA_ROWS(kv);
WEIR_AREA_ROWS(policies);
WEIR_AREA_ROWS(disagg);
WEIR_AREA_ROWS(limits);
WEIR_AREA_ROWS(admission);
WEIR_AREA_ROWS(resilience);
WEIR_AREA_ROWS(api);
WEIR_AREA_ROWS(text);
WEIR_AREA_ROWS(hub);
WEIR_AREA_ROWS(media);
WEIR_AREA_ROWS(history);
WEIR_AREA_ROWS(mcp);
WEIR_AREA_ROWS(mesh);
WEIR_AREA_ROWS(auth);
WEIR_AREA_ROWS(metrics);
WEIR_AREA_ROWS(log);
WEIR_AREA_ROWS(trace);
WEIR_AREA_ROWS(shutdown);
WEIR_AREA_ROWS(run);
WEIR_AREA_ROWS(epp);
WEIR_AREA_ROWS(mocker);

}  // namespace weir::config
