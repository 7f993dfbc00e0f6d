"""The simulated engine beside Dynamo's: one trace of 500 requests, sent to a real `python -m dynamo.mocker` over its wire at the trace's times, and
through `weir replay` with one worker. Times to the first token and between tokens must lie near each other.

Both have the settings that the mocker has when told nothing; they are spelled out for `weir replay`.
"""
import json
import math
import pathlib
import random
import subprocess
import tempfile

import provide
import toy_model
import weir_process
from dynamo_suite import PROBE, Case, Worker
from provide import Unavailable

REQUESTS, PER_SECOND, NAMED = 500, 14, 512
SLOWER = 2          # of the real one, so that what a busy machine adds weighs less; its figures are divided by it
APART_MAX, HITS_APART_MAX = 0.15, 0.005
SETTINGS = {"block-size": 64, "num-gpu-blocks": 16384, "max-num-seqs": 256, "max-num-batched-tokens": 8192}


def trace(dice):
    """Mooncake lines: prompts of 100 to 6000 tokens, most of them over one of a few beginnings, a third of those continue an earlier prompt."""
    names, ms, out = iter(range(1, 1_000_000)), 0.0, []
    begin = [[next(names) for _ in range(dice.choice([1, 2, 4, 6]))] for _ in range(8)]
    for _ in range(REQUESTS):
        prompt = dice.choice([dice.randint(100, 600), dice.randint(600, 2500), dice.randint(2500, 6000)])
        blocks = -(-prompt // NAMED)
        shared = dice.choice(begin) if dice.random() < 0.7 else []
        if out and dice.random() < 0.3:
            shared = dice.choice(out)["hash_ids"]
        shared = shared[:blocks - 1]
        out.append({"timestamp": int(ms), "input_length": prompt, "output_length": dice.randint(20, 150),
                    "hash_ids": shared + [next(names) for _ in range(blocks - len(shared))]})
        ms += max(1, dice.expovariate(PER_SECOND / 1000))
    return out


def percentile(values, share):
    """As `weir replay` counts: the smallest that at least this share do not exceed."""
    values = sorted(values)
    return values[max(0, math.ceil(share * len(values)) - 1)]


def theirs(folder, requests):
    file = folder / "schedule"
    file.write_text("".join(" ".join(map(str, [r["timestamp"] * SLOWER, r["output_length"], r["input_length"], *r["hash_ids"]])) + "\n" for r in requests))
    toy_model.write(folder / "model")
    # Named here because Worker has settings of its own; these are the mocker's.
    with Worker(folder, "tiny", "--speedup-ratio", 1 / SLOWER, "--block-size", SETTINGS["block-size"],
                "--num-gpu-blocks-override", SETTINGS["num-gpu-blocks"]):
        answers = Case(folder).probe("tiny", "schedule", file, seconds_max=160)
    bad = [a for a, r in zip(answers, requests) if a["error"] or a["finish"] != "length" or len(a["came"]) != r["output_length"]]
    if bad or len(answers) != len(requests):
        raise AssertionError(f"{len(answers)} answers, {len(bad)} not whole: {str(bad[:1])[:500]}")
    gaps = [(b - a) / SLOWER for answer in answers for a, b in zip(answer["came"], answer["came"][1:])]
    late = max((a["sent"] - answers[0]["sent"]) / 1e6 / SLOWER - r["timestamp"] for a, r in zip(answers, requests))
    return {"ttft_ms": [a["came"][0] / SLOWER for a in answers], "itl_ms": gaps}, sum(a["cached"] for a in answers), late


def ours(folder, requests):
    file, report = folder / "trace.jsonl", folder / "report.json"
    file.write_text("".join(json.dumps(r) + "\n" for r in requests))
    at = [r["timestamp"] for r in requests]
    span = at[-1] + at[-1] - at[-2]                 # as the trace's reader counts it: the arrivals keep their times
    flags = [word for name, value in SETTINGS.items() for word in (f"--{name}", str(value))]
    command = [weir_process.BINARY, "replay", "--trace", file, "--workers", "1", "--policies", "round_robin", "--rate", repr(len(at) * 1000 / span), "--json",
               report, "--quiet", *flags]
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                          env=weir_process.QUIET_ENV)
    if done.returncode:
        raise AssertionError(f"weir replay: {done.returncode}\n{done.stdout[-2000:]}")
    figures = json.loads(report.read_text())["policies"]["round_robin"]
    if figures["finished"] != len(requests):
        raise AssertionError(f"weir replay: {figures}")
    return figures


def suite(setup, dialect, tls):
    provide.dynamo()
    if not PROBE.exists():
        raise Unavailable(f"no {PROBE}: ninja dynamo_probe")
    requests = trace(random.Random(5))
    with tempfile.TemporaryDirectory(prefix="weir-engine-") as folder:
        mine = ours(pathlib.Path(folder), requests)
        measured, cached, late = theirs(pathlib.Path(folder), requests)
    prompts = sum(r["input_length"] for r in requests)
    same = abs(cached / prompts - mine["hit_rate"]) <= HITS_APART_MAX
    said = [f"   {len(requests)} requests in {requests[-1]['timestamp'] / 1000:.0f} s, sent at most {late:.1f} ms late",
            f"{'ok' if same else 'FAILED'} share of prompts in the cache: mocker {cached / prompts:.4f}, weir {mine['hit_rate']:.4f}"]
    failed = int(not same)
    for name, what in (("ttft_ms", "time to first token"), ("itl_ms", "time between tokens")):
        for share in (50, 90):
            real, model = percentile(measured[name], share / 100), mine[name][f"p{share}"]
            holds = abs(model / real - 1) <= APART_MAX
            failed += not holds
            said.append(f"{'ok' if holds else 'FAILED'} {what}, p{share}: mocker {real:.2f} ms, weir {model:.2f} ms, ratio {model / real:.3f}")
    return (5 - failed, failed, 0), "\n".join(said)
