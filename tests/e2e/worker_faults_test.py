"""Workers that are dead, silent, lying or gone half-way: each a clear error in the endpoint's shape, and the next request works."""
import json
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
from e2e import CHAT, DIALECTS, FakeWorker, chat, completion, event, polite, request, wait_until, weir_process  # noqa: E402

HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
STREAM = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def send(data):
    """A script that sends these bytes and closes."""
    return lambda peer, request: peer.send(data)


def reset(peer, request):
    peer.reset()


# What the worker does to a unary request -> the status the client gets (launch, frontend). A worker that never answers
# properly must not look like an answer.
UNARY = {
    "closes without a word": (send(""), 502, 503),
    "resets without a word": (reset, 502, 503),
    "half a status line": (send("HTTP/1.1 2"), 502, 502),
    "half a head": (send(HEAD + "content-le"), 502, 502),
    "not HTTP": (send("220 smtp ready\r\n\r\n"), 502, 502),
    "status of two digits": (send("HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n"), 502, 502),
    "HTTP/3.7": (send("HTTP/3.7 200 OK\r\ncontent-length: 0\r\n\r\n"), 502, 502),
    "two content-lengths": (send(HEAD + "content-length: 2\r\ncontent-length: 3\r\n\r\n{}x"), 502, 502),
    "length and chunked": (send(HEAD + "content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), 502, 502),
    "negative length": (send(HEAD + "content-length: -1\r\n\r\n{}"), 502, 502),
    "length in hex": (send(HEAD + "content-length: 0x2\r\n\r\n{}"), 502, 502),
    "a colon missing": (send(HEAD + "broken header\r\ncontent-length: 2\r\n\r\n{}"), 502, 502),
    "a head without end": (send(HEAD + "x: " + "y" * 200_000), 502, 502),
    "a thousand headers": (send(HEAD + "x: y\r\n" * 1000 + "content-length: 2\r\n\r\n{}"), 502, 502),
}


class Unary(e2e.Case):
    def test_garbage_and_silence(self):
        for dialect in DIALECTS:
            flags = ["--disable-retries", "--disable-circuit-breaker"] if dialect == "launch" else []
            script = [polite]
            weir, (worker,) = self.served(dialect, *flags, script=lambda peer, r: script[0](peer, r))
            for name, (fault, launch, frontend) in UNARY.items():
                with self.subTest(f"{dialect}: {name}"):
                    script[0] = fault
                    answer = request(weir.http, "POST", CHAT, chat())
                    self.assertEqual(answer.status, launch if dialect == "launch" else frontend, answer)
                    self.assertTrue(self.error_of(dialect, answer))
                    self.no_address(answer, [worker])
                    script[0] = polite
                    self.works(weir)

    def test_body_shorter_than_promised(self):
        """The head is out already or not: either a clear error, or a connection that visibly breaks off. Never a short 200."""
        for dialect in DIALECTS:
            for name, data in {"length": HEAD + 'content-length: 100\r\n\r\n{"id":', "chunk": HEAD + "transfer-encoding: chunked\r\n\r\n64\r\n{",
                               "no last chunk": HEAD + "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n", "bad chunk size": HEAD +
                               "transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n"}.items():
                with self.subTest(f"{dialect}: {name}"):
                    script = [send(data)]
                    flags = ["--disable-retries", "--disable-circuit-breaker"] if dialect == "launch" else []
                    weir, _ = self.served(dialect, *flags, script=lambda peer, r: script[0](peer, r))
                    try:
                        answer = request(weir.http, "POST", CHAT, chat())
                        self.assertGreaterEqual(answer.status, 500, answer)
                        self.error_of(dialect, answer)
                    except EOFError:
                        pass
                    script[0] = polite
                    self.works(weir)

    def test_worker_errors_pass(self):
        """launch: status, headers and body as the worker gave them. frontend: the status, its own words."""
        def script(peer, r):
            status = int(r.json()["messages"][0]["content"])
            return peer.answer(status, {"object": "error", "message": f"fake {status}"}, headers=[("retry-after", "7")], reason="Whatever")
        launch, _ = self.served("launch", "--disable-retries", "--disable-circuit-breaker", script=script)
        frontend, _ = self.served("frontend", script=script)
        for status in (400, 401, 404, 408, 409, 413, 422, 429, 500, 501, 502, 503, 504):
            with self.subTest(status):
                answer = request(launch.http, "POST", CHAT, chat(text=str(status)))
                self.assertEqual((answer.status, answer.json()["message"], answer.header("retry-after")), (status, f"fake {status}", "7"))
                answer = request(frontend.http, "POST", CHAT, chat(text=str(status)))
                self.assertIn(answer.status, (status,) if status < 500 or status in (503, 529) else (status, 500), answer)
                self.assertNotIn("fake", self.error_of("frontend", answer))

    def test_informational_answers_are_skipped(self):
        def script(peer, r):
            peer.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
            return peer.answer(body=completion(r))
        for dialect in DIALECTS:
            weir, _ = self.served(dialect, script=script)
            self.works(weir)

    def test_body_until_close(self):
        body = json.dumps({"choices": [], "n": "x" * 100_000})
        for dialect in DIALECTS:
            weir, _ = self.served(dialect, script=send(HEAD + "connection: close\r\n\r\n" + body))
            self.assertEqual(request(weir.http, "POST", CHAT, chat()).text, body)


class Dead(e2e.Case):
    def test_nobody_listens_any_more(self):
        for dialect in DIALECTS:
            with self.subTest(dialect):
                flags = ["--disable-retries", "--disable-circuit-breaker"] if dialect == "launch" else []
                weir, (worker,) = self.served(dialect, *flags)
                self.works(weir)
                worker.close()
                answer = request(weir.http, "POST", CHAT, chat())
                self.assertIn(answer.status, (502, 503) if dialect == "launch" else (503,), answer)
                self.assertTrue(self.error_of(dialect, answer))
                self.no_address(answer, [worker])

    def test_one_dead_worker_of_three_is_not_seen(self):
        """Nothing was sent to it, so trying the next one is safe; round robin would otherwise show every third failure."""
        weir, workers = self.served("launch", workers=3)
        workers[1].close()
        for _ in range(12):
            self.works(weir)

    def test_a_pooled_connection_that_died_is_replaced_silently(self):
        """The worker closes after its answer, without saying so: the next request goes out on a new connection, once."""
        def script(peer, r):
            peer.answer(body=completion(r))
        for dialect in DIALECTS:
            with self.subTest(dialect):
                weir, (worker,) = self.served(dialect, script=script)
                for count in range(1, 6):
                    self.works(weir)
                    self.assertEqual(len(worker.requests), count)
                    # Until its end has reached us nobody can know that the connection is dead.
                    wait_until(lambda: worker.requests[-1].connection not in worker.open_connections(), 10, "the worker closed")

    def test_a_generation_is_never_sent_twice_after_the_head_is_read(self):
        weir, (worker, other) = self.served("launch", script=send(HEAD + 'content-length: 100\r\n\r\n{"id":'), workers=2)
        try:
            request(weir.http, "POST", CHAT, chat())
        except EOFError:
            pass
        self.assertEqual(len(worker.requests) + len(other.requests), 1)


class Streams(e2e.Case):
    def broken(self, dialect, script, **fields):
        """The answer to a stream that the worker breaks, and that the next one works."""
        scripts = [script]
        weir, workers = self.served(dialect, *(["--disable-retries", "--disable-circuit-breaker"] if dialect == "launch" else []),
                                    script=lambda peer, r: scripts[0](peer, r))
        answer = request(weir.http, "POST", CHAT, chat(stream=True, **fields))
        scripts[0] = polite
        self.works(weir)
        self.no_address(answer, workers)
        return answer

    def check_error_end(self, dialect, answer):
        """Exactly one error frame, then [DONE], then nothing."""
        self.assertEqual(answer.status, 200, answer)
        events = answer.events()
        self.assertEqual(events[-1], "[DONE]")
        error = json.loads(events[-2])["error"]
        if dialect == "frontend":
            self.assertEqual((error["code"], error["type"]), (503, "service_unavailable"))
        else:
            self.assertEqual(error["type"], "stream_error")
        self.assertEqual(sum('"error"' in e for e in events), 1)

    def test_lost_between_events(self):
        def script(peer, _):
            peer.start_stream()
            peer.chunk(event("one"))
        for dialect in DIALECTS:
            with self.subTest(dialect):
                answer = self.broken(dialect, script)
                self.check_error_end(dialect, answer)
                self.assertIn("one", answer.events()[0])

    def test_lost_inside_a_chunk(self):
        for dialect in DIALECTS:
            with self.subTest(dialect):
                answer = self.broken(dialect, send(STREAM + "%x\r\n%s\r\nff\r\ndata: {" % (len(event("one")), event("one"))))
                self.check_error_end(dialect, answer)

    def test_reset(self):
        def script(peer, _):
            peer.start_stream()
            peer.chunk(event("one"))
            peer.gone(0.2)              # lets the chunk leave before the reset overtakes it
            peer.reset()
        for dialect in DIALECTS:
            with self.subTest(dialect):
                self.check_error_end(dialect, self.broken(dialect, script))

    def test_bad_chunk_size(self):
        for dialect in DIALECTS:
            with self.subTest(dialect):
                answer = self.broken(dialect, send(STREAM + "%x\r\n%s\r\nnonsense\r\n" % (len(event("one")), event("one"))))
                self.check_error_end(dialect, answer)

    def test_error_before_the_first_byte_is_a_plain_error(self):
        for dialect in DIALECTS:
            with self.subTest(dialect):
                answer = self.broken(dialect, send(""))
                self.assertEqual(answer.status, 502 if dialect == "launch" else 503, answer)
                self.error_of(dialect, answer)

    def test_json_error_to_a_stream_request(self):
        for dialect in DIALECTS:
            with self.subTest(dialect):
                answer = self.broken(dialect, lambda peer, r: peer.answer(422, {"message": "no such thing"}, reason="Unprocessable"))
                self.assertEqual(answer.status, 422)

    def test_the_gateway_waits_for_nobody_else(self):
        """A worker that stalls holds its own request only."""
        release = threading.Event()

        def script(peer, r):
            if r.json()["messages"][0]["content"] == "stall":
                release.wait(20)
            return peer.answer(body=completion(r))
        weir, (worker,) = self.served("launch", script=script)
        answers = []
        stalled = threading.Thread(target=lambda: answers.append(request(weir.http, "POST", CHAT, chat(text="stall"))))
        stalled.start()
        worker.wait_for(1)
        for _ in range(20):
            self.works(weir)
        release.set()
        stalled.join(20)
        self.assertEqual(answers[0].status, 200)


class Timeouts(e2e.Case):
    def test_a_worker_that_never_answers(self):
        held = threading.Event()
        self.addCleanup(held.set)

        def script(peer, r):
            held.wait(30)
        weir, (worker,) = self.served("launch", "--request-timeout-secs", "1", "--disable-retries", script=script)
        answer = request(weir.http, "POST", CHAT, chat())
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (504, "call_upstream_timeout"), answer)
        self.no_address(answer, [worker])

    def test_a_stream_that_never_ends(self):
        held = threading.Event()
        self.addCleanup(held.set)

        def script(peer, r):
            peer.start_stream()
            peer.chunk(event("one"))
            held.wait(30)
        weir, _ = self.served("launch", "--request-timeout-secs", "1", "--disable-retries", script=script)
        answer = request(weir.http, "POST", CHAT, chat(stream=True))
        self.assertEqual(answer.events()[-1], "[DONE]")
        self.assertEqual(json.loads(answer.events()[-2])["error"]["type"], "stream_error")

    def test_worker_that_was_never_there(self):
        url = f"http://127.0.0.1:{weir_process.closed_port()}"
        weir = self.keep(e2e.gateway("launch", workers=[url]))
        answer = request(weir.http, "POST", CHAT, chat())
        self.assertIn(answer.status, (404, 502, 503), answer)
        self.assertTrue(self.error_of("launch", answer))
        self.assertEqual(request(weir.http, "GET", "/health").status, 200)


if __name__ == "__main__":
    e2e.main()
