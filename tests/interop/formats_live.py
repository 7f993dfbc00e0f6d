#!/usr/bin/env python3
"""`weir tokenize` and `weir detokenize` beside the vocabulary formats' own libraries, live: tiktoken, sentencepiece (small models trained with
random settings), mistral-common.

Runs with a Python that has them (suite() below makes one). Prints its seed; WEIR_SEED=N repeats a run, FORMATS_MODELS=N sets how many
models are trained, FORMATS_TEXTS=N the texts for each. With WEIR_REFERENCE_DIR the folder's vocabularies take part.
"""
import base64
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unicodedata

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import weir_lines  # noqa: E402

PACKAGES = "tiktoken==0.14.0 sentencepiece==0.2.3 mistral-common==1.13.1"
ALPHABET = ["hello", "world", "Weir", "river ", " ", "  ", "\n", "\r\n", "\t", "1", "2024", "'s", "'LL", "don't", ".", "...", "!?", "中文", "堰", "かな", "한국", "é", "e\u0301",
            "ß", "ﬁ", "½", "①", "Ａ", "\u00a0", "\u3000", "\u200b", "\u200d", "\u0085", "\u2581", "🌊", "👩\u200d🚀", "ไทย", "नमस्ते", "مرحبا", "İ", "ǅ", "_", "/", "{", "</", "x" * 20, "\ufffd", "ΑΒΓ",
            "\x7f", "a\u0327\u0301", "\U0001d7d8", "Ⅷ", "²"]
