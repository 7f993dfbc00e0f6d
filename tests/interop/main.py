#!/usr/bin/env python3
"""Runs the suites against real counterparts, each before gateways of both dialects. See README.md beside this file.

    main.py [WORD...]      only the suites whose name contains one of the words
"""
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE)]
import certificates  # noqa: E402
import http_probe  # noqa: E402
import provide  # noqa: E402
import weir_process  # noqa: E402
from provide import Unavailable  # noqa: E402

MODEL = "test-model"


class Setup:
    """One engine of ours, and the gateways in front of it."""

    def __init__(self, stack):
        self.stack = stack
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-interop-")))
        # Slow enough that a long stream is still under way when a client leaves it.
        self.engine = stack.enter_context(weir_process.mocker("--model-name", MODEL, "--speedup-ratio", "5", "--max-model-len", "1000000"))
        self._gateways, self._certificates = {}, None

    @property
    def certificates(self):
        if not self._certificates:
            provide.tool("openssl", "openssl")
            ca = certificates.authority(self.folder, "interop-ca")
            self._certificates = (ca, certificates.signed(self.folder, "server", ca))
        return self._certificates

    def gateway(self, dialect, tls=False):
        if (dialect, tls) not in self._gateways:
            flags = []
            if tls:
                _, (key, cert) = self.certificates
                flags = ["--tls-cert-path", cert, "--tls-key-path", key]
            weir = self.stack.enter_context(weir_process.gateway(dialect, *flags, workers=[self.engine.url]))
            context = http_probe.unverified_tls() if tls else None
            weir_process.wait_until(lambda: MODEL in http_probe.request(weir.http, "GET", "/v1/models", tls=context).text, 20, "the model listed")
            self._gateways[dialect, tls] = weir
        return self._gateways[dialect, tls]

    def url(self, dialect, tls=False):
        return f"http{'s' if tls else ''}://localhost:{self.gateway(dialect, tls).http}"

    def sdk_env(self, dialect, tls):
        env = {**os.environ, "INTEROP_URL": self.url(dialect, tls), "INTEROP_MODEL": MODEL, "INTEROP_DIALECT": dialect,
               "INTEROP_ENGINE_METRICS": f"http://127.0.0.1:{self.engine.http}/metrics"}
        if tls:
            ca = str(self.certificates[0][1])
            env |= {"SSL_CERT_FILE": ca, "NODE_EXTRA_CA_CERTS": ca}
        return env


def run(command, seconds_max, **options):
    """(exit code, output); a suite that hangs is a failure with what it said so far."""
    try:
        done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=seconds_max, **options)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        return 1, (late.stdout or b"").decode(errors="replace") + f"\nstill running after {seconds_max} s\n"


def sdk_python(setup, dialect, tls):
    python = provide.python_sdk()
    return unittest_counts(*run([python, HERE / "sdk_python.py"], 180, env=setup.sdk_env(dialect, tls)))


def sdk_node(setup, dialect, tls):
    node, folder = provide.node()
    script = folder / "sdk_node.mjs"                       # where it finds the SDK
    script.write_text((HERE / "sdk_node.mjs").read_text())
    code, text = run([node, script], 180, env=setup.sdk_env(dialect, tls), cwd=folder)
    match = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text, re.M)
    counts = tuple(map(int, match[-1])) if match else (0, 1, 0)
    return counts, text


def run_command(setup, dialect, tls):
    """./run, as a stranger types it, answers the SDK."""
    python, log = provide.python_sdk(), setup.folder / "run.log"
    port = weir_process.closed_port()
    with open(log, "wb") as out:
        started = subprocess.Popen(["./run", "--http-port", str(port)], cwd=HERE.parent.parent, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, env=weir_process.QUIET_ENV, start_new_session=True)
    try:
        weir_process.wait_until(lambda: "weir listens" in log.read_text() or started.poll() is not None, 900, "./run says that it listens")
        text = log.read_text()
        if started.poll() is not None or f"http://localhost:{port}/docs" not in text:
            return (0, 1, 0), text[-4000:]
        model = re.search(r'"model":"([^"]+)"', text)[1]
        env = {**os.environ, "INTEROP_URL": f"http://localhost:{port}", "INTEROP_MODEL": model, "INTEROP_DIALECT": "frontend"}
        return unittest_counts(*run([python, HERE / "sdk_python.py", "Chat", "Others"], 180, env=env))
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, 9)
            started.wait()


def unittest_counts(code, text):
    ran = re.findall(r"^Ran (\d+) tests? in", text, re.M)
    if not ran:
        return (0, 1, 0), text
    end = (re.findall(r"^(?:OK|FAILED).*$", text, re.M) or [""])[-1]
    number = lambda word: int((re.findall(rf"{word}=(\d+)", end) or [0])[-1])
    failed, skipped = number("failures") + number("errors"), number("skipped")
    if code and not failed:
        failed = 1
    return (max(0, int(ran[-1]) - failed - skipped), failed, skipped), text


