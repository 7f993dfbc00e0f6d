#!/usr/bin/env python3
"""How rows become ratios and verdicts."""
import unittest

import report
from scenarios import TARGETS, Target


def row(gateway, turn, **values):
    return {"scenario": "S1", "gateway": gateway, "turn": turn, "errors": 0, "when": "2026-01-02 03:04", **values}


class Ratios(unittest.TestCase):
    def values(self, target, *rows):
        return report.Results(rows).values(target)

    def test_a_ratio_is_formed_within_a_turn(self):
        target = Target("S1", "", "cpu", 1, over="haproxy")
        rows = row("weir", 0, cpu=10), row("haproxy", 0, cpu=20), row("weir", 1, cpu=30), row("haproxy", 1, cpu=10)
        self.assertEqual(self.values(target, *rows), [0.5, 3])

    def test_a_turn_without_the_other_does_not_count(self):
        target = Target("S1", "", "cpu", 1, over="haproxy")
        self.assertEqual(self.values(target, row("weir", 0, cpu=10), row("haproxy", 1, cpu=20)), [])

    def test_a_row_with_errors_does_not_count(self):
        target = Target("S1", "", "cpu", 1)
        bad = row("weir", 0, cpu=10) | {"errors": 1}
        results = report.Results([bad, {"scenario": "S1", "gateway": "weir", "turn": 1, "fail": "died"}, row("weir", 2, cpu=7)])
        self.assertEqual(results.values(target), [7])
        self.assertEqual(len(results.bad), 2)

    def test_added_latency_is_a_difference_within_a_turn(self):
        target = Target("S1", "", "lat_p50_us", 1, minus="direct")
        self.assertEqual(self.values(target, row("weir", 0, lat_p50_us=150), row("direct", 0, lat_p50_us=100)), [50])


class Verdicts(unittest.TestCase):
    def verdict(self, *cpus):
        rows = [row("weir", turn, cpu=cpu) for turn, cpu in enumerate(cpus)]
        return next(line for line in report.target_lines(report.Results(rows), ["S1"]) if line[1] == "CPU us per request")

    def test_the_median_decides(self):
        self.assertEqual(self.verdict(22, 23, 99)[3:], ("23.0", "22.0..99.0, n=3", "met"))
        self.assertEqual(self.verdict(22, 46, 99)[5], "missed by 100 %")

    def test_nought_is_met_or_missed_without_a_share(self):
        rows = [row("weir", 0, lat_p50_us=9), row("haproxy", 0, lat_p50_us=8)]
        rows = [r | {"scenario": "S1open", "lat_p99_us": r["lat_p50_us"] - 2 * (r["gateway"] == "weir")} for r in rows]
        lines = list(report.target_lines(report.Results(rows), ["S1open"]))
        self.assertEqual([(line[3], line[5]) for line in lines], [("1", "missed"), ("-1", "met")])

    def test_nothing_measured_is_said(self):
        self.assertEqual(self.verdict()[5], "not measured")

    def test_every_target_has_a_line_in_the_document(self):
        text = report.document([row("weir", 0, **{c: 1.0 for c in report.HEADINGS})], "2026-01-02", "a machine", ["weir: 0"])
        for target in TARGETS:
            self.assertIn(f"| {target.scenario} | {target.what} |", text)


if __name__ == "__main__":
    unittest.main()
