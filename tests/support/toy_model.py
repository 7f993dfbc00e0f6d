"""A model folder small enough to be checked by eye: every byte is a token, "he" and "ll" are merged, three special tokens.

    ids("hello") == [256, 257, 111]
"""
import json
import pathlib

HE, LL, START, END, BOS = 256, 257, 258, 259, 260     # added tokens follow the vocabulary, or the reference renumbers them
TEMPLATE = ("{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
SPECIAL = {"<|im_start|>": START, "<|im_end|>": END, "<s>": BOS}


def byte_letters():
    """Byte level BPE spells bytes as printable characters."""
    plain = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    letters, extra = {}, 0
    for byte in range(256):
        letters[byte] = chr(byte) if byte in plain else chr(256 + extra)
        extra += byte not in plain
    return letters


def tokenizer_json():
    vocab = {letter: byte for byte, letter in byte_letters().items()} | {"he": HE, "ll": LL}
    added = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
             for text, i in SPECIAL.items()]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    post = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [BOS], "tokens": ["<s>"]}}}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None, "pre_tokenizer": level,
            "post_processor": post, "decoder": level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocab, "merges": [["h", "e"], ["l", "l"]]}}


def files():
    """Name -> bytes, as they would lie in a repository."""
    texts = {"tokenizer.json": json.dumps(tokenizer_json()),
             "tokenizer_config.json": json.dumps({"bos_token": "<s>", "eos_token": "<|im_end|>", "chat_template": TEMPLATE, "model_max_length": 4096,
                                                  "tokenizer_class": "PreTrainedTokenizerFast"}),
             "config.json": json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 8192, "vocab_size": 261}),
             "generation_config.json": json.dumps({"eos_token_id": [END]})}
    return {name: text.encode() for name, text in texts.items()}


def write(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files().items():
        (folder / name).write_bytes(data)
    return folder


def ids(text, special=True):
    """What the tokenizer makes of a text, without post-processor."""
    out = []
    while text:
        name = next((s for s in SPECIAL if special and text.startswith(s)), None)
        pair = {"he": HE, "ll": LL}.get(text[:2])
        if name:
            out.append(SPECIAL[name])
            text = text[len(name):]
        elif pair:
            out.append(pair)
            text = text[2:]
        else:
            out += text[0].encode()
            text = text[1:]
    return out
