"""A real etcd (of Debian), watched and written through records_probe: the gateway's own discovery. Killed and started again under it."""
import os
import pathlib
import signal
import subprocess
import tempfile
import threading

import certificates
import provide
import weir_process
from provide import Unavailable
from servers import Etcd, settle

PROBE = pathlib.Path(weir_process.BINARY).parent / "records_probe"


class Watch:
    """One records_probe, or another such program; `lines` is what it printed so far."""

    def __init__(self, endpoints, *records, program=None, **variables):
        self.lines = []
        self.process = subprocess.Popen([str(program or PROBE), endpoints, *records], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, env={**os.environ, **variables})
        threading.Thread(target=lambda: self.lines.extend(line.rstrip("\n") for line in self.process.stdout), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def read(self):
        return list(self.lines)

    def until(self, line, seconds_max=30):
        weir_process.wait_until(lambda: line in self.read(), seconds_max, f"{line!r} told")


class Case:
    def __init__(self):
        self.passed, self.failed, self.said = 0, 0, []

    def check(self, what, holds, shown=""):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        self.said.append(f"{'ok' if holds else 'FAILED'} {what}{'' if holds else f': {shown}'}")


def state_of(lines):
    """What a reader of these lines holds; None when one says something that cannot be."""
    held = {}
    for line in lines:
        if line.startswith("+"):
            key, value = line[1:].split(" ", 1)
            held[key] = value
        elif line.startswith("-"):
            if held.pop(line[1:], None) is None:
                return None
    return held


def listed_and_watched(case, folder):
    with Etcd(folder) as etcd:
        for i in range(700):
            etcd.put(f"v1/instances/ns/backend/generate/{i:x}", f'{{"i":{i}}}')
        etcd.put("v1/unknown/x", "{}")
        with Watch(etcd.url) as watch:
            watch.until("synced")
            case.check("all records are listed, over several pages", state_of(watch.read()) == {k: v for k, v in etcd.keys().items() if "unknown" not in k},
                       len(watch.lines))
            etcd.put("v1/mdc/ns/backend/generate/1", '{"card":1}')
            etcd.delete("v1/instances/ns/backend/generate/7")
            etcd.put("v1/instances/ns/backend/generate/8", '{"moved":8}')
            etcd.put("v1/event_channels/last", "{}")
            watch.until("+v1/event_channels/last {}")
            case.check("changes are told in their order", watch.read()[701:] == ["+v1/mdc/ns/backend/generate/1 {\"card\":1}", "-v1/instances/ns/backend/generate/7",
                       "+v1/instances/ns/backend/generate/8 {\"moved\":8}", "+v1/event_channels/last {}"], watch.read()[701:])
            before = len(watch.lines)
            for how in (signal.SIGTERM, signal.SIGKILL):
                etcd.end(how)
                settle(0.5)
                case.check(f"nobody is removed while etcd is away ({how.name})", len(watch.lines) == before, watch.read()[before:])
                etcd.start()
                etcd.put("v1/mdc/again", f'"{how.name}"')
                watch.until(f'+v1/mdc/again "{how.name}"')
                before += 1
                case.check("and nobody when it is back", len(watch.lines) == before, watch.read()[before - 1:])
            etcd.process.send_signal(signal.SIGSTOP)           # holds its sockets and answers nothing
            settle(0.2)
            etcd.process.send_signal(signal.SIGCONT)
            etcd.put("v1/mdc/again", '"thawed"')
            watch.until('+v1/mdc/again "thawed"')
            watch.process.send_signal(signal.SIGSTOP)          # we are away; etcd forgets what happened meanwhile
            etcd.end(signal.SIGKILL)
            etcd.start()
            etcd.delete("v1/instances/ns/backend/generate/9")
            for i in range(50):
                etcd.put("v1/mdc/busy", str(i))
            etcd.compact()
            watch.process.send_signal(signal.SIGCONT)
            watch.until("+v1/mdc/busy 49")
            weir_process.wait_until(lambda: state_of(watch.read()) == {k: v for k, v in etcd.keys().items() if "unknown" not in k}, 30, "the same records on both sides")
            case.check("behind a compaction the list is the truth", "-v1/instances/ns/backend/generate/9" in watch.read())


def leases(case, folder):
    with Etcd(folder) as etcd, Watch(etcd.url) as watch:
        watch.until("synced")
        with Watch(etcd.url, 'mine={"a":1}', 'mine={"a":2}', ETCD_LEASE_TTL="2") as owner:
            watch.until('+v1/instances/mine {"a":2}')
            case.check("a record may be replaced by its owner", owner.read().count("published") == 2, owner.read())
            with Watch(etcd.url, "mine=0") as other:
                weir_process.wait_until(lambda: any("refused" in line for line in other.read()), 20, "the other is refused")
                case.check("and by nobody else", "refused bad_request " in other.read(), other.read())
            settle(4)
            case.check("it lives beyond its lease's time", watch.read()[-1] == '+v1/instances/mine {"a":2}', watch.read())
            etcd.end(signal.SIGKILL)
            settle(1)
            etcd.start()
            settle(4)
            case.check("and over a restart of etcd", etcd.keys() == {"v1/instances/mine": '{"a":2}'}, etcd.keys())
            owner.process.send_signal(signal.SIGSTOP)
            watch.until("-v1/instances/mine")
            owner.process.send_signal(signal.SIGCONT)
            weir_process.wait_until(lambda: watch.read()[-1] == '+v1/instances/mine {"a":2}', 30, "put back")
            case.check("an owner that slept beyond it publishes anew", True)
            owner.process.stdin.write("retire\n")
            owner.process.stdin.flush()
            owner.until("retired")
            watch.until("-v1/instances/mine")
            case.check("a record that is taken back is gone at once", not etcd.keys(), etcd.keys())
        with Watch(etcd.url, "dies=1", ETCD_LEASE_TTL="2") as owner:
            watch.until("+v1/instances/dies 1")
            owner.process.kill()
            watch.until("-v1/instances/dies")
            case.check("a dead owner's record ends with its lease", True)


def failover(case, folder):
    with Etcd(folder) as etcd:
        with Watch(f"http://127.0.0.1:{weir_process.closed_port()},{etcd.url}") as watch:
            etcd.put("v1/mdc/1", "1")
            watch.until("+v1/mdc/1 1")
            case.check("an address where nobody is is passed over", "synced" in watch.read())
    with Watch(etcd.url) as early:
        settle(1)
        with Etcd(folder, "late") as late:
            pass
        case.check("without etcd nothing is said", not early.read(), early.read())
        etcd.start()
        early.until("synced")
        case.check("and all once it comes", early.read()[0] == "+v1/mdc/1 1", early.read())
        etcd.end()


def authentication(case, folder):
    with Etcd(folder) as etcd:
        root = etcd.with_authentication("weir", "secret")
        etcd.put("v1/mdc/1", "1", root)
        names = {"ETCD_AUTH_USERNAME": "weir", "ETCD_AUTH_PASSWORD": "secret"}
        with Watch(etcd.url, "mine=1", **names) as watch:
            watch.until("+v1/instances/mine 1")
            case.check("user and password", {"+v1/mdc/1 1", "synced", "published"} <= set(watch.read()), watch.read())
            etcd.end()                                         # forgets its tokens
            etcd.start()
            root = etcd.post("auth/authenticate", {"name": "root", "password": "toor"})["token"]
            etcd.put("v1/mdc/2", "2", root)
            watch.until("+v1/mdc/2 2")
            case.check("a token that is no good any more is replaced", "-v1/instances/mine" not in watch.read(), watch.read())
        with Watch(etcd.url, "mine=1", **{**names, "ETCD_AUTH_PASSWORD": "wrong"}) as watch:
            weir_process.wait_until(watch.read, 20, "refused")
            settle(0.5)
            case.check("a wrong password gets nothing", len(watch.read()) == 1 and watch.read()[0].startswith("refused internal"), watch.read())
        with Watch(etcd.url, "mine=1") as watch:
            weir_process.wait_until(watch.read, 20, "refused")
            case.check("nor does none", watch.read()[0].startswith("refused internal"), watch.read())


def tls(case, folder):
    provide.tool("openssl", "openssl")
    ca = certificates.authority(folder, "etcd-ca")
    key, cert = certificates.signed(folder, "etcd-server", ca)
    client_key, client_cert = certificates.signed(folder, "etcd-client", ca, "weir")
    files = {"ETCD_AUTH_CA": str(ca[1]), "ETCD_AUTH_CLIENT_CERT": str(client_cert), "ETCD_AUTH_CLIENT_KEY": str(client_key)}
    with Etcd(folder, tls=(ca[1], key, cert)) as etcd:
        etcd.put("v1/mdc/1", "1")
        for endpoint in (etcd.url, etcd.url.removeprefix("https://")):
            with Watch(endpoint, "mine=1", **files) as watch:
                watch.until("+v1/instances/mine 1")
                case.check(f"TLS with certificates both ways, {endpoint.split('127')[0] or 'no scheme'}", "+v1/mdc/1 1" in watch.read(), watch.read())
        with Watch(etcd.url, "mine=1", ETCD_AUTH_CA=str(ca[1])) as watch:
            weir_process.wait_until(watch.read, 20, "refused")
            case.check("without one it is refused", watch.read()[0].startswith("refused internal"), watch.read())
        other = certificates.authority(folder, "other-ca")
        with Watch(etcd.url, "mine=1", **{**files, "ETCD_AUTH_CA": str(other[1])}) as watch:
            weir_process.wait_until(watch.read, 20, "refused")
            case.check("a server of another CA is not trusted", watch.read()[0].startswith("refused internal"), watch.read())


def run_parts(parts, server):
    """Each part with a folder of its own; one that breaks is a failure of that part alone."""
    case = Case()
    for part in parts:
        with tempfile.TemporaryDirectory(prefix=f"weir-{server}-") as folder:
            case.said.append(f"{part.__name__}:")
            try:
                part(case, pathlib.Path(folder))
            except (AssertionError, OSError, ValueError, IndexError, subprocess.SubprocessError) as why:
                case.check(part.__name__, False, why)
    return (case.passed, case.failed, 0), "\n".join(case.said)


def suite(setup, dialect, uses_tls):
    provide.etcd()
    if not PROBE.exists():
        raise Unavailable(f"no {PROBE}: ninja records_probe")
    return run_parts((listed_and_watched, leases, failover, authentication, tls), "etcd")
