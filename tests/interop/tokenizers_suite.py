"""tokenizers_live.py in an environment of its own: 100,000 texts over 20 tokenizer files, and small tokenizers with random settings."""
import os
import pathlib
import re
import subprocess

import provide
import weir_process

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = "tokenizers==0.23.3"


def suite(setup, dialect, tls):
    python = provide.venv("tokenizers", PACKAGE)
    # The library writes a backtrace for each of its own panics, of which there are many, to standard error.
    done = subprocess.run([str(python), "-B", str(HERE / "tokenizers_live.py")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          timeout=5400, env={**os.environ, "WEIR_BIN": weir_process.BINARY, "RUST_BACKTRACE": "0"})
    ran = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", done.stdout, re.M)
    passed, failed, skipped = map(int, ran[-1]) if ran else (0, 1, 0)
    return (passed, max(failed, 1 if done.returncode else 0), skipped), done.stdout
