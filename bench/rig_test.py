#!/usr/bin/env python3
"""The load generator must not count a wrong reply as a good one: canned servers, right and wrong, and what it says of each.

Run by bench/run before it measures, and by hand: bench/rig_test.py [FOLDER OF THE PROGRAMS]
"""
import concurrent.futures
import json
import pathlib
import socket
import subprocess
import sys
import threading
import unittest

FOLDER = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else
                      pathlib.Path(__file__).resolve().parent.parent / "build/bench")
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ROLE = b'data: {"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
STOP = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


def token(ns):
    return b'data: {"choices":[{"delta":{"content":"T%019d "},"finish_reason":null}]}\n\n' % ns


def chunked(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def whole(body, status=b"200 OK", length=None):
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body) if length is None else length, body)


def completion(content):
    return b'{"choices":[{"message":{"content":"%s"}}],"usage":{"total_tokens":4}}' % content


STREAM = SSE + chunked(ROLE, token(1), token(2), STOP, DONE)
UNARY = whole(completion(b"len=00014 word"))
STREAMS = {      # reply -> what the load generator must find wrong, "" for nothing
    STREAM: "",
    SSE + chunked(ROLE + token(1) + token(2), STOP + DONE): "",
    STREAM.replace(b"transfer-encoding: chunked", b"Transfer-Encoding:chunked"): "",
    SSE + chunked(ROLE, token(1), STOP, DONE): "tokens 1",
    SSE + chunked(ROLE, token(1), token(2), token(3), STOP, DONE): "tokens 3",
    SSE + chunked(ROLE, token(2), token(1), STOP, DONE): "tokens out of order",
    SSE + chunked(token(1), token(2), STOP, DONE): "no role",
    SSE + chunked(ROLE, token(1), token(2), DONE): "no finish_reason",
    SSE + chunked(ROLE, token(1), token(2), STOP): "no [DONE]",
    SSE + chunked(ROLE, token(1), token(2), STOP, DONE, token(3)): "data after [DONE]",
    STREAM[:-9]: "closed within a reply",
    whole(b'{"error":{}}', b"429 Too Many Requests"): "status 429",
    STREAM + b"HTTP": "bytes behind a reply",
    b"SSH-2.0-x\r\n\r\n": "not HTTP",
    b"": "closed before the reply",
}
COMPLETIONS = {
    UNARY: "",
    whole(completion(b"len=00014 worx word")): "content cut",
    whole(completion(b"len=00014 wor")): "content cut",
    whole(completion(b"len=00014 word")[:-1]): "completion cut",
    whole(completion(b"")): "no content",
    UNARY[:-4]: "closed within a reply",
}


def chunk(content, finish=b"null"):
    return b'data: {"choices":[{"delta":{"role":"assistant","content":"%s"},"finish_reason":%s}]}\n\n' % (content, finish)


def told(tokens):
    return b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":%d}}\n\n' % tokens


def said(tokens, finish=b"length", content=b"a b"):
    return whole(b'{"choices":[{"message":{"content":"%s"},"finish_reason":"%s"}],"usage":{"completion_tokens":%d}}' % (content, finish, tokens))


END = chunk(b"", b'"length"')
MODEL_STREAMS = {
    SSE + chunked(chunk(b"a"), chunk(b" b"), END, told(2), DONE): "",
    SSE + chunked(chunk(b"a b"), END, told(2), DONE): "",          # two tokens in one chunk
    SSE + chunked(chunk(b"a"), chunk(b"b"), chunk(b"c"), END, told(2), DONE): "more chunks than tokens",
    SSE + chunked(chunk(b"a"), END, told(1), DONE): "tokens 1",
    SSE + chunked(chunk(b"a"), chunk(b" b"), told(2), DONE): "no finish_reason",
    SSE + chunked(chunk(b"a"), chunk(b" b"), END, told(2)): "no [DONE]",
}
MODEL_COMPLETIONS = {said(2): "", said(1): "tokens 1", said(2, finish=b"stop"): "completion cut", whole(completion(b"a")): "tokens -1"}


class Canned:
    """Answers every request with the same bytes, in pieces of `step`; then closes if that was not a whole good reply."""

    def __init__(self, reply, keep, step):
        self.reply, self.keep, self.step = reply, keep, step
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            while b"\r\n\r\n" in connection.recv(65536):
                for at in range(0, len(self.reply), self.step):
                    connection.sendall(self.reply[at:at + self.step])
                if not self.keep:
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(65536)
                    break
        except OSError:
            pass
        connection.close()


def judge(reply, wrong, stream, step, more=()):
    server = Canned(reply, keep=not wrong, step=step)
    command = [str(FOLDER / "load_generator"), "--port", str(server.port), "--connections", "1", "--seconds", "0.2", "--warm", "0",
               "--tokens", "2", *(["--stream"] if stream else []), *more]
    for _ in range(20):          # on a busy machine nothing may have come to an end in the time
        row = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        if row["replies"] or row["error_list"]:
            break
    server.listener.close()
    return row


class Judgement(unittest.TestCase):
    def check(self, replies, stream, more=()):
        cases = [(reply, wrong, step) for reply, wrong in replies.items() for step in ((65536,) if wrong else (65536, 7, 1))]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            rows = list(pool.map(lambda case: judge(case[0], case[1], stream, case[2], more), cases))
        for (reply, wrong, step), row in zip(cases, rows):
            with self.subTest(reply=reply, wrong=wrong, step=step):
                if wrong:
                    self.assertIn(wrong, row["error_list"])
                    self.assertEqual(row["replies"] > 0, wrong == "bytes behind a reply")
                else:
                    self.assertEqual(row["error_list"], {})
                    self.assertGreater(row["replies"], 0)

    def test_streams(self):
        self.check(STREAMS, stream=True)

    def test_completions(self):
        self.check(COMPLETIONS, stream=False)

    def test_a_models_own_text(self):
        self.check(MODEL_STREAMS, stream=True, more=["--model-text"])
        self.check(MODEL_COMPLETIONS, stream=False, more=["--model-text"])


if __name__ == "__main__":
    unittest.main()
