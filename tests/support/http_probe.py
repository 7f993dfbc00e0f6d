"""HTTP for tests, at the level where one sees the bytes. Nothing is hidden: no retries, no redirects, no pool."""
import json
import re
import socket
import ssl
import time

SECONDS_MAX = 20.0


class Answer:
    def __init__(self, status, headers, body, rest=b""):
        self.status, self.headers, self.body, self.rest = status, headers, body, rest

    def header(self, name, otherwise=None):
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return found[0] if found else otherwise

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def events(self):
        """The data fields of a text/event-stream body, in order."""
        return [line[5:].strip() for line in self.text.split("\n") if line.startswith("data:")]

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.body[:300]!r}>"


class Connection:
    """One socket with a buffer. read_answer() takes exactly one response off it and leaves the rest."""

    def __init__(self, port, host="127.0.0.1", tls=None, alpn=None, seconds_max=SECONDS_MAX, unix=None):
        if unix:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(seconds_max)
            self.socket.connect(unix)
        else:
            self.socket = socket.create_connection((host, port), seconds_max)
        if tls:
            context = tls if isinstance(tls, ssl.SSLContext) else unverified_tls()
            if alpn:
                context.set_alpn_protocols(alpn)
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def send_request(self, method, path, body=None, headers=()):
        self.send(request_bytes(method, path, body, headers))

    def more(self):
        try:
            piece = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            piece = b""
        self.buffer += piece
        return piece

    def read_line(self):
        while b"\n" not in self.buffer:
            if not self.more():
                raise EOFError(f"connection ended in a line: {self.buffer!r}")
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def read_exactly(self, count):
        while len(self.buffer) < count:
            if not self.more():
                raise EOFError(f"connection ended after {len(self.buffer)} of {count} bytes")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_head(self):
        status_line = self.read_line().decode("latin-1")
        match = re.match(r"HTTP/1\.[01] (\d{3})(?: |$)", status_line)
        if not match:
            raise AssertionError(f"not a status line: {status_line!r}")
        headers = []
        while True:
            line = self.read_line().decode("latin-1")
            if not line:
                return int(match.group(1)), headers
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))

    def chunks(self):
        """The chunks of a chunked body, as they arrive."""
        while True:
            size = int(self.read_line().split(b";")[0], 16)
            if size == 0:
                while self.read_line():
                    pass
                return
            yield self.read_exactly(size)
            self.read_exactly(2)

    def read_answer(self, method="GET", keep_informational=False):
        status, headers = self.read_head()
        while 100 <= status < 200 and not keep_informational:
            status, headers = self.read_head()
        answer = Answer(status, headers, b"")
        if method == "HEAD" or status in (204, 304) or status < 200:
            return answer
        if "chunked" in answer.header("transfer-encoding", "").lower():
            answer.body = b"".join(self.chunks())
        elif answer.header("content-length") is not None:
            answer.body = self.read_exactly(int(answer.header("content-length")))
        else:
            answer.body = self.read_all()
        return answer

    def read_all(self):
        while self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def at_end(self):
        """True when the peer has closed; waits for it."""
        return not self.buffer and not self.more()

    def closed_now(self, seconds_max=SECONDS_MAX):
        """Reads on until the end, False when it stays open that long."""
        deadline = time.monotonic() + seconds_max
        self.socket.settimeout(seconds_max)
        try:
            while self.more():
                if time.monotonic() > deadline:
                    return False
            return True
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(SECONDS_MAX)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def unverified_tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def request_bytes(method, path, body=None, headers=()):
    headers = list(headers.items() if isinstance(headers, dict) else headers)
    names = {name.lower() for name, _ in headers}
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    elif isinstance(body, str):
        body = body.encode()
    if "host" not in names:
        headers.insert(0, ("host", "localhost"))
    if body is not None and "content-type" not in names:
        headers.append(("content-type", "application/json"))
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        headers.append(("content-length", str(len(body))))
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    return head.encode("utf-8") + (body or b"")


def request(port, method, path, body=None, headers=(), **connection):
    """One request on its own connection."""
    with Connection(port, **connection) as c:
        c.send_request(method, path, body, headers)
        return c.read_answer(method)


def raw(port, data, **connection):
    """Sends the bytes as they are; the first answer, or None when the peer closes without one."""
    with Connection(port, **connection) as c:
        try:
            c.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass                                  # it answered before it had read all: the answer is what counts
        try:
            return c.read_answer()
        except EOFError:
            return None


def chat(model="fake", stream=False, text="hello", **fields):
    return {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream, **fields}


def metrics(port, path="/metrics"):
    """Prometheus text as {(name, ((label, value), ...)): number}."""
    found = {}
    for line in request(port, "GET", path).text.splitlines():
        match = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line)
        if match and not line.startswith("#"):
            labels = tuple(sorted(re.findall(r'(\w+)="((?:\\.|[^"\\])*)"', match.group(2) or "")))
            found[match.group(1), labels] = float(match.group(3))
    return found


def metric(port, name, /, **labels):
    """The sum of the series of that name whose labels include the given ones; None when there is no such series."""
    wanted = {(k, str(v)) for k, v in labels.items()}
    values = [value for (n, have), value in metrics(port).items() if n == name and wanted <= set(have)]
    return sum(values) if values else None
