"""HTTP/2 at the level of frames, for sequences that no client library would send. Words as in tests/abuse/http2.txt."""
import shlex
import struct

from http_probe import Connection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TYPES = {"data": 0, "headers": 1, "priority": 2, "rst": 3, "settings": 4, "push": 5, "ping": 6, "goaway": 7, "window": 8, "continuation": 9}
ERRORS = ["NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM",
          "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"]
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY, ACK = 1, 4, 8, 32, 1


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    kind = TYPES.get(kind, kind) if isinstance(kind, str) else kind
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + bytes([int(kind), flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """One header field, literal, never indexed, without Huffman: the longest but plainest form."""
    def text(s):
        s = s if isinstance(s, bytes) else s.encode()
        n = len(s)
        if n < 127:
            return bytes([n]) + s
        out, n = b"\x7f", n - 127
        while n >= 128:
            out, n = out + bytes([n % 128 + 128]), n // 128
        return out + bytes([n]) + s
    return b"\x10" + text(name) + text(value)


def request_block(method="GET", path="/health", extra=(), leave_out=()):
    fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost")]
    return b"".join(literal(k, v) for k, v in fields if k not in leave_out) + b"".join(literal(k, v) for k, v in extra)


def bytes_of(text):
    """"hex:00ff" or plain text, with *N behind either for a repetition."""
    body, star, count = text.rpartition("*")
    if star and count.isdigit():
        return bytes_of(body) * int(count)
    return bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()


def encode(line):
    """The bytes of one `send:` line; see the head of http2.txt for the words."""
    words = shlex.split(line)
    times = 1
    if words[0] == "repeat":
        times, words = int(words[1]), words[2:]
    kind, bare, named, extra = words[0], set(), {}, []
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals:
            bare.add(word)
        elif key.startswith("+"):
            extra.append((key[1:], bytes_of(value)))
        else:
            named[key] = value
    number = lambda key, otherwise=0: int(named.get(key, otherwise), 0) if isinstance(named.get(key, otherwise), str) else otherwise
    out = b""
    for i in range(times):
        stream = number("stream") + 2 * i * ("next" in bare)
        out += one(kind, bare, named, extra, number, stream)
    return out


def one(kind, bare, named, extra, number, stream):
    flags = number("flags", 0)
    length = number("length") if "length" in named else None
    end = END_STREAM if "end" in bare else 0
    if kind == "preface":
        return PREFACE
    if kind == "bytes":
        return bytes_of(named["text"])
    if kind == "frame":
        return frame(number("type"), flags, stream, bytes_of(named.get("payload", "")), length)
    if kind == "settings":
        if "ack" in bare:
            return frame("settings", ACK, stream, bytes_of(named.get("payload", "")), length)
        pairs = b"".join(struct.pack(">HI", int(k, 0), int(v, 0)) for k, v in named.items() if k[0].isdigit())
        return frame("settings", flags, stream, pairs + bytes_of(named.get("payload", "")), length)
    if kind == "headers":
        if "payload" in named:
            block = bytes_of(named["payload"])
        else:
            block = request_block(named.get("method", "GET"), named.get("path", "/health"), extra, set(filter(None, named.get("without", "").split(","))))
        if "cut" in named:
            block = block[:number("cut")]
        return frame("headers", flags | end | (0 if "more" in bare else END_HEADERS), stream, block, length)
    if kind == "continuation":
        block = bytes_of(named["payload"]) if "payload" in named else b"".join(literal(k, v) for k, v in extra)
        return frame("continuation", flags | (0 if "more" in bare else END_HEADERS), stream, block, length)
    if kind == "data":
        return frame("data", flags | end, stream, bytes_of(named.get("payload", "")), length)
    if kind == "rst":
        return frame("rst", flags, stream, struct.pack(">I", number("code")), length)
    if kind == "window":
        return frame("window", flags, stream, struct.pack(">I", number("add")), length)
    if kind == "ping":
        return frame("ping", ACK if "ack" in bare else flags, stream, bytes_of(named.get("payload", "12345678")), length)
    if kind == "priority":
        return frame("priority", flags, stream, struct.pack(">IB", number("on"), 15), length)
    if kind == "goaway":
        return frame("goaway", flags, stream, struct.pack(">II", 0, number("code")), length)
    raise ValueError(f"unknown word {kind!r}")


class H2(Connection):
    """A connection that reads frames and keeps what it saw."""

    def read_frame(self):
        head = self.read_exactly(9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        return kind, flags, int.from_bytes(head[5:], "big") & 0x7FFFFFFF, self.read_exactly(length)

    def event(self):
        """The next frame as a word of http2.txt, None for those that say nothing about what was sent."""
        kind, flags, stream, payload = self.read_frame()
        if kind == TYPES["goaway"]:
            return f"goaway {ERRORS[int.from_bytes(payload[4:8], 'big')]}"
        if kind == TYPES["rst"]:
            return f"rst {stream} {ERRORS[int.from_bytes(payload, 'big')]}"
        if kind == TYPES["ping"] and flags & ACK:
            return "pong " + payload.decode("latin-1")
        if kind == TYPES["settings"] and flags & ACK:
            return "settings-ack"
        if kind == TYPES["headers"]:
            return f"status {stream} {status_of(payload)}"
        return None


def status_of(block):
    """:status is the first field of every answer: an index of the static table, or a literal of it."""
    while block and block[0] & 0xE0 == 0x20:            # table size updates
        block = block[1:]
    indexed = {0x88: "200", 0x89: "204", 0x8A: "206", 0x8B: "304", 0x8C: "400", 0x8D: "404", 0x8E: "500"}
    if block[0] in indexed:
        return indexed[block[0]]
    length = block[1]
    if length & 0x80:                                   # Huffman: digits are 5 or 6 bits
        return huffman_digits(block[2:2 + (length & 0x7F)])
    return block[2:2 + length].decode("latin-1")


def huffman_digits(data):
    short, long_ = {0: "0", 1: "1", 2: "2"}, {0x19: "3", 0x1A: "4", 0x1B: "5", 0x1C: "6", 0x1D: "7", 0x1E: "8", 0x1F: "9"}
    bits = "".join(f"{b:08b}" for b in data)
    out = ""
    while len(bits) >= 5 and len(out) < 3:
        if int(bits[:5], 2) in short:
            out, bits = out + short[int(bits[:5], 2)], bits[5:]
        else:
            out, bits = out + long_[int(bits[:6], 2)], bits[6:]
    return out
