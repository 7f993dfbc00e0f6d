"""Seen from outside: metrics move with the requests that cause them; one access line per request tells what it cost."""
import json
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
from e2e import CHAT, chat, metric, request, wait_until  # noqa: E402


class Metrics(e2e.Case):
    def test_frontend_counts(self):
        weir, _ = self.served("frontend")
        count = lambda: metric(weir.http, "dynamo_frontend_requests_total", model="fake") or 0
        before = count()
        self.works(weir)
        request(weir.http, "POST", CHAT, chat(stream=True))
        wait_until(lambda: count() == before + 2, 5, "two requests counted")
        self.assertEqual(metric(weir.http, "dynamo_frontend_inflight_requests", model="fake"), 0)
        self.assertGreaterEqual(metric(weir.http, "dynamo_frontend_request_duration_seconds_count", model="fake"), 2)
        self.assertGreaterEqual(metric(weir.http, "dynamo_frontend_time_to_first_token_seconds_count", model="fake"), 1)
        answer = request(weir.http, "GET", "/metrics")
        self.assertTrue(answer.header("content-type").startswith("text/plain"))

    def test_errors_are_counted_by_kind(self):
        weir, _ = self.served("frontend")
        request(weir.http, "POST", CHAT, chat("nope"))
        request(weir.http, "POST", CHAT, "{")
        wait_until(lambda: (metric(weir.http, "dynamo_frontend_requests_total", status="error") or 0) >= 1, 5, "an error counted")

    def test_the_prefix_can_be_chosen(self):
        weir, _ = self.served("frontend", "--metrics-prefix", "mine")
        self.works(weir)
        wait_until(lambda: metric(weir.http, "mine_requests_total"), 5, "mine_requests_total")
        self.assertIsNone(metric(weir.http, "dynamo_frontend_requests_total"))

    def test_launch_has_its_own_port(self):
        weir, _ = self.served("launch")
        self.assertNotEqual(weir.http, weir.metrics)
        self.assertEqual(request(weir.http, "GET", "/metrics").status, 404)
        count = lambda: metric(weir.metrics, "smg_http_requests_total", path=CHAT) or 0
        before = count()
        self.works(weir)
        wait_until(lambda: count() == before + 1, 5, "one request counted")

    def test_text_is_well_formed(self):
        for dialect in e2e.DIALECTS:
            with self.subTest(dialect):
                weir, _ = self.served(dialect)
                self.works(weir)
                text = request(weir.metrics, "GET", "/metrics").text
                self.assertTrue(text.endswith("\n"))
                seen, typed = set(), set()
                for line in text.splitlines():
                    if line.startswith("# TYPE "):
                        name = line.split()[2]
                        self.assertNotIn(name, typed, "declared twice")
                        typed.add(name)
                    elif line and not line.startswith("#"):
                        self.assertRegex(line, r'^[a-zA-Z_:][\w:]*(\{([a-zA-Z_]\w*="(\\.|[^"\\])*",?)*\})? \S+$')
                        series = line.rsplit(" ", 1)[0]
                        self.assertNotIn(series, seen, "series twice")
                        seen.add(series)
                        name = re.match(r"[\w:]+", line)[0]
                        self.assertIn(re.sub(r"_(bucket|sum|count)$", "", name) if name not in typed else name, typed)


class Logs(e2e.Case):
    def lines(self, weir, word, count=1):
        return wait_until(lambda: (found := [line for line in weir.log_lines() if word in line]) and len(found) >= count and found, 10, f"a line with {word}")

    def test_one_access_line_per_request_with_our_overhead(self):
        for dialect in e2e.DIALECTS:
            with self.subTest(dialect):
                weir, _ = self.served(dialect, env={"DYN_LOGGING_JSONL": "1"} if dialect == "frontend" else {},
                                      *([] if dialect == "frontend" else ["--log-level", "info", "--log-json"]))
                request(weir.http, "POST", CHAT, chat(), [("x-request-id", "find-me-1")])
                (line,) = self.lines(weir, "find-me-1")
                row = json.loads(line)
                flat = json.dumps(row)
                self.assertIn(CHAT, flat)
                self.assertRegex(flat, r'"overhead_us": \d+')
                self.assertRegex(flat, r'"status": "?200')

    def test_secrets_are_not_logged(self):
        weir, _ = self.served("launch", "--log-level", "debug")
        request(weir.http, "POST", CHAT, chat(text="the-secret-prompt"), [("authorization", "Bearer the-secret-key"), ("x-request-id", "find-me-2")])
        self.lines(weir, "find-me-2")
        self.assertNotIn("the-secret", weir.log())

    def test_log_lines_cannot_be_forged(self):
        weir, _ = self.served("launch", "--log-level", "info")
        request(weir.http, "GET", "/x%0a2026-01-01%20forged", headers=[("x-request-id", "find-me-3")])
        request(weir.http, "POST", CHAT, json.dumps(chat("m\nforged: yes")), [("x-request-id", "find-me-4")])
        self.lines(weir, "find-me-4")
        self.assertFalse([line for line in weir.log_lines() if line.startswith(("2026-01-01 forged", "forged"))])

    def test_log_dir(self):
        with tempfile.TemporaryDirectory() as folder:
            weir, _ = self.served("launch", "--log-dir", folder, "--log-level", "info")
            request(weir.http, "POST", CHAT, chat(), [("x-request-id", "find-me-5")])
            wait_until(lambda: any("find-me-5" in p.read_text() for p in pathlib.Path(folder).iterdir()), 10, "the line in the log folder")


if __name__ == "__main__":
    e2e.main()
