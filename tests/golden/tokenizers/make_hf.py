#!/usr/bin/env python3
"""Makes the small *.json tokenizers beside this file, and hf_cases.txt: what PyPI `tokenizers` makes of some texts with them.

    make_hf.py        needs tokenizers (tests/interop/requirements.txt); training breaks ties by chance, so files that are there are kept

hf_cases.txt has lines of file, text as JSON, ids, ids with special tokens, offsets, decode as JSON, decode without special tokens as JSON,
fields parted by tabs; "error" in place of ids where the library refuses the text."""
import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).resolve().parent
LESSON = """The miller asks the weir for water, and the weir asks the rain. When it rains too much, the weir says: not all at once!
When it does not rain, the weir says: slowly, there are others below. 12 mills stand along the river; 3 of them still turn.
Der Müller fragt das Wehr. Le meunier demande de l'eau: « pas trop vite ». 水車は三つ、川は一つ。水车在转。 И река течёт.
if water > wanted: open(gate, 2.5)  # and tell the next one
""".splitlines()
TEXTS = ["", " ", "The weir.", "  two  spaces ", "asks the rain\n\nthen waits", "l'été Müller MÜLLER", "12 mills, 345", "水車は三つ", "И река", "<s>the</s> mill", "a <mask> b", "the<mask>  x",
         "xWEIRx WEIR", "cafe\u0301 \u1e9b\u0323", "ﬁne ½ ①", "\u00a0no\u3000break\u2028", "tab\there\r\n", "▁x ▁▁", "\U0001f469\u200d\U0001f4bb\U0001f44d\U0001f3fd", "\u0000\u0007\ufffd\ufeff",
         "it's we'll I'd", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\uac01\u1100\u1161\u11a8", "İstanbul ΣΑΣ", "(a)[b]{c}", "x" * 120, "\n", "water water", "q\u0323\u0307z"]


def added(tokenizer, *tokens):
    for token in tokens:
        (tokenizer.add_special_tokens if token.special else tokenizer.add_tokens)([token])


def byte_level():
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.train_from_iterator(LESSON, trainers.BpeTrainer(vocab_size=330, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<s>", "</s>"], show_progress=False))
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)])])
    t.decoder = decoders.ByteLevel()
    added(t, AddedToken("<mask>", lstrip=True, rstrip=True, normalized=False, special=True))
    return t


def gpt2():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    t.train_from_iterator(LESSON, trainers.BpeTrainer(vocab_size=310, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<s>", "</s>", "<mask>"], show_progress=False))
    t.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    t.decoder = decoders.ByteLevel()
    return t


def fallback():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.train_from_iterator(LESSON, trainers.BpeTrainer(vocab_size=390, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)], show_progress=False))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="$A $B", special_tokens=[("<s>", 1), ("</s>", 2)])
    added(t, AddedToken("WEIR", single_word=True), AddedToken("<mask>", lstrip=True, special=True))
    return t


def unigram():
    t = Tokenizer(models.Unigram([("<unk>", 0.0)], 0))
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    t.train_from_iterator(LESSON, trainers.UnigramTrainer(vocab_size=220, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>", show_progress=False))
    t.decoder = decoders.Metaspace(prepend_scheme="first")
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A $B", special_tokens=[("</s>", 2)])
    return t


def unigram_bytes():
    t = Tokenizer(models.Unigram([("<unk>", 0.0)], 0, True))
    t.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.NFKD()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.UnicodeScripts(), pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Metaspace(prepend_scheme="always")])
    t.train_from_iterator(LESSON, trainers.UnigramTrainer(vocab_size=420, special_tokens=["<unk>"] + [f"<0x{b:02X}>" for b in range(256)], unk_token="<unk>", show_progress=False))
    t.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return t


def word_piece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=40))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(LESSON, trainers.WordPieceTrainer(vocab_size=220, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False))
    t.decoder = decoders.WordPiece()
    t.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return t


def word_level():
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer = normalizers.NFD()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.FixedLength(7)])
    t.train_from_iterator(LESSON, trainers.WordLevelTrainer(vocab_size=120, special_tokens=["[UNK]"], show_progress=False))
    added(t, AddedToken("Mill", normalized=True), AddedToken("rain", single_word=True, normalized=False))
    return t


def word_level_bare():
    t = Tokenizer(models.WordLevel({"the": 0, "weir": 1, "water": 2}, unk_token="none"))
    t.pre_tokenizer = pre_tokenizers.CharDelimiterSplit(" ")
    return t


def suffixes():
    t = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="@@", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Split(Regex(r"<s>|</s>|'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True)
    t.train_from_iterator(LESSON, trainers.BpeTrainer(vocab_size=230, special_tokens=["<unk>"], continuing_subword_prefix="@@", end_of_word_suffix="</w>", show_progress=False))
    t.decoder = decoders.BPEDecoder("</w>")
    return t


def field(value):
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def main():
    made = {f.__name__: f for f in (byte_level, gpt2, fallback, unigram, unigram_bytes, word_piece, word_level, word_level_bare, suffixes)}
    lines = []
    for name, make in made.items():
        path = HERE / f"hf_{name}.json"
        if not path.exists():
            whole = json.loads(make().to_str())
            whole["added_tokens"] = [t for t in whole["added_tokens"] if not t["content"].startswith("<0x")]     # the trainer made them special
            path.write_text(json.dumps(whole, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
        assert path.stat().st_size < 20_000, (name, path.stat().st_size)
        t = Tokenizer.from_file(str(path))
        for text in TEXTS:
            try:
                plain, special = t.encode(text, add_special_tokens=False), t.encode(text)
            except Exception:
                lines.append([path.name, field(text), "error"])
                continue
            try:
                decoded = [field(t.decode(plain.ids, skip_special_tokens=skip)) for skip in (False, True)]
            except BaseException:                                             # a decoder that breaks on no tokens at all
                decoded = ["null", "null"]
            lines.append([path.name, field(text), field(plain.ids), field(special.ids), field([x for o in plain.offsets for x in o]), *decoded])
    (HERE / "hf_cases.txt").write_text("".join("\t".join(line) + "\n" for line in lines))


if __name__ == "__main__":
    main()
