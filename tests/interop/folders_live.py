#!/usr/bin/env python3
"""`weir tokenize` beside transformers, live, over folders without a tokenizer.json: vocab.json with merges.txt, vocab.txt,
XLM-RoBERTa's sentencepiece.bpe.model.

Small vocabularies are trained, then put into folders with random settings. Runs with a Python that has transformers; suite() makes one.
Prints its seed; WEIR_SEED=N repeats a run, FOLDERS_COUNT=N sets how many folders, FOLDERS_TEXTS=N the texts for each.
"""
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import weir_lines  # noqa: E402

PACKAGES = "transformers==5.23.0 sentencepiece==0.2.3 protobuf==7.36.2"
ALPHABET = ["hello", "world", "Weir", "river ", " ", "  ", "\n", "\r\n", "\t", "1", "2024", "'s", "'LL", "don't", ".", "...", "!?", "中文", "かな", "é", "e\u0301", "ß", "½", "Ａ",
            "\u00a0", "\u3000", "\u0085", "🌊", "मस्ते", "İ", "_", "/", "<s>", "</s>", "<mask>", "[MASK]", "[SEP]", "<|endoftext|>", "<extra>", "<|im_end|>", "un", "play", "ing", "##ing"]


def lesson(chance):
    return [" ".join(chance.choice(ALPHABET).strip() or "word" for _ in range(12)) for _ in range(800)] + (HERE / "README.md").read_text().splitlines()


def train(chance, family, folder):
    if family == "xlm-roberta":
        import sentencepiece
        (folder / "lesson.txt").write_text("\n".join(lesson(chance)))
        sentencepiece.SentencePieceTrainer.train(input=str(folder / "lesson.txt"), model_prefix=str(folder / "sentencepiece.bpe"), vocab_size=400, hard_vocab_limit=False,
                                                 normalization_rule_name=chance.choice(["nmt_nfkc", "identity", "nfkc_cf"]), minloglevel=2)
        return
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    if family == "bert":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=specials, show_progress=False)
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
        specials = {"roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "gpt2": ["<|endoftext|>"], "qwen2": chance.choice([[], ["<|endoftext|>"]])}[family]
        trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(lesson(chance), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    if family == "bert":
        words = sorted(model["vocab"], key=model["vocab"].get)
        end = chance.choice(["\n", "\n", "\r\n"])
        (folder / "vocab.txt").write_text(end.join(words) + chance.choice(["", end]), newline="")
        return
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=chance.random() < .5))
    lines = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2"] * (chance.random() < .7) + lines) + "\n")


def added(text, **flags):
    return {"content": text, "lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": True, **flags}


def configure(chance, family, folder):
    config = {"tokenizer_class": {"bert": "BertTokenizer", "roberta": "RobertaTokenizer", "gpt2": "GPT2Tokenizer", "qwen2": "Qwen2Tokenizer",
                                  "xlm-roberta": "XLMRobertaTokenizer"}[family]}
    if family == "bert":
        for name in ("do_lower_case", "tokenize_chinese_chars", "strip_accents"):
            if chance.random() < .5:
                config[name] = chance.random() < .5
    elif chance.random() < .5:
        config["add_prefix_space"] = chance.random() < .5
    if family in ("gpt2", "qwen2") and chance.random() < .5:
        config["add_bos_token"] = chance.random() < .5
    if family == "qwen2" and chance.random() < .7:
        config |= {"eos_token": "<|im_end|>", "bos_token": None}
    old = chance.random() < .5
    if not old and chance.random() < .7:
        config["added_tokens_decoder"] = {str(chance.choice([0, 700])): added("<extra>", special=chance.random() < .5, lstrip=chance.random() < .5,
                                                                             normalized=chance.random() < .5)}
    if old and chance.random() < .7:
        (folder / "added_tokens.json").write_text(json.dumps({"<extra>": 700, "<|im_end|>": 701}))
    if old and family.endswith("roberta") and chance.random() < .7:
        (folder / "special_tokens_map.json").write_text(json.dumps({"mask_token": added("<mask>", lstrip=True), "eos_token": "</s>"}))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return config


def main():
    os.environ["HF_HUB_OFFLINE"] = "1"
    seed = int(os.environ.get("WEIR_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed} (WEIR_SEED={seed} repeats this run)", flush=True)
    chance = random.Random(seed)
    from transformers import AutoTokenizer
    passed = failed = 0
    for number in range(int(os.environ.get("FOLDERS_COUNT") or 25)):
        family = ["gpt2", "qwen2", "roberta", "bert", "xlm-roberta"][number % 5]
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            train(chance, family, folder)
            config = configure(chance, family, folder)
            model = AutoTokenizer.from_pretrained(folder)
            asked = [("".join(chance.choice(ALPHABET) for _ in range(chance.choice([1, 2, 4, 8, 30]))), chance.random() < .5)
                     for _ in range(int(os.environ.get("FOLDERS_TEXTS") or 200))]
            got = weir_lines.answers("tokenize", folder, [{"text": text, "add_special_tokens": special} for text, special in asked], seconds_max=300)
            wanted = [model(text, add_special_tokens=special)["input_ids"] for text, special in asked]
            wrong = [(text, want, row.get("ids", row)) for (text, _), want, row in zip(asked, wanted, got) if row.get("ids") != want]
        passed, failed = passed + len(asked) - len(wrong), failed + len(wrong)
        print(f"{family} {config}: {len(asked) - len(wrong)} / {len(asked)}", flush=True)
        for text, want, answer in wrong[:2]:
            print(f"   {text!r}\n      transformers {want}\n      weir         {str(answer)[:300]}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def suite(setup, dialect, tls):
    import provide
    import weir_process
    python = provide.venv("folders", PACKAGES)
    done = subprocess.run([str(python), "-B", __file__], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=3600,
                          env={**os.environ, "WEIR_BIN": weir_process.BINARY})
    ran = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", done.stdout, re.M)
    passed, failures, skipped = map(int, ran[-1]) if ran else (0, 1, 0)
    return (passed, max(failures, 1 if done.returncode else 0), skipped), done.stdout


if __name__ == "__main__":
    sys.exit(main())
