"""SMG's launcher beside `weir launch`, both in front of the same engine: the same requests, the answers laid side by side.

Compared are status, header fields and bodies after ids, times and lengths are made equal. Where we answer otherwise on
purpose, smg_differences.txt has a line with the reason; a line that no longer applies is a failure too.
"""
import json
import pathlib
import re
import subprocess

import http_probe
import provide
import weir_process
from http_probe import Connection

HERE = pathlib.Path(__file__).resolve().parent
CHAT = "/v1/chat/completions"
# Fields that say when, how long or which connection, not what.
VOLATILE = {"date", "content-length", "transfer-encoding", "connection", "server", "keep-alive"}


def chat(model="test-model", **fields):
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, **fields}


def without(name, **fields):
    return {k: v for k, v in chat(**fields).items() if k != name}


def steps():
    """(name, method, path, body, headers)"""
    get = [("liveness", "/liveness"), ("health", "/health"), ("readiness", "/readiness"), ("models", "/v1/models"), ("model", "/v1/models/test-model"),
           ("model unknown", "/v1/models/nope"), ("unknown path", "/nope"), ("root", "/"), ("chat by GET", CHAT), ("metrics on the main port", "/metrics"),
           ("version", "/version"), ("openapi", "/openapi.json"), ("query is kept apart", "/health?x=1"), ("double slash", "//health"),
           ("upper case path", "/HEALTH"), ("trailing slash", "/health/")]
    yield from ((name, "GET", path, None, []) for name, path in get)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        yield f"chat by {method}", method, CHAT, None, []
    yield "models by POST", "POST", "/v1/models", {}, []
    yield "models by HEAD", "HEAD", "/v1/models", None, []
    bodies = {
        "chat": chat(), "chat stream": chat(stream=True), "chat with usage": chat(stream=True, stream_options={"include_usage": True}),
        "chat unknown field": chat(x_unknown=1), "chat nulls": chat(seed=None, stop=None), "chat n": chat(n=2), "chat stop": chat(stop=["a", "b"]),
        "chat parts": chat(messages=[{"role": "user", "content": [{"type": "text", "text": "hi"}]}]),
        "chat system": chat(messages=[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]),
        "chat tools": chat(tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]),
        "chat unknown model": chat("nope"), "chat unknown model stream": chat("nope", stream=True),
        "chat no model": without("model"), "chat no messages": without("messages"), "chat empty messages": chat(messages=[]),
        "chat messages text": chat(messages="x"), "chat model number": chat(7), "chat temperature 9": chat(temperature=9),
        "chat temperature -1": chat(temperature=-1), "chat top_p 2": chat(top_p=2), "chat n 0": chat(n=0), "chat max_tokens text": chat(max_tokens="x"),
        "chat stream text": chat(stream="yes"), "chat role unknown": chat(messages=[{"role": "wizard", "content": "x"}]),
    }
    yield from ((name, "POST", CHAT, body, []) for name, body in bodies.items())
    raw = {"cut off": '{"model":', "empty": "", "not JSON": "hello", "array": "[]", "two": "{}{}", "trailing": json.dumps(chat()) + "x"}
    yield from ((f"body {name}", "POST", CHAT, text, []) for name, text in raw.items())
    yield "content-type text", "POST", CHAT, json.dumps(chat()), [("content-type", "text/plain")]
    yield "content-type with charset", "POST", CHAT, json.dumps(chat()), [("content-type", "application/json; charset=utf-8")]
    for name in ("x-request-id", "x-correlation-id", "x-trace-id", "request-id"):
        yield f"{name} given", "POST", CHAT, chat(), [(name, "given-1")]
    yield "request id too long", "POST", CHAT, chat(), [("x-request-id", "x" * 200)]
    yield "completions", "POST", "/v1/completions", {"model": "test-model", "prompt": "a", "max_tokens": 3}, []
    yield "completions stream", "POST", "/v1/completions", {"model": "test-model", "prompt": "a", "max_tokens": 3, "stream": True}, []
    yield "completions batch", "POST", "/v1/completions", {"model": "test-model", "prompt": ["a", "b"], "max_tokens": 3}, []
    yield "completions no prompt", "POST", "/v1/completions", {"model": "test-model"}, []
    yield "completions unknown model", "POST", "/v1/completions", {"model": "nope", "prompt": "a"}, []
    yield "embeddings", "POST", "/v1/embeddings", {"model": "test-model", "input": "a"}, []
    yield "embeddings batch", "POST", "/v1/embeddings", {"model": "test-model", "input": ["a", "b"]}, []
    yield "embeddings no input", "POST", "/v1/embeddings", {"model": "test-model"}, []
    yield "embeddings unknown model", "POST", "/v1/embeddings", {"model": "nope", "input": "a"}, []


