"""Random texts and random small tokenizers, from a seed. Needs PyPI `tokenizers`."""
import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

WORDS = ("the of and to in is that it was for on are as with his they at be this from have or by one had not but what all were when we there can an "
         "your which their said if do will each about how up out them then she many some so these would other into has more her two like him see time "
         "could no make than first been its who now people my made over did down only way find use may water long little very after words called just "
         "where most know I'm don't we've they'll he'd it's WE'RE Can'T naïve café résumé Straße Œuvre ﬁne ﬂow İstanbul ΣΊΣΥΦΟΣ привет мир Ёлка 你好 世界 "
         "東京タワー ひらがな カタカナ ｶﾀｶﾅ ﾊﾟ 한국어 각 नमस्ते क्षि สวัสดี שלום مرحبا ۱۲۳ １２３ ½ ² Ⅷ ① 12345 3.14 0x1F 1,000,000 <b> </s> [CLS] ▁x Ġx Ċ ##ab").split()
ODD = (" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n ", "\u00a0", "\u3000", "\u0085", "\u2028", "\u200b", "\u200d", "\ufeff", "\ufffd", "\u0000", "\u0007", "\u007f",
       "\u00ad", "\u0301", "\u0300\u0323", "e\u0301", "\u1e9b\u0323", "\u1100\u1161\u11a8", "\u0344", "\u0958", "\U0001f469\u200d\U0001f4bb", "\U0001f1e9\U0001f1ea",
       "\U0001f44d\U0001f3fd", "\u2581", "\u2581\u2581", "!", "?!", "...", "--", "'", "\"", "(", ")", "@", "#", "$", "€", "%", "^", "*", "_", "/", "\\", "|", "~", "`",
       "“", "”", "—", "…", "。", "，", "、", "aaaa", "a" * 40, "1" * 12, " " * 30, "\uabcd", "\ue000", "\U000e0001", "\u0378", "\U0001fae8", "\u1c89", "\ua7cb")


def character(r):
    top = r.choice((0x7f, 0x7f, 0x24f, 0x52f, 0x1fff, 0x2fff, 0xffff, 0x1ffff, 0x10ffff))
    while True:
        c = r.randrange(top + 1)
        if not 0xd800 <= c <= 0xdfff:
            return chr(c)


def text(r, specials=()):
    """Mostly short; words, odd things, any character, and now and then a token's own text."""
    out = []
    for _ in range(r.choice((1, 2, 3, 5, 8, 13, 21, 40))):
        kind = r.random()
        if kind < 0.55:
            out.append(r.choice(WORDS) + (" " if r.random() < 0.8 else ""))
        elif kind < 0.8:
            out.append(r.choice(ODD))
        elif kind < 0.9 and specials:
            out.append(r.choice(specials))
        else:
            out.append("".join(character(r) for _ in range(r.randrange(1, 4))))
    return "".join(out)


def pattern(r):
    return r.choice((" ", "a", "th", "▁", Regex(r"\s+"), Regex(r"\d"), Regex(r"[aeiou]"), Regex(r"\p{L}+"), Regex(r" {2,}"), Regex(r"(?i)the"), Regex(r"\p{P}"),
                     Regex(r"'s|'t| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"), Regex(r"[\r\n]+"), Regex(r"\p{N}{1,3}"), Regex(r"^\s+"), Regex(r"\s+$")))


BEHAVIORS = ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous")


def normalizer(r, charsmaps):
    one = lambda: r.choice((
        lambda: normalizers.BertNormalizer(clean_text=r.random() < 0.7, handle_chinese_chars=r.random() < 0.7, strip_accents=r.choice((None, True, False)), lowercase=r.random() < 0.5),
        lambda: normalizers.Strip(left=r.random() < 0.7, right=r.random() < 0.7), normalizers.StripAccents, normalizers.NFC, normalizers.NFD, normalizers.NFKC,
        normalizers.NFKD, normalizers.Lowercase, normalizers.Nmt, lambda: normalizers.Replace(pattern(r), r.choice(("", " ", "▁", "xy", "é"))),
        lambda: normalizers.Prepend(r.choice(("▁", " ", "ab"))), normalizers.ByteLevel,
        lambda: normalizers.Precompiled(r.choice(charsmaps)) if charsmaps else normalizers.NFKC()))()
    count = r.choice((0, 0, 1, 1, 2, 3))
    return None if count == 0 else one() if count == 1 else normalizers.Sequence([one() for _ in range(count)])


