"""Where `python -m dynamo.frontend --router-mode kv` sends 500 requests, and at what cost, and where our `kv` policy would.

Real frontend, real mockers, one request at a time beside long ones that stay under way for a round. What the workers hold follows from what was
sent to them: prompts are letters, one token each, and nothing is evicted. The frontend's log has the worker and its cost.
"""
import pathlib
import random
import re
import subprocess
import tempfile
import time

import http_probe
import provide
import toy_model
import weir_process
from http_probe import Connection
from policies_suite import LINES, Count, Ours
from provide import Unavailable

WORKERS, BLOCK, REQUESTS, ROUND = 4, 16, 500, 40
MODEL = "tiny"


class Dynamo:
    def __init__(self, folder):
        self.folder, self.port, self.processes = folder, weir_process.closed_port(), []
        toy_model.write(folder / "model")
        # Slow, so that requests to be held are under way until the end; what is short asks for one token.
        self.start("mocker", "--model-path", folder / "model", "--model-name", MODEL, "--num-workers", WORKERS, "--speedup-ratio", "0.5", "--block-size",
                   BLOCK, "--num-gpu-blocks-override", "16384", "--max-num-seqs", "256")
        self.log = self.start("frontend", "--http-port", self.port, "--router-mode", "kv")
        self.read = 0

    def start(self, module, *flags):
        log = self.folder / f"{module}.log"
        env = {**weir_process.QUIET_ENV, "DYN_FILE_KV": str(self.folder / "kv"), "DYN_DISCOVERY_BACKEND": "file", "HF_HUB_OFFLINE": "1", "DYN_LOG": "info"}
        with open(log, "wb") as out:
            command = [provide.dynamo(), "-m", f"dynamo.{module}", "--discovery-backend", "file", *flags]
            self.processes.append(subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env))
        return log

    def __enter__(self):
        try:
            weir_process.wait_until(self.serves, 240, "Dynamo serves the model")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()

    def serves(self):
        if any(p.poll() is not None for p in self.processes):
            raise AssertionError("Dynamo ended:\n" + self.log.read_text(errors="replace")[-2000:])
        try:
            # As many workers as there are, each asked for by the events it sends; the list of models comes first.
            return MODEL in http_probe.request(self.port, "GET", "/v1/models").text and len(self.instances()) == WORKERS
        except OSError:
            return False

    def instances(self):
        return {p.name for p in (self.folder / "kv").rglob("*") if p.is_file() and "generate" in str(p) and "instances" in str(p)}

    def selected(self):
        """(worker id, cost) of the next line that says so."""
        def line():
            text = re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(errors="replace"))
            found = re.findall(r"Selected worker router_mode=\"kv\".*? worker_id=(\d+).*? logit=([-0-9.e]+)", text)
            if len(found) > self.read:
                self.read += 1
                return found[self.read - 1]
        worker, cost = weir_process.wait_until(line, 30, "the frontend's choice in its log")
        return worker, float(cost)

    def load(self, name):
        """{worker id: prefill_tokens or decode_blocks under way}"""
        text = http_probe.request(self.port, "GET", "/metrics").text
        return {w: float(v) for w, v in re.findall(rf'^dynamo_frontend_worker_active_{name}{{.*worker_id="(\d+)".*}} (\S+)$', text, re.M)}

    def ask(self, prompt, tokens_max):
        connection = Connection(self.port, seconds_max=120)
        connection.send_request("POST", "/v1/completions", {"model": MODEL, "prompt": prompt, "max_tokens": tokens_max, "ignore_eos": True,
                                                            "stream": tokens_max > 1})
        return connection


def leading(blocks, held):
    """How many of the blocks, from the first, are in `held`, a set of block sequences."""
    n = 0
    while n < len(blocks) and tuple(blocks[:n + 1]) in held:
        n += 1
    return n


def prefixes(blocks):
    return {tuple(blocks[:n + 1]) for n in range(len(blocks))}


