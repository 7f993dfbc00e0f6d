"""Where SMG sends 500 requests, and where our policies of the same name would: the same workers, the same requests, the same loads.

`policy_lines` answers for us. Where chance has a part (ties, new keys) SMG's choice must be one of ours; everywhere else it must be ours.
"""
import contextlib
import itertools
import json
import pathlib
import random
import subprocess
import tempfile
import threading

import http_probe
import provide
import weir_process
from fake_worker import FakeWorker, completion
from http_probe import Connection
from provide import Unavailable

LINES = pathlib.Path(weir_process.BINARY).parent / "policy_lines"
MODEL, REQUESTS, WORKERS = "fake", 500, 5
WORDS = "weir river water gate flow stone bank spill level crest apron sill sluice basin wall ford pool race head tail".split()


class Ours:
    def __init__(self, policy, urls, **options):
        self.process = subprocess.Popen([LINES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.tell(policy=policy, workers=urls, options=options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def tell(self, **line):
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def ask(self, **line):
        self.tell(**line)
        return json.loads(self.process.stdout.readline())


class Smg:
    """SMG before workers that answer at once, or when told to for requests that ask to be held (`seed` 1)."""

    def __init__(self, stack, policy, *flags):
        self.release = threading.Event()
        self.workers = [stack.enter_context(FakeWorker(self.script, MODEL)) for _ in range(WORKERS)]
        self.urls, self.held, self.connections = [w.url for w in self.workers], [0] * WORKERS, []
        self.port, self.log = weir_process.closed_port(), pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-interop-")), "smg.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([provide.smg(), "launch", "--host", "127.0.0.1", "--port", str(self.port), "--prometheus-port",
                                             str(weir_process.closed_port()), "--policy", policy, *flags, "--worker-urls", *self.urls],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.log.parent, env=weir_process.QUIET_ENV)
        stack.callback(self.end)
        weir_process.wait_until(self.all_listed, 60, "SMG lists all workers")

    def all_listed(self):
        if self.process.poll() is not None:
            raise AssertionError("smg ended:\n" + self.log.read_text()[-3000:])
        try:
            listed = json.loads(http_probe.request(self.port, "GET", "/workers").text)["workers"]
        except (OSError, ValueError, KeyError):
            return False
        return len(listed) == WORKERS and all(w.get("is_healthy", True) for w in listed)

    def end(self):
        self.release.set()
        for connection in self.connections:
            connection.close()
        self.process.kill()
        self.process.wait()

    def script(self, peer, request):
        if request.json().get("seed") == 1:
            self.release.wait(120)
        if request.path.startswith("/generate"):
            return peer.answer(body={"text": "hi", "meta_info": {"id": "1", "prompt_tokens": 1, "completion_tokens": 1, "finish_reason": {"type": "stop"}}})
        return peer.answer(body=completion(request))

    def counts(self):
        return [len(w.requests) for w in self.workers]

    def send(self, path, body, headers=(), hold=False):
        """Which worker got it; None when nobody did. Held requests stay under way there."""
        before = self.counts()
        connection = Connection(self.port, seconds_max=30)
        connection.send_request("POST", path, {**body, "seed": 1} if hold else body, list(headers))
        if hold:
            self.connections.append(connection)
            weir_process.wait_until(lambda: self.counts() != before, 20, "a held request arrives")
        else:
            answer = connection.read_answer("POST")
            connection.close()
            if answer.status == 503:
                return None
            assert answer.status == 200, answer
        (worker,) = [i for i in range(WORKERS) if self.counts()[i] != before[i]]
        self.held[worker] += hold
        return worker

    def chat(self, text, headers=(), hold=False):
        messages = text if isinstance(text, list) else [{"role": "user", "content": text}]
        return self.send("/v1/chat/completions", {"model": MODEL, "messages": messages, "max_tokens": 4}, headers, hold)


class Count:
    def __init__(self, what):
        self.what, self.exact, self.chance, self.near, self.wrong = what, 0, 0, 0, []

    def compare(self, request, theirs, ours):
        picks = ours["picks"] or [None]
        if theirs not in picks:
            self.wrong.append(f"    {request}: smg {theirs}, weir {picks} ({ours['why']})")
        elif len(picks) == 1:
            self.exact += 1
        else:
            self.chance += 1

    def line(self):
        return f"{'FAILED' if self.wrong else 'ok'} {self.what}: {self.exact} exact, {self.chance} of equals, " + \
            (f"{self.near} too near the threshold to compare, " if self.near else "") + f"{len(self.wrong)} differ" + \
            "".join("\n" + line for line in self.wrong[:5])


def key_header(key):
    return [("x-smg-routing-key", key)]


def consistent_hashing(stack, dice):
    smg, count = Smg(stack, "consistent_hashing"), Count("consistent_hashing, keys from three headers")
    ours = stack.enter_context(Ours("consistent_hashing", smg.urls))
    for i in range(REQUESTS):
        key = f"{dice.choice(WORDS)}-{dice.randrange(1000)}"
        header = dice.choice(["x-smg-routing-key", "x-forwarded-for", "cookie"])
        count.compare(f"{header}: {key}", smg.chat("hi", [(header, key)]), ours.ask(key=key))
    target = lambda n: smg.chat("hi", [("x-smg-target-worker", str(n))])
    order, targets = [target(n) for n in range(WORKERS)], Count("consistent_hashing, targets in SMG's order of workers")
    ordered = stack.enter_context(Ours("consistent_hashing", [smg.urls[i] for i in order]))
    for n in [*"0123456789", "x", "99", "1.0", "01", *(dice.randrange(WORKERS) for _ in range(50))]:
        answer = ordered.ask(target=str(n))
        answer["picks"] = [order[i] for i in answer["picks"]]
        targets.compare(f"target {n}", target(n), answer)
    return [count, targets]


def manual(stack, dice):
    smg, count, new = Smg(stack, "manual"), Count("manual, known keys"), Count("manual, new keys")
    ours, seen = stack.enter_context(Ours("manual", smg.urls)), set()
    for i in range(REQUESTS):
        key = f"key-{dice.randrange(120)}"
        theirs = smg.chat("hi", key_header(key))
        if key in seen:
            count.compare(key, theirs, ours.ask(key=key))
        else:                                      # drawn: ours is given the same luck
            new.compare(key, theirs, ours.ask(key=key, eligible=[theirs]))
            seen.add(key)
    return [count, new]


def round_robin(stack, dice):
    smg, count = Smg(stack, "round_robin"), Count("round_robin")
    order = [smg.chat("hi") for _ in range(WORKERS)]
    ours = stack.enter_context(Ours("round_robin", [smg.urls[i] for i in order]))
    for i in range(REQUESTS):
        answer = ours.ask()
        answer["picks"] = [order[k] for k in answer["picks"]]
        count.compare(f"request {i}", smg.chat("hi"), answer)
    return [count]


def prefix_hash(stack, dice):
    smg, count, busy = Smg(stack, "prefix_hash"), Count("prefix_hash, routing keys"), Count("prefix_hash, an owner with many requests")
    ours, loads = stack.enter_context(Ours("prefix_hash", smg.urls)), smg.held
    for i in range(REQUESTS):
        key = f"{dice.choice(WORDS)}-{dice.randrange(1000)}"
        count.compare(key, smg.chat("hi", key_header(key)), ours.ask(key=key))
    for i in range(40):
        answer = ours.ask(key="hot", loads=loads, draws=64)
        busy.compare(f"loads {loads}", smg.chat("hi", key_header("hot"), hold=True), answer)
    tokens = Count("prefix_hash, token ids")
    for i in range(100):
        ids = [dice.randrange(30_000) for _ in range(dice.choice([5, 255, 256, 257, 600]))]
        tokens.compare(f"{len(ids)} tokens", smg.send("/generate", {"model": MODEL, "input_ids": ids, "sampling_params": {"max_new_tokens": 1}}),
                       ours.ask(tokens=ids, loads=loads, draws=64))
    return [count, busy, tokens]


def routing_text(messages):
    return " ".join(m["content"] for m in messages)


def near_threshold(text, sent):
    """The longest match is more than 0.3 of the text by characters, but may not be by blocks."""
    same = max((sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(text, t))) for t in sent), default=0)
    return 0 < same - 0.3 * len(text) <= (127 if same > 1024 else 15)


def cache_aware(stack, dice):
    """Conversations that grow, over a shared system prompt, some of them under way all the time."""
    smg, count = Smg(stack, "cache_aware"), Count("cache_aware, conversations")
    ours = stack.enter_context(Ours("cache_aware", smg.urls))
    say = lambda n: " ".join(dice.choice(WORDS) for _ in range(n))
    talks, systems, sent = [], [say(10), say(150)], []
    for i in range(REQUESTS):
        if not talks or dice.random() < 0.25:
            talks.append([{"role": "system", "content": f"{len(talks)} {say(3)} {dice.choice(systems)}"}])
        talk = dice.choice(talks)
        talk.append({"role": "user", "content": say(dice.choice([5, 40, 200]))})
        text = routing_text(talk)
        answer = ours.ask(text=text, loads=smg.held, draws=64)
        theirs = smg.chat(talk, hold=sum(smg.held) < 40 and dice.random() < 0.1)
        if near_threshold(text, sent):
            count.near += 1                        # matches are exact to the character there, to the block here
        else:
            count.compare(f"{i}: {len(text)} characters, loads {smg.held}", theirs, answer)
        ours.tell(chose=theirs, text=text)
        sent.append(text)
        talk.append({"role": "assistant", "content": say(30)})
    spill = Count("cache_aware, one prompt again and again")
    hot = [{"role": "user", "content": say(300)}]
    for i in range(60):
        answer = ours.ask(text=routing_text(hot), loads=smg.held, draws=64)
        theirs = smg.chat(hot, hold=True)
        spill.compare(f"{i}: loads {smg.held}", theirs, answer)
        ours.tell(chose=theirs, text=routing_text(hot))
    tokens, streams = Count("cache_aware, token ids"), []
    for i in range(200):                           # grows what there is, or begins anew; whole pages of 16 count
        if not streams or dice.random() < 0.3:
            streams.append([dice.randrange(30_000) for _ in range(dice.choice([3, 20, 100]))])
        ids = dice.choice(streams)
        answer = ours.ask(tokens=ids, loads=smg.held, draws=64)
        theirs = smg.send("/generate", {"model": MODEL, "input_ids": ids, "sampling_params": {"max_new_tokens": 1}})
        tokens.compare(f"{i}: {len(ids)} tokens", theirs, answer)
        ours.tell(chose=theirs, tokens=ids)
        ids += [dice.randrange(30_000) for _ in range(dice.choice([3, 16, 64]))]
    return [count, spill, tokens]


def suite(setup, dialect, tls):
    if not LINES.exists():
        raise Unavailable(f"no {LINES}: ninja policy_lines")
    provide.smg()
    counts = []
    for case in (consistent_hashing, manual, round_robin, prefix_hash, cache_aware):
        with contextlib.ExitStack() as stack:
            counts += case(stack, random.Random(5))
    return (sum(not c.wrong for c in counts), sum(bool(c.wrong) for c in counts), 0), "\n".join(c.line() for c in counts)
