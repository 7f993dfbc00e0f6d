#!/usr/bin/env python3
"""Builds and runs the tests: what stands behind ./test once Python and the packages are there.

    test_driver.py                everything (see PLAN_ALL)
    test_driver.py quick          unit tests and tidy on the dev build
    test_driver.py soak           the long forms: fuzzers 60 s each, TSan at full length, churn
    test_driver.py interop        against real counterparts: SDKs, h2spec, curl, SMG
    test_driver.py sim N          N seeds of the simulation, after building what it needs
    test_driver.py REGEX          the ctests of the dev build whose name matches

The last line is `N passed, N failed, N skipped`; the exit code is 0 only when nothing failed.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
CORES = len(os.sched_getaffinity(0))
BUILD_SECONDS_MAX = 45 * 60
TEST_SECONDS_MAX = 300            # one ctest; registered tests may name a longer time themselves
SANITIZER_ENV = {
    "asan": {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=0:allocator_may_return_null=1",
             "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"},
    "tsan": {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"},
}


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures, self.skips = [], []

    def add(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = self.passed + passed, self.failed + failed, self.skipped + skipped

    def fail(self, what):
        self.add(failed=1)
        self.failures.append(what)

    def close(self):
        for text in self.skips:
            print(f"skipped: {text}")
        for text in self.failures:
            print(f"FAILED: {text}")
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed or not (self.passed or self.skipped) else 0


def say(text):
    print(f"== {text}", flush=True)


def run_logged(command, log, seconds_max, env=None):
    """Runs with its output in `log`, prints a sign of life every 30 s, and kills the whole group when time is up."""
    started, last = time.monotonic(), time.monotonic()
    with open(log, "wb") as out:
        child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 env={**os.environ, **(env or {})}, start_new_session=True)
        try:
            while child.poll() is None:
                time.sleep(0.2)
                now = time.monotonic()
                if now - started > seconds_max:
                    raise TimeoutError
                if now - last > 30:
                    last = now
                    print(f"   ... {now - started:.0f} s  {last_line(log)}", flush=True)
        except (TimeoutError, KeyboardInterrupt) as why:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if isinstance(why, KeyboardInterrupt):
                raise
            return None, time.monotonic() - started
    return child.returncode, time.monotonic() - started


def last_line(log):
    lines = pathlib.Path(log).read_bytes()[-2000:].decode(errors="replace").strip().splitlines()
    return lines[-1][:100] if lines else ""


def tail(log, lines):
    return "\n".join(pathlib.Path(log).read_text(errors="replace").splitlines()[-lines:])


def build(totals, preset, targets):
    """Configures once and builds the targets that exist; True when the build stands."""
    folder = BUILD / preset
    logs = BUILD / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    cache = folder / "CMakeCache.txt"
    if not (folder / "build.ninja").exists() or "WEIR_TESTS:BOOL=ON" not in cache.read_text():    # somebody may have built without tests here
        code, _ = run_logged(["cmake", "--preset", preset, "-DWEIR_TESTS=ON"], logs / f"configure-{preset}.log", 600)
        if code != 0:
            print(tail(logs / f"configure-{preset}.log", 40))
            totals.fail(f"configuring build/{preset}")
            return False
    known = subprocess.run(["ninja", "-C", str(folder), "-t", "targets", "all"], capture_output=True, text=True, cwd=ROOT).stdout
    wanted = [t for t in targets if re.search(rf"^{re.escape(t)}: ", known, re.M)]
    log = logs / f"build-{preset}.log"
    code, seconds = run_logged(["ninja", "-C", str(folder), *wanted], log, BUILD_SECONDS_MAX)
    if code != 0:
        print(tail(log, 60))
        totals.fail(f"building build/{preset}" + (" (time is up)" if code is None else ""))
        return False
    say(f"build/{preset} stands after {seconds:.0f} s")
    return True


class BuildAhead:
    """A build at the lowest priority beside tests that mostly wait; build() of the same preset then does the rest."""
    def __init__(self, preset, targets):
        (BUILD / "logs").mkdir(parents=True, exist_ok=True)
        script = 'echo 19 >/proc/self/autogroup; nice cmake --preset "$0" -DWEIR_TESTS=ON && exec nice -n 19 ninja -C "$1" "${@:2}"'
        with open(BUILD / "logs" / f"ahead-{preset}.log", "wb") as out:
            self.child = subprocess.Popen(["bash", "-c", script, preset, str(BUILD / preset), *targets], cwd=ROOT, stdin=subprocess.DEVNULL,
                                          stdout=out, stderr=subprocess.STDOUT, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):                                # ninja ends what it has begun and goes on from there when asked again
        os.killpg(self.child.pid, signal.SIGTERM)
        self.child.wait()


def without_aslr():
    """gcc 12's TSan does not know the address layouts of newer kernels; a fixed layout always works."""
    prefix = ["setarch", os.uname().machine, "-R"]
    if shutil.which("setarch") and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
        return prefix
    return []


