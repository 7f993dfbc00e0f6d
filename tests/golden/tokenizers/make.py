#!/usr/bin/env python3
"""Makes the small vocabularies beside this file, and formats.txt: what each format's own library makes of some texts.

    make.py        needs sentencepiece, tiktoken, mistral-common and gguf (tests/interop/requirements.txt)

formats.txt has lines of file, text as JSON, ids without special tokens, ids decoded as JSON (null: the text itself)."""
import base64
import collections
import json
import pathlib

import gguf
import sentencepiece
import tiktoken
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

HERE = pathlib.Path(__file__).resolve().parent
LESSON = """A weir is a low wall across a river. It holds the water back a little, so that the river stays deep enough above it,
and lets the rest run over its edge. Nobody owns the river; the weir only decides how fast it flows, and where.
Where the stream is strong, a weir makes it calm. Where it is weak, the weir saves what there is. In 1820 there were 14 weirs here,
in 1911 there were 9, and today there are 3. Walls, gates, fish ladders: every part is simple, and each can be repaired alone.
Ein Wehr hält das Wasser zurück, läßt aber genug hindurch. Un barrage retient l'eau; l'été, il n'y en a guère. 河上有一座堰。水从堰上流过。
def flow(level, gate=0.5):
    return level * gate  # litres per second
"""
TEXTS = ["", "A weir holds the water.", "  two  spaces ", "the river\nflows\n\n", "1820 and 14", "läßt l'été", "河上有一座堰。", "def flow(level):\n    return 1\n",
         "\U0001f30a wave", "tab\there", "MIXED case Words", "a\u00a0b\u3000c", "ﬁne ½ ①", "▁mark ▁", "<tool>x<tool> y", "ééé e\u0301", "....!!!", "\u200bzero", "aaaaaaaaaaaaaaaaaaaaaaaa"]
# A few of NFKC's rules: the whole table would be 240 KB.
RULES = "FB01\t66 69\nBD\t31 2044 32\n2460\t31\nA0\t20\n3000\t20\n65 301\tE9\n200B\t\n9\t20\nA\t20\n"
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def train_sentencepiece(name, **options):
    source = HERE / "lesson.tmp"
    source.write_text(LESSON)
    rules = HERE / "rules.tmp"
    rules.write_text(RULES)
    if options.get("normalization_rule_name") != "identity":
        options["normalization_rule_tsv"] = str(rules)
    sentencepiece.SentencePieceTrainer.train(input=str(source), model_prefix=str(HERE / name), minloglevel=2, hard_vocab_limit=False, **options)
    source.unlink()
    rules.unlink()
    (HERE / f"{name}.vocab").unlink()
    return sentencepiece.SentencePieceProcessor(model_file=str(HERE / f"{name}.model"))


def byte_pair_ranks(merges):
    """Plain byte pair encoding of the lesson, as ranks."""
    ranks = {bytes([b]): b for b in range(256)}
    words = [[bytes([b]) for b in word.encode()] for word in tiktoken._educational.regex.findall(PATTERN, LESSON)]
    for rank in range(256, 256 + merges):
        pairs = collections.Counter(pair for word in words for pair in zip(word, word[1:]))
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        ranks[best[0] + best[1]] = rank
        for word in words:
            at = 0
            while at + 1 < len(word):
                if (word[at], word[at + 1]) == best:
                    word[at:at + 2] = [best[0] + best[1]]
                at += 1
    return ranks


def write_gguf(path, model):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(256)
    writer.add_tokenizer_model("llama")
    ids = range(model.vocab_size())
    kinds = [2 if model.is_unknown(i) else 3 if model.is_control(i) else 6 if model.is_byte(i) else 1 for i in ids]
    writer.add_token_list([model.id_to_piece(i) for i in ids])
    writer.add_token_scores([model.get_score(i) for i in ids])
    writer.add_token_types(kinds)
    writer.add_chat_template("{{ messages[0].content }}")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def main():
    import tiktoken._educational  # noqa: F401
    lines = []

    def expect(name, encode, decode, texts=TEXTS):
        for text in texts:
            ids = encode(text)
            back = decode(ids)
            lines.append("\t".join([name, json.dumps(text), " ".join(map(str, ids)), "null" if back == text else json.dumps(back)]))

    llama = train_sentencepiece("bytes_bpe", model_type="bpe", vocab_size=420, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
                                split_digits=True)
    expect("bytes_bpe.model", llama.encode, llama.decode)
    write_gguf(HERE / "bytes_bpe.gguf", llama)
    expect("bytes_bpe.gguf", llama.encode, llama.decode)
    for name, options in [("symbols_unigram", {"model_type": "unigram", "vocab_size": 200, "user_defined_symbols": ["<tool>", "½"]}),
                          ("suffix_bpe", {"model_type": "bpe", "vocab_size": 250, "treat_whitespace_as_suffix": True, "user_defined_symbols": ["<tool>"]})]:
        model = train_sentencepiece(name, **options)
        # An unknown token decodes to <unk> here, not to the library's " ⁇ ".
        expect(f"{name}.model", model.encode, lambda ids, m=model: m.decode(ids).replace(" \u2047 ", "<unk>"))

    ranks = byte_pair_ranks(200)
    (HERE / "qwen.tiktoken").write_text("".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()))
    encoding = tiktoken.Encoding("tiny", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    import unicodedata
    expect("qwen.tiktoken", lambda text: encoding.encode(unicodedata.normalize("NFC", text), disallowed_special=()), encoding.decode)

    special = [{"rank": i, "token_str": text, "is_control": True} for i, text in enumerate(["<unk>", "<s>", "</s>", "[INST]"])]
    tekken = {"config": {"pattern": PATTERN, "num_vocab_tokens": len(ranks), "default_vocab_size": 440, "default_num_special_tokens": 10, "version": "v11"},
              "vocab": [{"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None} for token, rank in ranks.items()],
              "special_tokens": special}
    (HERE / "tekken.json").write_text(json.dumps(tekken, separators=(",", ":")))
    mistral = Tekkenizer.from_file(HERE / "tekken.json")
    expect("tekken.json", lambda text: mistral.encode(text, False, False), mistral.decode)
    (HERE / "formats.txt").write_text("".join(line + "\n" for line in lines))


main()
