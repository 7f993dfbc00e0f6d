"""Many short lives at once: clients come, leave half-way, workers break. Afterwards nothing is left over. Long under ./test soak."""
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
from e2e import CHAT, Connection, chat, event, polite, wait_until  # noqa: E402
from http_probe import metrics  # noqa: E402

SECONDS = 60 if e2e.SOAK else 5


def moody(peer, request):
    chance = random.random()
    if chance < 0.1:
        return peer.reset()
    if chance < 0.2:
        return peer.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    if chance < 0.3:
        peer.start_stream()
        peer.chunk(event("one"))
        return None
    return polite(peer, request)


class Churn(e2e.Case):
    def client(self, weir, seed, until, counts):
        dice = random.Random(seed)
        while time.monotonic() < until:
            try:
                with Connection(weir.http) as c:
                    for _ in range(dice.randrange(1, 4)):
                        c.send_request("POST", CHAT, chat(stream=dice.random() < 0.7))
                        if dice.random() < 0.3:
                            break                                   # leaves without reading
                        c.read_answer()
                        counts[0] += 1
            except (OSError, EOFError):
                counts[1] += 1

    def test_nothing_is_left_over(self):
        for dialect in e2e.DIALECTS:
            flags = ["--disable-circuit-breaker"] if dialect == "launch" else []
            weir, _ = self.served(dialect, *flags, script=moody, workers=3)
            fds = lambda: len(list(pathlib.Path(f"/proc/{weir.pid}/fd").iterdir()))
            before, counts, until = fds(), [0, 0], time.monotonic() + SECONDS
            threads = [threading.Thread(target=self.client, args=(weir, i, until, counts)) for i in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(SECONDS + 60)
            self.assertGreater(counts[0], 10, counts)
            self.assertIsNone(weir.process.poll(), weir.log())
            # Idle connections to workers stay for a while; nothing that belongs to a request may.
            wait_until(lambda: fds() <= before + 3 * 64, 20, "descriptors returned")

            def settled():
                left = {n: v for (n, labels), v in metrics(weir.metrics).items() if v and ("inflight" in n or n.endswith("requests_active"))}
                return not left
            wait_until(settled, 20, "gauges back to zero")


if __name__ == "__main__":
    e2e.main()
