"""`weir frontend` beside the real `python -m dynamo.frontend`, both before the same real workers (file discovery, tcp, zmq): the same requests,
the answers compared part by part once ids, times and random words are taken out. What differs on purpose is in dynamo_differences.txt.
Then what only ours is asked: KV overlap against the workers' own counts, options, workers that die.
"""
import contextlib
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import http_probe
import provide
import toy_model
import weir_process
from dynamo_suite import Case, Worker

HERE = pathlib.Path(__file__).resolve().parent
DIFFERENCES = HERE / "dynamo_differences.txt"
WORDS = 2200                                   # ids that workers make up are below


def write_model(folder):
    """The toy model with a word for every id that the mocker may choose, so that each token is one piece of text."""
    toy_model.write(folder)
    model = toy_model.tokenizer_json()
    vocab = model["model"]["vocab"]
    vocab.update({text: i for text, i in toy_model.SPECIAL.items()})
    vocab.update({f"\u0120w{i}": i for i in range(len(vocab), WORDS)})
    (folder / "tokenizer.json").write_text(json.dumps(model))
    return folder


class Frontend:
    """The real one."""

    def __init__(self, folder, *flags):
        self.http, self.log = weir_process.closed_port(), folder / "frontend.log"
        env = {**weir_process.QUIET_ENV, "DYN_FILE_KV": str(folder / "kv"), "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}
        command = [provide.dynamo(), "-m", "dynamo.frontend", "--http-port", self.http, "--discovery-backend", "file", *flags]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def weir(folder, *flags, **variables):
    return weir_process.gateway("frontend", "--discovery-backend", "file", *flags, env={"DYN_FILE_KV": str(folder / "kv"), **variables})


def ask(port, path, body=None, headers=(), method=None):
    data = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
    with contextlib.closing(http_probe.Connection(port)) as c:
        c.send_request(method or ("POST" if data is not None else "GET"), path, data, [("content-type", "application/json"), *headers])
        return c.read_answer()


def lists(port, *models):
    try:
        return sorted(m["id"] for m in ask(port, "/v1/models").json()["data"]) == sorted(models)
    except (OSError, EOFError, ValueError, KeyError):
        return False


def serves(port, *models, seconds_max=120):
    weir_process.wait_until(lambda: lists(port, *models), seconds_max, f"{models} listed")


def chat(text="@ hello", **more):
    return {"model": "tiny", "messages": [{"role": "user", "content": text}], "max_tokens": 6, **more}


def text(prompt="@ hello", **more):
    return {"model": "tiny", "prompt": prompt, "max_tokens": 6, **more}


USAGE = {"stream": True, "stream_options": {"include_usage": True}}
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
# name, path, body, headers; '@' in a body is another letter for each side, so that neither finds the other's blocks
CASES = [
    ("chat", CHAT, chat()), ("chat stream", CHAT, chat(stream=True)), ("chat stream usage", CHAT, chat(**USAGE)),
    ("chat long", CHAT, chat("@ hello" * 100)), ("chat content parts", CHAT, {**chat(), "messages": [{"role": "user", "content": [{"type": "text", "text": "@ hi"}]}]}),
    ("chat system", CHAT, {**chat(), "messages": [{"role": "system", "content": "@ be"}, {"role": "user", "content": "so"}]}),
    ("chat turns", CHAT, {**chat(), "messages": [{"role": "user", "content": "@ a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]}),
    ("chat max_completion_tokens", CHAT, {"model": "tiny", "messages": [{"role": "user", "content": "@"}], "max_completion_tokens": 3}),
    ("chat sampling", CHAT, chat(temperature=0.5, top_p=0.9, seed=7, presence_penalty=0.1, frequency_penalty=0.1, stop=["never said"])),
    ("chat one token", CHAT, chat(max_tokens=1)), ("chat one token stream", CHAT, chat(max_tokens=1, **USAGE)),
    ("chat n", CHAT, chat(n=2)), ("chat logprobs", CHAT, chat(logprobs=True, top_logprobs=2)), ("chat user", CHAT, chat(user="me")),
    ("chat ignore_eos", CHAT, chat(ignore_eos=True, min_tokens=3)), ("chat extensions", CHAT, chat(top_k=5, min_p=0.1, repetition_penalty=1.1)),
    ("text", TEXT, text()), ("text stream", TEXT, text(stream=True)), ("text stream usage", TEXT, text(**USAGE)),
    ("text tokens", TEXT, text([64, 65, 66, 67])), ("text list of one", TEXT, text(["@ hello"])), ("text batch", TEXT, text(["@ a", "@ b"])),
    ("text echo", TEXT, text(echo=True)), ("text one token stream", TEXT, text(max_tokens=1, **USAGE)), ("text stop", TEXT, text(stop="never")),
    ("text suffix", TEXT, text(suffix="end")),
    ("no max_tokens", CHAT, {"model": "tiny", "messages": [{"role": "user", "content": "@"}]}),
    ("no max_tokens stream", CHAT, {"model": "tiny", "messages": [{"role": "user", "content": "@"}], "stream": True}),
    ("no max_tokens text", TEXT, {"model": "tiny", "prompt": "@"}),
    ("request id", CHAT, chat(), [("x-request-id", "abc-123")]), ("unknown model", CHAT, {**chat(), "model": "nope"}),
    ("unknown field", CHAT, chat(nonsense=1)), ("temperature 9", CHAT, chat(temperature=9)), ("top_p 2", CHAT, chat(top_p=2)), ("n 500", CHAT, chat(n=500)),
    ("max_tokens 0", CHAT, chat(max_tokens=0)), ("top_logprobs 30", CHAT, chat(logprobs=True, top_logprobs=30)),
    ("no messages", CHAT, {**chat(), "messages": []}), ("empty prompt", TEXT, text("")),
    ("pin to nobody", CHAT, chat(), [("x-dynamo-worker-instance-id", "12345")]), ("pin that is no number", CHAT, chat(), [("x-dynamo-worker-instance-id", "x")]),
    ("models", "/v1/models", None), ("model", "/v1/models/tiny", None), ("model unknown", "/v1/models/nope", None), ("health", "/health", None), ("live", "/live", None),
    ("no such route", "/v1/nonsense", None), ("get chat", CHAT, None),
]


def plain(value, key=None):
    """Without what differs from one request to the next."""
    if isinstance(value, dict):
        return {k: plain(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return sorted((plain(v) for v in value), key=str) if key == "instances" else [plain(v, key) for v in value]
    if key == "created" and isinstance(value, int):
        return "<time>"
    if key == "id" and isinstance(value, str):
        return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>", value)
    if key in ("content", "text") and isinstance(value, str):
        return re.sub(r" w\d+", " w", value)
    return value


def parts(answer):
    out = {"status": answer.status}
    for name, value in answer.headers:
        if name.lower() not in ("date", "content-length"):
            out[f"header {name.lower()}"] = value
    if answer.header("content-type", "").startswith("text/event-stream"):
        events = []
        for block in answer.text.split("\n\n"):
            lines = []
            for line in block.split("\n"):
                data = line[6:] if line.startswith("data: ") else ""
                lines.append(["data", list(json.loads(data)), plain(json.loads(data))] if data.startswith("{") else line)
            events.append(lines)
        out["body"] = events
    else:
        with contextlib.suppress(ValueError):
            value = answer.json()
            out["body"] = [list(value) if isinstance(value, dict) else 0, plain(value)]
        out.setdefault("body", answer.text)
    return out


def side_by_side(case):
    allowed = []
    for line in DIFFERENCES.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, part, reason = re.split(r" \| ", line, maxsplit=2)   # a bar without blanks is the expressions' own
            allowed.append([re.compile(name), re.compile(part), reason, 0])
    with Worker(case.folder, "tiny", "--num-workers", "2", "--speedup-ratio", "100"), Frontend(case.folder, "--router-mode", "kv") as theirs, \
            weir(case.folder, "--router-mode", "kv") as ours:
        serves(theirs.http, "tiny")
        serves(ours.http, "tiny")
        for name, path, body, *headers in CASES:
            sides = []
            for port, letter in ((theirs.http, "x"), (ours.http, "y")):
                data = None if body is None else json.dumps(body).replace("@", letter)
                sides.append(parts(ask(port, path, data, headers[0] if headers else ())))
            wrong = []
            for part in sorted(set(sides[0]) | set(sides[1])):
                theirs_says, ours_says = sides[0].get(part), sides[1].get(part)
                if theirs_says == ours_says:
                    continue
                row = next((row for row in allowed if row[0].fullmatch(name) and row[1].fullmatch(part)), None)
                if row:
                    row[3] += 1
                else:
                    wrong.append(f"{part}\n      theirs {json.dumps(theirs_says)[:1500]}\n      ours   {json.dumps(ours_says)[:1500]}")
            case.check(f"{name}: as the real frontend answers", not wrong, "\n    ".join(wrong))
    for name, part, reason, used in allowed:
        case.check(f"differs still: {name.pattern} | {part.pattern}", used, "it does not: take the line off dynamo_differences.txt")


def decision(answer):
    return json.loads(answer.header("x-weir-decision"))


def overlap(case):
    """In kv mode what we believe a worker holds is what it says it had cached."""
    import random
    chance = random.Random(5)
    with Worker(case.folder, "tiny", "--num-workers", "4", "--speedup-ratio", "100"), weir(case.folder, "--router-mode", "kv") as ours:
        serves(ours.http, "tiny")
        stems = ["".join(chance.choice("abcdfgijkm ") for _ in range(chance.randrange(20, 400))) for _ in range(12)]
        wrong, hits = [], 0
        weir_process.wait_until(lambda: decision(ask(ours.http, TEXT, text("zz", max_tokens=1), [("x-weir-decision", "1")]))["eligible"] == 4, 60, "four workers")
        for i in range(150):
            prompt = chance.choice(stems)[:chance.randrange(10, 400)] + "".join(chance.choice("npqrstuv") for _ in range(chance.randrange(0, 60)))
            answer = ask(ours.http, TEXT, text(prompt, max_tokens=2), [("x-weir-decision", "1")])
            said, used = decision(answer), answer.json()["usage"]
            cached = used["prompt_tokens_details"]["cached_tokens"]
            hits += cached > 0
            if said["cached_tokens"] != cached:
                wrong.append((i, said["cached_tokens"], cached, used["prompt_tokens"]))
            settled(ours, prompt, said["candidates"][said["chosen"]]["id"])
        case.check("predicted overlap is what the workers had cached, 150 requests", not wrong and hits > 50, (hits, wrong[:10]))


def settled(ours, prompt, worker):
    """The events of a request have come: the worker is known to hold the prompt's full blocks. Asking it again for the same adds none."""
    blocks = len(prompt) // 16

    def held():
        headers = [("x-weir-decision", "1"), ("x-dynamo-worker-instance-id", worker)]
        return decision(ask(ours.http, TEXT, text(prompt[:blocks * 16] + "!", max_tokens=1), headers))["candidates"][0]["device"]
    if blocks:
        weir_process.wait_until(lambda: held() >= blocks, 20, "the events of a request")


def options(case):
    """Namespaces, names and the model's folder, as flags and as variables."""
    with Worker(case.folder, "one", DYN_NAMESPACE="red"), Worker(case.folder, "two", DYN_NAMESPACE="blue-a"), Worker(case.folder, "three", DYN_NAMESPACE="blue-b"):
        with weir(case.folder) as every:
            serves(every.http, "one", "two", "three")
            case.check("without a namespace all models are served", True)
        for flags, variables, models in ((["--namespace", "red"], {}, ["one"]), ([], {"DYN_NAMESPACE": "red"}, ["one"]),
                                         (["--namespace-prefix", "blue"], {}, ["two", "three"]), ([], {"DYN_NAMESPACE_PREFIX": "blue"}, ["two", "three"]),
                                         (["--namespace", "red", "--namespace-prefix", "blue-b"], {}, ["three"])):
            with weir(case.folder, *flags, **variables) as some:
                serves(some.http, *models)
                case.check(f"{flags} {variables}: {models}", lists(some.http, *models))
        other = write_model(case.folder / "other")
        config = json.loads((other / "tokenizer_config.json").read_text())
        (other / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": "{{ messages[0].content }}"}))
        for flags, variables in ((["--model-name", "mine", "--model-path", other], {}), ([], {"DYN_MODEL_NAME": "mine", "DYN_MODEL_PATH": str(other)})):
            with weir(case.folder, "--namespace", "red", *flags, **variables) as named:
                serves(named.http, "mine")
                answer = ask(named.http, CHAT, {**chat("abcd"), "model": "mine"}).json()
                case.check(f"{flags} {variables}: served by that name, with that folder's template", answer["usage"]["prompt_tokens"] == 4, answer)
        for flags, variables, heard in ((["--event-plane", "zmq"], {}, 2), ([], {"DYN_EVENT_PLANE": "zmq"}, 2), (["--event-plane", "nats"], {}, 0)):
            with weir(case.folder, "--namespace", "red", "--router-mode", "kv", *flags, **variables) as some:
                serves(some.http, "one")
                prompt = {"model": "one", "prompt": "abcd" * 8 + "x", "max_tokens": 1}
                ask(some.http, TEXT, prompt)

                def device():
                    return decision(ask(some.http, TEXT, prompt, [("x-weir-decision", "1")]))["candidates"][0]["device"]
                if heard:
                    weir_process.wait_until(lambda: device() == heard, 20, "the events")
                case.check(f"{flags} {variables}: {heard} blocks are known of", device() == heard, device())


def codecs_and_ranks(case):
    with Worker(case.folder, "old", DYN_REQUEST_PLANE_CODEC="json"), weir(case.folder) as ours:
        serves(ours.http, "old")
        answer = ask(ours.http, TEXT, {**text(), "model": "old"}).json()
        case.check("a worker that speaks JSON", answer["usage"]["completion_tokens"] == 6, answer)
    with Worker(case.folder, "ranks", "--data-parallel-size", "2"), weir(case.folder, "--router-mode", "kv") as ours:
        serves(ours.http, "ranks")
        body = {**text("abcd" * 20), "model": "ranks"}
        said = decision(ask(ours.http, TEXT, body, [("x-weir-decision", "1")]))
        case.check("each data parallel rank is a candidate", sorted(c["rank"] for c in said["candidates"]) == [0, 1], said)
        for rank in (0, 1):
            said = decision(ask(ours.http, TEXT, body, [("x-weir-decision", "1"), ("x-dynamo-dp-rank", rank)]))
            case.check(f"rank {rank} when asked for", said["candidates"][said["chosen"]]["rank"] == rank, said)


def workers_die(case):
    long = text(max_tokens=20000, stream=True)
    with weir(case.folder) as ours:
        case.check("without any model: 404, no body", (a := ask(ours.http, CHAT, chat())).status == 404 and not a.body, a)
        with Worker(case.folder, "tiny", "--speedup-ratio", "1") as worker:
            serves(ours.http, "tiny")
            with contextlib.closing(http_probe.Connection(ours.http)) as leaver:
                leaver.send_request("POST", TEXT, json.dumps(long), [("content-type", "application/json")])
                weir_process.wait_until(lambda: b"data:" in leaver.buffer or not leaver.more(), 30, "tokens")
            weir_process.wait_until(lambda: decision(ask(ours.http, TEXT, text(max_tokens=1), [("x-weir-decision", "1")]))["candidates"][0]["requests"] == 0,
                                    20, "nothing booked after the client left")
            case.check("a client that leaves takes its booking along", True)
            with contextlib.closing(http_probe.Connection(ours.http)) as c, contextlib.closing(http_probe.Connection(ours.http)) as unary:
                c.send_request("POST", TEXT, json.dumps(long), [("content-type", "application/json")])
                unary.send_request("POST", TEXT, json.dumps({**long, "stream": False}), [("content-type", "application/json")])
                weir_process.wait_until(lambda: b"data:" in c.buffer or not c.more(), 30, "tokens")
                worker.end(signal.SIGKILL)
                answer = c.read_answer()
                last = answer.events()[-2:]
                said = {"error": {"message": "Service temporarily unavailable", "type": "service_unavailable", "code": 503}}
                case.check("the stream ends with the error's frame", json.loads(last[0]) == said and last[1] == "[DONE]", last)
                answer = unary.read_answer()
                case.check("a unary answer is 503", answer.status == 503 and answer.json()["message"] == "Service temporarily unavailable", answer)
        weir_process.wait_until(lambda: lists(ours.http), 40, "no model once its record is old")
        case.check("then 404 without a body again", (a := ask(ours.http, CHAT, chat())).status == 404 and not a.body, a)


def suite(setup, dialect, tls):
    provide.dynamo()
    passed, failed, said = 0, 0, []
    for part in (side_by_side, overlap, options, codecs_and_ranks, workers_die):
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="weir-dynamo-", ignore_cleanup_errors=True) as folder:
            case = Case(pathlib.Path(folder))
            write_model(case.folder / "model")
            try:
                part(case)
            except (AssertionError, OSError, EOFError, subprocess.TimeoutExpired, ValueError, IndexError, KeyError, TypeError) as why:
                case.check(part.__name__, False, f"{type(why).__name__}: {why}")
            if case.failed:
                for log in sorted(case.folder.glob("*.log")):
                    case.said.append(f"--- end of {log.name}\n" + log.read_text(errors="replace")[-1200:])
            passed, failed, said = passed + case.passed, failed + case.failed, said + [f"{part.__name__}, {time.monotonic() - started:.0f} s:"] + case.said
    return (passed, failed, 0), "\n".join(said)
