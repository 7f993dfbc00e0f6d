"""A model hub on this machine: the part of the hub's HTTP API that downloads need, a CDN on another port, and faults on request.

    with Hub() as hub:
        hub.add("org/model", {"config.json": b"{}", "tokenizer.json": b"..."}, large=["tokenizer.json"])
        ... HF_ENDPOINT=hub.endpoint ...
"""
import hashlib
import http.server
import json
import threading
import time
import urllib.parse


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Repo:
    def __init__(self, files, large, token=None, gated=False):
        self.files, self.large, self.token, self.gated = files, set(large), token, gated
        self.commit = hashlib.sha1(json.dumps({n: git_sha1(d) for n, d in files.items()}).encode()).hexdigest()
        self.revisions = {"main": self.commit, self.commit: self.commit}

    def etag(self, name):
        return hashlib.sha256(self.files[name]).hexdigest() if name in self.large else git_sha1(self.files[name])


class Hub:
    def __init__(self):
        self.repos, self.asked, self.lock = {}, [], threading.Lock()
        self.faults = []             # taken one by one: "cut N", "status N", "longer", "slow", "swap", each for one GET of file bytes
        self.tokens_at_cdn = []
        self.servers = [self._serve(Api), self._serve(Cdn)]
        self.endpoint, self.cdn = (f"http://127.0.0.1:{s.server_address[1]}" for s in self.servers)

    def _serve(self, handler):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (handler,), {"hub": self}))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def add(self, repo_id, files, large=(), **more):
        self.repos[repo_id] = Repo(dict(files), large, **more)
        return self.repos[repo_id]

    def fault(self):
        with self.lock:
            return self.faults.pop(0) if self.faults else ""

    def note(self, text):
        with self.lock:
            self.asked.append(text)

    def count(self, text):
        with self.lock:
            return sum(text in line for line in self.asked)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
            server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub = None

    def log_message(self, *_):
        pass

    def answer(self, status, fields=(), body=b""):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in fields):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_file(self, data, fields=()):
        fields = list(fields)
        fault = self.hub.fault() if self.command == "GET" else ""
        if fault.startswith("status"):
            return self.answer(int(fault.split()[1]), [("Retry-After", "0")])
        if fault == "swap":
            data = bytes(len(data))
        status, begin = 200, 0
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and asked.endswith("-"):
            begin = int(asked[6:-1])
            if begin > len(data):
                return self.answer(416, [("Content-Range", f"bytes */{len(data)}")])
            status = 206
            fields.append(("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}"))
        part = data[begin:]
        if fault == "longer":
            part += b"?"
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault.startswith("cut"):
            self.wfile.write(part[:int(fault.split()[1])])
            self.wfile.flush()
            self.close_connection = True
            return
        if fault == "slow":
            for at in range(0, len(part), 256):
                self.wfile.write(part[at:at + 256])
                self.wfile.flush()
                time.sleep(0.001)
            return
        self.wfile.write(part)

    def do_HEAD(self):
        self.do_GET()


class Api(Handler):
    def do_GET(self):
        path = urllib.parse.unquote(self.path.split("?")[0])
        self.hub.note(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
        parts = path.strip("/").split("/")
        repo_id = "/".join(parts[2:4] if parts[:2] == ["api", "models"] else parts[:2])
        repo = self.hub.repos.get(repo_id)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repo is None or (repo.token and token != repo.token):
            return self.answer(401, [("X-Error-Code", "RepoNotFound"), ("X-Error-Message", "Repository not found")])
        if repo.gated:
            return self.answer(403, [("X-Error-Code", "GatedRepo"), ("X-Error-Message", "Access to this model is restricted")])
        if parts[:2] == ["api", "models"]:
            return self.api(repo, repo_id, parts[4:])
        if len(parts) < 5 or parts[2] != "resolve":
            return self.answer(404)
        commit = repo.revisions.get(parts[3])
        if commit is None:
            return self.answer(404, [("X-Error-Code", "RevisionNotFound")])
        self.resolve(repo, repo_id, commit, "/".join(parts[4:]))

    def api(self, repo, repo_id, rest):
        revision = "/".join(rest[1:]) if rest[:1] == ["revision"] else rest[1] if rest[:1] == ["tree"] and len(rest) > 1 else "main"
        commit = repo.revisions.get(revision)
        if commit is None:
            return self.answer(404, [("X-Error-Code", "RevisionNotFound")])
        if rest[:1] == ["tree"]:
            body = []
            for name, data in repo.files.items():
                entry = {"type": "file", "path": name, "oid": git_sha1(data), "size": len(data)}
                if name in repo.large:
                    entry["lfs"] = {"oid": repo.etag(name), "size": len(data), "pointerSize": 130}
                body.append(entry)
        else:
            body = {"id": repo_id, "modelId": repo_id, "sha": commit, "siblings": [{"rfilename": n} for n in repo.files], "private": False, "tags": [],
                    "downloads": 0, "likes": 0}
        self.answer(200, [("Content-Type", "application/json")], json.dumps(body).encode())

    def resolve(self, repo, repo_id, commit, name):
        fields = [("X-Repo-Commit", commit)]
        if name not in repo.files:
            return self.answer(404, [*fields, ("X-Error-Code", "EntryNotFound")])
        if name not in repo.large:
            return self.send_file(repo.files[name], [*fields, ("ETag", f'"{repo.etag(name)}"')])
        self.answer(302, [*fields, ("Location", f"{self.hub.cdn}/{repo_id}/{name}?signature=x"), ("X-Linked-ETag", f'"{repo.etag(name)}"'),
                          ("X-Linked-Size", str(len(repo.files[name])))])


class Cdn(Handler):
    def do_GET(self):
        path = self.path.split("?")[0].strip("/")
        self.hub.note(f"{self.command} cdn/{path} {self.headers.get('Range', '')}".strip())
        if self.headers.get("Authorization"):
            self.hub.tokens_at_cdn.append(self.headers["Authorization"])
        org, model, name = path.split("/", 2)
        self.send_file(self.hub.repos[f"{org}/{model}"].files[name])
