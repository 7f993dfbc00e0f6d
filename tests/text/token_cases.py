#!/usr/bin/env python3
"""Runs the reference folder's token cases through `weir tokenize` and `weir detokenize`, and prints matched / total per family.

    token_cases.py [FAMILY...]      only these

Reads WEIR_BIN (the binary) and WEIR_REFERENCE_DIR (the reference folder; without it the test is skipped). Cases that differ for a reason
stand in token_cases_exceptions.txt beside this file: "FAMILY KIND INDEX reason", and must differ. Files that the reference library
refuses must be refused.
"""
import collections
import gzip
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import weir_lines  # noqa: E402

KINDS = ("ids", "ids_sp", "off", "dec", "dec_skip", "stream")
REFUSED = {"llama2": "merges[", "added-tokens-tiny": "merges", "pytorch-test-tiny": "out of the vocabulary", "swift-tiny": "single_word"}
SHOWN = 3


def compare(model, rows, samples):
    """Yields (kind, sample's index, good, expected, got)."""
    encodes, decodes = [], []
    for row in rows:
        text = samples[row["i"]]
        encodes.append((row, "ids", {"text": text, "add_special_tokens": False}))
        encodes.append((row, "ids_sp", {"text": text, "add_special_tokens": True}))
        if "error" in row:
            continue
        decodes.append((row, "dec", {"ids": row["ids"], "skip_special_tokens": False}))
        decodes.append((row, "dec_skip", {"ids": row["ids"], "skip_special_tokens": True}))
        if "stream" in row:
            decodes.append((row, "stream", {"ids": row["ids"], "skip_special_tokens": False, "stream": True}))
    for (row, kind, _), answer in zip(encodes, weir_lines.answers("tokenize", model, [e[2] for e in encodes], ascii_only=False)):
        if "error" in row:
            yield kind, row["i"], "error" in answer, row["error"], answer
            continue
        want = row.get(kind, row["ids"])
        yield kind, row["i"], answer.get("ids") == want, want, answer
        if kind == "ids" and "off" in row:
            got = [x for pair in answer.get("offsets", []) for x in pair]
            yield "off", row["i"], got == row["off"], row["off"], got
    for (row, kind, _), answer in zip(decodes, weir_lines.answers("detokenize", model, [d[2] for d in decodes])):
        if kind == "stream":
            want, got = row["stream"], answer.get("chunks", answer)
            if want and isinstance(want[-1], dict):                     # the reference broke off here: what it gave before counts
                want, got = want[:-1], got[:len(want) - 1] if isinstance(got, list) else got
            yield kind, row["i"], got == want, row["stream"], got
            continue
        plain = samples[row["i"]] if row["dec"] is None else row["dec"]
        want = plain if kind == "dec" else row.get("dec_skip", plain)
        yield kind, row["i"], answer.get("text") == want, want, answer


def refusals(folder):
    """Every file the reference refuses, refused with the reason."""
    bad = 0
    for name, reason in REFUSED.items():
        path = folder / name / "tokenizer.json"
        if not path.exists():
            continue
        done = subprocess.run([os.environ["WEIR_BIN"], "tokenize", "--model", str(path), "--jsonl"], capture_output=True, text=True, input="")
        good = done.returncode == 1 and reason in done.stderr
        bad += not good
        print(f"{name:24} {'refused' if good else 'NOT REFUSED RIGHTLY'}: {done.stderr.strip()[-150:]}")
    return bad


def load_exceptions():
    out = {}
    for line in (HERE / "token_cases_exceptions.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            family, kind, index, reason = line.split(None, 3)
            out[family, kind, int(index)] = reason
    return out


def main(only):
    reference = os.environ.get("WEIR_REFERENCE_DIR")
    data = pathlib.Path(reference or "") / "data"
    if not reference or not (data / "token_cases").is_dir():
        print("skipped: WEIR_REFERENCE_DIR does not name a folder with data/token_cases")
        return 77
    samples = json.loads((data / "samples.json").read_text())
    excepted, met = load_exceptions(), set()
    total, failed = collections.Counter(), 0
    for path in sorted((data / "token_cases").glob("*.jsonl.gz")):
        family = path.name.removesuffix(".jsonl.gz")
        if only and family not in only:
            continue
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        matched, count, shown = collections.Counter(), collections.Counter(), 0
        try:
            for kind, index, good, want, got in compare(data / "tokenizers" / family / "tokenizer.json", rows, samples):
                count[kind] += 1
                if (family, kind, index) in excepted and not good:
                    met.add((family, kind, index))
                    continue
                matched[kind] += good
                if not good and shown < SHOWN:
                    shown += 1
                    print(f"  {family} {kind} {index}: {samples[index][:80]!r}\n    expected {str(want)[:300]}\n    got      {str(got)[:300]}")
        except RuntimeError as why:
            print(f"{family:24} {why}")
            failed += 1
            continue
        missing = sum(count.values()) - sum(matched.values()) - sum(1 for m in met if m[0] == family)
        failed += missing
        total["matched"] += sum(matched.values())
        total["all"] += sum(count.values())
        print(f"{family:24} {sum(matched.values())}/{sum(count.values())}  " + "  ".join(f"{k} {matched[k]}/{count[k]}" for k in KINDS), flush=True)
    if not only:
        failed += refusals(data / "tokenizers")
        for family, kind, index in excepted.keys() - met:
            print(f"{family} {kind} {index} is listed as an exception but matches: take it off the list")
            failed += 1
    print(f"{total['matched']} of {total['all']} matched, {len(met)} excepted, {failed} failures")
    return 1 if failed or not total["all"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
