"""Going down: readiness first, streams finish within the grace, a second signal ends at once."""
import json
import pathlib
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
from e2e import CHAT, DIALECTS, Connection, chat, event, request, wait_until, weir_process  # noqa: E402


class Shutdown(e2e.Case):
    def held_stream(self, dialect, *flags, env=None):
        """A gateway with one stream that is under way until `release` is set."""
        release = threading.Event()
        self.addCleanup(release.set)

        def script(peer, _):
            peer.start_stream()
            peer.chunk(event("one"))
            release.wait(30)
            peer.chunk("data: [DONE]\n\n")
            return peer.end_stream()
        weir, (worker,) = self.served(dialect, *flags, script=script, env=env)
        c = self.keep(Connection(weir.http))
        c.send_request("POST", CHAT, chat(stream=True))
        c.read_head()
        pieces = c.chunks()
        next(pieces)
        return weir, worker, pieces, release

    def test_idle_it_ends_with_zero(self):
        for dialect, flags in (("frontend", []), ("launch", ["--drain-settle-secs", "0"])):
            for number in (signal.SIGTERM, signal.SIGINT):
                with self.subTest(f"{dialect} {number.name}"):
                    weir, _ = self.served(dialect, *flags)
                    weir.signal(number)
                    self.assertEqual(weir.wait(), 0)

    def test_readiness_goes_first_and_streams_finish(self):
        weir, _, pieces, release = self.held_stream("launch", "--drain-settle-secs", "2")
        weir.signal()
        answer = wait_until(lambda: (a := request(weir.http, "GET", "/readiness")).status == 503 and a, 5, "readiness 503")
        self.assertEqual(answer.json(), {"status": "not ready", "reason": "draining"})
        self.assertEqual(request(weir.http, "GET", "/health").status, 200)
        self.assertIsNone(weir.process.poll())
        release.set()
        self.assertIn(b"[DONE]", b"".join(pieces))
        self.assertEqual(weir.wait(), 0)

    def test_frontend_says_not_ready(self):
        weir, _, pieces, release = self.held_stream("frontend", "--drain-settle-secs", "2")
        weir.signal()
        answer = wait_until(lambda: (a := request(weir.http, "GET", "/health")).status == 503 and a, 5, "health 503")
        self.assertEqual((answer.status, answer.json()["status"], answer.json()["stage"]), (503, "not_ready", "draining"))
        release.set()
        self.assertIn(b"[DONE]", b"".join(pieces))
        self.assertEqual(weir.wait(), 0)

    def refused(self, weir):
        try:
            Connection(weir.http).close()
            return False
        except ConnectionError:
            return True

    def test_new_connections_are_refused_once_settled(self):
        weir, _, pieces, release = self.held_stream("launch", "--drain-settle-secs", "0")
        weir.signal()

        wait_until(lambda: self.refused(weir), 10, "the listener closed")
        self.assertIsNone(weir.process.poll())
        release.set()
        self.assertIn(b"[DONE]", b"".join(pieces))
        self.assertEqual(weir.wait(), 0)

    def test_keep_alive_connections_end_with_the_answer_under_way(self):
        weir, _, pieces, release = self.held_stream("launch", "--drain-settle-secs", "0")
        with Connection(weir.http) as c:
            c.send_request("GET", "/readiness")
            c.read_answer()
            weir.signal()
            wait_until(lambda: self.refused(weir), 10, "the listener closed")
            try:
                c.send_request("GET", "/health")
                self.assertEqual(c.read_answer().header("connection"), "close")
                self.assertTrue(c.at_end())
            except (EOFError, ConnectionError):
                pass                                 # an idle one may simply be closed
        release.set()
        self.assertIn(b"[DONE]", b"".join(pieces))
        self.assertEqual(weir.wait(), 0)

    def test_the_grace_period_is_a_bound(self):
        weir, worker, pieces, _ = self.held_stream("launch", "--drain-settle-secs", "0", "--shutdown-grace-period-secs", "1")
        weir.signal()
        weir.wait()
        with self.assertRaises((EOFError, ConnectionError)):
            b"".join(pieces)

    def test_a_second_signal_ends_at_once(self):
        weir, _, pieces, _ = self.held_stream("launch", "--drain-settle-secs", "60", "--shutdown-grace-period-secs", "600")
        weir.signal()
        wait_until(lambda: request(weir.http, "GET", "/readiness").status == 503, 5, "readiness 503")
        weir.signal()
        weir.wait(15)                                 # far below 60 and 600

    def test_bad_starts_end_with_two_and_say_why(self):
        for arguments, word in ((["launch", "--no-such-flag"], "--no-such-flag"), (["launch", "--port", "x"], "port"),
                                (["launch", "--port", "99999999"], "port"), (["frontend", "--discovery-backend", "kubernetes"], "kubernetes"),
                                (["nonsense"], "nonsense"), (["launch", "--policy", "psychic"], "policy")):
            with self.subTest(" ".join(arguments)):
                code, out, err = weir_process.run(*arguments)
                self.assertEqual(code, 2, err)
                self.assertIn(word, err)
                self.assertEqual(out, "")

    def test_a_taken_port_is_said(self):
        weir, _ = self.served("launch")
        code, _, err = weir_process.run("launch", "--host", "127.0.0.1", "--port", weir.http, "--prometheus-port", "0")
        self.assertNotEqual(code, 0)
        self.assertIn(str(weir.http), err)


if __name__ == "__main__":
    e2e.main()
