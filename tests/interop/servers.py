"""A real etcd and a real nats-server on loopback, started, killed and started again by tests."""
import base64
import http.client
import json
import signal
import ssl
import subprocess
import time

import provide
import weir_process


class Server:
    def __init__(self, folder, name):
        self.folder, self.log, self.process = folder, folder / f"{name}.log", None

    def run(self, command):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def end(self, how=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.end()


class Etcd(Server):
    """`tls`: (ca, key, certificate) paths; clients must then show a certificate of that CA."""

    def __init__(self, folder, name="etcd", tls=None):
        super().__init__(folder, name)
        self.name, self.tls = name, tls
        self.port, self.peer_port = weir_process.closed_port(), weir_process.closed_port()
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def start(self):
        peer = f"http://127.0.0.1:{self.peer_port}"
        command = [provide.etcd(), "--name", self.name, "--data-dir", self.folder / f"{self.name}-data", "--listen-client-urls", self.url,
                   "--advertise-client-urls", self.url, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                   "--initial-cluster", f"{self.name}={peer}", "--log-level", "error", "--unsafe-no-fsync"]
        if "--unsafe-no-fsync" not in subprocess.run([provide.etcd(), "--help"], capture_output=True, text=True).stdout:
            command.remove("--unsafe-no-fsync")
        if self.tls:
            ca, key, cert = self.tls
            command += ["--cert-file", cert, "--key-file", key, "--trusted-ca-file", ca, "--client-cert-auth"]
        self.run(command)
        weir_process.wait_until(self.healthy, 30, "etcd is up")

    def healthy(self):
        if self.process.poll() is not None:
            raise AssertionError("etcd ended: " + self.log.read_text(errors="replace")[-1500:])
        try:
            return self.post("maintenance/status", {}).get("leader", "0") != "0"
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def post(self, path, body, token=None):
        """etcd's JSON gateway."""
        if self.tls:
            context = ssl.create_default_context(cafile=str(self.tls[0]))
            context.load_cert_chain(self.tls[2], self.tls[1])
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", f"/v3/{path}", json.dumps(body), {"Content-Type": "application/json", **({"Authorization": token} if token else {})})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise ValueError(f"{path}: {answer.status} {text[:300]}")
        return json.loads(text)

    def put(self, key, value, token=None, lease=0):
        return self.post("kv/put", {"key": encoded(key), "value": encoded(value), "lease": lease}, token)

    def delete(self, key, token=None):
        return self.post("kv/deleterange", {"key": encoded(key)}, token)

    def keys(self, prefix="v1/", token=None):
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        answer = self.post("kv/range", {"key": encoded(prefix), "range_end": encoded(end)}, token)
        return {base64.b64decode(kv["key"]).decode(): base64.b64decode(kv["value"]).decode() for kv in answer.get("kvs", [])}

    def compact(self):
        revision = self.post("kv/range", {"key": encoded("x")})["header"]["revision"]
        self.post("kv/compaction", {"revision": revision})

    def with_authentication(self, user, password):
        """Every user but root may touch v1/ only. Returns root's token."""
        self.post("auth/user/add", {"name": "root", "password": "toor"})
        self.post("auth/user/grant", {"user": "root", "role": "root"})
        self.post("auth/user/add", {"name": user, "password": password})
        self.post("auth/role/add", {"name": "records"})
        self.post("auth/role/grant", {"name": "records", "perm": {"permType": "READWRITE", "key": encoded("v1/"), "range_end": encoded("v10")}})
        self.post("auth/user/grant", {"user": user, "role": "records"})
        self.post("auth/enable", {})
        return self.post("auth/authenticate", {"name": "root", "password": "toor"})["token"]


def encoded(text):
    return base64.b64encode(text.encode()).decode()


class Nats(Server):
    def __init__(self, folder, *lines, name="nats", scheme="nats"):
        super().__init__(folder, name)
        self.config = folder / f"{name}.conf"
        self.port = weir_process.closed_port()
        self.config.write_text("\n".join([f"listen: 127.0.0.1:{self.port}", *lines]) + "\n")
        self.url = f"{scheme}://127.0.0.1:{self.port}"

    def start(self):
        self.run([provide.nats_server(), "-c", self.config])
        weir_process.wait_until(self.listening, 30, "nats-server is up")

    def listening(self):
        if self.process.poll() is not None:
            raise AssertionError("nats-server ended: " + self.log.read_text(errors="replace")[-1500:])
        return "Server is ready" in self.log.read_text(errors="replace").rsplit("Starting nats-server", 1)[-1]


def settle(seconds):
    """For what must not happen."""
    time.sleep(seconds)