def start_smg(setup, port, metrics_port):
    smg = provide.smg()
    log = open(setup.folder / "smg.log", "wb")
    process = subprocess.Popen([smg, "launch", "--host", "127.0.0.1", "--port", str(port), "--prometheus-port", str(metrics_port), "--policy", "round_robin",
                                "--worker-urls", setup.engine.url], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=setup.folder,
                               env=weir_process.QUIET_ENV)

    def listed():
        if process.poll() is not None:
            raise AssertionError("smg ended:\n" + (setup.folder / "smg.log").read_text()[-3000:])
        try:
            return "test-model" in http_probe.request(port, "GET", "/v1/models").text
        except OSError:
            return False
    try:
        weir_process.wait_until(listed, 30, "smg lists the model")
    except AssertionError:
        process.kill()
        raise
    return process


def normal_value(value):
    """Ids by their shape, times and worker addresses by a word."""
    # The peer prints the bounds of a range in an order that changes from answer to answer.
    value = re.sub(r"range \[\{(.*?)\}\]", lambda m: "range [{" + ", ".join(sorted(m[1].split(", "))) + "}]", value)
    value = re.sub(r"http://(127\.0\.0\.1|localhost):\d+", "URL", value)
    return re.sub(r"\b(chatcmpl|cmpl|req|resp|gnt|embd)-[0-9A-Za-z-]{8,}", lambda m: f"{m[1]}-ID", value)


def normal_json(thing, key=""):
    if isinstance(thing, dict):
        return {k: normal_json(v, k) for k, v in thing.items()}
    if isinstance(thing, list):
        return [normal_json(v, key) for v in thing]
    if key == "created" and thing:
        return "TIME"
    return normal_value(thing) if isinstance(thing, str) else thing


def normal_body(answer):
    if answer.header("content-type", "").startswith("text/event-stream"):
        return [normal_json(json.loads(e)) if e.startswith("{") else e for e in answer.events()]
    try:
        return normal_json(answer.json())
    except ValueError:
        return normal_value(answer.text)


def ask(port, method, path, body, headers):
    with Connection(port, seconds_max=30) as c:
        c.send_request(method, path, body, headers)
        return c.read_answer(method)


def differences(theirs, ours):
    """(part, theirs, ours) for each part that differs."""
    if theirs.status != ours.status:
        yield "status", theirs.status, ours.status
    there, here = ({k.lower(): normal_value(v) for k, v in a.headers if k.lower() not in VOLATILE} for a in (theirs, ours))
    for name in sorted(set(there) | set(here)):
        if there.get(name) != here.get(name):
            yield f"header {name}", there.get(name), here.get(name)
    a, b = normal_body(theirs), normal_body(ours)
    if a != b:
        yield "body", a, b


def load_differences():
    """name | part | reason; either of the first two may be a regular expression."""
    rows = []
    for line in (HERE / "smg_differences.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, part, reason = (word.strip() for word in line.split(" | ", 2))
            assert reason, f"smg_differences.txt: no reason in {line!r}"
            rows.append([re.compile(name), re.compile(part), reason, 0])
    return rows


def suite(setup, dialect, tls):
    weir = setup.gateway("launch")
    port, metrics_port = weir_process.closed_port(), weir_process.closed_port()
    process = start_smg(setup, port, metrics_port)
    allowed, passed, said = load_differences(), 0, []
    try:
        for name, method, path, body, headers in steps():
            # Bring both to the same place in any turn they take, and compare one answer each.
            theirs, ours = ask(port, method, path, body, headers), ask(weir.http, method, path, body, headers)
            bad = []
            for part, there, here in differences(theirs, ours):
                rows = [row for row in allowed if row[0].fullmatch(name) and row[1].fullmatch(part)]
                for row in rows:
                    row[3] += 1
                if not rows:
                    bad.append(f"  {part}\n    smg:  {json.dumps(there)[:600]}\n    weir: {json.dumps(here)[:600]}")
            if bad:
                said.append(f"FAILED {name}\n" + "\n".join(bad))
            else:
                passed += 1
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    unused = [f"FAILED smg_differences.txt: no longer differs: {row[0].pattern} | {row[1].pattern}" for row in allowed if not row[3]]
    return (passed, len(said) + len(unused), 0), "\n".join(said + unused)
