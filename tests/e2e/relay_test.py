"""What goes in comes out: bytes through the gateway, the routes it answers itself, bad bodies, headers."""
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
from e2e import CHAT, DIALECTS, Connection, chat, completion, event, request  # noqa: E402


class Relay(e2e.Case):
    def test_unknown_fields_key_order_and_spelling_survive(self):
        body = ('{ "zeta":1, "model" : "fake","messages":[{"role":"user","x_note":"kept","content":"h\\u00e9 \\ud83d\\ude00"}],\n'
                ' "seed":null, "big":12345678901234567890123, "f":1e2, "alpha":{"b":[1,2,{"c":null}]}}')
        weir, (worker,) = self.served("launch")
        self.assertEqual(request(weir.http, "POST", CHAT, body).status, 200)
        self.assertEqual(worker.wait_for(1).body.decode(), body)

    def test_frontend_refuses_unknown_fields_unless_told_otherwise(self):
        weir, (worker,) = self.served("frontend")
        answer = request(weir.http, "POST", CHAT, chat(foo=1))
        self.assertEqual(answer.status, 400)
        self.assertIn("Unsupported parameter(s): `foo`", self.error_of("frontend", answer))
        self.assertEqual(worker.requests, [])
        lenient, (worker,) = self.served("frontend", env={"DYN_IGNORE_OPENAI_FE_UNSUPPORTED_FIELDS": "1"})
        body = '{"foo":1,"model":"fake","messages":[{"role":"user","content":"x"}]}'
        self.assertEqual(request(lenient.http, "POST", CHAT, body).status, 200)
        self.assertEqual(worker.wait_for(1).body.decode(), body)

    def test_answers_pass_untouched(self):
        odd = '{"choices" : [ ],"usage":null, "x":"\\u00e9", "id":"a"}'
        for dialect in DIALECTS:
            with self.subTest(dialect):
                weir, _ = self.served(dialect, script=lambda peer, r: peer.answer(body=odd))
                self.assertEqual(request(weir.http, "POST", CHAT, chat()).text, odd)

    def test_streams_pass_untouched(self):
        frames = [": comment\n\n", event("a"), 'data: {"odd" :1}\r\n\r\n', "event: x\ndata: 1\ndata: 2\n\n", "data: [DONE]\n\n"]

        def script(peer, _):
            peer.start_stream()
            for frame in frames:
                peer.chunk(frame)
            return peer.end_stream()
        for dialect in DIALECTS:
            with self.subTest(dialect):
                weir, _ = self.served(dialect, script=script)
                answer = request(weir.http, "POST", CHAT, chat(stream=True))
                self.assertEqual(answer.text, "".join(frames))
                self.assertTrue(answer.header("content-type").startswith("text/event-stream"))

    def test_a_chunk_arrives_before_the_next_is_made(self):
        """No buffering: the worker waits for the client's word (sent on a second connection) before it goes on."""
        import threading
        go_on = threading.Event()

        def script(peer, _):
            peer.start_stream()
            peer.chunk(event("first"))
            if not go_on.wait(10):
                raise OSError("the client never saw the first chunk")
            peer.chunk("data: [DONE]\n\n")
            return peer.end_stream()
        weir, (worker,) = self.served("launch", script=script)
        with Connection(weir.http) as c:
            c.send_request("POST", CHAT, chat(stream=True))
            c.read_head()
            pieces = c.chunks()
            self.assertIn(b"first", next(pieces))
            go_on.set()
            self.assertIn(b"[DONE]", b"".join(pieces))
        self.assertEqual(worker.errors, [])

    def test_the_event_path_says_the_same(self):
        """The debug switch sends a request through decode, events, encode; ids and times apart it answers alike."""
        def content(answer):
            return "".join(json.loads(e)["choices"][0]["delta"].get("content") or "" for e in answer.events()
                           if e != "[DONE]" and json.loads(e)["choices"])
        for dialect in DIALECTS:
            weir, _ = self.served(dialect, "--debug-path", "events")
            plain, _ = self.served(dialect, "--debug-path", "forward")
            with self.subTest(dialect + " stream"):
                told, direct = (request(w.http, "POST", CHAT, chat(stream=True)) for w in (weir, plain))
                self.assertEqual(content(told), content(direct))
                self.assertEqual((told.status, told.events()[-1]), (200, "[DONE]"))
            with self.subTest(dialect + " unary"):
                told, direct = (request(w.http, "POST", CHAT, chat()).json() for w in (weir, plain))
                for body in (told, direct):
                    self.assertEqual(body["object"], "chat.completion")
                self.assertEqual(told["choices"][0]["message"]["content"], direct["choices"][0]["message"]["content"])
                self.assertEqual(told["usage"]["total_tokens"], direct["usage"]["total_tokens"])

    def test_completions_and_embeddings(self):
        def script(peer, r):
            if r.path == "/v1/embeddings":
                return peer.answer(body={"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "fake"})
            return peer.answer(body={"id": "cmpl-1", "object": "text_completion", "choices": [{"index": 0, "text": "yes"}]})
        for dialect in DIALECTS:
            with self.subTest(dialect):
                weir, (worker,) = self.served(dialect, script=script)
                answer = request(weir.http, "POST", "/v1/completions", {"model": "fake", "prompt": "a"})
                self.assertEqual(answer.json()["choices"][0]["text"], "yes")
                answer = request(weir.http, "POST", "/v1/embeddings", {"model": "fake", "input": "a"})
                self.assertEqual(answer.json()["data"][0]["embedding"], [0.5])
                self.assertEqual([r.path for r in worker.requests], ["/v1/completions", "/v1/embeddings"])

    def test_large_bodies_both_ways(self):
        text = "x" * 5_000_000

        def script(peer, r):
            return peer.answer(body=completion(r, text=r.json()["messages"][0]["content"]))
        weir, _ = self.served("launch", script=script)
        answer = request(weir.http, "POST", CHAT, chat(text=text))
        self.assertEqual(answer.json()["choices"][0]["message"]["content"], text)
        body = json.dumps(chat(text=text)).encode()
        with Connection(weir.http) as c:                   # the same, chunked
            c.send(b"POST %s HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n" % CHAT.encode())
            for at in range(0, len(body), 300_000):
                piece = body[at:at + 300_000]
                c.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            c.send(b"0\r\n\r\n")
            self.assertEqual(c.read_answer().json()["choices"][0]["message"]["content"], text)

    def test_requests_are_spread_in_turn(self):
        weir, workers = self.served("launch", "--policy", "round_robin", workers=3)
        for _ in range(9):
            self.works(weir)
        self.assertEqual([len(w.requests) for w in workers], [3, 3, 3])


class OwnRoutes(e2e.Case):
    def test_models(self):
        weir, _ = self.served("launch")
        self.assertEqual(request(weir.http, "GET", "/v1/models").json(),
                         {"object": "list", "data": [{"id": "fake", "object": "model", "created": 0, "owned_by": "self_hosted"}]})
        self.assertEqual(request(weir.http, "GET", "/v1/models/fake").json()["id"], "fake")
        answer = request(weir.http, "GET", "/v1/models/nope")
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (404, "model_not_found"))
        weir, _ = self.served("frontend")
        (row,) = request(weir.http, "GET", "/v1/models").json()["data"]
        self.assertEqual((row["id"], row["object"], row["owned_by"]), ("fake", "model", "nvidia"))
        answer = request(weir.http, "GET", "/v1/models/nope")
        self.assertEqual((answer.status, self.error_of("frontend", answer)), (404, "Model not found"))

    def test_health(self):
        weir, _ = self.served("launch")
        for path in ("/liveness", "/health"):
            self.assertEqual((request(weir.http, "GET", path).status, request(weir.http, "GET", path).text), (200, "OK"))
        self.assertEqual(request(weir.http, "GET", "/readiness").json(), {"status": "ready", "healthy_workers": 1, "total_workers": 1})
        weir, _ = self.served("frontend")
        self.assertEqual(request(weir.http, "GET", "/health").json()["status"], "healthy")
        self.assertEqual(request(weir.http, "GET", "/live").json()["status"], "live")

    def test_wrong_route_and_method(self):
        weir, _ = self.served("launch")
        answer = request(weir.http, "GET", "/nope")
        self.assertEqual((answer.status, answer.json()["error"]["code"], answer.header("x-smg-error-code")), (404, "unknown_url", "unknown_url"))
        answer = request(weir.http, "GET", CHAT)
        self.assertEqual((answer.status, answer.json()["error"]["code"], answer.header("allow")), (405, "method_not_allowed", "POST"))
        weir, _ = self.served("frontend")
        answer = request(weir.http, "GET", "/nope")
        self.assertEqual((answer.status, self.error_of("frontend", answer)), (404, "Route not found: GET /nope"))
        answer = request(weir.http, "GET", CHAT)
        self.assertEqual((answer.status, answer.body, answer.header("allow")), (405, b"", "POST"))

    def test_api_page_needs_no_outside_host(self):
        weir, _ = self.served("frontend")
        document = request(weir.http, "GET", "/openapi.json").json()
        self.assertEqual(document["openapi"], "3.0.3")
        self.assertIn(CHAT, document["paths"])
        answer = request(weir.http, "GET", "/docs")
        self.assertIn(answer.status, (200, 303))
        page = request(weir.http, "GET", "/docs/")
        self.assertEqual(page.status, 200)
        links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        self.assertTrue(links, page.text[:500])
        for link in links:
            self.assertFalse(re.match(r"(https?:)?//", link), link)
            if not link.startswith("data:"):
                asset = request(weir.http, "GET", link if link.startswith("/") else "/docs/" + link.removeprefix("./"))
                self.assertEqual(asset.status, 200, link)
                self.assertGreater(len(asset.body), 100, link)

    def test_head_is_get_without_body(self):
        weir, _ = self.served("frontend")
        with Connection(weir.http) as c:
            c.send_request("HEAD", "/v1/models")
            self.assertEqual(c.read_answer("HEAD").status, 200)
            c.send_request("GET", "/v1/models")
            self.assertEqual(c.read_answer().status, 200)

    def test_paths_can_be_moved(self):
        for name in ("DYN_HTTP_SVC_CHAT_PATH", "DYN_HTTP_SVC_CHAT_PATH_ENV"):
            with self.subTest(name):
                weir, _ = self.served("frontend", env={name: "/my/chat"})
                self.assertEqual(request(weir.http, "POST", "/my/chat", chat()).status, 200)
                self.assertEqual(request(weir.http, "POST", CHAT, chat()).status, 404)


# body, then the status and the words of the message that each dialect must give; None: only 400 and the right shape are asked for.
GOOD_MESSAGES = '"messages":[{"role":"user","content":"x"}]'
BAD_BODIES = {
    "cut off": ('{"model":', 400),
    "not JSON": ("hello", 400),
    "empty": ("", 400),
    "an array": ("[]", 400),
    "a number": ("7", 400),
    "trailing text": ('{"model":"fake",%s} x' % GOOD_MESSAGES, 400),
    "two documents": ('{"model":"fake",%s}{}' % GOOD_MESSAGES, 400),
    "single quotes": ("{'model':'fake'}", 400),
    "trailing comma": ('{"model":"fake",%s,}' % GOOD_MESSAGES, 400),
    "no model": ("{%s}" % GOOD_MESSAGES, 400),
    "model is a number": ('{"model":1,%s}' % GOOD_MESSAGES, 400),
    "model is null": ('{"model":null,%s}' % GOOD_MESSAGES, 400),
    "unknown model": ('{"model":"nope",%s}' % GOOD_MESSAGES, 404),
    "stream is text": ('{"model":"fake",%s,"stream":"yes"}' % GOOD_MESSAGES, 400),
    "no messages": ('{"model":"fake"}', 400),
    "messages is text": ('{"model":"fake","messages":"x"}', 400),
    "messages is empty": ('{"model":"fake","messages":[]}', 400),
    "raw newline in a string": ('{"model":"fa\nke",%s}' % GOOD_MESSAGES, 400),
    "NUL in a string": ('{"model":"fa\0ke",%s}' % GOOD_MESSAGES, 400),
    "NUL between": ('{"model":"fake",\0%s}' % GOOD_MESSAGES, 400),
    "invalid UTF-8": (b'{"model":"fake","messages":[{"role":"user","content":"\xff\xfe"}]}', 400),
    "overlong UTF-8": (b'{"model":"fake","messages":[{"role":"user","content":"\xc0\xaf"}]}', 400),
    "lone surrogate bytes": (b'{"model":"fake","messages":[{"role":"user","content":"\xed\xa0\x80"}]}', 400),
    "deep nesting": ('{"model":"fake",%s,"tools":%s%s}' % (GOOD_MESSAGES, "[" * 5000, "]" * 5000), 400),
    "number beyond all bounds": ('{"model":"fake",%s,"max_tokens":1e400}' % GOOD_MESSAGES, 400),
    "leading zero": ('{"model":"fake",%s,"max_tokens":01}' % GOOD_MESSAGES, 400),
    "bad escape": ('{"model":"fa\\xke",%s}' % GOOD_MESSAGES, 400),
    "byte order mark only": (b"\xef\xbb\xbf", 400),
}


class BadBodies(e2e.Case):
    def test_each_is_answered_clearly_and_reaches_no_worker(self):
        for dialect in DIALECTS:
            weir, (worker,) = self.served(dialect)
            for name, (body, status) in BAD_BODIES.items():
                with self.subTest(f"{dialect}: {name}"):
                    answer = request(weir.http, "POST", CHAT, body)
                    self.assertEqual(answer.status, status, answer)
                    self.assertTrue(self.error_of(dialect, answer))
                    self.assertEqual(worker.requests, [], name)
            self.works(weir)

    def test_content_type(self):
        weir, _ = self.served("launch")
        body = json.dumps(chat())
        answer = request(weir.http, "POST", CHAT, body, [("content-type", "text/plain")])
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (400, "json_parse_error"))
        weir, _ = self.served("frontend")
        self.assertEqual(request(weir.http, "POST", CHAT, body, [("content-type", "text/plain")]).status, 200)

    def test_no_worker(self):
        weir = self.keep(e2e.gateway("launch"))
        answer = request(weir.http, "POST", CHAT, chat())
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (404, "model_not_found"))
        self.assertEqual(request(weir.http, "GET", "/v1/models").status, 503)
        self.assertEqual(request(weir.http, "GET", "/readiness").json(), {"status": "not ready", "reason": "insufficient healthy workers"})


