"""A real `python -m dynamo.frontend` in front of `weir mocker --dynamo` workers: file discovery, tcp, ZeroMQ events, loopback only.

The n-th token of an answer follows from the request's seed and its place, so texts are compared whole: an answer that had to change its worker must be
the one that was not disturbed.
"""
import contextlib
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

import http_probe
import provide
import toy_model
import weir_process

MODEL, BLOCK = "tiny", 16


class Deployment:
    """A folder of records, `weir mocker` processes, and one frontend."""

    def __init__(self, stack):
        self.stack = stack
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-interop-", ignore_cleanup_errors=True)))
        self.model = toy_model.write(self.folder / "model")
        self.env = {"DYN_FILE_KV": str(self.folder / "kv")}
        self.port, self.process, self.log = 0, None, self.folder / "frontend.log"

    def workers(self, *flags):
        base = ["--dynamo", "--model-path", self.model, "--model-name", MODEL, "--block-size", str(BLOCK)]
        return self.stack.enter_context(weir_process.Weir("mocker", *base, *flags, env=self.env))

    def frontend(self, *flags):
        self.port = weir_process.closed_port()
        env = {**weir_process.QUIET_ENV, **self.env, "HF_HUB_OFFLINE": "1", "DYN_LOG": "info", "NO_COLOR": "1", "HOME": str(self.folder)}
        command = [provide.dynamo(), "-m", "dynamo.frontend", "--http-host", "127.0.0.1", "--http-port", self.port, "--discovery-backend", "file", *flags]
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
        self.stack.callback(self.end)
        weir_process.wait_until(self.serves, 120, "Dynamo serves the model")

    def end(self):
        self.process.kill()
        self.process.wait()

    def serves(self):
        if self.process.poll() is not None:
            raise AssertionError("Dynamo ended:\n" + self.log.read_text(errors="replace")[-2000:])
        with contextlib.suppress(OSError):
            return MODEL in http_probe.request(self.port, "GET", "/v1/models").text

    def chat(self, content, headers=(), **fields):
        body = {"model": MODEL, "messages": [{"role": "user", "content": content}], **fields}
        return http_probe.request(self.port, "POST", "/v1/chat/completions", body, headers, seconds_max=60)

    def metric(self, name):
        return sum(float(v) for v in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", http_probe.request(self.port, "GET", "/metrics").text, re.M))


class Case:
    def __init__(self):
        self.passed, self.failed, self.said = 0, 0, []

    def check(self, what, holds, shown=""):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        self.said.append(f"{'ok' if holds else 'FAILED'} {what}{'' if holds else f': {str(shown)[:1500]}'}")


def text_of(answer):
    """Of a stream: (text, finish reasons, usage of the last chunk, errors)."""
    chunks = [json.loads(e) for e in answer.events() if e != "[DONE]"]
    errors = [c for c in chunks if "error" in c]
    choices = [c["choices"][0] for c in chunks if c.get("choices")]
    usage = next((c["usage"] for c in reversed(chunks) if c.get("usage")), None)
    return "".join(c["delta"].get("content") or "" for c in choices), [c["finish_reason"] for c in choices if c["finish_reason"]], usage, errors


def worker_of(body):
    return body["nvext"]["worker_id"]["decode_worker_id"]


def answers(case):
    with contextlib.ExitStack() as stack:
        d = Deployment(stack)
        d.workers("--num-workers", "2", "--speedup-ratio", "20")
        d.frontend("--router-mode", "kv")
        unary = d.chat("hello", max_tokens=30, seed=7).json()
        case.check("chat", unary["usage"]["completion_tokens"] == 30 and unary["choices"][0]["finish_reason"] == "length"
                   and unary["choices"][0]["message"]["content"].isalpha(), unary)
        stream = d.chat("hello", max_tokens=30, seed=7, stream=True, stream_options={"include_usage": True})
        text, finish, usage, errors = text_of(stream)
        case.check("a stream says the same", text == unary["choices"][0]["message"]["content"] and finish == ["length"] and not errors
                   and all(usage[k] == unary["usage"][k] for k in ("prompt_tokens", "completion_tokens")), stream.text)
        other = d.chat("hello", max_tokens=30, seed=8).json()
        case.check("another seed says something else", other["choices"][0]["message"]["content"] != text, other)
        ended = d.chat("hello", seed=3).json()
        case.check("an answer ends by itself", ended["choices"][0]["finish_reason"] == "stop" and ended["usage"]["completion_tokens"] > 0, ended)
        scored = d.chat("hello", max_tokens=3, seed=7, logprobs=True, top_logprobs=2).json()["choices"][0]["logprobs"]["content"]
        spelled = "".join(t["token"] for t in scored)
        case.check("log probabilities", [len(t["top_logprobs"]) for t in scored] == [2, 2, 2] and text.startswith(spelled), scored)
        done = http_probe.request(d.port, "POST", "/v1/completions", {"model": MODEL, "prompt": "hello", "max_tokens": 5, "seed": 1}).json()
        case.check("completions", done["usage"]["completion_tokens"] == 5, done)
        bad = d.chat("x" * 40000, max_tokens=5)
        case.check("a prompt beyond the context is refused", 400 <= bad.status < 600, bad)
        many = [None] * 64
        def ask(i):
            many[i] = text_of(d.chat(f"number {i}", max_tokens=50, seed=i, stream=True))
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(many))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        case.check("64 streams at once", all(m and m[1] == ["length"] and not m[3] for m in many) and len({m[0] for m in many}) == 64, many[:2])


