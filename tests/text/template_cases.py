#!/usr/bin/env python3
"""All recorded template cases through `weir template`: text, kind of error, and what raise_exception says, must be equal.

Needs WEIR_REFERENCE_DIR (its data/ has templates/, conversations.json, template_cases.jsonl.gz, made with transformers); skips without it.
    template_cases.py [WORD...]     only the templates whose name contains one of the words; shows what differs
"""
import collections
import difflib
import gzip
import json
import os
import pathlib
import subprocess
import sys

SKIP = 77
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
APART = ("tools", "documents", "add_generation_prompt", "continue_final_message")


def request(case, tokens, now):
    """A recorded conversation as a line for `weir template --jsonl`."""
    kwargs = dict(case["kwargs"])
    line = {"messages": case["messages"], "now": now, **tokens}
    for name in APART:
        if name in kwargs:
            line[name] = kwargs.pop(name)
    return json.dumps({**line, "kwargs": kwargs}, ensure_ascii=False)


def equal(row, answer):
    if row["ok"]:
        return answer.get("text") == row["text"]
    error = answer.get("error", {})
    if error.get("kind") != row["error_type"]:
        return False
    return row["error_type"] != "TemplateError" or error["message"][:400] == row["error"]


def show(row, answer):
    name = f"{row['template']} / {row['case']}"
    if row["ok"] and "text" in answer:
        lines = difflib.unified_diff(row["text"].splitlines(True), answer["text"].splitlines(True), "wanted", "got", n=1)
        return f"{name}\n" + "".join(repr(line) + "\n" for line in list(lines)[:20])
    wanted = "a text" if row["ok"] else f"{row['error_type']}: {row['error']}"
    return f"{name}\n  wanted {wanted}\n  got    {json.dumps(answer)[:400]}\n"


def main(words):
    reference = os.environ.get("WEIR_REFERENCE_DIR")
    if not reference or not pathlib.Path(reference, "data/template_cases.jsonl.gz").exists():
        print("skipped: WEIR_REFERENCE_DIR is not set, or has no data/template_cases.jsonl.gz")
        return SKIP
    data = pathlib.Path(reference, "data")
    weir = os.environ.get("WEIR_BIN", str(ROOT / "build/dev/weir"))
    recorded = json.loads((data / "conversations.json").read_text())
    by_template = collections.defaultdict(list)
    with gzip.open(data / "template_cases.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if not words or any(word in row["template"] for word in words):
                by_template[row["template"]].append(row)
    matched = total = 0
    for template, rows in sorted(by_template.items()):
        lines = [request(recorded["cases"][row["case"]], recorded["tokens"], recorded["frozen_now"]) for row in rows]
        done = subprocess.run([weir, "template", "--chat-template", data / "templates" / template, "--jsonl"], input="\n".join(lines) + "\n",
                              capture_output=True, text=True, timeout=120)
        answers = [json.loads(line) for line in done.stdout.split("\n")[:-1]]
        if done.returncode != 0 or len(answers) != len(rows):
            print(f"{template}: exit {done.returncode}, {len(answers)} answers for {len(rows)} lines: {done.stderr.strip()[:300]}")
            answers += [{}] * (len(rows) - len(answers))
        good = [equal(row, answer) for row, answer in zip(rows, answers)]
        print(f"{sum(good):4} / {len(good):4}  {template}")
        for row, answer, ok in zip(rows, answers, good):
            if not ok:
                print(show(row, answer), end="")
        matched, total = matched + sum(good), total + len(good)
    print(f"{matched} / {total} in {len(by_template)} templates")
    return 0 if total and matched == total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
