"""Real Dynamo workers (mockers) whose records are in a real etcd, asked over tcp or a real NATS, heard over NATS: dynamo_probe in front of them.
etcd and NATS are killed and started again under a watch and under load."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import certificates
import dynamo_front_suite as front
import dynamo_suite
import provide
import toy_model
import weir_process
from dynamo_suite import PROBE, Case, whole
from provide import Unavailable
from servers import Etcd, Nats, Server, settle

LEASE_S = 5


class Broker(Server):
    """A ZeroMQ broker: what publishers connect to, and what subscribers do."""

    PROXY = """import sys, zmq
context = zmq.Context()
ends = [context.socket(zmq.XSUB), context.socket(zmq.XPUB)]
for end, address in zip(ends, sys.argv[1:]):
    end.bind(address)
zmq.proxy(*ends)"""

    def __init__(self, folder, name):
        super().__init__(folder, name)
        self.xsub, self.xpub = (f"tcp://127.0.0.1:{weir_process.closed_port()}" for _ in range(2))

    def start(self):
        self.run([provide.dynamo(), "-c", self.PROXY, self.xsub, self.xpub])


class Planes(Case):
    """One deployment: etcd, NATS, and what its workers are told."""

    def __init__(self, folder, requests, events):
        super().__init__(folder)
        self.requests, self.events = requests, events
        self.etcd, self.nats = Etcd(folder), Nats(folder, "max_payload: 8MB", name="nats-planes")
        self.variables = {}

    def worker(self, model, *flags):
        log = self.folder / f"mocker-{len(list(self.folder.glob('mocker-*')))}.log"
        env = {**weir_process.QUIET_ENV, "ETCD_ENDPOINTS": self.etcd.url, "NATS_SERVER": self.nats.url, "ETCD_LEASE_TTL": str(LEASE_S), "HF_HUB_OFFLINE": "1",
               "NO_COLOR": "1", **self.variables}
        command = [provide.dynamo(), "-m", "dynamo.mocker", "--model-path", self.folder / "model", "--model-name", model, "--discovery-backend", "etcd",
                   "--request-plane", self.requests, "--event-plane", self.events, "--speedup-ratio", "20", "--block-size", "16",
                   "--num-gpu-blocks-override", "4096", "--max-num-seqs", "256", *flags]
        with open(log, "wb") as out:
            worker = dynamo_suite.Worker.__new__(dynamo_suite.Worker)
            worker.log = log
            worker.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env)
        return worker

    def start_probe(self, model, *arguments):
        env = {**os.environ, "NATS_SERVER": self.nats.url, **self.variables}
        return subprocess.Popen([str(PROBE), "etcd:" + self.etcd.url, model, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, env=env)

    def probe(self, model, *arguments, seconds_max=90):
        process = self.start_probe(model, *arguments)
        try:
            out = process.communicate(timeout=seconds_max)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"dynamo_probe {arguments} hangs") from None
        if process.returncode:
            raise AssertionError(f"dynamo_probe {arguments}: {process.returncode}")
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def asked_and_heard(case):
    with case.worker("tiny"):
        wanted = {"workers": 1, "ready": True, "kv_channels": 1, "kv_sources": 1}
        weir_process.wait_until(lambda: case.probe("tiny", "workers", 1)[-1] == wanted, 30, "the worker with its event channel and source")
        case.check("a worker is found with its event channel and source", True)
        for codec in ("msgpack", "json"):
            *answers, end = case.probe("tiny", "ask", 1, 40, 8, codec)
            case.check(f"tokens come back, {codec}", whole(answers[0], 8, 40), answers)
        *answers, end = case.probe("tiny", "ask", 200, 33, 20)
        case.check("200 requests at once", len(answers) == 200 and all(whole(a, 20, 33) for a in answers) and end["expected"] == 0, (answers[:3], end))
        *answers, end = case.probe("tiny", "ask", 1, 20000, 4)
        case.check("a long prompt", whole(answers[0], 4, 20000), answers)
        answer, end = case.probe("tiny", "wrong-endpoint")
        case.check("an endpoint that is not there is refused at once", answer["error"] in ("ack_error", "connect_failed"), answer)
        answer, end = case.probe("tiny", "no-tokens")
        case.check("a request the worker drops in silence ends after the prologue time", answer["error"] == "first_byte_timeout", answer)
        left, again, end = case.probe("tiny", "leave")
        case.check("a stream that is left is killed and the next goes on", 0 < left["tokens"] < 50000 and whole(again, 5, 20), (left, again))
        heard = case.probe("tiny", "events", 30, 100)[-1]
        case.check("KV events say what the worker's own dump says", heard["equal"] and heard["blocks"] > 0 and heard["events"] >= 30 and not heard["bad"]
                   and not heard["gaps"] and not heard["orphans"] and heard["before"] == heard["after"] == "dump", heard)


def brokers(case):
    """Events through two ZeroMQ brokers, one of which goes away."""
    with Broker(case.folder, "broker-a") as first, Broker(case.folder, "broker-b") as second:
        case.variables = {"DYN_ZMQ_BROKER_URL": f"xsub={first.xsub};{second.xsub} , xpub={first.xpub};{second.xpub}"}
        with case.worker("brokered"):
            for what in ("two brokers", "one of them"):
                heard = case.probe("brokered", "events", 20, 100)[-1]
                case.check(f"KV events through {what}", heard["equal"] and heard["blocks"] > 0 and heard["events"] >= 20 and not heard["bad"] and not heard["gaps"], heard)
                second.end()


def under_tls(case):
    """Requests and calls home under TLS, certificates both ways."""
    provide.tool("openssl", "openssl")
    ca = certificates.authority(case.folder, "planes-ca")
    key, cert = certificates.signed(case.folder, "planes", ca)
    names = {"CERT": cert, "KEY": key, "CA_CERT": ca[1], "CLIENT_CERT": cert, "CLIENT_KEY": key, "CLIENT_CA_CERT": ca[1]}
    case.variables = {f"DYN_TCP_TLS_{name}_PATH": str(path) for name, path in names.items()} | {"DYN_TCP_TLS_SERVER_NAME": "localhost"}
    with case.worker("tls"):
        *answers, end = case.probe("tls", "ask", 50, 33, 20)
        case.check("50 requests at once under TLS", len(answers) == 50 and all(whole(a, 20, 33) for a in answers), answers[:3])
        left, again, end = case.probe("tls", "leave")
        case.check("a stream that is left is killed and the next goes on", 0 < left["tokens"] < 50000 and whole(again, 5, 20), (left, again))
        other = certificates.authority(case.folder, "other-ca")
        case.variables["DYN_TCP_TLS_CA_CERT_PATH"] = str(other[1])
        answer, end = case.probe("tls", "ask", 1, 33, 20)
        case.check("a worker of another CA is not trusted", answer["error"] == "connect_failed", answer)


def through_weir(case):
    """`weir frontend` itself, told as Dynamo's is: by flags and by its variables."""
    front.write_model(case.folder / "model")
    where = {"ETCD_ENDPOINTS": case.etcd.url, "NATS_SERVER": case.nats.url}
    told = ((["--discovery-backend", "etcd", "--request-plane", case.requests, "--event-plane", case.events], where),
            ([], {**where, "DYN_REQUEST_PLANE": case.requests, "DYN_EVENT_PLANE": case.events}))   # etcd is the default
    with case.worker("tiny") as worker:
        for flags, variables in told:
            with weir_process.gateway("frontend", "--router-mode", "kv", *flags, env=variables) as weir:
                front.serves(weir.http, "tiny")
                answers = [front.ask(weir.http, front.CHAT, front.chat("the same words " * 20)) for _ in range(3)]
                usage = [a.json().get("usage", {}) for a in answers]
                case.check(f"chats are answered ({' '.join(flags) or 'variables'})",
                           all(a.status == 200 and u.get("completion_tokens") == 6 for a, u in zip(answers, usage)), [a.text[:300] for a in answers])
                for server in (case.etcd, case.nats):
                    server.end()
                    server.start()
                again = lambda: front.ask(weir.http, front.CHAT, front.chat()).status == 200
                case.check("and again when etcd and NATS were away", weir_process.wait_until(again, 30, "an answer"))
        with weir_process.gateway("frontend", env=where) as weir:
            front.serves(weir.http, "tiny")
            worker.end(signal.SIGTERM)
            weir_process.wait_until(lambda: front.lists(weir.http), 30, "the model is gone with its worker")
            case.check("a worker that leaves takes its model along", True)


