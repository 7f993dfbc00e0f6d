"""Reads tests/abuse/*.txt (the format is described at the head of http1.txt); the same as abuse.h, for end-to-end tests.

for case in abuse.load(path): case.name, case.bytes, case.answers -> [Expected(status, code, param, close, wait)]
"""
import collections
import re

Case = collections.namedtuple("Case", "name bytes answers line")
Expected = collections.namedtuple("Expected", "status code param close wait")    # code None: the parser's answer; "*" or "": any
WAIT = Expected(0, None, "", False, True)
PLAIN = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}


def unescape(text):
    out, at = b"", 0
    while at < len(text):
        repeat = re.match(r"\{repeat:(\d+):([^}]*)\}", text[at:])
        if repeat:
            out += unescape(repeat.group(2)) * int(repeat.group(1))
            at += repeat.end()
        elif text[at] != "\\":
            out += text[at].encode()
            at += 1
        elif text[at + 1] == "x":
            out += bytes.fromhex(text[at + 2:at + 4])
            at += 4
        else:
            out += PLAIN[text[at + 1]]
            at += 2
    return out


def expected(text):
    if text == "wait":
        return WAIT
    what, then = text.rsplit(" ", 1)
    assert then in ("keep", "close"), text
    status, code, param = (what.split("/") + [None, None])[:3]
    return Expected(int(status), code, param or "", then == "close", False)


def posted(text):
    path, _, body = text.partition(" ")
    body = unescape(body)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def load(path):
    cases = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            key, _, value = line.partition(" ")
            if not line or line[0] == "#" or key == "note:":
                continue
            if line[0] == "[":
                cases.append(Case(line[1:line.index("]")], b"", [], number))
            elif key in ("send:", "post:"):
                more = unescape(value) if key == "send:" else posted(value)
                cases[-1] = cases[-1]._replace(bytes=cases[-1].bytes + more)
            elif key == "expect:":
                cases[-1].answers.extend(expected(part) for part in value.split("; "))
            else:
                raise ValueError(f"{path}:{number}: unknown line")
    return cases