class Headers(e2e.Case):
    def test_launch_forwards_its_list_and_nothing_else(self):
        weir, (worker,) = self.served("launch")
        passed = {"authorization": "Bearer k", "x-correlation-id": "c", "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01",
                  "tracestate": "a=b", "x-smg-routing-key": "r", "x-request-id": "mine"}
        dropped = {"cookie": "secret", "x-forwarded-for": "1.2.3.4", "user-agent": "me", "x-custom": "1", "te": "trailers", "connection": "keep-alive, x-custom"}
        request(weir.http, "POST", CHAT, chat(), list({**passed, **dropped}.items()))
        seen = worker.wait_for(1)
        for name, value in passed.items():
            self.assertEqual(seen.header(name), value, name)
        for name in ("cookie", "x-forwarded-for", "x-custom", "te"):
            self.assertIsNone(seen.header(name), name)
        self.assertNotEqual(seen.header("user-agent"), "me")

    def test_request_id(self):
        weir, (worker,) = self.served("launch")
        for name in ("x-request-id", "x-correlation-id", "x-trace-id", "request-id"):
            answer = request(weir.http, "POST", CHAT, chat(), [(name, "id-of-" + name)])
            self.assertEqual(answer.header("x-request-id"), "id-of-" + name)
        answer = request(weir.http, "POST", CHAT, chat())
        self.assertRegex(answer.header("x-request-id"), r"^chatcmpl-[0-9A-Za-z]{24}$")
        self.assertEqual(worker.requests[-1].header("x-request-id"), answer.header("x-request-id"))
        answer = request(weir.http, "GET", "/health")
        self.assertRegex(answer.header("x-request-id"), r"^req-[0-9A-Za-z]{24}$")
        too_long = request(weir.http, "POST", CHAT, chat(), [("x-request-id", "x" * 129)])
        self.assertRegex(too_long.header("x-request-id"), r"^chatcmpl-")
        other, _ = self.served("launch", "--request-id-headers", "x-mine")
        self.assertEqual(request(other.http, "POST", CHAT, chat(), [("x-mine", "m"), ("x-request-id", "n")]).header("x-request-id"), "m")
        frontend, _ = self.served("frontend")
        self.assertEqual(request(frontend.http, "POST", CHAT, chat(), [("x-request-id", "f")]).header("x-request-id"), "f")

    def test_worker_headers_come_through_without_hop_by_hop(self):
        def script(peer, r):
            return peer.answer(body=completion(r), headers=[("x-engine", "1"), ("set-cookie", "a=1"), ("keep-alive", "timeout=9"), ("retry-after", "3")])
        weir, _ = self.served("launch", script=script)
        answer = request(weir.http, "POST", CHAT, chat())
        self.assertEqual((answer.header("x-engine"), answer.header("retry-after")), ("1", "3"))
        self.assertIsNone(answer.header("keep-alive"))
        self.assertEqual(len([1 for k, _ in answer.headers if k.lower() == "date"]), 1)


if __name__ == "__main__":
    e2e.main()
