"""Client connections: keep-alive, pipelining, 100-continue, versions, slow and silent clients, many at once."""
import json
import pathlib
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
from e2e import CHAT, Connection, chat, completion, event, request, request_bytes  # noqa: E402


class KeepAlive(e2e.Case):
    def test_many_requests_on_one_connection(self):
        weir, (worker,) = self.served("launch")
        with Connection(weir.http) as c:
            for i in range(50):
                c.send_request("POST", CHAT, chat(stream=i % 2 == 1))
                self.assertEqual(c.read_answer().status, 200)
        self.assertEqual(worker.connections - self.probes(worker), 1, "the worker's connection is kept too")

    def probes(self, worker):
        """Connections that carried no request: those the gateway looks at the worker with."""
        return worker.connections - len({r.connection for r in worker.requests})

    def test_connection_close_is_honoured(self):
        weir, _ = self.served("launch")
        with Connection(weir.http) as c:
            c.send_request("POST", CHAT, chat(), [("connection", "close")])
            answer = c.read_answer()
            self.assertEqual((answer.status, answer.header("connection")), (200, "close"))
            self.assertTrue(c.at_end())

    def test_http_1_0(self):
        weir, _ = self.served("launch")
        with Connection(weir.http) as c:
            c.send("GET /health HTTP/1.0\r\n\r\n")
            self.assertEqual(c.read_answer().text, "OK")
            self.assertTrue(c.at_end())
        with Connection(weir.http) as c:                 # a stream to a client that knows no chunks ends with the connection
            body = json.dumps(chat(stream=True))
            c.send(f"POST {CHAT} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}")
            answer = c.read_answer()
            self.assertIsNone(answer.header("transfer-encoding"))
            self.assertTrue(answer.text.rstrip().endswith("data: [DONE]"), answer.text)

    def test_pipelining_keeps_the_order(self):
        def script(peer, r):
            return peer.answer(body=completion(r, text=r.json()["messages"][0]["content"]))
        weir, _ = self.served("launch", script=script, workers=2)
        with Connection(weir.http) as c:
            c.send(b"".join(request_bytes("POST", CHAT, chat(text=f"number {i}")) for i in range(40)))
            for i in range(40):
                self.assertEqual(c.read_answer().json()["choices"][0]["message"]["content"], f"number {i}")

    def test_pipelined_behind_a_stream(self):
        weir, _ = self.served("launch")
        with Connection(weir.http) as c:
            c.send(request_bytes("POST", CHAT, chat(stream=True)) + request_bytes("GET", "/health"))
            self.assertEqual(c.read_answer().events()[-1], "[DONE]")
            self.assertEqual(c.read_answer().text, "OK")

    def test_a_request_split_at_every_byte(self):
        weir, (worker,) = self.served("launch")
        whole = request_bytes("POST", CHAT, chat())
        with Connection(weir.http) as c:
            c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(len(whole)):
                c.send(whole[at:at + 1])
            self.assertEqual(c.read_answer().status, 200)
        self.assertEqual(worker.requests[0].json(), chat())

    def test_an_error_leaves_the_connection_usable_where_framing_is_known(self):
        weir, _ = self.served("launch")
        with Connection(weir.http) as c:
            c.send_request("POST", CHAT, "{")
            self.assertEqual(c.read_answer().status, 400)
            c.send_request("POST", CHAT, chat())
            self.assertEqual(c.read_answer().status, 200)


class Continue(e2e.Case):
    def test_body_is_asked_for(self):
        weir, _ = self.served("launch")
        body = json.dumps(chat())
        with Connection(weir.http) as c:
            c.send(f"POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n")
            self.assertEqual(c.read_answer(keep_informational=True).status, 100)
            c.send(body)
            self.assertEqual(c.read_answer().status, 200)

    def test_a_refused_request_never_sends_its_body(self):
        weir, _ = self.served("launch", "--max-payload-size", "1000")
        with Connection(weir.http) as c:
            c.send(f"POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 100000\r\n\r\n")
            answer = c.read_answer(keep_informational=True)
            self.assertEqual((answer.status, answer.json()["error"]["code"]), (413, "request_body_too_large"))

    def test_other_expectations_fail(self):
        weir, _ = self.served("launch")
        answer = request(weir.http, "POST", CHAT, chat(), [("expect", "a-miracle")])
        self.assertEqual(answer.status, 417)


