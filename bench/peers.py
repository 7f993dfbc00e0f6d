"""The gateways that are compared: where they come from and how each is started."""
import os
import pathlib
import shutil
import string
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build/bench"
CONF = ROOT / "bench/conf"
SMG_VERSION = "1.13.0"

BASE_PORT = 27000               # workers, then 20 ports per gateway; below the ephemeral range
WORKERS = 4
WORKER_PORTS = range(BASE_PORT + 1, BASE_PORT + 1 + WORKERS)
WORKER_URLS = [f"http://127.0.0.1:{port}" for port in WORKER_PORTS]
CERT, KEY, BOTH = FOLDER / "cert.pem", FOLDER / "key.pem", FOLDER / "cert_and_key.pem"
WEIR, SMG = ROOT / "build/release/weir", FOLDER / "venv/bin/smg"


def weir_command(port, metrics_port, worker_urls=WORKER_URLS, tls=False, cores=1):
    """The one place that knows weir's command line. The access log goes to stdout, which is a file here; metrics are on."""
    certificate = ["--tls-cert-path", str(CERT), "--tls-key-path", str(KEY)] if tls else []
    return [str(WEIR), "launch", "--host", "127.0.0.1", "--port", str(port), "--worker-urls", *worker_urls, "--policy", "round_robin",
            "--cores", str(cores), "--prometheus-port", str(metrics_port), *certificate]


def smg_command(port, tls):
    """Round robin, admission control off (it answers 429 above 4,096 streams), no access lines: cheaper than its default."""
    certificate = ["--tls-cert-path", str(CERT), "--tls-key-path", str(KEY)] if tls else []
    return [str(SMG), "launch", "--host", "127.0.0.1", "--port", str(port), "--worker-urls", *WORKER_URLS, "--policy", "round_robin",
            "--prometheus-port", str(port + 2), "--log-level", "warn", "--max-concurrent-requests", "0", *certificate]


def fill(name, port, server_line):
    """A configuration from bench/conf with its places filled in."""
    servers = "\n".join(server_line.format(number=n, port=p) for n, p in enumerate(WORKER_PORTS, 1))
    text = string.Template((CONF / name).read_text()).substitute(
        port=port, tls_port=port + 1, folder=FOLDER, cert=CERT, key=KEY, cert_and_key=BOTH, servers=servers)
    (FOLDER / name).write_text(text)
    return str(FOLDER / name)


def haproxy_command(port):
    return ["haproxy", "-db", "-f", fill("haproxy.cfg", port, "  server w{number} 127.0.0.1:{port} pool-max-conn 5000")]


def nginx_command(port):
    return ["nginx", "-c", fill("nginx.conf", port, "    server 127.0.0.1:{port};")]


class Gateway:
    """`command(port, tls)`: how to start it, None for the workers themselves. A second port, port + 1, may speak TLS."""

    def __init__(self, name, number, command, present, why_absent, tls_offset=0):
        self.name, self.port, self.tls_offset = name, BASE_PORT + 20 * number, tls_offset
        self._command, self._present, self.why_absent = command, present, why_absent

    def command(self, tls):
        return self._command(self.port, tls) if self._command else None

    def target(self, tls):
        if not self._command:
            return WORKER_PORTS[0]
        return self.port + (self.tls_offset if tls else 0)

    def present(self):
        return self._present()


def on_path(program):
    return lambda: shutil.which(program) is not None


GATEWAYS = {g.name: g for g in (
    Gateway("direct", 1, None, lambda: True, ""),
    Gateway("raw", 2, lambda port, tls: [str(FOLDER / "raw_epoll"), "--port", str(port), "--workers", f"{WORKER_PORTS[0]}-{WORKER_PORTS[-1]}"],
            lambda: (FOLDER / "raw_epoll").exists(), "the rig is not built"),
    Gateway("weir", 3, lambda port, tls: weir_command(port, port + 2, tls=tls), WEIR.exists, "build/release/weir is not built"),
    Gateway("haproxy", 4, lambda port, tls: haproxy_command(port), on_path("haproxy"), "not installed (apt)", tls_offset=1),
    Gateway("smg", 5, smg_command, SMG.exists, f"smg {SMG_VERSION} could not be installed from PyPI"),
    Gateway("nginx", 6, lambda port, tls: nginx_command(port), on_path("nginx"), "not installed (apt)", tls_offset=1),
)}


def say(text):
    print(text, flush=True)


def apt(groups):
    """The packages of tools/packages, through the script that ./run uses. False: some are missing."""
    script = f'set -u; weir_root="{ROOT}"; . "$weir_root/tools/setup.sh"; setup_packages {groups}'
    return subprocess.run(["bash", "-c", script]).returncode == 0


def install_smg():
    if SMG.exists():
        return
    say(f"installing smg {SMG_VERSION} into {SMG.parent.parent.relative_to(ROOT)}")
    log = open(FOLDER / "pip.log", "wb")
    for command in ([sys.executable, "-m", "venv", str(SMG.parent.parent)],
                    [str(SMG.parent / "pip"), "install", "--disable-pip-version-check", f"smg=={SMG_VERSION}"]):
        if subprocess.run(command, stdout=log, stderr=log).returncode != 0:
            return


def make_certificate():
    if BOTH.exists():
        return
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", str(KEY), "-out", str(CERT)], check=True, capture_output=True)
    BOTH.write_bytes(CERT.read_bytes() + KEY.read_bytes())
    os.chmod(BOTH, 0o600)


def build(what, folder, flags, target):
    """Configures and builds one target at low priority; exits with the end of the log when that fails."""
    log_path = FOLDER / f"build-{what}.log"
    with open(log_path, "wb") as log:
        ok = (folder / "build.ninja").exists() or subprocess.run(["cmake", "-S", str(ROOT), "-B", str(folder), "-G", "Ninja", *flags],
                                                                 stdout=log, stderr=log).returncode == 0
        ok = ok and subprocess.run(["ninja", "-C", str(folder), target], stdout=log, stderr=log).returncode == 0
    if not ok:
        tail = "\n".join(log_path.read_text(errors="replace").splitlines()[-25:])
        sys.exit(f"{tail}\nbuilding {what} failed (whole log: {log_path.relative_to(ROOT)})")


def prepare(wanted, with_weir):
    """Makes everything there that can be; returns the gateways of `wanted` that are, and says which are not."""
    (FOLDER / "log").mkdir(parents=True, exist_ok=True)
    if not apt("build bench"):
        say("going on without the missing packages")
    release = ["-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -g1"]
    build("rig", FOLDER, [*release, "-DWEIR_BENCH=ON", "-DWEIR_TESTS=OFF"], "weir_bench")
    if subprocess.run([sys.executable, "-B", str(ROOT / "bench/rig_test.py")], capture_output=True).returncode != 0:
        sys.exit("the load generator misjudges replies: run bench/rig_test.py")
    if with_weir:
        build("weir", ROOT / "build/release", ["--preset", "release"], "weir")
    if "smg" in wanted:
        install_smg()
    make_certificate()
    there = []
    for name in wanted:
        gateway = GATEWAYS[name]
        if gateway.present():
            there.append(name)
        else:
            say(f"skipping {name}: {gateway.why_absent}")
    return there