def settled(dynamo, blocks):
    """Waits until bookings are as they must be; {worker id: prefill tokens}. Held prompts may still be computed when workers have no CPU."""
    seen = []
    try:
        weir_process.wait_until(lambda: seen.append(sum(dynamo.load("decode_blocks").values())) or seen[-1] == blocks, 30, "")
    except AssertionError:
        raise AssertionError(f"{blocks} active blocks, but {seen[-1]}") from None
    try:
        weir_process.wait_until(lambda: not sum(dynamo.load("prefill_tokens").values()), 2, "")
    except AssertionError:
        pass
    return dynamo.load("prefill_tokens")


def compare(dynamo, ours, dice):
    count, costs, numbers = Count("kv, workers"), Count("kv, costs"), {}
    cached, active, held = [set() for _ in range(WORKERS)], [set() for _ in range(WORKERS)], []
    prefill = {}
    say = lambda n: "".join(dice.choice("abcdefg") for _ in range(n))
    systems, talks = [say(40), say(200), say(500)], []
    for i in range(REQUESTS):
        if i % ROUND == 0:
            for connection in held:
                connection.close()
            held.clear()
            active = [set() for _ in range(WORKERS)]
            prefill = settled(dynamo, 0)
        if not talks or dice.random() < 0.3:
            talks.append(dice.choice(systems) + say(dice.choice([3, 30, 300])))
        at = dice.randrange(len(talks))
        talks[at] = prompt = (talks[at] + say(dice.choice([1, 16, 60])))[:1200]
        blocks = [prompt[k:k + BLOCK] for k in range(0, len(prompt) - BLOCK + 1, BLOCK)]
        answer = ours.ask(prompt_tokens=len(prompt), block=BLOCK, device=[leading(blocks, c) for c in cached], active=[leading(blocks, a) for a in active],
                          active_blocks=[len(a) for a in active],
                          prefill_tokens=[int(next((prefill.get(w, 0) for w, n in numbers.items() if n == k), 0)) for k in range(WORKERS)], draws=64)
        hold = dice.random() < 0.25
        connection = dynamo.ask(prompt, 6000 if hold else 1)
        worker, cost = dynamo.selected()
        if worker not in numbers:                  # not met yet: all of those are alike
            free = [w for w in range(WORKERS) if w not in numbers.values()]
            numbers[worker] = next((w for w in free if w in answer["picks"]), free[0])
        chosen = numbers[worker]
        count.compare(f"{i}: {len(prompt)} tokens", chosen, answer)
        # Prefill under way when it was read may be done when Dynamo decides.
        if min(abs(cost - answer["terms"][3]), abs(cost - answer["terms"][3] + prefill.get(worker, 0) / BLOCK)) < 0.01:
            costs.exact += 1
        else:
            costs.wrong.append(f"    {i}: {len(prompt)} tokens at {chosen}: Dynamo {cost}, weir {answer['terms']}")
        if hold:
            held.append(connection)
            active[chosen] |= prefixes(blocks)
        else:
            assert connection.read_answer("POST").status == 200
            connection.close()
        cached[chosen] |= prefixes(blocks)
        under_way = sum(len(a) for a in active)
        prefill = settled(dynamo, under_way)
        time.sleep(0.03)                           # events of the workers' caches travel beside; nothing tells of them
    return [count, costs]


def suite(setup, dialect, tls):
    provide.dynamo()
    if not LINES.exists():
        raise Unavailable(f"no {LINES}: ninja policy_lines")
    with tempfile.TemporaryDirectory(prefix="weir-interop-") as folder:
        with Dynamo(pathlib.Path(folder)) as dynamo, Ours("kv", [f"http://{i}" for i in range(WORKERS)]) as ours:
            counts = compare(dynamo, ours, random.Random(5))
    return (sum(not c.wrong for c in counts), sum(bool(c.wrong) for c in counts), 0), "\n".join(c.line() for c in counts)
