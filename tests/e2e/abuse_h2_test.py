"""tests/abuse/http2.txt against the real server, and floods that need answers in between."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
from e2e import weir_process  # noqa: E402
from h2_frames import H2, PING, PREFACE, frame, load, request_fields  # noqa: E402

TABLE = weir_process.ROOT / "tests/abuse/http2.txt"
FRAMES = {"rst": "rst_stream", "status": "headers", "goaway": "goaway"}


class AbuseH2(e2e.Case):
    def met(self, c, expect):
        what = expect[0]
        if what in ("close", "open"):
            return c.closed if what == "close" else ("ping", 0, "pong") in c.said
        codes = expect[1].split("|")
        streams = None if len(expect) < 3 or expect[2] == "any" else int(expect[2])
        for kind, stream, word in c.said:
            if kind == FRAMES[what] and streams in (None, stream) and (expect[1] == "any" or word in codes):
                return c.closed if what == "goaway" else True
        return False

    def send(self, c, data):
        try:
            c.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass                                  # it ended the connection on the way, which may be what is expected

    def one(self, weir, case):
        # After rst and status the connection must still answer a ping.
        expects = case.expects + ([["open"]] if any(e[0] in ("rst", "status", "open") for e in case.expects) and
                                  not any(e[0] in ("goaway", "close") for e in case.expects) else [])
        if case.name == "client-goaway-then-answer":
            expects = case.expects                # who said goodbye need not be spoken to
        with H2(weir.http, seconds_max=15) as c:
            for data, awaited in case.steps:
                self.send(c, data)
                while awaited and awaited not in c.ended:
                    if not c.read_frame():
                        self.fail(f"ended before stream {awaited}: {c.said[-8:]}")
            if ["open"] in expects:
                self.send(c, frame("ping", 0, 0, PING))
            try:
                while not all(self.met(c, e) for e in expects) and c.read_frame():
                    pass
            except TimeoutError:
                self.fail(f"waited for {expects}, saw {c.said[-8:]}")
            for expect in expects:
                self.assertTrue(self.met(c, expect), f"{expect}: saw {c.said[-8:]}, closed {c.closed}")

    def test_every_sequence(self):
        weir, _ = self.served("launch")
        cases = load(TABLE)
        self.assertGreaterEqual(len(cases), 60)
        for case in cases:
            with self.subTest(f"{TABLE.name}:{case.line} {case.name}"):
                self.one(weir, case)
        self.works(weir)

    def ends(self, c, frames):
        """Sends these one by one until the server ends the connection; how many it took, None when it takes them all."""
        for count, data in enumerate(frames, 1):
            try:
                c.send(data)
            except (BrokenPipeError, ConnectionResetError):
                return count
        return count if c.closed_now(15) else None

    def test_floods_end_the_connection_and_nothing_else(self):
        weir, (worker,) = self.served("launch")
        chat = request_fields("POST", e2e.CHAT, [("content-type", "application/json")])
        floods = {
            "rapid reset": (frame("headers", 4, 1 + 2 * i, chat) + frame("rst_stream", 0, 1 + 2 * i, b"\0\0\0\x08") for i in range(20_000)),
            "settings": (frame("settings") for _ in range(100_000)),
            "pings": (frame("ping", 0, 0, b"12345678") for _ in range(300_000)),
        }
        for name, frames in floods.items():
            with self.subTest(name), H2(weir.http, seconds_max=15) as c:
                c.send(PREFACE + frame("settings"))
                self.assertIsNotNone(self.ends(c, frames), "the connection lives on")
                self.works(weir)
        status = pathlib.Path(f"/proc/{weir.pid}/status").read_text()
        self.assertLess(int(status.split("VmHWM:")[1].split()[0]), 200_000 * e2e.SLOW, "memory grew with the flood")


if __name__ == "__main__":
    e2e.main()
