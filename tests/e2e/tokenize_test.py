#!/usr/bin/env python3
"""`weir tokenize` and `weir detokenize` as a user runs them, on tokenizers of the project's own."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "tests/golden/tokenizers/hf_byte_level.json"


def weir(*arguments, text=""):
    binary = os.environ.get("WEIR_BIN", str(ROOT / "build/dev/weir"))
    return subprocess.run([binary, *map(str, arguments)], input=text.encode(), capture_output=True)


def lines(command, *requests, flags=()):
    done = weir(command, "--model", MODEL, "--jsonl", *flags, text="\n".join(r if isinstance(r, str) else json.dumps(r) for r in requests) + "\n")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.decode().split("\n")[:-1]]


class Lines(unittest.TestCase):
    def test_ids_and_offsets(self):
        special, plain, wide = lines("tokenize", {"text": "The weir"}, {"text": "The weir", "add_special_tokens": False}, {"text": "é水<s>", "add_special_tokens": False})
        self.assertEqual(special["ids"][1:], plain["ids"])
        self.assertEqual(special["offsets"][0], [0, 0])
        self.assertEqual(plain["offsets"][-1][1], 8)
        self.assertEqual(wide["offsets"][-1], [2, 5])                            # in characters

    def test_there_and_back_in_order(self):
        texts = [f"line {n}: 水車 🌊 \t\"quoted\" \\" for n in range(300)]
        tokens = lines("tokenize", *({"text": t, "add_special_tokens": False} for t in texts))
        back = lines("detokenize", *({"ids": t["ids"]} for t in tokens))
        self.assertEqual([b["text"] for b in back], texts)

    def test_streams_have_a_chunk_for_each_id(self):
        ids = lines("tokenize", {"text": "a🌊", "add_special_tokens": False})[0]["ids"]
        whole, cut = lines("detokenize", {"ids": ids, "stream": True}, {"ids": ids[:-1], "stream": True})
        self.assertEqual(len(whole["chunks"]), len(ids))
        self.assertIsNone(whole["chunks"][1])                                    # a part of the wave
        self.assertEqual("".join(filter(None, whole["chunks"])), "a🌊")
        self.assertEqual(cut["rest"], "\ufffd")                                  # what the end sets free

    def test_special_tokens_are_skipped_or_shown(self):
        ids = lines("tokenize", {"text": "a"})[0]["ids"]
        asked = [lines("detokenize", {"ids": ids, **more}, flags=flags)[0]["text"]
                 for more, flags in (({}, ()), ({"skip_special_tokens": False}, ()), ({}, ("--keep-special",)), ({"skip_special_tokens": True}, ("--keep-special",)))]
        self.assertEqual(asked, ["a", "<s>a", "<s>a", "a"])

    def test_a_bad_line_fails_alone(self):
        bad = ["{", "", "[]", {"text": 1}, {}, {"text": "a", "add_special_tokens": "yes"}, {"text": "a", "more": 1}, '{"text": "\\ud800"}']
        answers = lines("tokenize", *[x for b in bad for x in (b, {"text": "good"})])
        for number, answer in enumerate(answers):
            self.assertEqual("error" in answer, number % 2 == 0, answer)
        self.assertEqual({"kind", "message"}, set(answers[0]["error"]))
        for ids in ([-1], [1.5], ["a"], {}, [4294967296]):
            self.assertIn("error", lines("detokenize", {"ids": ids})[0])
        self.assertEqual(lines("detokenize", {"ids": [4294967295]})[0], {"text": ""})   # no such token: passed over

    def test_a_line_of_a_megabyte_and_a_last_one_without_its_end(self):
        text = "weir " * 200_000
        done = weir("tokenize", "--model", MODEL, "--jsonl", text=json.dumps({"text": text}) + "\n" + json.dumps({"text": "x"}))
        answers = [json.loads(line) for line in done.stdout.decode().split("\n")[:-1]]
        self.assertEqual(len(answers), 2)
        self.assertEqual(answers[0]["offsets"][-1][1], len(text))


class Readers(unittest.TestCase):
    def test_a_token_a_line(self):
        done = weir("tokenize", "--model", MODEL, "--no-special", text="The weir")
        rows = [line.split("\t") for line in done.stdout.decode().split("\n")[:-1]]
        self.assertEqual("".join(json.loads(row[2]) for row in rows), "TheĠweir")
        back = weir("detokenize", "--model", MODEL, text=" ".join(row[0] for row in rows))
        self.assertEqual(back.stdout.decode(), "The weir")

    def test_a_folder_is_a_model(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "tokenizer.json").write_bytes(MODEL.read_bytes())
            self.assertEqual(weir("tokenize", "--model", folder, text="x").returncode, 0)

    def test_mistakes(self):
        for command in ("tokenize", "detokenize"):
            self.assertEqual(weir(command).returncode, 2)
            self.assertIn(b"--model", weir(command).stderr)
            self.assertEqual(weir(command, "--model", MODEL, "--nonsense").returncode, 2)
            self.assertEqual(weir(command, "--model").returncode, 2)
            self.assertEqual(weir(command, "--model", "/no/such/model").returncode, 1)
            self.assertEqual(weir(command, "--help").returncode, 0)
            self.assertIn(b"--jsonl", weir(command, "--help").stdout)


if __name__ == "__main__":
    unittest.main()