class Protocols(e2e.Case):
    def test_h2c_by_prior_knowledge(self):
        """The client is curl; h2spec and the SDKs in tests/interop go further."""
        import shutil
        import subprocess
        if not shutil.which("curl"):
            self.skipTest("no curl")
        weir, _ = self.served("launch")
        out = subprocess.run(["curl", "-sS", "--max-time", "20", "--http2-prior-knowledge", "-w", " %{http_version}", weir.url + CHAT,
                              "-H", "content-type: application/json", "-d", json.dumps(chat(stream=True))], capture_output=True, text=True)
        if "unsupported" in out.stderr.lower() or "does not support" in out.stderr.lower():
            self.skipTest("this curl has no HTTP/2")
        self.assertTrue(out.stdout.endswith(" 2"), out)
        self.assertIn("data: [DONE]", out.stdout)

    def test_ipv6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("no IPv6 here")
        weir, _ = self.served("launch")
        six = self.keep(e2e.gateway("launch", "--host", "::1"))
        self.assertEqual(request(six.http, "GET", "/health", host="::1").text, "OK")

    def test_workers_on_ipv6_and_unix_sockets_are_refused_or_work(self):
        weir = self.keep(e2e.gateway("launch", workers=["http://[::1]:9"]))
        self.assertEqual(request(weir.http, "GET", "/health").status, 200)


class Many(e2e.Case):
    def test_two_hundred_streams_at_once(self):
        release = threading.Event()

        def script(peer, r):
            peer.start_stream()
            peer.chunk(event("one"))
            release.wait(60)
            peer.chunk("data: [DONE]\n\n")
            return peer.end_stream()
        weir, (worker,) = self.served("launch", script=script)
        open_streams = []
        for _ in range(200):
            c = self.keep(Connection(weir.http, seconds_max=60))
            c.send_request("POST", CHAT, chat(stream=True))
            open_streams.append(c)
        pieces = []
        for c in open_streams:
            self.assertEqual(c.read_head()[0], 200)
            pieces.append(c.chunks())
            self.assertIn(b"one", next(pieces[-1]))       # all two hundred are open at this moment
        release.set()
        for rest in pieces:
            self.assertIn(b"[DONE]", b"".join(rest))

    def test_a_client_that_reads_nothing_slows_only_itself(self):
        def script(peer, r):
            if r.json()["messages"][0]["content"] != "flood":
                return peer.answer(body=completion(r))
            peer.start_stream()
            peer.socket.settimeout(3)
            try:
                for _ in range(100_000):                    # 100 MB, unless somebody holds it back
                    peer.chunk(event("x" * 1000))
            except OSError:
                pass
        weir, _ = self.served("launch", script=script)
        with Connection(weir.http) as c:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.send_request("POST", CHAT, chat(stream=True, text="flood"))
            c.read_head()
            for _ in range(20):
                self.works(weir)
            status = pathlib.Path(f"/proc/{weir.pid}/status").read_text()
            rss_kb = int(status.split("VmRSS:")[1].split()[0])
            self.assertLess(rss_kb, 80_000 * e2e.SLOW * 3 if e2e.SLOW > 1 else 80_000, "the flood was buffered")


class Slow(e2e.Case):
    def test_a_head_that_does_not_come(self):
        weir, _ = self.served("launch", "--header-read-timeout-secs", "1")
        with Connection(weir.http) as c:
            c.send("GET /health HTTP/1.1\r\nho")
            answer = c.read_answer()
            self.assertEqual(answer.status, 408)
            self.assertTrue(c.at_end())

    def test_an_idle_connection_is_closed(self):
        weir, _ = self.served("launch", "--idle-connection-timeout-secs", "1")
        with Connection(weir.http) as c:
            c.send_request("GET", "/health")
            c.read_answer()
            self.assertTrue(c.closed_now(10))

    def test_a_body_that_stops(self):
        weir, _ = self.served("launch", "--stream-body-stall-timeout-secs", "1")
        with Connection(weir.http) as c:
            c.send(f'POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"model"')
            self.assertEqual(c.read_answer().status, 408)


if __name__ == "__main__":
    e2e.main()