CL100K = r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"""
QWEN = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
LLAMA3 = QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
END = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
KIMI = (r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?" + UPPER + "*" + LOWER + "+" + END + r"|[^\r\n\p{L}\p{N}]?" + UPPER + "+" + LOWER + "*" + END +
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def compare(self, name, path, texts, encode, ids_of=None, decode=None, known=lambda token: True):
        got = weir_lines.answers("tokenize", path, [{"text": text, "add_special_tokens": False} for text in texts], seconds_max=600)
        wrong = [(text, want, row.get("ids", row)) for text, row in zip(texts, got) if (want := encode(text)) != row.get("ids")]
        total = len(texts)
        if decode:
            ids = ids_of + [row for row in map(encode, texts[:50]) if all(map(known, row))]
            got = weir_lines.answers("detokenize", path, [{"ids": row, "skip_special_tokens": True} for row in ids], seconds_max=600)
            wrong += [(row, want, answer.get("text", answer)) for row, answer in zip(ids, got) if (want := decode(row)) != answer.get("text")]
            total += len(ids)
        self.passed += total - len(wrong)
        self.failed += len(wrong)
        print(f"{name}: {total - len(wrong)} / {total}", flush=True)
        for given, want, answer in wrong[:3]:
            print(f"   {given!r}\n      library {str(want)[:300]}\n      weir    {str(answer)[:300]}")


def texts(chance, count):
    return ["".join(chance.choice(ALPHABET) for _ in range(chance.choice([1, 2, 4, 8, 30]))) for _ in range(count)]


def ranks_of(path):
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in open(path, "rb") if line.strip())}


def tiktoken_suite(tally, chance, count, golden, reference):
    import tiktoken
    rows = [("qwen", golden / "qwen.tiktoken", QWEN, True)]
    for name, file, pattern, nfc in [("cl100k", "cl100k-tiktoken/cl100k_base.tiktoken", CL100K, False), ("llama3", "llama3-tiktoken/tiktoken.model", LLAMA3, False),
                                     ("qwen1", "qwen1-tiktoken/qwen.tiktoken", QWEN, True), ("kimi-k2", "kimi-k2/tiktoken.model", KIMI, False)]:
        if reference and (reference / "data/tokenizers" / file).exists():
            rows.append((name, reference / "data/tokenizers" / file, pattern, nfc))
    for name, path, pattern, nfc in rows:
        encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks_of(path), special_tokens={})
        size = encoding.n_vocab
        ids = [[i for i in (chance.randrange(size) for _ in range(chance.randint(0, 9)))] for _ in range(200)]
        tally.compare(f"tiktoken {name}", path, texts(chance, count), lambda text: encoding.encode(unicodedata.normalize("NFC", text) if nfc else text, disallowed_special=()),
                      ids, encoding.decode)


def sentencepiece_suite(tally, chance, count, golden, reference, folder, models):
    import sentencepiece
    lesson = folder / "lesson.txt"
    lesson.write_text("\n".join(" ".join(chance.choice(ALPHABET).strip() or "word" for _ in range(12)) for _ in range(1500)) + "\n" + (HERE / "README.md").read_text())
    rows = []
    for number in range(models):
        options = {"model_type": chance.choice(["bpe", "bpe", "unigram", "unigram", "char"]), "vocab_size": chance.choice([450, 600]),
                   "normalization_rule_name": chance.choice(["nmt_nfkc", "identity", "nfkc_cf", "nmt_nfkc_cf"]), "byte_fallback": chance.random() < .5,
                   "add_dummy_prefix": chance.random() < .7, "remove_extra_whitespaces": chance.random() < .5, "treat_whitespace_as_suffix": chance.random() < .2,
                   "split_by_whitespace": chance.random() < .8, "split_digits": chance.random() < .4, "character_coverage": chance.choice([.98, 1.0]),
                   "user_defined_symbols": chance.choice([[], [], ["<ud>"], ["<ud>", "x y", "\u2581\u2581", "Ａ①", "."]])}
        prefix = folder / f"model{number}"
        sentencepiece.SentencePieceTrainer.train(input=str(lesson), model_prefix=str(prefix), hard_vocab_limit=False, minloglevel=2, **options)
        rows.append((" ".join(f"{k}={v}" for k, v in options.items() if k != "vocab_size"), prefix.with_suffix(".model"), ["<ud>", "x y", "\u2581\u2581", "."]))
    for name in ["mistral-spm-v1", "mistral-spm-v3"]:
        path = reference and reference / "data/tokenizers" / name / "tokenizer.model"
        if path and path.exists():
            rows.append((name, path, []))
    for name, path, more in rows:
        model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        # Control tokens are not in texts of the library, and its unknown token has no text of its own in weir.
        plain = [i for i in range(model.vocab_size()) if not model.is_control(i) and not model.is_unknown(i)]
        ids = [[chance.choice(plain) for _ in range(chance.randint(0, 9))] for _ in range(200)]
        mixed = [text if chance.random() < .5 or not more else "".join(part + chance.choice(more + [""] * 3) for part in re.split("( )", text)) for text in texts(chance, count)]
        tally.compare(f"sentencepiece {name}", path, mixed, model.encode, ids, model.decode, lambda token: not model.is_unknown(token))


def tekken_suite(tally, chance, count, golden, reference):
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    path = golden / "tekken.json"
    model = Tekkenizer.from_file(path)
    ids = [[chance.randrange(model.num_special_tokens, model.n_words) for _ in range(chance.randint(0, 9))] for _ in range(200)]
    tally.compare("tekken", path, texts(chance, count), lambda text: model.encode(text, False, False), ids, model.decode)


def main():
    seed = int(os.environ.get("WEIR_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed} (WEIR_SEED={seed} repeats this run)", flush=True)
    chance, tally = random.Random(seed), Tally()
    count, models = int(os.environ.get("FORMATS_TEXTS") or 400), int(os.environ.get("FORMATS_MODELS") or 12)
    golden = HERE.parent / "golden/tokenizers"
    reference = pathlib.Path(os.environ["WEIR_REFERENCE_DIR"]) if os.environ.get("WEIR_REFERENCE_DIR") else None
    tiktoken_suite(tally, chance, count, golden, reference)
    tekken_suite(tally, chance, count, golden, reference)
    with tempfile.TemporaryDirectory(prefix="weir-formats-") as folder:
        sentencepiece_suite(tally, chance, count, golden, reference, pathlib.Path(folder), models)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


def suite(setup, dialect, tls):
    """For tests/interop/main.py."""
    import provide
    import weir_process
    python = provide.venv("formats", PACKAGES)
    done = subprocess.run([str(python), "-B", str(HERE / "formats_live.py")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=1800, env={**os.environ, "WEIR_BIN": weir_process.BINARY})
    ran = re.findall(r"^(\d+) passed, (\d+) failed$", done.stdout, re.M)
    passed, failed = map(int, ran[-1]) if ran else (0, 1)
    return (passed, max(failed, 1 if done.returncode else 0), 0), done.stdout


if __name__ == "__main__":
    sys.exit(main())
