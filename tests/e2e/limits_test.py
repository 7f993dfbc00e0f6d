"""Every limit of src/base/limits.h: one below passes, one above gets the answer of the table, and the gateway goes on."""
import json
import pathlib
import re
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
from e2e import CHAT, Connection, chat, event, raw, request, request_bytes, weir_process  # noqa: E402

HEADER = (weir_process.ROOT / "src/base/limits.h").read_text()
LIMITS = {name: eval(value.replace("'", "").replace("u", "")) for name, value in
          re.findall(r"inline constexpr \w+ (\w+) = ([\d' *u+]+);", HEADER)}
HOST = ("host", "localhost")


def get(path="/health", headers=()):
    return request_bytes("GET", path, None, [HOST, *headers])


def chunked(framing):
    return (f"POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n" + framing).encode()


def body_with(**fields):
    return request_bytes("POST", CHAT, chat(**fields))


def messages(count):
    return request_bytes("POST", CHAT, {"model": "fake", "messages": [{"role": "user", "content": "x"}] * count})


def members(count):
    fields = {f"k{i}": 1 for i in range(count - 3)}
    return request_bytes("POST", CHAT, {**chat(), **fields})


def tools(count):
    return body_with(tools=[{"type": "function", "function": {"name": f"f{i}", "parameters": {}}} for i in range(count)])


def nested(depth):
    """A document of that depth: the outer object and the arrays inside."""
    return request_bytes("POST", CHAT, json.dumps(chat())[:-1] + ',"metadata":' + "[" * (depth - 1) + "]" * (depth - 1) + "}")


def trailers(count):
    body = json.dumps(chat())
    line = "x: " + "y" * (count - 5) + "\r\n"
    return chunked(f"{len(body):x}\r\n{body}\r\n0\r\n{line}\r\n")


def chunk_line(count):
    body = json.dumps(chat())
    size = f"{len(body):x}"
    return chunked(f"{size};{'e' * (count - len(size) - 1)}\r\n{body}\r\n0\r\n\r\n")


# limit -> (request of that many, status of one above). One below, or exactly at it, must be answered 200.
AT_THE_SOCKET = {
    "headers_max": (lambda n: get(headers=[(f"h{i}", "v") for i in range(n - 1)]), 431),
    "header_bytes_max": (lambda n: get(headers=[("x", "y" * (n - len(get()) - 5))]), 431),
    "uri_bytes_max": (lambda n: get("/health?" + "q" * (n - 8)), 414),
    "chunk_line_max": (chunk_line, 400),
    "trailer_bytes_max": (trailers, 431),
    "json_depth_max": (nested, 400),
    "json_members_max": (members, 400),
    "messages_max": (messages, 400),
    "tools_max": (tools, 400),
    "stops_max": (lambda n: body_with(stop=["s%d" % i for i in range(n)]), 400),
    "choices_max": (lambda n: body_with(n=n), 400),
    "inputs_max": (lambda n: request_bytes("POST", "/v1/embeddings", {"model": "fake", "input": ["x"] * n}), 400),
}
# These are reached by the methods below, by name.
BY_METHOD = {"connections_max", "pipelined_max", "write_rest_max", "request_id_max", "error_body_max", "sse_event_max", "model_name_logged_max",
             "pool_idle_per_worker"}
# These by a case of tests/abuse/http2.txt, which runs against the server too.
BY_CASE = {"h2_streams_max": "more-streams-than-allowed", "h2_resets_per_s_max": "rapid-reset", "h2_settings_per_s_max": "settings-flood",
           "h2_pings_per_s_max": "ping-flood", "h2_empty_data_per_s_max": "empty-data-flood", "h2_continuations_max": "continuation-flood"}
# Sizes and paces of ours, not bounds on what a stranger sends.
NOT_BOUNDS = {"read_chunk", "arena_chunk", "tls_handshakes_per_turn"}
# Bounds that another bound keeps from being reached: the option table allows at most so many attempts.
BEHIND_ANOTHER = {"retries_max": ("src/config/options/limits.cc", r'"limits\.connect_attempts".*integer\(1, 32\)')}

# These by another suite, which names them.
BY_SUITE = {"tokenizers_max": "tokenizers_test.py", "tokenizer_name_max": "tokenizers_test.py"}