def ctest(totals, preset, title, *arguments, env=None, jobs=None):
    folder = BUILD / preset
    report = BUILD / "logs" / f"ctest-{preset}-{re.sub('[^a-z0-9]+', '-', title.lower())}.xml"
    report.unlink(missing_ok=True)
    prefix = without_aslr() if preset == "tsan" else []
    command = [*prefix, "ctest", "--test-dir", str(folder), "-j", str(jobs or CORES), "--timeout", str(TEST_SECONDS_MAX), "--output-on-failure",
               "--no-tests=ignore", "--output-junit", str(report), "--test-output-size-passed", "1000000",
               "--test-output-size-failed", "1000000", *arguments]
    log = report.with_suffix(".log")
    code, seconds = run_logged(command, log, 3600, {**SANITIZER_ENV.get(preset, {}), **(env or {})})
    if not report.exists():
        print(tail(log, 20))
        totals.fail(f"{title}: ctest gave no report")
        return
    before = (totals.passed, totals.failed, totals.skipped)
    failed = count_report(totals, report, f"{title} ({preset})")
    if failed:
        print(failed)
    passed, bad, skipped = (now - then for now, then in zip((totals.passed, totals.failed, totals.skipped), before))
    if code != 0 and not bad:
        totals.fail(f"{title}: ctest ended with {code}")
    if not (passed or bad or skipped):
        totals.fail(f"{title} ({preset}): there was nothing to run")
    say(f"{title} ({preset}): {passed} passed, {bad} failed, {skipped} skipped in {seconds:.0f} s")


def count_report(totals, report, title):
    """Adds up one junit file of ctest; a test binary that says how many cases it ran counts as that many."""
    shown = []
    for case in xml.parse(report).getroot().iter("testcase"):
        name, text, status = case.get("name"), case.findtext("system-out") or "", case.get("status")
        passed, failed, skipped = counts_in(text)
        if status == "run":
            totals.add(max(passed, 0 if skipped else 1), 0, skipped)
        elif status in ("notrun", "disabled") or case.find("skipped") is not None:
            totals.add(0, 0, 1)
            totals.skips.append(f"{title} {name}: {reason_in(text)}")
            continue
        else:
            totals.add(passed, max(failed, 1), skipped)
            totals.failures.append(f"{title} {name}")
            shown.append(f"---- {name}\n" + "\n".join(text.splitlines()[-80:]))
        totals.skips += [f"{name}: {line}" for line in re.findall(r"^skipped: (.*)", text, re.M)]
    return "\n".join(shown)


def counts_in(text):
    """(passed, failed, skipped) as the output of a gtest binary, a unittest file or one of our own runners has them."""
    own = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text, re.M)
    if own:
        return tuple(map(int, own[-1]))
    gtest = re.findall(r"^\[  PASSED  \] (\d+) test", text, re.M)
    if gtest:
        number = lambda word: int((re.findall(rf"^\[  {word} *\] (\d+) tests?,", text, re.M) or [0])[-1])
        return int(gtest[-1]), number("FAILED"), number("SKIPPED")
    ran = re.findall(r"^Ran (\d+) tests? in", text, re.M)
    if ran:
        end = (re.findall(r"^(?:OK|FAILED).*$", text, re.M) or [""])[-1]
        number = lambda word: int((re.findall(rf"{word}=(\d+)", end) or [0])[-1])
        bad, skipped = number("failures") + number("errors"), number("skipped")
        return int(ran[-1]) - bad - skipped, bad, skipped
    return 0, 0, 0


