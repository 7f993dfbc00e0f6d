"""tests/abuse/http1.txt against the real server: each case on a fresh connection, its answers, what happens to the connection."""
import pathlib
import select
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import abuse  # noqa: E402
import e2e  # noqa: E402
from e2e import Connection, request, weir_process  # noqa: E402

TABLE = weir_process.ROOT / "tests/abuse/http1.txt"
QUIET_SECONDS = 0.1      # how long an incomplete request is watched for an answer that must not come
PROBE = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Abuse(e2e.Case):
    def one(self, weir, case):
        with Connection(weir.http, seconds_max=15) as c:
            try:
                c.send(case.data)
            except (BrokenPipeError, ConnectionResetError):
                pass                                   # refused before all of it was sent; the answer is what counts
            for expected in case.answers:
                if expected.wait:
                    self.assertFalse(c.buffer, "answered an incomplete request")
                    self.assertFalse(select.select([c.socket], [], [], QUIET_SECONDS)[0], "answered an incomplete request, or closed")
                    return
                answer = c.read_answer("HEAD" if case.data.startswith(b"HEAD ") else "GET")
                self.assertEqual(answer.status, expected.status, answer)
                if expected.code is not None:
                    self.check_code(answer, expected)
                elif answer.status >= 400 and answer.body:
                    self.error_of("launch", answer)
            if case.answers[-1].close:
                self.assertEqual(c.read_all(), b"", "more came after the last answer")
            else:
                c.send(PROBE)
                self.assertEqual(c.read_answer().text, "OK", "the connection is not usable afterwards")

    def check_code(self, answer, expected):
        if answer.status < 400:
            return
        self.error_of("launch", answer)
        error = answer.json()["error"]
        if expected.code not in ("*", ""):
            self.assertEqual(error["code"], expected.code, answer)
        if expected.param not in (None, "*"):
            self.assertEqual(error["param"], expected.param, answer)

    def test_every_case(self):
        weir, _ = self.served("launch")
        cases = abuse.load(TABLE)
        self.assertGreaterEqual(len(cases), 150)
        for case in cases:
            with self.subTest(f"{TABLE.name}:{case.line} {case.name}"):
                try:
                    self.one(weir, case)
                except EOFError as why:
                    self.fail(f"no answer: {why}")
        self.assertEqual(request(weir.http, "GET", "/health").text, "OK")
        self.works(weir)

    def test_the_same_bytes_one_at_a_time(self):
        """Where the reads end must not matter. The long ones are left out: the parser's own tests split those."""
        import socket
        weir, _ = self.served("launch", "--header-read-timeout-secs", "1")
        for case in abuse.load(TABLE):
            if len(case.data) > 400 or any(e.wait for e in case.answers):
                continue
            with self.subTest(case.name), Connection(weir.http, seconds_max=15) as c:
                c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    for at in range(len(case.data)):
                        c.send(case.data[at:at + 1])
                except (BrokenPipeError, ConnectionResetError):
                    pass
                for expected in case.answers:
                    try:
                        status = c.read_answer("HEAD" if case.data.startswith(b"HEAD ") else "GET").status
                    except EOFError:
                        # Bytes that follow a refusal reset the connection, which may overtake the answer.
                        self.assertGreaterEqual(expected.status, 400, "no answer")
                        break
                    # A head that never ends is looked at a few times only; then its time runs out.
                    self.assertIn(status, {expected.status, 408 if expected.status >= 400 else expected.status})


if __name__ == "__main__":
    e2e.main()
