"""tests/abuse/http2.txt against the real server, and floods that need answers in between."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
from e2e import weir_process  # noqa: E402
from h2_frames import ERRORS, H2, PREFACE, encode, frame, request_block  # noqa: E402

TABLE = weir_process.ROOT / "tests/abuse/http2.txt"
ALIVE = "pong are-you?"


class Sequence:
    def __init__(self, name, line):
        self.name, self.line, self.data, self.answers = name, line, b"", []


def load(path):
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        key, _, value = line.partition(" ")
        if not line or line.startswith("#") or key == "note:":
            continue
        if line.startswith("["):
            found.append(Sequence(line[1:line.index("]")], number))
        elif key == "send:":
            found[-1].data += encode(value)
        elif key == "expect:":
            found[-1].answers.append([word.strip() for word in value.split("|")])
        else:
            raise ValueError(f"{path}:{number}: unknown line")
    return found


class AbuseH2(e2e.Case):
    def next_event(self, c):
        """The next frame that says something; "closed" at the end."""
        while True:
            try:
                event = c.event()
            except EOFError:
                return "closed"
            if event:
                return event

    def one(self, weir, case):
        with H2(weir.http, seconds_max=15) as c:
            try:
                c.send(case.data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            seen, got = [], ""
            for wanted in case.answers:
                while True:
                    try:
                        got = self.next_event(c)
                    except TimeoutError:
                        self.fail(f"waited for {wanted}, saw {seen}")
                    seen.append(got)
                    if got in wanted:
                        break
                    if got == "closed":
                        self.fail(f"waited for {wanted}, saw {seen}")
            if got.startswith("goaway"):
                self.assertTrue(c.closed_now(15), "the connection outlives its error")
            elif got != "closed":
                c.send(encode("ping payload=are-you?"))
                while got != ALIVE:
                    got = self.next_event(c)
                    seen.append(got)
                    self.assertFalse(got == "closed" or got.startswith("goaway"), seen)

    def test_every_sequence(self):
        weir, _ = self.served("launch")
        cases = load(TABLE)
        self.assertGreaterEqual(len(cases), 60)
        for case in cases:
            with self.subTest(f"{TABLE.name}:{case.line} {case.name}"):
                self.one(weir, case)
        self.works(weir)

    def ends(self, c, frames):
        """Sends these one by one, reading what comes, until the server ends the connection; how many it took."""
        for count, data in enumerate(frames, 1):
            try:
                c.send(data)
            except (BrokenPipeError, ConnectionResetError):
                return count
        return count if c.closed_now(15) else None

    def flood(self, weir, frames):
        with H2(weir.http, seconds_max=15) as c:
            c.send(PREFACE + frame("settings"))
            return self.ends(c, frames)

    def test_floods_end_the_connection_and_nothing_else(self):
        weir, (worker,) = self.served("launch")
        chat = request_block("POST", e2e.CHAT, [("content-type", "application/json")])
        floods = {
            "rapid reset": (frame("headers", 4, 1 + 2 * i, chat) + frame("rst", 0, 1 + 2 * i, b"\0\0\0\x08") for i in range(20_000)),
            "settings": (frame("settings") for _ in range(100_000)),
            "empty data": [frame("headers", 4, 1, chat)] + [frame("data", 0, 1) for _ in range(100_000)],
            "pings": (frame("ping", 0, 0, b"12345678") for _ in range(300_000)),
        }
        for name, frames in floods.items():
            with self.subTest(name):
                self.assertIsNotNone(self.flood(weir, frames), "the connection lives on")
                self.works(weir)
        status = pathlib.Path(f"/proc/{weir.pid}/status").read_text()
        self.assertLess(int(status.split("VmHWM:")[1].split()[0]), 200_000 * e2e.SLOW, "memory grew with the flood")
        self.assertEqual({r.path for r in worker.requests}, {e2e.CHAT})

    def test_error_names_are_the_standard_ones(self):
        self.assertEqual(ERRORS.index("ENHANCE_YOUR_CALM"), 0xB)
        self.assertEqual(ERRORS.index("HTTP_1_1_REQUIRED"), 0xD)


if __name__ == "__main__":
    e2e.main()
