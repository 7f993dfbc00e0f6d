"""Starts and stops the real binary for tests: ports from 0, told through --ready-file, everything it prints kept.

    with gateway("launch", workers=[worker.url]) as weir:
        answer = http_probe.request(weir.http, "GET", "/health")

The binary is $WEIR_BIN, else build/release/weir. A start that takes too long or a process that dies
raises with the end of its log, so a failing test says why.
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("WEIR_BIN") or str(ROOT / "build/release/weir")
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 20
# The environment of a caller must not reach into the tests: weir reads its options from there too.
QUIET_ENV = {k: v for k, v in os.environ.items() if not k.startswith(("DYN_", "SMG_", "WEIR_", "HF_", "HUGGING", "TRANSFORMERS_")) and k not in ("http_proxy", "https_proxy")}


def wait_until(probe, seconds_max=10.0, what="the condition"):
    """Polls until probe() gives something true, which it returns. For events that nobody can hand us otherwise."""
    deadline = time.monotonic() + seconds_max
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds_max:g} s; last value {value!r}")
        time.sleep(0.005)


class Weir:
    """One running process. `http` and `metrics` are its ports (equal when they share one)."""

    def __init__(self, command, *flags, env=None, ready=True):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-test-")
        self.ready_file = pathlib.Path(self.folder.name, "ready.json")
        self.log_file = pathlib.Path(self.folder.name, "log.txt")
        self.http = self.metrics = 0
        self.ready = {}
        arguments = [BINARY, command, *map(str, flags)]
        if ready:
            arguments += ["--ready-file", str(self.ready_file)]
        self.arguments = arguments
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                            env={**QUIET_ENV, **(env or {})})
        if ready:
            try:
                self._wait_ready()
            except BaseException:
                self.close()
                raise

    def _wait_ready(self):
        def listening():
            if self.process.poll() is not None:
                raise AssertionError(f"{' '.join(self.arguments)}\nended with {self.process.returncode} before it listened:\n{self.log()}")
            try:
                return json.loads(self.ready_file.read_text())
            except (FileNotFoundError, json.JSONDecodeError):
                return None
        try:
            self.ready = wait_until(listening, START_SECONDS_MAX, "listening")
        except AssertionError as why:
            raise AssertionError(f"{why}\n{self.log()}") from None
        self.http = self.ready.get("http", 0)
        self.metrics = self.ready.get("metrics") or self.http

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http}"

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_file.read_text(errors="replace")[-8000:]

    def log_lines(self):
        return self.log_file.read_text(errors="replace").splitlines()

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds_max=STOP_SECONDS_MAX):
        return self.process.wait(seconds_max)

    def stop(self):
        """Asks it to end, at once (second signal) when it takes its time; returns the exit code."""
        if self.process.poll() is None:
            self.signal()
            try:
                self.process.wait(0.3)
            except subprocess.TimeoutExpired:
                self.signal()
        return self.wait()

    def close(self):
        if self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        text = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        self.folder.cleanup()
        # A sanitizer's report in a process that answered correctly is still a failure.
        if "ERROR: AddressSanitizer" in text or "WARNING: ThreadSanitizer" in text or "runtime error:" in text or "LeakSanitizer" in text:
            print(text[-20000:], file=sys.stderr)
            raise AssertionError("sanitizer report in " + " ".join(self.arguments))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def has_flag(flags, name):
    return any(str(f) == name or str(f).startswith(name + "=") for f in flags)


def gateway(dialect, *flags, workers=(), env=None):
    """A gateway of one dialect in front of static workers (URLs), on free ports of the loopback."""
    if dialect == "frontend":
        base = ["--http-host", "127.0.0.1", "--http-port", "0"]
    else:
        base = ["--host", "127.0.0.1", "--port", "0", "--prometheus-host", "127.0.0.1", "--prometheus-port", "0", "--policy", "round_robin"]
    pairs = [base[i:i + 2] for i in range(0, len(base), 2)]
    base = [word for pair in pairs if not has_flag(flags, pair[0]) for word in pair]
    if workers:
        base += ["--worker-urls", *workers]
    return Weir(dialect, *base, *flags, env=env)


def mocker(*flags, env=None):
    """`weir mocker` on a free port, fast unless the flags say otherwise."""
    base = [] if has_flag(flags, "--speedup-ratio") else ["--speedup-ratio", "1000"]
    if not has_flag(flags, "--port"):
        base += ["--port", "0"]
    return Weir("mocker", *base, *flags, env=env)


def run(*arguments, env=None, seconds_max=20):
    """The binary as a command that ends by itself: (exit code, stdout, stderr)."""
    try:
        done = subprocess.run([BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds_max,
                              env={**QUIET_ENV, **(env or {})})
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{' '.join(map(str, arguments))} still runs after {seconds_max} s") from None
    return done.returncode, done.stdout, done.stderr


def closed_port():
    """A port of the loopback on which nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
