"""Rows of measurements to tables: what the issue of each figure asks, what was measured, how far the turns lie apart."""
import statistics

from scenarios import SCENARIOS, TARGETS

HEADINGS = {"cpu": "CPU us", "user": "of it user", "rps": "requests/s", "tokps": "chunks/s", "lat_p50_us": "latency p50 us", "lat_p99_us": "p99",
            "ttft_p50_us": "TTFT p50 us", "ttft_p99_us": "p99", "transit_p50_us": "transit p50 us", "transit_p99_us": "p99",
            "rss_mb": "RSS MB", "bytes_per_stream": "bytes/stream"}
WIDE = {"rps", "tokps", "lat_p50_us", "lat_p99_us", "ttft_p50_us", "ttft_p99_us", "transit_p50_us", "transit_p99_us", "bytes_per_stream"}


def number(value, digits):
    return f"{value:,.{digits}f}"


class Results:
    """Rows by scenario and gateway, each list in order of turns. Failed rows and rows with errors are kept apart."""

    def __init__(self, rows):
        self.good, self.bad = {}, []
        for row in rows:
            if "fail" in row or row.get("errors"):
                self.bad.append(row)
            else:
                self.good.setdefault((row["scenario"], row["gateway"]), {})[row["turn"]] = row

    def turns(self, scenario, gateway):
        return self.good.get((scenario, gateway), {})

    def median(self, scenario, gateway, value):
        return statistics.median(row[value] for row in self.turns(scenario, gateway).values())

    def values(self, target):
        """The target's figure in each turn in which all it needs was measured."""
        mine, out = self.turns(target.scenario, "weir"), []
        for turn, row in mine.items():
            other = self.turns(target.scenario, target.over or target.minus).get(turn) if target.over or target.minus else {}
            if other is None:
                continue
            value = row[target.value]
            out.append(value / other[target.value] if target.over else value - other[target.value] if target.minus else value)
        return out


def target_lines(results, scenarios):
    """(scenario, what, asked, median, min..max, verdict) of each target of the scenarios."""
    for target in TARGETS:
        if target.scenario not in scenarios:
            continue
        asked = "at most " + number(target.at_most, target.digits)
        values = results.values(target)
        if not values:
            yield target.scenario, target.what, asked, "-", "", "not measured"
            continue
        middle = statistics.median(values)
        spread = f"{number(min(values), target.digits)}..{number(max(values), target.digits)}, n={len(values)}"
        verdict = "met"
        if middle > target.at_most:
            verdict = f"missed by {100 * (middle / target.at_most - 1):.0f} %" if target.at_most else "missed"
        yield target.scenario, target.what, asked, number(middle, target.digits), spread, verdict


def scenario_table(results, scenario):
    """Header and lines: the medians of each gateway."""
    columns = scenario.columns
    heads = ["gateway", *(HEADINGS[c] for c in columns), f"CPU span (n)"]
    lines = []
    for gateway in ("direct", "raw", "weir", "haproxy", "nginx", "smg"):
        rows = results.turns(scenario.name, gateway)
        if not rows:
            continue
        cells = [number(results.median(scenario.name, gateway, c), 0 if c in WIDE else 1) for c in columns]
        if gateway == "direct" and "bytes_per_stream" in columns:
            cells[columns.index("bytes_per_stream")] = "-"
        cpu = [row["cpu"] for row in rows.values()]
        lines.append([gateway, *cells, f"{number(min(cpu), 1)}..{number(max(cpu), 1)} ({len(cpu)})"])
    return heads, lines


def plain(heads, lines):
    widths = [max(len(str(row[i])) for row in [heads, *lines]) for i in range(len(heads))]
    show = lambda row: "  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(row, widths)))
    return "\n".join([show(heads), *map(show, lines)])


def markdown(heads, lines):
    show = lambda row: "| " + " | ".join(map(str, row)) + " |"
    return "\n".join([show(heads), "|" + "---|" + "--:|" * (len(heads) - 1), *map(show, lines)])


TARGET_HEADS = ["scenario", "figure", "asked", "measured", "spread", "verdict"]


def terminal(rows):
    results = Results(rows)
    names = [name for name in [*SCENARIOS, "launch"] if any(row["scenario"] == name for row in rows)]
    parts = []
    for name in names:
        if name in SCENARIOS:
            parts.append(f"{name}: {SCENARIOS[name].title}\n" + plain(*scenario_table(results, SCENARIOS[name])))
    parts.append(plain(TARGET_HEADS, list(target_lines(results, names))))
    for row in results.bad:
        parts.append(f"not counted: {row['scenario']} {row['gateway']} turn {row['turn'] + 1}: {row.get('fail') or row['error_list']}")
    return "\n\n".join(parts)


INTRO = """# Benchmarks

Written by `bench/run`; do not edit. {date}.

Machine: {machine}.

{versions}

Each scenario runs the gateways in turns within one run: all of them once, then all of them again, so that a busy minute of the machine
meets them alike. The gateway has core 0; four fake workers and the load generator share core 1. CPU is user and kernel time of the
gateway's processes over exactly the measured window, divided by the requests (S1, S4, S5) or chunks (S2, S3) of that window. Figures are
medians over the turns, ratios are formed within a turn before the median is taken. Every reply is checked as a whole; a measurement with one
wrong reply does not count.

`direct` is the workers without a gateway (its CPU column is theirs), `raw` a hand-written epoll relay that checks nothing: the floor.
weir runs with everything on: strict parsing, metrics, a log line per request; HAProxy writes its log line per request to a file; smg runs without
admission control and without log lines, which is cheaper than its default.
"""

CAVEATS = """## Reading the figures

- Loopback charges the receiver's TCP work to the sender, so CPU of a gateway contains the kernel's delivery to workers and clients.
- The core of the rig saturates before a fast gateway does: compare CPU, not requests/s, of the fast ones.
- S2 depends on coalescing: a slow gateway finds several chunks per read. S3a is the honest figure per chunk.
- Differences below some 7 % within one run are noise.
"""


def document(rows, date, machine, versions):
    results = Results(rows)
    measured = {row["scenario"] for row in rows}
    names = [name for name in [*SCENARIOS, "launch"] if name in measured]
    parts = [INTRO.format(date=date, machine=machine, versions="Versions: " + "; ".join(versions) + ".")]
    parts.append("## Asked and measured\n\n" + markdown(TARGET_HEADS, list(target_lines(results, [*SCENARIOS, "launch"]))))
    for name in names:
        if name not in SCENARIOS:
            continue
        when = next(row["when"] for row in rows if row["scenario"] == name)
        heads, lines = scenario_table(results, SCENARIOS[name])
        title = SCENARIOS[name].title
        parts.append(f"## {name}\n\n{title[0].upper()}{title[1:]}. Measured {when}.\n\n" + markdown(heads, lines))
    if results.bad:
        lines = [f"- {row['scenario']}, {row['gateway']}, turn {row['turn'] + 1}: {row.get('fail') or row['error_list']}" for row in results.bad]
        parts.append("## Not counted\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n\n" + CAVEATS