def routing(case):
    with contextlib.ExitStack() as stack:
        d = Deployment(stack)
        d.workers("--num-workers", "4", "--speedup-ratio", "20", "--data-parallel-size", "2")
        d.frontend("--router-mode", "kv")
        wants = {"extra_fields": ["worker_id"]}
        prompts = ["".join(chr(97 + (i * 7 + k * k) % 26) for k in range(300)) for i in range(6)]
        first = [d.chat(p, max_tokens=2, nvext=wants).json() for p in prompts]
        cached = lambda answer: answer["usage"]["prompt_tokens_details"]["cached_tokens"]
        case.check("nothing is cached at first", all(cached(a) < 2 * BLOCK for a in first), [a["usage"] for a in first])
        def again():
            # Events travel beside the answers: ask until the frontend knows of them all.
            now = [d.chat(p, max_tokens=2, nvext=wants).json() for p in prompts]
            same = all(worker_of(a) == worker_of(b) for a, b in zip(first, now))
            return same and all(cached(a) >= 300 // BLOCK * BLOCK for a in now)
        case.check("repeated prompts go where their blocks are, which are used", weir_process.wait_until(again, 20, "cached tokens"))
        applied = d.metric("dynamo_component_kv_cache_events_applied")
        case.check("the frontend applied the workers' events", applied > 0, applied)
        d.end()
        d.frontend("--router-mode", "kv")                  # it knows nothing but what the workers tell when asked
        def known():
            now = [d.chat(p, max_tokens=2, nvext=wants).json() for p in prompts]
            return all(worker_of(a) == worker_of(b) for a, b in zip(first, now))
        case.check("a new frontend learns all from the workers' dumps", weir_process.wait_until(known, 20, "the same workers"))


def undisturbed(d, seed, tokens):
    text, finish, _, errors = text_of(d.chat("hello", max_tokens=tokens, seed=seed, stream=True))
    assert finish == ["length"] and not errors
    return text


def migration(case):
    with contextlib.ExitStack() as stack:
        d = Deployment(stack)
        processes = [d.workers("--itl-ms", "4") for _ in range(3)]
        d.frontend("--router-mode", "kv", "--migration-limit", "3")
        tokens = 120
        by_id = {p.ready["workers"][0]["id"]: p for p in processes}
        for kill in (signal.SIGKILL, signal.SIGTERM):
            expected = undisturbed(d, 21, tokens)
            connection = http_probe.Connection(d.port, seconds_max=60)
            connection.send_request("POST", "/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": "hello"}], "max_tokens": tokens,
                                                                     "seed": 21, "stream": True, "nvext": {"extra_fields": ["worker_id"]}})
            begun = re.compile(rb'"decode_worker_id":(\d+)')
            weir_process.wait_until(lambda: connection.more() and connection.buffer.count(b"data:") > 20 and begun.search(connection.buffer), 30, "20 chunks")
            serving = int(begun.search(connection.buffer)[1])
            by_id[serving].signal(kill)
            answer = connection.read_answer("POST")
            connection.close()
            text, finish, _, errors = text_of(answer)
            word = "killed" if kill == signal.SIGKILL else "told to leave"
            case.check(f"a worker is {word} in mid-stream: no token is lost or doubled", text == expected and finish == ["length"] and not errors,
                       (len(text), len(expected), finish, errors))
            if kill == signal.SIGTERM:
                by_id[serving].wait(30)
                case.check("the one that left ended well, and took its records back", by_id[serving].process.returncode == 0
                           and not [p for p in (d.folder / "kv").rglob("*") if f"{serving:x}" in p.name], by_id[serving].log())
            del by_id[serving]
        migrated = d.metric("dynamo_frontend_model_migration_total")
        case.check("the frontend counted one migration", migrated == 1, migrated)


