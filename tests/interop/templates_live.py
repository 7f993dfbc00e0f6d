#!/usr/bin/env python3
"""`weir template` beside transformers and jinja2, live: random templates, and the recorded ones with random conversations.

Runs with a Python that has both; suite() makes one. Prints its seed; WEIR_SEED=N tries others, TEMPLATES_COUNT=N sets how many.
What weir refuses on purpose (integers beyond 64 bits, bytes) and what prints an address is counted apart.
"""
import collections
import datetime
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import warnings

import templates_random

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = "transformers==5.23.0 jinja2==3.1.6"
NOW = datetime.datetime(2026, 7, 26, 12, 34, 56)
REFUSED = re.compile(r"integers beyond 64 bits|not supported|a render may use|complex numbers|writes more than|nests too deep|takes more than|too far")
TEMPLATES_MAX = 64                           # that one file may have


class Frozen(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def wanted(reference, source, messages, parameters):
    try:
        parameters = json.loads(json.dumps(parameters))
        return {"text": reference.render_jinja_template(conversations=[json.loads(json.dumps(messages))], chat_template=source, **parameters)[0][0]}
    except RecursionError:
        return {"skip": "recursion"}
    except Exception as why:                                                  # its kind is what is compared
        return {"error": {"kind": type(why).__name__, "message": str(why)}}


def line_for(name, messages, parameters):
    kwargs = dict(parameters)
    line = {"template": name, "messages": messages, "now": NOW.isoformat()}
    for key in ("tools", "documents", "add_generation_prompt", "continue_final_message"):
        if key in kwargs:
            line[key] = kwargs.pop(key)
    return json.dumps({**line, "kwargs": kwargs})


def verdict(want, got):
    if "skip" in want or re.search(r" at 0x|x0 ta ", want.get("text", ""), re.I) or "<object " in want.get("text", ""):
        return "apart"
    if "text" in want and any(0xD800 <= ord(c) < 0xE000 for c in want["text"]):
        return "apart"
    if "error" in got and REFUSED.search(got["error"]["message"]):
        return "apart"
    if "text" in want:
        return "equal" if got.get("text") == want["text"] else "text"
    if "error" not in got or got["error"]["kind"] != want["error"]["kind"]:
        return "kind"
    return "equal" if want["error"]["kind"] != "TemplateError" or got["error"]["message"] == want["error"]["message"] else "message"


def cases(rng, count):
    """(template source, messages, parameters)"""
    for _ in range(count):
        maker = templates_random.Maker(rng)
        messages, _ = templates_random.conversation(rng)
        yield templates_random.broken(rng, maker.template()), messages, templates_random.context(rng)
    folder = pathlib.Path(os.environ.get("WEIR_REFERENCE_DIR", "/nonexistent"), "data/templates")
    for path in sorted(folder.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        for _ in range(count // 100):
            yield source, *templates_random.conversation(rng)


def main():
    warnings.simplefilter("ignore")                                          # of template strings with odd escapes
    import transformers.utils.chat_template_utils as reference
    reference.datetime = Frozen
    seed = int(os.environ.get("WEIR_SEED") or 11)   # the same for everybody, so that a failure is news
    count = int(os.environ.get("TEMPLATES_COUNT") or 4000)
    print(f"seed {seed} (WEIR_SEED={seed} repeats this run), {count} random templates", flush=True)
    rng = random.Random(seed)
    weir = os.environ["WEIR_BIN"]
    sources, lines, wants = {}, [], []
    for source, messages, parameters in cases(rng, count):
        try:
            source.encode()
            sources.setdefault(source or " ", f"t{len(sources)}")
        except UnicodeEncodeError:
            continue
        lines.append(line_for(sources[source or " "], messages, parameters))
        wants.append((source, wanted(reference, source or " ", messages, parameters), lines[-1]))
    named = list(sources.items())
    answers = {}
    for first in range(0, len(named), TEMPLATES_MAX):
        part = dict(named[first:first + TEMPLATES_MAX])
        asked = [i for i, (source, _, _) in enumerate(wants) if (source or " ") in part]
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump({"chat_template": [{"name": name, "template": source} for source, name in part.items()]}, file)
            file.flush()
            done = subprocess.run([weir, "template", "--chat-template", file.name, "--jsonl"], input="".join(lines[i] + "\n" for i in asked),
                                  capture_output=True, text=True, timeout=600)
        got = [json.loads(line) for line in done.stdout.split("\n")[:-1]]
        if done.returncode or len(got) != len(asked):
            print(f"FAILED: exit {done.returncode}, {len(got)} answers for {len(asked)} lines: {done.stderr[:500]}")
            return 1
        answers.update(zip(asked, got))
    answers = [answers[i] for i in range(len(lines))]
    counts = collections.Counter()
    for (source, want, line), got in zip(wants, answers):
        result = verdict(want, got)
        counts[result] += 1
        if result not in ("equal", "apart"):
            print(f"FAILED {result}\n  template {source!r}\n  wanted {json.dumps(want, ensure_ascii=False)[:600]}\n  got    {json.dumps(got, ensure_ascii=False)[:600]}")
            if os.environ.get("SHOW_INPUT"):
                print("  line", line)
    failed = counts["text"] + counts["kind"] + counts["message"]
    print(f"{counts['apart']} apart: refused on purpose, or the text shows an address")
    print(f"{counts['equal']} passed, {failed} failed")
    return 1 if failed else 0


def suite(setup, dialect, tls):
    """For tests/interop/main.py."""
    import provide
    import weir_process
    python = provide.venv("templates", PACKAGES)
    done = subprocess.run([str(python), "-B", str(HERE / "templates_live.py")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=1800, env={**os.environ, "WEIR_BIN": weir_process.BINARY})
    ran = re.findall(r"^(\d+) passed, (\d+) failed$", done.stdout, re.M)
    passed, failed = map(int, ran[-1]) if ran else (0, 1)
    return (passed, max(failed, 1 if done.returncode else 0), 0), done.stdout


if __name__ == "__main__":
    sys.exit(main())
