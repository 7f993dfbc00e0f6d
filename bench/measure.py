"""One measurement: workers and load on core 1, one gateway on core 0, a JSON row out."""
import contextlib
import fcntl
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

import peers

GATEWAY_CORE, RIG_CORE = "0", "1"
ASK = json.dumps({"model": "fake", "messages": [{"role": "user", "content": "hi"}]})


@contextlib.contextmanager
def machine_to_ourselves():
    """One benchmark at a time on a machine, whichever clone it runs from."""
    with open(pathlib.Path(tempfile.gettempdir()) / "weir-bench.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            peers.say("waiting for another benchmark to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def own_autogroup():
    """A session of our own is a scheduling group of its own; with rights to it, one that other jobs hardly disturb."""
    if os.getsid(0) != os.getpid():
        if os.getpgrp() == os.getpid():         # a group leader cannot start a session
            child = os.fork()
            if child:
                try:
                    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                except (KeyboardInterrupt, SystemExit):     # the terminal's signals do not reach another session
                    os.kill(child, signal.SIGTERM)
                    os.waitpid(child, 0)
                    os._exit(130)
        os.setsid()
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/autogroup").write_text("-18")


def start(command, log_name, core):
    log = open(peers.FOLDER / "log" / log_name, "wb")
    return subprocess.Popen(["taskset", "-c", core, *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def stop(process):
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(4)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def answers(port, tls):
    context = ssl._create_unverified_context() if tls else None
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=context) if tls else \
        http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("POST", "/v1/chat/completions", ASK, {"content-type": "application/json"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_ready(port, tls, process, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if answers(port, tls):
            return True
        time.sleep(0.05)
    return False


def tree(pid):
    """pid and all its descendants."""
    pids = [pid]
    for parent in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{parent}/task"):
                pids += map(int, pathlib.Path(f"/proc/{parent}/task/{task}/children").read_text().split())
    return pids


def rss_kb(pid):
    total = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{member}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1])
    return total


@contextlib.contextmanager
def running(scenario, gateway):
    """The workers of a scenario and a gateway in front of them; yields (port, pid of what is measured, why not)."""
    ports = f"{peers.WORKER_PORTS[0]}-{peers.WORKER_PORTS[-1]}"
    worker = start([str(peers.FOLDER / "fake_worker"), "--ports", ports, *scenario.worker], "fake_worker.log", RIG_CORE)
    process = None
    try:
        if not wait_ready(peers.WORKER_PORTS[0], False, worker):
            yield 0, 0, "the fake worker does not answer (build/bench/log/fake_worker.log)"
            return
        command, port = gateway.command(scenario.tls), gateway.target(scenario.tls)
        if command:
            process = start(command, f"{gateway.name}.log", GATEWAY_CORE)
            if not wait_ready(port, scenario.tls, process):
                yield 0, 0, f"does not answer (build/bench/log/{gateway.name}.log)"
                return
        yield port, (process or worker).pid, ""
    finally:
        stop(process)
        stop(worker)


def load_command(scenario, port, pid, quick):
    return ["taskset", "-c", RIG_CORE, str(peers.FOLDER / "load_generator"), "--port", str(port), "--pid", str(pid), *scenario.load_args(quick)]


def measure(scenario, gateway, quick):
    """A row: what load_generator prints, and names for its figures that do not depend on the scenario. {'fail': why} otherwise."""
    with running(scenario, gateway) as (port, pid, why):
        if why:
            return {"fail": why}
        idle_kb = rss_kb(pid)
        done = subprocess.run(load_command(scenario, port, pid, quick), capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        return {"fail": done.stderr.strip()}
    row = json.loads(done.stdout)
    if not row["replies"] and not row["tokens"]:
        return {"fail": f"no good reply: {row['error_list']}"}
    connections = int(scenario.load[scenario.load.index("--connections") + 1])
    row["cpu"], row["user"] = row[f"cpu_us_per_{scenario.per}"], row[f"user_us_per_{scenario.per}"]
    row["bytes_per_stream"] = (row["rss_mb"] * 1024 - idle_kb) * 1024 / connections
    row["idle_rss_mb"] = idle_kb / 1024
    row["machine_load"] = os.getloadavg()[0]
    return row


def first_byte_ms(port, begun):
    """Polls until the first byte of a good answer; milliseconds since `begun`, None after ten seconds."""
    request = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(ASK)}\r\n\r\n{ASK}".encode()
    while time.monotonic() - begun < 10:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                connection.sendall(request)
                answer = connection.recv(64)
                if b" 200 " in answer:
                    return (time.monotonic() - begun) * 1e3
        except OSError:
            pass
        time.sleep(0.0005)
    return None


def launch_figures(turns):
    """`weir launch`, one worker, no model, two cores: rows of start to first byte, idle memory, stripped size."""
    port, rows = peers.GATEWAYS["weir"].port, []
    stripped = peers.FOLDER / "weir-stripped"
    subprocess.run(["strip", "-o", str(stripped), str(peers.WEIR)], check=True)
    worker_port = peers.WORKER_PORTS[0]
    worker = start([str(peers.FOLDER / "fake_worker"), "--ports", str(worker_port)], "fake_worker.log", RIG_CORE)
    try:
        if not wait_ready(worker_port, False, worker):
            return [{"fail": "the fake worker does not answer"}]
        for _ in range(turns):
            command = peers.weir_command(port, port + 2, [f"http://127.0.0.1:{worker_port}"], cores=2)
            with open(peers.FOLDER / "log/weir-launch.log", "wb") as log:
                begun = time.monotonic()
                process = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                ms = first_byte_ms(port, begun)
                if ms is None:
                    return [{"fail": "weir does not answer (build/bench/log/weir-launch.log)"}]
                time.sleep(1)
                rows.append({"first_byte_ms": ms, "idle_rss_mb": rss_kb(process.pid) / 1024, "binary_mb": stripped.stat().st_size / 1e6})
            finally:
                stop(process)
    finally:
        stop(worker)
    return rows


def machine_shape():
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown CPU")
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel, distribution = os.uname().release, "unknown distribution"
    with contextlib.suppress(OSError):
        for line in open("/etc/os-release"):
            if line.startswith("PRETTY_NAME="):
                distribution = line.split("=", 1)[1].strip().strip('"')
    virtual = "virtual machine, " if " hypervisor" in open("/proc/cpuinfo").read() else ""
    return f"{cpu}, {os.cpu_count()} cores, {memory_gb:.0f} GB, {virtual}kernel {kernel}, {distribution}"


def version(gateway):
    """What the peer says it is; "" when it cannot be asked."""
    commands = {"haproxy": ["haproxy", "-v"], "nginx": ["nginx", "-v"], "smg": [str(peers.SMG), "--version"], "weir": [str(peers.WEIR), "--version"]}
    if gateway not in commands or not shutil.which(commands[gateway][0]):
        return ""
    done = subprocess.run(commands[gateway], capture_output=True, text=True)
    return (done.stdout or done.stderr).strip().split("\n")[0]
