"""A client that leaves cancels the worker's request, at every stage."""
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
from e2e import CHAT, DIALECTS, Connection, chat, event, wait_until, metric  # noqa: E402


class Cancel(e2e.Case):
    def leave(self, dialect, stage, how):
        """Runs one request up to `stage`, leaves by `how`, returns the seconds until the worker saw it (None: never)."""
        seen, left = [], threading.Event()

        def script(peer, r):
            try:
                if stage != "before the first byte":
                    peer.start_stream()
                    peer.chunk(event("one"))
                seen.append(peer.gone(10))
            except OSError:
                seen.append(0.0)                 # gone before we had said anything
            left.set()
        weir, (worker,) = self.served(dialect, script=script)
        with Connection(weir.http) as c:
            c.send_request("POST", CHAT, chat(stream=stage != "unary"))
            worker.wait_for(1)
            if stage == "mid-stream":
                c.read_head()
                next(c.chunks())
            how(c)
            self.assertTrue(left.wait(15))
        self.gauges_return_to_zero(dialect, weir)
        return seen[0]

    def gauges_return_to_zero(self, dialect, weir):
        name = "dynamo_frontend_inflight_requests" if dialect == "frontend" else "smg_worker_requests_active"
        wait_until(lambda: metric(weir.metrics, name) in (0, None), 10, name + " is zero")

    def test_every_stage_and_way(self):
        import socket
        ways = {"close": lambda c: c.close(), "half-close": lambda c: c.socket.shutdown(socket.SHUT_WR), "reset": self.reset}
        for dialect in DIALECTS:
            for stage in ("before the first byte", "mid-stream", "unary"):
                for name, how in ways.items():
                    with self.subTest(f"{dialect}, {stage}, {name}"):
                        self.assertIsNotNone(self.leave(dialect, stage, how), "the worker was not told")

    def reset(self, c):
        import socket
        import struct
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.socket.close()

    def test_a_pipelined_request_is_not_leaving(self):
        def script(peer, r):
            peer.start_stream()
            peer.chunk(event("one"))
            self.assertIsNone(peer.gone(0.5))
            peer.chunk("data: [DONE]\n\n")
            return peer.end_stream()
        weir, (worker,) = self.served("launch", script=script)
        with Connection(weir.http) as c:
            c.send_request("POST", CHAT, chat(stream=True))
            worker.wait_for(1)
            c.send_request("GET", "/health")
            self.assertEqual(c.read_answer().events()[-1], "[DONE]")
            self.assertEqual(c.read_answer().text, "OK")
        self.assertEqual(worker.errors, [])

    def test_half_close_may_be_allowed(self):
        import socket

        def script(peer, r):
            peer.gone(0.3)
            return peer.answer(body={"choices": []})
        weir, _ = self.served("launch", "--allow-half-close", script=script)
        with Connection(weir.http) as c:
            c.send_request("POST", CHAT, chat())
            c.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(c.read_answer().status, 200)

    def test_the_mocker_counts_cancels(self):
        engine = self.keep(e2e.mocker("--speedup-ratio", "1"))
        weir = self.keep(e2e.gateway("launch", workers=[engine.url]))
        models = wait_until(lambda: e2e.request(weir.http, "GET", "/v1/models").json().get("data"), 10, "a model")
        with Connection(weir.http) as c:
            c.send_request("POST", CHAT, chat(models[0]["id"], stream=True, max_tokens=20_000))
            c.read_head()
            next(c.chunks())
        wait_until(lambda: (metric(engine.http, "weir_mocker_cancelled_total") or 0) >= 1, 10, "the mocker's cancel counter")


if __name__ == "__main__":
    e2e.main()