def h2spec(setup, dialect, tls):
    """Cases that we answer otherwise are listed in h2spec_exceptions.txt with the sentence of RFC 9113 that says so."""
    binary = provide.h2spec()
    excepted = {}
    for line in (HERE / "h2spec_exceptions.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            case, _, reason = line.partition(" ")
            case, _, only = case.partition("@")
            if only in ("", "tls" if tls else "h2c"):
                excepted[case] = reason.strip()
    weir, junit = setup.gateway(dialect, tls), setup.folder / f"h2spec-{dialect}-{tls}.xml"
    command = [binary, "--strict", "-h", "localhost" if tls else "127.0.0.1", "-p", str(weir.http), "-P", "/openapi.json", "-o", "3", "-j", junit]
    code, text = run(command + (["-t", "-k"] if tls else []), 300)
    return h2spec_counts(junit, excepted, text)


def h2spec_counts(junit, excepted, text):
    import xml.etree.ElementTree as xml
    if not junit.exists():
        return (0, 1, 0), text
    passed = failed = 0
    said, met = [], set()
    for suite in xml.parse(junit).getroot().iter("testsuite"):
        number = 0
        for case in suite.iter("testcase"):
            number += 1
            name = f"{case.get('package')}/{number}"
            bad = case.find("failure") is not None or case.find("error") is not None
            if bad and name in excepted:
                met.add(name)
                passed += 1
                said.append(f"excepted: {name}: {excepted[name]}")
            elif bad:
                failed += 1
                said.append(f"FAILED {name} {case.get('classname')}\n{''.join(case.itertext()).strip()[:600]}")
            else:
                passed += 1
    for name in set(excepted) - met:
        failed += 1
        said.append(f"FAILED {name} is listed as an exception but passes: take it off the list")
    return (passed, failed, 0), "\n".join(said)


def other(module):
    def suite(setup, dialect, tls):
        return __import__(module).suite(setup, dialect, tls)
    return suite


BOTH = [("frontend", False), ("launch", False)]
ALL = BOTH + [("frontend", True), ("launch", True)]
SUITES = [("./run", run_command, [("frontend", False)]), ("Python SDK", sdk_python, ALL), ("Node SDK", sdk_node, ALL), ("h2spec", h2spec, [("launch", False), ("launch", True)]),
          ("curl", other("curl_suite"), ALL), ("h2load", other("h2load_suite"), [("launch", False), ("launch", True)]),
          ("SMG side by side", other("smg_peer"), [("launch", False)]), ("SMG's picks", other("policies_suite"), [("launch", False)]),
          ("Dynamo's picks", other("kv_picks_suite"), [("frontend", False)]), ("vocabulary formats", other("formats_live"), [("launch", False)]),
          ("folders without a tokenizer.json", other("folders_live"), [("launch", False)]),
          ("hub cache", other("hub_suite"), [("launch", False)]),
          ("chat templates", other("templates_live"), [("launch", False)]), ("tokenizers", other("tokenizers_suite"), [("launch", False)]),
          ("etcd", other("etcd_suite"), [("frontend", False)]), ("NATS", other("nats_suite"), [("frontend", False)]),
          ("Dynamo workers over etcd and NATS", other("dynamo_planes_suite"), [("frontend", False)]),
          ("Dynamo workers", other("dynamo_suite"), [("frontend", False)]), ("Dynamo's frontend", other("dynamo_front_suite"), [("frontend", False)]),
          ("workers for Dynamo", other("mock_workers_suite"), [("frontend", False)]), ("Dynamo's engine", other("engine_model_suite"), [("frontend", False)])]


def main(words):
    total, skips = [0, 0, 0], []
    with contextlib.ExitStack() as stack:
        setup = Setup(stack)
        for name, suite, variants in SUITES:
            if words and not any(w.lower() in name.lower() for w in words):
                continue
            for dialect, tls in variants:
                title, started = f"{name}, {dialect}{', TLS' if tls else ''}", time.monotonic()
                try:
                    counts, text = suite(setup, dialect, tls)
                except Unavailable as why:
                    total[2] += 1
                    skips.append(f"{title}: {why}")
                    print(f"== {title}: skipped: {why}", flush=True)
                    continue
                except AssertionError as why:
                    counts, text = (0, 1, 0), str(why)
                except Exception:                           # a suite that breaks must not hide the others
                    counts, text = (0, 1, 0), traceback.format_exc()
                total = [a + b for a, b in zip(total, counts)]
                if counts[1] or words:
                    print(text)
                else:
                    print("".join(f"   {line}\n" for line in text.splitlines() if line.startswith(("abort seen", "excepted:", "skipped:"))), end="")
                print(f"== {title}: {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped in {time.monotonic() - started:.0f} s", flush=True)
    for line in skips:
        print(f"skipped: {line}")
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