def workers_come_and_go(case):
    with case.worker("many", "--num-workers", "3") as three, case.worker("many") as fourth:
        found = case.probe("many", "workers", 4)[-1]
        case.check("four workers of two processes", found["workers"] == 4, found)
        *answers, end = case.probe("many", "ask", 40, 24, 10)
        case.check("requests to each of them", len(answers) == 40 and all(whole(a, 10, 24) for a in answers), answers[:3])
        waiting, started = case.start_probe("many", "gone"), time.monotonic()
        fourth.end(signal.SIGKILL)
        three.end(signal.SIGTERM)
        try:
            out = waiting.communicate(timeout=60)[0]
        except subprocess.TimeoutExpired:
            waiting.kill()
            out = "still there"
        case.check("a clean end and a killed process both leave", '"workers":0' in out, out)
        case.said.append(f"   gone after {time.monotonic() - started:.1f} s")


def servers_restart(case):
    """What was found stays found, and is found by who comes later."""
    with case.worker("stays"):
        case.probe("stays", "workers", 1)
        gone = case.start_probe("stays", "gone")
        for how in (signal.SIGTERM, signal.SIGKILL):
            case.etcd.end(how)
            case.etcd.start()
            *answers, end = case.probe("stays", "ask", 5, 24, 10)
            case.check(f"etcd restarted ({how.name}): requests go on", len(answers) == 5 and all(whole(a, 10, 24) for a in answers), answers)
        case.check("and nobody was ever gone meanwhile", gone.poll() is None)
        gone.kill()
        gone.wait()
        for how in (signal.SIGTERM, signal.SIGKILL):
            asking = case.start_probe("stays", "ask", "200", "40", "200", "msgpack", "5000")
            settle(0.3)
            case.nats.end(how)
            *answers, end = case.probe("stays", "ask", 20, 24, 10)
            reachable = case.requests == "tcp"
            case.check(f"without NATS ({how.name}) requests " + ("need none" if reachable else "fail with a reason"),
                       len(answers) == 20 and all(whole(a, 10, 24) if reachable else a["error"] == "connect_failed" for a in answers), answers[:3])
            case.nats.start()
            try:
                answers = [json.loads(line) for line in asking.communicate(timeout=60)[0].splitlines()][:-1]
            except subprocess.TimeoutExpired:
                asking.kill()
                answers = []
            known = ("connect_failed", "reset_before_byte", "first_byte_timeout")
            case.check("streams under way then end with their tokens, requests with those or a reason",
                       len(answers) == 200 and all(whole(a, 200, 40) or (not reachable and a["error"] in known) for a in answers),
                       [a for a in answers if not whole(a, 200, 40)][:3] or len(answers))
            case.said.append(f"   {sum(whole(a, 200, 40) for a in answers)} of 200 whole")
            deadline = time.monotonic() + 30
            while True:   # the worker needs its own time to come back
                *answers, end = case.probe("stays", "ask", 5, 24, 10)
                if all(whole(a, 10, 24) for a in answers) or time.monotonic() > deadline:
                    break
            case.check("and then all go on", all(whole(a, 10, 24) for a in answers), answers)