def faults(case):
    with contextlib.ExitStack() as stack:
        d = Deployment(stack)
        # Each worker breaks one of its requests; a worker that failed is left alone for a while, the third one remains.
        d.workers("--itl-ms", "1", "--fault", "drop:after=5,with=fin,nth=2")
        d.workers("--itl-ms", "1", "--fault", "half_chunk:after=9,nth=2")
        d.workers("--itl-ms", "1")
        d.frontend("--router-mode", "round-robin", "--migration-limit", "3")
        weir_process.wait_until(lambda: len(list((d.folder / "kv/v1/mdc").iterdir())) == 3, 20, "three workers")
        expected, texts = None, []
        for _ in range(8):
            text, finish, _, errors = text_of(d.chat("hello", max_tokens=40, seed=5, stream=True))
            expected = expected or text
            texts.append((text == expected, finish, errors))
        case.check("streams that are cut are gone on with elsewhere", all(t == (True, ["length"], []) for t in texts), texts)
        case.check("and two were", d.metric("dynamo_frontend_model_migration_total") == 2, d.metric("dynamo_frontend_model_migration_total"))


def prefill_and_decode(case):
    with contextlib.ExitStack() as stack:
        d = Deployment(stack)
        d.workers("--speedup-ratio", "20", "--is-prefill-worker")
        d.workers("--speedup-ratio", "20", "--disaggregation-mode", "decode")
        d.frontend("--router-mode", "kv")
        def both():
            answer = d.chat("hello", max_tokens=12, seed=7, nvext={"extra_fields": ["worker_id"]})
            ids = answer.json().get("nvext", {}).get("worker_id", {}) if answer.status == 200 else {}
            return answer.json() if ids.get("prefill_worker_id") != ids.get("decode_worker_id") else None
        answer = weir_process.wait_until(both, 30, "both roles serve")
        case.check("a prompt is computed by one worker, its answer by another", answer["usage"]["completion_tokens"] == 12, answer)


def suite(setup, dialect, tls):
    provide.dynamo()
    case = Case()
    for part in (answers, routing, migration, faults, prefill_and_decode):
        case.said.append(f"{part.__name__}:")
        started = time.monotonic()
        try:
            part(case)
        except (AssertionError, KeyError, IndexError, ValueError, OSError, EOFError) as why:
            case.check(part.__name__, False, repr(why))
        case.said.append(f"   {time.monotonic() - started:.0f} s")
    return (case.passed, case.failed, 0), "\n".join(case.said)
