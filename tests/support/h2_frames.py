"""HTTP/2 at the level of frames, for sequences that no client library would send. The table format is told at the head of tests/abuse/http2.txt."""
import re
import struct

from http_probe import Connection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TYPES = ["data", "headers", "priority", "rst_stream", "settings", "push_promise", "ping", "goaway", "window_update", "continuation"]
FLAGS = {"end_stream": 1, "ack": 1, "end_headers": 4, "padded": 8, "priority": 32}
ERRORS = ["NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM",
          "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"]
PING = b"weirtest"


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    kind = TYPES.index(kind) if kind in TYPES else int(kind, 16)
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def field(name, value):
    """One header field, literal, without indexing, without Huffman: the longest but plainest form."""
    def text(s):
        s, n = s.encode("latin-1"), len(s)
        if n < 127:
            return bytes([n]) + s
        out, n = b"\x7f", n - 127
        while n >= 128:
            out, n = out + bytes([n % 128 | 128]), n // 128
        return out + bytes([n]) + s
    return b"\0" + text(name) + text(value)


def request_fields(method="GET", path="/health", extra=()):
    pairs = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "x"), *extra]
    return b"".join(field(name, value) for name, value in pairs)


def token(text):
    count = 1
    if text[-1] not in ']"' and "*" in text:
        text, _, count = text.rpartition("*")
    elif re.fullmatch(r'(".*"|\[.*\])\*\d+', text):
        text, _, count = text.rpartition("*")
    return one_token(text) * int(count)


def one_token(text):
    if text == "zeros":
        return b"\0"
    if text in ("get", "post"):
        return request_fields(text.upper())
    if text.startswith("u16="):
        return struct.pack(">H", int(text[4:]))
    if text.startswith(("u31=", "u32=")):
        return struct.pack(">I", int(text[4:]))
    if text.startswith('"'):
        return re.sub(r"\\(.)", lambda m: {"r": "\r", "n": "\n"}.get(m[1], m[1]), text[1:-1]).encode("latin-1")
    if text.startswith("["):
        name, _, value = text[1:-1].partition("=") if text[1] != "=" else ("", "", text[2:-1])
        many = re.fullmatch(r"(.)\*(\d+)", value)
        return field(name, many[1] * int(many[2]) if many else value)
    return bytes.fromhex(text)


def words(line):
    return re.findall(r'(?:"(?:\\.|[^"])*"|\[[^\]]*\]|[^ "\[])+', line)


def bytes_of(parts, turn=0):
    """One line of a case as bytes; `turn` counts the rounds of a loop."""
    if parts[0] == "hello":
        return PREFACE + frame("settings")
    if parts[0] == "magic":
        return PREFACE
    if parts[0] == "raw":
        return b"".join(map(token, parts[1:]))
    at = parts.index(":") if ":" in parts else len(parts)
    flags, stream, length = 0, 0, None
    for word in parts[1:at]:
        if word.startswith("stream="):
            stream = int(word[7:].rstrip("+")) + (2 * turn if word.endswith("+") else 0)
        elif word.startswith("len="):
            length = int(word[4:])
        else:
            flags |= FLAGS[word] if word in FLAGS else int(word, 16)
    return frame(parts[0], flags, stream, b"".join(map(token, parts[at + 1:])), length)


class Case:
    def __init__(self, name, line):
        self.name, self.line, self.steps, self.expects = name, line, [(b"", 0)], []       # steps: bytes, stream whose end is awaited then

    def add(self, data):
        self.steps[-1] = (self.steps[-1][0] + data, 0)


def load(path):
    cases, loop, rounds = [], [], 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        parts = words(line)
        if not parts or line.startswith("#"):
            continue
        if parts[0] == "case":
            cases.append(Case(parts[1], number))
        elif parts[0] == "expect":
            cases[-1].expects.append(parts[1:])
        elif parts[0] == "await":
            cases[-1].steps[-1] = (cases[-1].steps[-1][0], int(parts[2]))
            cases[-1].steps.append((b"", 0))
        elif parts[0] == "loop":
            rounds = int(parts[1])
        elif parts[0] == "end" and rounds:
            for turn in range(rounds):
                for inner in loop:
                    cases[-1].add(bytes_of(inner, turn))
            loop, rounds = [], 0
        elif rounds:
            loop.append(parts)
        else:
            cases[-1].add(bytes_of(parts))
    return cases


class H2(Connection):
    """A connection that reads frames and keeps what they said: (kind, stream, word), word a status or an error's name."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.said, self.closed, self.ended = [], False, set()

    def read_frame(self):
        """False at the end of the connection."""
        try:
            head = self.read_exactly(9)
            payload = self.read_exactly(int.from_bytes(head[:3], "big"))
        except EOFError:
            self.closed = True
            return False
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        name = TYPES[kind] if kind < len(TYPES) else f"{kind:#x}"
        if name in ("data", "headers") and flags & 1 or name == "rst_stream":
            self.ended.add(stream)
        word = ""
        if name == "headers":
            word = status_of(payload)
        elif name == "rst_stream":
            word = error_name(payload[:4])
        elif name == "goaway":
            word = error_name(payload[4:8])
        elif name == "ping":
            word = "pong" if flags & 1 and payload == PING else ""
        self.said.append((name, stream, word))
        return True


def error_name(data):
    code = int.from_bytes(data, "big")
    return ERRORS[code] if code < len(ERRORS) else str(code)


def status_of(block):
    """:status is the first field of every answer: an index of the static table, or a literal."""
    while block and block[0] & 0xE0 == 0x20:            # table size updates
        block = block[1:]
    indexed = {0x88: "200", 0x89: "204", 0x8A: "206", 0x8B: "304", 0x8C: "400", 0x8D: "404", 0x8E: "500"}
    if not block or block[0] in indexed:
        return indexed.get(block[0], "") if block else ""
    length = block[1]
    if not length & 0x80:
        return block[2:2 + length].decode("latin-1")
    bits, out = "".join(f"{b:08b}" for b in block[2:2 + (length & 0x7F)]), ""
    while len(bits) >= 5 and len(out) < 3:              # Huffman: the digits 0 to 2 have five bits, the others six
        five = int(bits[:5], 2)
        if five <= 2:
            out, bits = out + str(five), bits[5:]
        else:
            out, bits = out + str(3 + int(bits[:6], 2) - 25), bits[6:]
    return out