def suite(setup, dialect, tls):
    provide.dynamo(), provide.etcd(), provide.nats_server()
    if not PROBE.exists():
        raise Unavailable(f"no {PROBE}: ninja dynamo_probe")
    passed, failed, said = 0, 0, []
    for requests, events in (("tcp", "zmq"), ("tcp", "nats"), ("nats", "nats")):
        parts = (asked_and_heard, brokers, under_tls) if events == "zmq" else (asked_and_heard, through_weir, workers_come_and_go, servers_restart)
        for part in parts:
            with tempfile.TemporaryDirectory(prefix="weir-planes-", ignore_cleanup_errors=True) as folder, contextlib.ExitStack() as stack:
                case = Planes(pathlib.Path(folder), requests, events)
                toy_model.write(case.folder / "model")
                try:
                    stack.enter_context(case.etcd)
                    stack.enter_context(case.nats)
                    part(case)
                except (AssertionError, subprocess.SubprocessError, json.JSONDecodeError, OSError, IndexError, ValueError) as why:
                    case.check(part.__name__, False, why)
                if case.failed:
                    for log in sorted(case.folder.glob("mocker-*.log")):
                        case.said.append(f"--- end of {log.name}\n" + log.read_text(errors="replace")[-1500:])
                passed, failed = passed + case.passed, failed + case.failed
                said += [f"etcd/{requests}/{events} {part.__name__}:"] + case.said
    return (passed, failed, 0), "\n".join(said)
