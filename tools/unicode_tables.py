#!/usr/bin/env python3
"""Writes src/tokenizer/unicode_data.cc and unicode_normal_data.cc: character properties as the engines inside Hugging Face `tokenizers` see them.

    pip install unicodedata2==16.0.0 regex fonttools tokenizers==0.23.3
    tools/unicode_tables.py src/tokenizer

The base is Unicode 16.0 (the library's regex engine): categories from unicodedata2, scripts and derived properties from newer tables
cut down to what 16.0 assigns. What other engines of the library see (Rust's char methods: 17.0; normal forms: 9.0; its punctuation,
control, mark and script tables: older) is asked of the library itself, character by character, so that it is right by measurement.
Every table is a text of numbers, five bits a character, coded by gaps; unicode_tables.cc reads it back.
"""
import sys

import fontTools.unicodedata
import regex
import tokenizers
import unicodedata2
from tokenizers import Regex, normalizers, pre_tokenizers

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
CATEGORIES = "Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cs".split()
BREAKS = ["Other", "CR", "LF", "Control", "Extend", "ZWJ", "Regional_Indicator", "Prepend", "SpacingMark", "L", "V", "T", "LV", "LVT"]
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def number(n):
    out = ""
    while n > 31:
        out += ALPHABET[32 + n % 32]
        n //= 32
    return out + ALPHABET[n]


def runs(values):
    """Run lengths of a property over all code points: length, value, length, value ..."""
    out, start = "", 0
    for c in range(1, 0x110001):
        if c == 0x110000 or values[c] != values[start]:
            out += number(c - start) + number(values[start])
            start = c
    return out


def ranges(members):
    """A set: gap before a range, length of it less one ..."""
    out, end, members = "", 0, sorted(members)
    i = 0
    while i < len(members):
        j = i
        while j + 1 < len(members) and members[j + 1] == members[j] + 1:
            j += 1
        out += number(members[i] - end) + number(j - i)
        end = members[j] + 1
        i = j + 1
    return out


def vanished(normalizer):
    """The characters that `normalizer` removes."""
    out = set()
    for i in range(0, len(POINTS), 4096):
        block = POINTS[i : i + 4096]
        kept = set(normalizer.normalize_str("".join(map(chr, block))))
        out.update(c for c in block if chr(c) not in kept)
    return out


def split_by(pre_tokenizer):
    return {c for c in POINTS if len(pre_tokenizer.pre_tokenize_str("a" + chr(c) + "b")) == 3}


def bert(**on):
    flags = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**flags, **on})


def mapping(pairs):
    """Code point -> list of code points: gap, count, then each target."""
    out, last = "", 0
    for c, to in sorted(pairs.items()):
        out += number(c - last) + number(len(to)) + "".join(number(zigzag(t - c)) for t in to)
        last = c
    return out


def zigzag(n):
    return 2 * n if n >= 0 else -2 * n - 1


def lowercase():
    lower = normalizers.Lowercase()
    return {c: list(map(ord, lower.normalize_str(chr(c)))) for c in POINTS if lower.normalize_str(chr(c)) != chr(c)}


def decompositions():
    nfd, nfkd, nfc = normalizers.NFD(), normalizers.NFKD(), normalizers.NFC()
    canonical, compatible, composed = {}, {}, {}
    for c in POINTS:
        if 0xAC00 <= c < 0xD7A4:
            continue
        d, k = nfd.normalize_str(chr(c)), nfkd.normalize_str(chr(c))
        if d != chr(c):
            canonical[c] = list(map(ord, d))
            # The pair that composes to c, when it does: its first-level decomposition.
            parts = unicodedata2.decomposition(chr(c)).split()
            if len(parts) == 2 and nfc.normalize_str(d) == chr(c):
                composed[c] = [int(p, 16) for p in parts]
        if k != d:
            compatible[c] = list(map(ord, k))
    return canonical, compatible, composed


def combining_classes():
    """Classes of marks that the library's (older) table knows: it moves them past a mark of another class."""
    nfd = normalizers.NFD()
    out = [0] * 0x110001
    for c in POINTS:
        k = unicodedata2.combining(chr(c))
        if k:
            low, high = "\u0334", "\u0345"    # classes 1 and 240
            moved = nfd.normalize_str("a" + chr(c) + low)[1] == low if k > 1 else nfd.normalize_str("a" + high + chr(c))[-1] == high
            known = nfd.normalize_str("a" + high + chr(c))[-1] == high if k < 240 else moved
            out[c] = k if moved and known else 0
    return out