class Limits(e2e.Case):
    def test_every_limit_is_in_a_table(self):
        """A limit that no socket reaches is reached by a unit test that names it."""
        units = "\n".join(p.read_text() for p in (weir_process.ROOT / "src").rglob("*_test.cc"))
        cases = (weir_process.ROOT / "tests/abuse/http2.txt").read_text()
        for name in LIMITS:
            with self.subTest(name):
                if name in BY_CASE:
                    self.assertRegex(cases, rf"(?m)^case {BY_CASE[name]}$")
                elif name in BEHIND_ANOTHER:
                    file, pattern = BEHIND_ANOTHER[name]
                    self.assertRegex((weir_process.ROOT / file).read_text(), pattern)
                elif name in BY_SUITE:
                    self.assertIn(f'LIMITS["{name}"]', pathlib.Path(__file__).with_name(BY_SUITE[name]).read_text())
                elif name not in AT_THE_SOCKET and name not in BY_METHOD and name not in NOT_BOUNDS:
                    self.assertTrue(re.search(rf"\b{name}\b", units), f"{name}: no request in this file and no unit test reaches it")
        self.assertGreater(len(LIMITS), 20)
        self.assertLessEqual({*AT_THE_SOCKET, *BY_METHOD, *BY_CASE, *BY_SUITE, *NOT_BOUNDS, *BEHIND_ANOTHER}, set(LIMITS), "a table names a limit that is gone")

    def test_requests_at_and_above(self):
        weir, (worker,) = self.served("launch")
        for name, (make, status) in AT_THE_SOCKET.items():
            with self.subTest(name):
                limit = LIMITS[name]
                at = raw(weir.http, make(limit))
                self.assertEqual(at.status, 200, f"{limit} of {name}: {at}")
                above = raw(weir.http, make(limit + 1))
                self.assertIsNotNone(above, f"{limit + 1} of {name}: closed without an answer")
                self.assertEqual(above.status, status, f"{limit + 1} of {name}: {above}")
                self.works(weir)

    def test_request_id(self):
        weir, _ = self.served("launch")
        for count, kept in ((LIMITS["request_id_max"], True), (LIMITS["request_id_max"] + 1, False)):
            answer = request(weir.http, "POST", CHAT, chat(), [("x-request-id", "r" * count)])
            self.assertEqual(answer.header("x-request-id") == "r" * count, kept)

    def test_a_long_model_name_is_cut_in_the_log(self):
        weir, _ = self.served("launch", "--log-level", "info")
        long = "m" * (LIMITS["model_name_logged_max"] + 50)
        request(weir.http, "POST", CHAT, chat(long), [("x-request-id", "find-me")])
        line = e2e.wait_until(lambda: [x for x in weir.log_lines() if "find-me" in x and "access" in x], 10, "the access line")[0]
        self.assertIn("model=mmm", line)
        self.assertNotIn(long[:LIMITS["model_name_logged_max"] + 1], line)

    def test_idle_connections_to_a_worker(self):
        """After a burst each core keeps so many and closes the rest."""
        release, burst = threading.Event(), LIMITS["pool_idle_per_worker"] + 30

        def script(peer, r):
            release.wait(30)
            return e2e.polite(peer, r)
        weir, (worker,) = self.served("launch", "--upstream-pool-idle-timeout-secs", "60", "--cores", "1", script=script)
        clients = [self.keep(Connection(weir.http, seconds_max=30)) for _ in range(burst)]
        for c in clients:
            c.send_request("POST", CHAT, chat())
        worker.wait_for(burst, 30)
        release.set()
        for c in clients:
            self.assertEqual(c.read_answer().status, 200)
        carried = {r.connection for r in worker.requests}
        self.assertEqual(len(carried), burst)
        e2e.wait_until(lambda: len(worker.open_connections() & carried) <= LIMITS["pool_idle_per_worker"], 10, "the rest closed")
        self.assertGreater(len(worker.open_connections() & carried), LIMITS["pool_idle_per_worker"] // 2)

    def test_pipelined_requests_beyond_the_turn_wait_and_are_answered(self):
        weir, _ = self.served("launch")
        count = LIMITS["pipelined_max"] * 4
        with Connection(weir.http) as c:
            c.send(get() * count)
            for _ in range(count):
                self.assertEqual(c.read_answer().text, "OK")

    def test_body(self):
        """--max-payload-size and DYN_HTTP_BODY_LIMIT_MB: with a length, chunked, and lied about."""
        launch, _ = self.served("launch", "--max-payload-size", "100000")
        frontend, _ = self.served("frontend", env={"DYN_HTTP_BODY_LIMIT_MB": "1"})
        for dialect, weir, limit in (("launch", launch, 100_000), ("frontend", frontend, 1 << 20)):
            base = len(json.dumps(chat(text="")))
            with self.subTest(dialect):
                self.assertEqual(request(weir.http, "POST", CHAT, json.dumps(chat(text="x" * (limit - base)))).status, 200)
                answer = request(weir.http, "POST", CHAT, json.dumps(chat(text="x" * (limit - base + 1))))
                self.assertEqual(answer.status, 413, answer)
                self.error_of(dialect, answer)
                endless = chunked("".join(f"{10000:x}\r\n{'x' * 10000}\r\n" for _ in range(limit // 10000 + 2)))
                answer = raw(weir.http, endless)
                self.assertEqual(answer.status, 413, answer)
                self.works(weir)

    def test_connections(self):
        """Beyond the limit a connection is closed, or answered 503, and those that are open go on."""
        import resource
        weir, _ = self.served("launch")
        allowed = 300
        resource.prlimit(weir.pid, resource.RLIMIT_NOFILE, (allowed, allowed))
        before = self.keep(Connection(weir.http))
        before.send_request("GET", "/health")
        self.assertEqual(before.read_answer().status, 200)
        held = [self.keep(Connection(weir.http, seconds_max=10)) for _ in range(allowed + 50)]
        self.assertGreater(len(held), allowed)
        before.send_request("GET", "/health")
        self.assertEqual(before.read_answer().status, 200)
        for c in held:
            c.close()
        e2e.wait_until(lambda: self.alive(weir), 20, "new connections served again")

    def alive(self, weir):
        try:
            return request(weir.http, "GET", "/health", seconds_max=2).status == 200
        except (OSError, EOFError):
            return False

    def test_an_engine_error_of_any_size_is_bounded(self):
        size = LIMITS["error_body_max"]
        script = lambda peer, r: peer.answer(400, "e" * int(r.json()["messages"][0]["content"]), content_type="text/plain", reason="Bad")
        weir, _ = self.served("launch", "--disable-retries", script=script)
        for count in (size, size + 1, size * 20):
            answer = request(weir.http, "POST", CHAT, chat(text=str(count)))
            self.assertEqual(answer.status, 400)
            self.assertLessEqual(len(answer.body), max(size, count))
        self.assertEqual(request(weir.http, "GET", "/health").status, 200)

    def test_one_event_of_an_engine(self):
        """The event path holds one event at a time: a larger one ends the stream with an error, not with memory."""
        def script(peer, r):
            peer.start_stream()
            peer.chunk(event("x" * int(r.json()["messages"][0]["content"])))
            peer.chunk("data: [DONE]\n\n")
            return peer.end_stream()
        weir, _ = self.served("launch", "--debug-path", "events", script=script)
        fits = request(weir.http, "POST", CHAT, chat(stream=True, text=str(LIMITS["sse_event_max"] // 2)))
        self.assertNotIn('"error"', fits.text[-500:])
        big = request(weir.http, "POST", CHAT, chat(stream=True, text=str(LIMITS["sse_event_max"] + 1)))
        self.assertIn('"error"', big.text[-500:])
        self.assertTrue(big.text.rstrip().endswith("[DONE]"))

    def test_what_a_client_does_not_take_is_not_kept(self):
        """write_rest_max: the pull from the worker stops when the client's remainder is full."""
        sent = [0]
        stopped = threading.Event()

        def script(peer, r):
            if r.json()["messages"][0]["content"] != "flood":
                return e2e.polite(peer, r)
            peer.start_stream()
            peer.socket.settimeout(2)
            try:
                while sent[0] < 400 << 20:
                    peer.chunk(event("x" * 60_000))
                    sent[0] += 60_000
            except OSError:
                pass
            stopped.set()
        weir, _ = self.served("launch", script=script)
        with Connection(weir.http) as c:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.send_request("POST", CHAT, chat(stream=True, text="flood"))
            c.read_head()
            self.assertTrue(stopped.wait(60))
            self.assertLess(sent[0], 64 << 20, "sockets and one remainder hold this much at most")
        self.works(weir)


if __name__ == "__main__":
    e2e.main()
