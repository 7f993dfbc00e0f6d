"""Real Dynamo workers (mockers, no GPU) under file discovery and the tcp request plane, asked by dynamo_probe: the gateway's own parts for
discovery, request plane, call-home streams and payloads. Loopback or this machine's own address only."""
import contextlib
import json
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

import provide
import toy_model
import weir_process
from provide import Unavailable

PROBE = pathlib.Path(weir_process.BINARY).parent / "dynamo_probe"


class Worker:
    """One `python -m dynamo.mocker` process."""

    def __init__(self, folder, model, *flags, **variables):
        self.log = folder / f"mocker-{len(list(folder.glob('mocker-*')))}.log"
        env = {**weir_process.QUIET_ENV, "DYN_FILE_KV": str(folder / "kv"), "DYN_DISCOVERY_BACKEND": "file", "HF_HUB_OFFLINE": "1", "NO_COLOR": "1", **variables}
        command = [provide.dynamo(), "-m", "dynamo.mocker", "--model-path", folder / "model", "--model-name", model, "--discovery-backend", "file",
                   "--speedup-ratio", "20", "--block-size", "16", "--num-gpu-blocks-override", "4096", "--max-num-seqs", "256", *flags]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(20)


class Case:
    def __init__(self, folder):
        self.folder, self.passed, self.failed, self.said = folder, 0, 0, []

    def probe(self, model, *arguments, seconds_max=90):
        done = subprocess.run([str(PROBE), str(self.folder / "kv"), model, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=seconds_max)
        if done.returncode:
            raise AssertionError(f"dynamo_probe {arguments}: {done.returncode}\n{done.stderr[-2000:]}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def check(self, what, holds, shown=""):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        self.said.append(f"{'ok' if holds else 'FAILED'} {what}{'' if holds else f': {shown}'}")


def whole(answer, tokens, prompt):
    return (answer["tokens"] == tokens == answer["completion"] and answer["finish"] == "length" and answer["ended"] and not answer["error"]
            and answer["prompt"] == prompt)


def one_worker(case):
    with Worker(case.folder, "tiny"):
        found = case.probe("tiny", "workers", 1)[-1]
        case.check("a worker is found with its event channel and source", found == {"workers": 1, "ready": True, "kv_channels": 1, "kv_sources": 1}, found)
        for codec in ("msgpack", "json"):
            *answers, end = case.probe("tiny", "ask", 1, 40, 8, codec)
            case.check(f"tokens come back, {codec}", whole(answers[0], 8, 40), answers)
        *answers, end = case.probe("tiny", "ask", 200, 33, 20)
        case.check("200 requests at once over few connections", all(whole(a, 20, 33) for a in answers) and len(answers) == 200 and end["connections"] <= 2
                   and end["waiting"] == end["expected"] == 0 and end["called"] == 200, (answers[:3], end))
        *answers, end = case.probe("tiny", "ask", 1, 20000, 4)
        case.check("a long prompt", whole(answers[0], 4, 20000), answers)
        answer, end = case.probe("tiny", "wrong-endpoint")
        case.check("an unknown endpoint is refused at once", answer["error"] == "ack_error" and "unknown endpoint" in answer["reason"], answer)
        answer, end = case.probe("tiny", "no-tokens")
        case.check("a request the worker drops in silence ends after the prologue time", answer["error"] == "first_byte_timeout" and end["expected"] == 0, answer)
        left, again, end = case.probe("tiny", "leave")
        case.check("a stream that is left is killed and the next goes on", 0 < left["tokens"] < 50000 and whole(again, 5, 20), (left, again))
        for count, prompt in ((5, 40), (30, 100)):
            heard = case.probe("tiny", "events", count, prompt)[-1]
            case.check(f"KV events of {count} requests say what the worker's own dump says", heard["equal"] and heard["blocks"] > 0 and heard["events"] >= count
                       and not heard["bad"] and not heard["gaps"] and not heard["orphans"] and heard["before"] == heard["after"] == "dump", heard)
        files = case.probe("tiny", "files")
        case.check("checksums of the card's files are ours", len(files) >= 4 and all(f["size"] and f["blake3"] for f in files), files)


def workers_come_and_go(case):
    with Worker(case.folder, "many", "--num-workers", "4") as four, Worker(case.folder, "many") as fifth:
        found = case.probe("many", "workers", 5)[-1]
        case.check("five workers of two processes", found["workers"] == 5 and found["kv_sources"] == 5, found)
        *answers, end = case.probe("many", "ask", 50, 24, 10)
        case.check("requests to each of them", len(answers) == 50 and all(whole(a, 10, 24) for a in answers), (answers[:3], end))
        waiting = subprocess.Popen([str(PROBE), str(case.folder / "kv"), "many", "gone"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        started = time.monotonic()
        fifth.end(signal.SIGKILL)
        four.end(signal.SIGTERM)
        try:
            out = waiting.communicate(timeout=60)[0]
        except subprocess.TimeoutExpired:
            waiting.kill()
            out = "still there"
        took = time.monotonic() - started
        case.check("a clean end and a killed process both leave", '"workers":0' in out, out)
        case.said.append(f"   gone after {took:.1f} s")
        left = [p for p in (case.folder / "kv").rglob("*") if p.is_file()]
        case.check("the dead worker's records are deleted", not left, left)


def a_worker_dies(case):
    for how, what, error in ((signal.SIGSTOP, "a frozen worker is left after the silence allowed", "lost_mid_stream"),
                             (signal.SIGKILL, "a killed worker's stream is lost, and says so", "lost_mid_stream")):
        name = f"dies-{how.name.lower()}"        # a worker each: one that was frozen for long has lost its records
        with Worker(case.folder, name) as worker:
            case.probe(name, "workers", 1)
            asking = subprocess.Popen([str(PROBE), str(case.folder / "kv"), name, "ask", "1", "40", "50000", "msgpack", "2000"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, text=True)
            weir_process.wait_until(lambda: "request received" in worker.log.read_text(errors="replace"), 30, "a request at the worker")
            worker.process.send_signal(how)
            try:
                answer = json.loads(asking.communicate(timeout=40)[0].splitlines()[0])
            except subprocess.TimeoutExpired:
                asking.kill()
                answer = {"error": "none, it hangs", "ended": None}
            case.check(what, answer["error"] in (error, "reset_before_byte", "first_byte_timeout") and not answer["ended"], answer)
            worker.process.send_signal(signal.SIGCONT)


def roles(case):
    with Worker(case.folder, "pd", "--disaggregation-mode", "decode"):
        late = subprocess.Popen([str(PROBE), str(case.folder / "kv"), "pd", "workers", "2"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        with Worker(case.folder, "pd", "--disaggregation-mode", "prefill"):
            try:
                out = late.communicate(timeout=60)[0]
            except subprocess.TimeoutExpired:
                late.kill()
                out = "never ready"
            case.check("a decode worker is ready when a prefill worker is there", '"workers":2,"ready":true' in out, out)


def small_port():
    """Dynamo reads its system port into 16 bits with a sign."""
    for port in range(20000, 32000):
        with contextlib.closing(socket.socket()) as s:
            try:
                s.bind(("0.0.0.0", port))
                return port
            except OSError:
                pass
    raise Unavailable("no free port below 32768")


def files_of_workers(case):
    """A worker with a system port serves its card's files itself."""
    with Worker(case.folder, "served", DYN_SYSTEM_PORT=str(small_port())):
        answer = case.probe("served", "fetch", case.folder / "cache")[-1]
        case.check("the card names URLs", answer["from"].startswith("http://"), answer)
        same = not answer["error"] and all((pathlib.Path(answer["folder"]) / name).read_bytes() == data for name, data in toy_model.files().items())
        case.check("and the files come from there", same, answer)
    with Worker(case.folder, "local"):
        answer = case.probe("local", "fetch", case.folder / "cache2")[-1]
        same = not answer["error"] and all((pathlib.Path(answer["folder"]) / name).read_bytes() == data for name, data in toy_model.files().items())
        case.check("or from the worker's local folder", same and not answer["from"].startswith("http"), answer)


def suite(setup, dialect, tls):
    provide.dynamo()
    if not PROBE.exists():
        raise Unavailable(f"no {PROBE}: ninja dynamo_probe")
    passed, failed, said = 0, 0, []
    for part in (one_worker, workers_come_and_go, a_worker_dies, roles, files_of_workers):
        with tempfile.TemporaryDirectory(prefix="weir-dynamo-", ignore_cleanup_errors=True) as folder:
            case = Case(pathlib.Path(folder))
            toy_model.write(case.folder / "model")
            try:
                part(case)
            except (AssertionError, subprocess.TimeoutExpired, json.JSONDecodeError, IndexError, ValueError) as why:
                case.check(part.__name__, False, why)
            if case.failed:
                for log in sorted(case.folder.glob("mocker-*.log")):
                    case.said.append(f"--- end of {log.name}\n" + log.read_text(errors="replace")[-1500:])
            passed, failed, said = passed + case.passed, failed + case.failed, said + [f"{part.__name__}:"] + case.said
    return (passed, failed, 0), "\n".join(said)