def pre_tokenizer(r):
    scheme = lambda: r.choice(("always", "never", "first"))
    one = lambda: r.choice((
        pre_tokenizers.BertPreTokenizer, lambda: pre_tokenizers.ByteLevel(add_prefix_space=r.random() < 0.5, use_regex=r.random() < 0.7, trim_offsets=r.random() < 0.5),
        lambda: pre_tokenizers.CharDelimiterSplit(r.choice(" ae▁")), lambda: pre_tokenizers.Metaspace(r.choice("▁_é"), scheme(), split=r.random() < 0.7),
        pre_tokenizers.Whitespace, pre_tokenizers.WhitespaceSplit, lambda: pre_tokenizers.Punctuation(r.choice(BEHAVIORS)),
        lambda: pre_tokenizers.Digits(individual_digits=r.random() < 0.5), pre_tokenizers.UnicodeScripts, lambda: pre_tokenizers.FixedLength(r.randrange(1, 9)),
        lambda: pre_tokenizers.Split(pattern(r), r.choice(BEHAVIORS), invert=r.random() < 0.3)))()
    count = r.choice((0, 1, 1, 1, 2, 3))
    return None if count == 0 else one() if count == 1 else pre_tokenizers.Sequence([one() for _ in range(count)])


def post_processor(r, tokens):
    def template():
        some = lambda: r.choice(tokens)
        single = " ".join(r.choice(([some()[0], "$A"], ["$A", some()[0]], [some()[0], "$A:1", some()[0]], ["$A"])))
        return processors.TemplateProcessing(single=single, pair="$A $B:1", special_tokens=tokens)
    one = lambda: r.choice((template, template, lambda: processors.BertProcessing(tokens[0], tokens[-1]),
                            lambda: processors.RobertaProcessing(tokens[0], tokens[-1], trim_offsets=r.random() < 0.5, add_prefix_space=r.random() < 0.5),
                            lambda: processors.ByteLevel(trim_offsets=r.random() < 0.7)))()
    count = r.choice((0, 1, 1, 2))
    return None if count == 0 else one() if count == 1 else processors.Sequence([processors.ByteLevel(trim_offsets=r.random() < 0.8), one()])


def decoder(r):
    one = lambda: r.choice((
        decoders.ByteLevel, lambda: decoders.WordPiece(r.choice(("##", "▁")), cleanup=r.random() < 0.5), lambda: decoders.Metaspace(r.choice("▁_"), r.choice(("always", "never", "first"))),
        lambda: decoders.BPEDecoder(r.choice(("</w>", "e"))), lambda: decoders.CTC("a", "e", cleanup=r.random() < 0.5), decoders.Fuse, decoders.ByteFallback,
        lambda: decoders.Replace(pattern(r), r.choice(("", " ", "xy"))), lambda: decoders.Strip(r.choice(" a▁"), r.randrange(3), 0)))()
    count = r.choice((0, 1, 1, 2, 3, 4))
    return None if count == 0 else one() if count == 1 else decoders.Sequence([one() for _ in range(count)])