def reason_in(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return re.sub("^skipped: ", "", lines[-1]) if lines else "no reason given"


ALL = ["weir", "weir_tests"]
SANITIZED = ["weir_tests", "weir_fuzzers"]
# What has threads; the other folders are looked at by TSan in soak.
THREADED = ["base", "obs", "net", "fleet", "policy", "kv", "hub", "prepare", "route", "dispatch", "mocker", "gateway", "simulation"]


def kv_threads(operations):
    """The index against its model, from several threads; soak runs ten times what ./test does."""
    return {"WEIR_KV_OPERATIONS": str(operations), "WEIR_KV_SEEDS": "20", "GTEST_FILTER": "IndexModel.SeveralThreads"}


def plan_all(totals):
    if build(totals, "release", ALL):
        ctest(totals, "release", "tidy and unit", "-LE", "e2e|fuzz|doc|slow")
        with BuildAhead("asan", SANITIZED):
            ctest(totals, "release", "e2e", "-L", "e2e", "-LE", "slow", jobs=max(1, CORES // 2))
            ctest(totals, "release", "docs", "-L", "doc")
    if build(totals, "asan", SANITIZED):
        ctest(totals, "asan", "unit", "-L", "unit|sim")
        ctest(totals, "asan", "fuzz", "-L", "fuzz", env={"WEIR_FUZZ_SECONDS": "5"}, jobs=2)
    if build(totals, "tsan", [f"{name}_test" for name in THREADED]):
        ctest(totals, "tsan", "unit", "-R", f"^({'|'.join(THREADED)})$", env={"WEIR_SIM_SEEDS": "200"})
        ctest(totals, "tsan", "kv, a tenth", "-R", "^kv$", "--timeout", "900", env=kv_threads(1_000_000))


def plan_quick(totals):
    if build(totals, "dev", ["weir_tests"]):
        ctest(totals, "dev", "tidy and unit", "-LE", "e2e|fuzz|doc|slow|sim")


def plan_soak(totals):
    if build(totals, "release", ["kv_test"]):
        ctest(totals, "release", "kv, churn", "-R", "^kv$", "--timeout", "900", env={"WEIR_KV_CHURN_SECONDS": "600", "GTEST_FILTER": "IndexChurn.*"})
    if build(totals, "asan", [*ALL, "weir_fuzzers"]):
        ctest(totals, "asan", "fuzz, long", "-L", "fuzz", "--timeout", "900", env={"WEIR_FUZZ_SECONDS": "60"}, jobs=2)
        ctest(totals, "asan", "e2e", "-L", "e2e", "-LE", "slow", jobs=max(1, CORES // 2))
        ctest(totals, "asan", "kv, long", "-R", "^kv$", "--timeout", "3000", env={"WEIR_KV_OPERATIONS": "5000000", "WEIR_KV_SEEDS": "20"})
        ctest(totals, "asan", "sim, long", "-L", "sim", "--timeout", "3000", env={"WEIR_SIM_SEEDS": "20000"})
        ctest(totals, "asan", "churn", "-L", "slow", "--timeout", "1200", env={"WEIR_SOAK": "1"}, jobs=1)
    if build(totals, "tsan", ALL):
        ctest(totals, "tsan", "everything", "-LE", "fuzz|doc", "--timeout", "1200", env={"WEIR_SOAK": "1", "WEIR_SIM_SEEDS": "2000"})
        ctest(totals, "tsan", "kv, long", "-R", "^kv$", "--timeout", "7200", env=kv_threads(10_000_000))
        ctest(totals, "tsan", "route, long", "-R", "^route$", "--timeout", "3000", env={"WEIR_ROUTE_REQUESTS": "1000000"})


def plan_sim(totals, seeds):
    if build(totals, "release", ALL):
        ctest(totals, "release", f"sim {seeds}", "-L", "sim", "--timeout", "36000", env={"WEIR_SIM_SEEDS": str(seeds)})


def plan_regex(totals, regex):
    if build(totals, "dev", [*ALL, "weir_fuzzers"]):
        ctest(totals, "dev", regex, "-R", regex)


def plan_interop(totals):
    if not build(totals, "release", ["weir", "dynamo_probe", "policy_lines"]):
        return
    if not (BUILD / "release/weir").exists():
        totals.add(skipped=1)
        totals.skips.append("interop: there is no weir target yet")
        return
    code = subprocess.run([sys.executable, str(ROOT / "tests/interop/main.py")], cwd=ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True, timeout=40 * 60)
    print(code.stdout, end="")
    passed, failed, skipped = counts_in(code.stdout)
    totals.add(passed, failed, skipped)
    if code.returncode and not failed:
        totals.fail(f"interop ended with {code.returncode}")


def main(arguments):
    totals, started = Totals(), time.monotonic()
    what = arguments[0] if arguments else "all"
    if what == "all":
        plan_all(totals)
    elif what == "quick":
        plan_quick(totals)
    elif what == "soak":
        plan_soak(totals)
    elif what == "interop":
        plan_interop(totals)
    elif what == "sim":
        if len(arguments) != 2 or not arguments[1].isdigit():
            print("usage: ./test sim N", file=sys.stderr)
            return 2
        plan_sim(totals, int(arguments[1]))
    else:
        plan_regex(totals, what)
    say(f"{what}: {time.monotonic() - started:.0f} s")
    return totals.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
