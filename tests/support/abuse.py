"""Reads tests/abuse/*.txt, the tables of raw requests and expected answers. Their format is described at the head of http1.txt."""
import re


class Expected:
    def __init__(self, text):
        self.text, self.wait, self.status, self.close, self.code, self.param = text, text == "wait", 0, False, None, None
        if self.wait:
            return
        what, _, then = text.partition(" ")
        if then not in ("keep", "close"):
            raise ValueError(f"neither keep nor close: {text!r}")
        self.close = then == "close"
        parts = what.split("/")
        self.status = int(parts[0])
        self.code = parts[1] if len(parts) > 1 else None
        self.param = parts[2] if len(parts) > 2 else None


class Case:
    def __init__(self, name, line):
        self.name, self.line, self.data, self.answers = name, line, b"", []


def unescape(text):
    def one(match):
        if match["count"]:
            return unescape(match["piece"]) * int(match["count"])
        if match["hex"]:
            return bytes([int(match["hex"], 16)])
        if match["escape"]:
            return {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}[match["escape"]]
        return match[0].encode("utf-8")
    pattern = r"\{repeat:(?P<count>\d+):(?P<piece>[^}]*)\}|\\x(?P<hex>[0-9a-fA-F]{2})|\\(?P<escape>.)|[^\\{]+|\{"
    return b"".join(one(m) for m in re.finditer(pattern, text, re.S))


def posted(text):
    path, _, body = text.partition(" ")
    body = unescape(body)
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


def load(path):
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        key, _, value = line.partition(" ")
        if not line or line.startswith("#") or key == "note:":
            continue
        if line.startswith("["):
            cases.append(Case(line[1:line.index("]")], number))
        elif key == "send:":
            cases[-1].data += unescape(value)
        elif key == "post:":
            cases[-1].data += posted(value)
        elif key == "expect:":
            cases[-1].answers += [Expected(text) for text in value.split("; ")]
        else:
            raise ValueError(f"{path}:{number}: unknown line {line[:60]!r}")
    return cases