def model(r):
    """(untrained model, its trainer)"""
    size = r.choice((120, 300, 800))
    specials = ["<unk>"]
    kind = r.choice(("bpe", "bpe", "unigram", "wordpiece", "wordlevel"))
    if kind == "bpe":
        prefix, suffix = r.choice((None, None, None, "##")), r.choice((None, None, None, "</w>"))
        fallback = r.random() < 0.3
        if fallback:
            specials += [f"<0x{b:02X}>" for b in range(256)]
            size += 256
        given = {"unk_token": r.choice(("<unk>", "<unk>", None)), "continuing_subword_prefix": prefix, "end_of_word_suffix": suffix}
        given = {k: v for k, v in given.items() if v is not None}
        made = models.BPE(fuse_unk=r.random() < 0.5, byte_fallback=fallback, ignore_merges=r.random() < 0.3, **given)
        alphabet = pre_tokenizers.ByteLevel.alphabet() if r.random() < 0.5 else []
        given.pop("unk_token", None)
        return made, trainers.BpeTrainer(vocab_size=size + len(alphabet), special_tokens=specials, initial_alphabet=alphabet, show_progress=False, **given)
    if kind == "unigram":
        fallback = r.random() < 0.4
        if fallback:
            specials += [f"<0x{b:02X}>" for b in range(256)]
            size += 256
        return models.Unigram([("<unk>", 0.0)], 0, fallback), trainers.UnigramTrainer(vocab_size=size, special_tokens=specials, unk_token="<unk>", show_progress=False)
    if kind == "wordpiece":
        return (models.WordPiece(unk_token="<unk>", max_input_chars_per_word=r.choice((5, 20, 100))),
                trainers.WordPieceTrainer(vocab_size=size, special_tokens=specials, show_progress=False))
    return models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=size, special_tokens=specials, show_progress=False)


def add_tokens(r, tokenizer):
    """Random added tokens; no two with one spelling once normalized, where the reference's choice is chance, and none that normalizes to
    nothing, by which the reference cuts a text between all its bytes and then breaks on the first character of two."""
    taken = set()
    for _ in range(r.choice((0, 0, 2, 5, 12))):
        content = r.choice(("<s>", "</s>", "<|x|>", "<|xy|>", "foo", "Foo bar", "the", "th", "é", "▁", "  ", "\n", "[MASK]", "a b", "12", "。", "<unk>", "word", "WORD", " lead", "trail "))
        token = AddedToken(content, single_word=r.random() < 0.2, lstrip=r.random() < 0.25, rstrip=r.random() < 0.25, normalized=r.random() < 0.5, special=r.random() < 0.5)
        shown = tokenizer.normalizer.normalize_str(content) if tokenizer.normalizer and token.normalized else content
        if not shown or (token.normalized, shown) in taken or content in {c for _, c in taken}:
            continue
        taken.add((token.normalized, shown))
        taken.add((not token.normalized, content))
        (tokenizer.add_special_tokens if token.special else tokenizer.add_tokens)([token])


def tokenizer(r, charsmaps):
    """The JSON of a small random tokenizer, or None when the reference cannot train or save this combination."""
    untrained, trainer = model(r)
    out = Tokenizer(untrained)
    try:
        out.normalizer = normalizer(r, charsmaps) or out.normalizer
        out.pre_tokenizer = pre_tokenizer(r) or out.pre_tokenizer
        out.train_from_iterator([text(r) for _ in range(120)], trainer)
        add_tokens(r, out)
        ids = [(t, i) for t, i in sorted(out.get_vocab().items(), key=lambda p: p[1]) if ":" not in t and " " not in t and "$" not in t and t][:8]
        out.post_processor = post_processor(r, ids) or out.post_processor
        out.decoder = decoder(r) or out.decoder
        made = out.to_str()
        Tokenizer.from_str(made)
        return made
    except BaseException as why:
        if isinstance(why, KeyboardInterrupt):
            raise
        return None


def charsmaps_of(paths):
    """Precompiled character maps found in tokenizer files, as the constructor takes them."""
    import base64
    found = set()

    def walk(value):
        if isinstance(value, dict):
            if isinstance(value.get("precompiled_charsmap"), str):
                found.add(value["precompiled_charsmap"])
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)
    for path in paths:
        walk(json.loads(path.read_text(encoding="utf-8")).get("normalizer"))
    return [base64.b64decode(one) for one in sorted(found)]
