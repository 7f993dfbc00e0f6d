#!/usr/bin/env python3
"""`weir tokenize` and `weir detokenize` beside PyPI `tokenizers`, live: ids, ids with special tokens, offsets, decodes and streams.

Runs with a Python that has the library (tokenizers_suite.py makes one). Two parts: the reference folder's tokenizer files (WEIR_REFERENCE_DIR) on
random texts, and small tokenizers trained with random settings of every component. Prints its seed; WEIR_SEED=N repeats a run, TEXTS_COUNT=N
and TOKENIZERS_COUNT=N set how much. Where the library itself breaks (a panic), there is nothing to compare.
"""
import collections
import json
import os
import pathlib
import random
import sys
import tempfile

import tokenizers_random as made_up
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import weir_lines  # noqa: E402

SHOWN = 5


class Broken(Exception):
    """The library panicked."""


def ask(call):
    try:
        return call()
    except BaseException as why:
        if isinstance(why, KeyboardInterrupt):
            raise
        if type(why).__name__ == "PanicException":
            raise Broken from None
        return {"error": str(why)}


def stream(tokenizer, ids):
    def run():
        state, out = DecodeStream(skip_special_tokens=False), []
        for one in ids:
            try:
                out.append(state.step(tokenizer, one))
            except Exception:                                                 # it gives up; what it gave before counts
                out.append({"error": True})
                break
        return out
    return ask(run)


def differences(path, texts, counts):
    """(what, text, expected, got) for every difference."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    encodes, decodes = [], []
    for number, text in enumerate(texts):
        for special in (False, True):
            try:
                want = ask(lambda: tokenizer.encode(text, add_special_tokens=special))
            except Broken:
                counts["apart"] += 1
                continue
            encodes.append((text, special, want))
            if special or isinstance(want, dict):
                continue
            for kind, call in (("dec", lambda: tokenizer.decode(want.ids, skip_special_tokens=False)), ("dec_skip", lambda: tokenizer.decode(want.ids, skip_special_tokens=True)),
                               ("stream", lambda: stream(tokenizer, want.ids))):
                if kind == "stream" and (number % 5 or len(want.ids) > 300):
                    continue
                try:
                    decodes.append((kind, text, want.ids, ask(call)))
                except Broken:
                    counts["apart"] += 1
    for (text, special, want), got in zip(encodes, weir_lines.answers("tokenize", path, [{"text": t, "add_special_tokens": s} for t, s, _ in encodes])):
        counts["compared"] += 1
        if isinstance(want, dict):
            if "error" not in got:
                yield "error", text, want, got
        elif got.get("ids") != want.ids:
            yield "ids_sp" if special else "ids", text, want.ids, got
        elif got["offsets"] != [list(pair) for pair in want.offsets]:
            yield "offsets", text, want.offsets, got["offsets"]
    lines = [{"ids": ids, "skip_special_tokens": kind == "dec_skip", "stream": kind == "stream"} for kind, _, ids, _ in decodes]
    for (kind, text, ids, want), got in zip(decodes, weir_lines.answers("detokenize", path, lines)):
        counts["compared"] += 1
        if isinstance(want, dict):
            counts["apart"] += 1
        elif kind == "stream":
            chunks = got.get("chunks", [])
            if want and isinstance(want[-1], dict):
                want, chunks = want[:-1], chunks[:len(want) - 1]
            if chunks != want:
                yield kind, text, want, got
        elif got.get("text") != want:
            yield kind, text, want, got


def compare(name, path, texts, counts, kinds):
    bad = 0
    try:
        for kind, text, want, got in differences(path, texts, counts):
            bad += 1
            kinds[kind] += 1
            if bad <= SHOWN:
                print(f"  {name} {kind}: {text!r}\n    expected {str(want)[:500]}\n    got      {str(got)[:500]}", flush=True)
    except (RuntimeError, json.JSONDecodeError) as why:
        bad += 1
        print(f"  {name}: {why}", flush=True)
    return bad


def main(only):
    seed = int(os.environ.get("WEIR_SEED") or random.SystemRandom().randrange(10**9))
    print(f"seed {seed}", flush=True)
    r, counts, kinds, passed, failed = random.Random(seed), collections.Counter(), collections.Counter(), 0, 0
    reference = os.environ.get("WEIR_REFERENCE_DIR")
    files = sorted(pathlib.Path(reference, "data/tokenizers").glob("*/tokenizer.json")) if reference else []
    loading = []
    for path in files:
        try:
            Tokenizer.from_file(str(path))
            loading.append(path)
        except Exception:                                                     # a file that the library refuses
            pass
    if not files:
        print("skipped: the tokenizer files of WEIR_REFERENCE_DIR (not set)")
    charsmaps = made_up.charsmaps_of(loading)
    chosen = [p for p in r.sample(loading, min(20, len(loading))) if not only or any(w in p.parent.name for w in only)]
    texts_each = int(os.environ.get("TEXTS_COUNT", 100_000)) // 20
    for path in chosen:
        vocabulary = json.loads(path.read_text(encoding="utf-8"))
        specials = [t["content"] for t in vocabulary["added_tokens"][:200]]
        bad = compare(path.parent.name, path, [made_up.text(r, specials) for _ in range(texts_each)], counts, kinds)
        passed, failed = passed + (not bad), failed + bool(bad)
        print(f"{path.parent.name:24} {texts_each} texts, {bad} differences", flush=True)
    with tempfile.TemporaryDirectory(prefix="weir-tokenizers-") as folder:
        made = 0
        for number in range(int(os.environ.get("TOKENIZERS_COUNT", 200)) if not only or "random" in only else 0):
            one = random.Random(f"{seed}-{number}")
            text = made_up.tokenizer(one, charsmaps)
            if text is None:
                counts["untrained"] += 1
                continue
            path = pathlib.Path(folder, f"{number}.json")
            path.write_text(text, encoding="utf-8")
            specials = [t["content"] for t in json.loads(text)["added_tokens"] if not t["content"].startswith("<0x")]
            bad = compare(f"random {number}", path, [made_up.text(one, specials) for _ in range(100)], counts, kinds)
            made, passed, failed = made + 1, passed + (not bad), failed + bool(bad)
            if bad:
                brief = json.loads(text)
                brief["model"] = {k: v for k, v in brief["model"].items() if k not in ("vocab", "merges")}
                brief["added_tokens"] = [t for t in brief["added_tokens"] if not t["content"].startswith("<0x")]
                print(f"  random {number} is {json.dumps(brief, ensure_ascii=False)[:2500]}", flush=True)
                if keep := os.environ.get("KEEP_DIR"):
                    pathlib.Path(keep, f"{number}.json").write_text(text, encoding="utf-8")
        print(f"{made} random tokenizers ({counts['untrained']} combinations cannot be trained)")
    print(f"seed {seed}: {counts['compared']} comparisons, {sum(kinds.values())} differences {dict(kinds)}, {counts['apart']} apart (the library breaks)")
    print(f"{passed} passed, {failed} failed, {0 if files else 1} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
