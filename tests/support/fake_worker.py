"""An engine under a test's control: answers probes like any worker, and POSTs by the script that the test gives.

    def half(peer, request):
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")     # then the connection closes

    with FakeWorker(half) as worker: ...

A script returns True to keep the connection; every request that arrives is kept in `worker.requests`.
"""
import json
import select
import socket
import struct
import threading
import time


class Request:
    def __init__(self, method, path, headers, body, connection):
        self.method, self.path, self.headers, self.body, self.connection = method, path, headers, body, connection

    def header(self, name):
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return found[0] if found else None

    def json(self):
        return json.loads(self.body)


class Peer:
    """The worker's side of one connection."""

    def __init__(self, sock, number):
        self.socket, self.number, self.buffer = sock, number, b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def answer(self, status=200, body=b"", content_type="application/json", headers=(), reason="OK"):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        body = body.encode() if isinstance(body, str) else body
        extra = "".join(f"{k}: {v}\r\n" for k, v in headers)
        self.send(f"HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n{extra}\r\n".encode() + body)
        return True

    def start_stream(self, content_type="text/event-stream"):
        self.send(f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n")

    def chunk(self, data):
        data = data.encode() if isinstance(data, str) else data
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end_stream(self):
        self.send(b"0\r\n\r\n")
        return True

    def reset(self):
        """Ends the connection with RST in place of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def gone(self, seconds_max=10.0):
        """Waits for the gateway to close this connection; the seconds it took, or None."""
        started = time.monotonic()
        while True:
            left = seconds_max - (time.monotonic() - started)
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            try:
                if not self.socket.recv(65536):
                    return time.monotonic() - started
            except OSError:
                return time.monotonic() - started

    def _line(self):
        while b"\n" not in self.buffer:
            piece = self.socket.recv(65536)
            if not piece:
                return None
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def _exactly(self, count):
        while len(self.buffer) < count:
            piece = self.socket.recv(1 << 20)
            if not piece:
                raise EOFError
            self.buffer += piece
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_request(self):
        first = self._line()
        if not first:
            return None
        method, path, _ = first.decode("latin-1").split(" ", 2)
        headers = []
        while True:
            line = self._line()
            if line is None:
                return None
            if not line:
                break
            name, _, value = line.decode("utf-8", "surrogateescape").partition(":")
            headers.append((name, value.strip()))
        request = Request(method, path, headers, b"", self.number)
        if request.header("transfer-encoding"):
            pieces = []
            while True:
                size = int(self._line().split(b";")[0], 16)
                if size == 0:
                    while self._line():
                        pass
                    break
                pieces.append(self._exactly(size))
                self._exactly(2)
            request.body = b"".join(pieces)
        else:
            request.body = self._exactly(int(request.header("content-length") or 0))
        return request


def completion(request, text="hi", **fields):
    """A whole chat answer as an engine writes it."""
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": request.json().get("model", "fake"),
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}, **fields}


def event(text=None, finish=None, **fields):
    delta = {} if text is None else {"content": text}
    return "data: " + json.dumps({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "fake",
                                  "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **fields}) + "\n\n"


def polite(peer, request):
    """The default script: answers every POST correctly, streamed when asked to."""
    if b'"stream":true' in request.body.replace(b" ", b""):
        peer.start_stream()
        for word in ("one ", "two ", "three"):
            peer.chunk(event(word))
        peer.chunk(event(finish="stop"))
        peer.chunk("data: [DONE]\n\n")
        return peer.end_stream()
    return peer.answer(body=completion(request))


class FakeWorker:
    def __init__(self, script=polite, model="fake", tls=None):
        self.script, self.model, self.tls = script, model, tls
        self.requests, self.connections, self.errors = [], 0, []
        self._changed = threading.Condition()
        self._peers = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        peer = None
        try:
            sock.settimeout(30)
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            with self._changed:
                self.connections += 1
                peer = Peer(sock, self.connections)
                self._peers.add(peer)
            while True:
                request = peer.read_request()
                if request is None:
                    return
                if request.method == "GET":
                    self._probe(peer, request)
                    continue
                with self._changed:
                    self.requests.append(request)
                    self._changed.notify_all()
                if self.script(peer, request) is not True:
                    return
        except (OSError, EOFError, ValueError) as why:
            self.errors.append(why)
        finally:
            sock.close()
            with self._changed:
                self._peers.discard(peer)
                self._changed.notify_all()

    def _probe(self, peer, request):
        path = request.path.split("?")[0]
        if path == "/v1/models":
            peer.answer(body={"object": "list", "data": [{"id": self.model, "object": "model", "created": 1, "owned_by": "vllm"}]})
        elif path in ("/health", "/health_generate", "/ping"):
            peer.answer(body=b"")
        elif path in ("/get_model_info", "/model_info"):
            peer.answer(body={"model_path": self.model, "is_generation": True})
        else:
            peer.answer(404, b"{}", reason="Not Found")

    def open_connections(self):
        """Numbers of the connections that are open now."""
        with self._changed:
            return {peer.number for peer in self._peers if peer}

    def wait_for(self, count, seconds_max=10.0):
        """Until that many POSTs have arrived."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, seconds_max):
                raise AssertionError(f"{len(self.requests)} of {count} requests arrived within {seconds_max:g} s")
            return self.requests[count - 1]

    def stop_listening(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def close(self):
        self.stop_listening()
        with self._changed:
            peers = list(self._peers)
        for peer in peers:
            try:
                peer.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
