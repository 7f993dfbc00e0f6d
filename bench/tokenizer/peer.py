#!/usr/bin/env python3
"""The same measurement of a peer: `peer.py NAME TOKENIZER TEXT [PASSES]` prints the JSON that encode_bench prints."""
import json
import sys
import time


def documents(path):
    data, out, at = open(path, "rb").read(), [], 0
    while at < len(data):
        size = min(100_000, len(data) - at)
        while at + size < len(data) and (data[at + size] & 0xC0) == 0x80:
            size -= 1
        out.append(data[at : at + size].decode())
        at += size
    return out, len(data)


def encoder(name, path):
    if name == "tokenizers":
        import tokenizers

        made = tokenizers.Tokenizer.from_file(path)
        return lambda text: made.encode(text, add_special_tokens=False).ids
    if name == "fastokens":
        import fastokens

        made = fastokens.Tokenizer.from_file(path)
        return lambda text: made.encode(text, add_special_tokens=False)
    import gigatoken

    made = gigatoken.Tokenizer(path)
    return lambda text: made.encode(text)


def ids_of(answer):
    ids = answer.ids if hasattr(answer, "ids") else answer
    return [int(i) for i in ids]


def hash_of(ids, value):
    for i in ids:
        value = ((value ^ i) * 1099511628211) & 0xFFFFFFFFFFFFFFFF
    return value


def main():
    name, path, text = sys.argv[1:4]
    passes = int(sys.argv[4]) if len(sys.argv) > 4 else 4
    docs, size = documents(text)
    start = time.process_time()
    encode = encoder(name, path)
    encode("x")
    load, times, value, count = time.process_time() - start, [], 14695981039346656037, 0
    for n in range(passes):
        spent = 0.0
        for doc in docs:
            start = time.process_time()
            answer = encode(doc)
            spent += time.process_time() - start
            if n == 0:
                ids = ids_of(answer)
                value, count = hash_of(ids, value), count + len(ids)
        times.append(spent)
    print(json.dumps({"load_ms": round(load * 1e3, 1), "cold": size / times[0] / 1e6, "warm": size / min(times[1:]) / 1e6,
                      "tokens": count, "hash": f"{value:016x}"}))


main()