def script_classes():
    """How UnicodeScripts groups characters: run by run, each compared with a known member of every script."""
    split = pre_tokenizers.UnicodeScripts()
    apart = lambda a, b: len(split.pre_tokenize_str(chr(a) + chr(b))) > 1
    values, members = [0] * 0x110001, []
    previous = None
    for c in POINTS:
        if not apart(0x61, c) and not apart(0x4E2D, c):
            values[c] = 255    # joins either side
            continue
        if previous is not None and not apart(previous, c):
            values[c] = values[previous]
        else:
            found = next((i for i, m in enumerate(members) if not apart(m, c)), None)
            if found is None:
                found = len(members)
                members.append(c)
            values[c] = found
        previous = c
    assert len(members) < 248, len(members)
    return values


def grapheme_breaks():
    values = [0] * 0x110001
    for i, name in enumerate(BREAKS[1:], 1):
        find = regex.compile(r"\p{Grapheme_Cluster_Break=%s}" % name)
        for c in POINTS:
            if find.match(chr(c)):
                values[c] = i
    pictures = regex.compile(r"\p{Extended_Pictographic}")
    for c in POINTS:
        if values[c] == 0 and pictures.match(chr(c)):
            values[c] = len(BREAKS)
    return values


def name_of(code):
    return fontTools.unicodedata.script_name(code).replace(" ", "").replace("_", "")


def emit(file, name, text):
    lines = [text[i : i + 140] for i in range(0, len(text), 140)] or [""]
    print(f"const char* const {name} =", "\n".join(f'    "{line}"' for line in lines) + ";", sep="\n", file=file)


def start(path):
    file = open(path, "w", encoding="ascii")
    print("// Written by tools/unicode_tables.py (Unicode 16.0, and what tokenizers 0.23.3 answers); change that, not this.", file=file)
    print('#include "tokenizer/unicode_data.h"\n\nnamespace weir::tok::unicode::data {\n', file=file)
    return file


def finish(file):
    print("\n}  // namespace weir::tok::unicode::data", file=file)
    file.close()


def main(folder):
    assert unicodedata2.unidata_version == "16.0.0" and tokenizers.__version__ == "0.23.3"
    category = ["Cs"] * 0x110001
    for c in POINTS:
        category[c] = unicodedata2.category(chr(c))
    assigned = lambda c: category[c] != "Cn"
    of = lambda pattern: {c for c in POINTS if assigned(c) and regex.match(pattern, chr(c))}
    in_class = lambda pattern: vanished(normalizers.Replace(Regex(pattern), ""))
    scripts = sorted({fontTools.unicodedata.script(chr(c)) for c in POINTS if assigned(c)} - {"Zzzz"})
    script = [0] * 0x110001
    for c in POINTS:
        code = fontTools.unicodedata.script(chr(c))
        if assigned(c) and code in scripts:
            script[c] = scripts.index(code) + 1
    for code in scripts:    # the regex engine agrees on every one
        name = fontTools.unicodedata.script_name(code)
        assert in_class(r"\p{%s}" % name) == {c for c in POINTS if script[c] and scripts[script[c] - 1] == code}, name
    alphabetic = of(r"\p{Alphabetic}")
    assert in_class(r"\p{Alphabetic}") == alphabetic

    canonical, compatible, composed = decompositions()
    file = start(folder + "/unicode_data.cc")
    emit(file, "categories", runs([CATEGORIES.index(name) for name in category]))
    emit(file, "scripts", runs(script))
    emit(file, "script_names", " ".join(f"{code} {name_of(code)}" for code in scripts))
    emit(file, "alphabetic", ranges(alphabetic))
    emit(file, "onig_word", ranges(in_class(r"\w")))
    emit(file, "rust_numeric", ranges(split_by(pre_tokenizers.Digits(individual_digits=True))))
    single = tokenizers.Tokenizer(tokenizers.models.WordLevel({"q": 0, "?": 1}, unk_token="?"))
    single.add_tokens([tokenizers.AddedToken("zq", single_word=True)])
    emit(file, "rust_word", ranges({c for c in POINTS if "zq" not in single.encode(chr(c) + "zq").tokens}))
    emit(file, "legacy_punctuation", ranges(split_by(pre_tokenizers.Punctuation("isolated"))))
    white = {0x09, 0x0A, 0x0D}
    emit(file, "legacy_control", ranges(c for c in vanished(bert(clean_text=True)) if category[c][0] != "Z" and c not in white))
    emit(file, "legacy_nonspacing", ranges(c for c in vanished(bert(strip_accents=True)) if category[c][0] == "M"))
    emit(file, "legacy_accents", ranges(c for c in vanished(normalizers.StripAccents())))
    emit(file, "legacy_scripts", runs(script_classes()))
    emit(file, "lowercase", mapping(lowercase()))
    emit(file, "graphemes", runs(grapheme_breaks()))
    finish(file)
    file = start(folder + "/unicode_normal_data.cc")
    emit(file, "canonical", mapping(canonical))
    emit(file, "compatible", mapping(compatible))
    emit(file, "composed", mapping(composed))
    emit(file, "combining", runs(combining_classes()))
    finish(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
