#!/usr/bin/env python3
"""Follows a how-to page to the letter: does what its marked code blocks say, in a copy of the tree, and fails where the page is wrong.

    tools/follow_doc.py docs/add-a-policy.md

A block is marked by the comment above it:
    <!-- write: PATH -->              the block is a new file; it must not exist yet
    <!-- insert: PATH after: TEXT --> the block goes behind the one line of PATH that contains TEXT
    <!-- run -->                      the block is commands; each must succeed
The copy is build/follow/<page>; dependencies come from the compiler cache, so a second run takes seconds.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPIED = ["CMakeLists.txt", "CMakePresets.json", "cmake", "src", "tests", "tools", "docs"]
BLOCK = re.compile(r"<!-- (write|insert|run)(?:: (\S+))?(?: after: (.+?))? -->\n```\w*\n(.*?)^```$", re.S | re.M)


class PageIsWrong(Exception):
    pass


def copy_tree(place):
    """The sources as they are now; the build folder of an earlier run stays."""
    for name in COPIED:
        target = place / name
        if target.is_dir():
            shutil.rmtree(target)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)


def step(place, verb, path, anchor, text):
    if verb == "run":
        for command in text.strip().splitlines():
            print(f"$ {command}", flush=True)
            # One cache for both trees: paths inside the copy count as paths inside the original.
            env = {**os.environ, "CCACHE_BASEDIR": str(place), "CCACHE_NOHASHDIR": "1"}
            done = subprocess.run(["bash", "-c", command], cwd=place, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=900)
            if done.returncode:
                raise PageIsWrong(f"{command!r} ended with {done.returncode}:\n{done.stdout[-4000:]}")
            print("\n".join(done.stdout.splitlines()[-4:]))
        return
    file = place / path
    if verb == "write":
        if file.exists():
            raise PageIsWrong(f"{path} exists already")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return
    if not file.exists():
        raise PageIsWrong(f"{path} does not exist")
    lines = file.read_text().splitlines(keepends=True)
    at = [i for i, line in enumerate(lines) if anchor in line]
    if len(at) != 1:
        raise PageIsWrong(f"{path}: {len(at)} lines contain {anchor!r}, the page needs one")
    lines.insert(at[0] + 1, text)
    file.write_text("".join(lines))


def follow(page):
    place = ROOT / "build/follow" / page.stem
    copy_tree(place)
    blocks = BLOCK.findall(page.read_text())
    if not blocks or all(verb != "run" for verb, *_ in blocks):
        raise PageIsWrong("it has no marked blocks to follow")
    for verb, path, anchor, text in blocks:
        if verb != "run":
            print(f"{verb} {path}")
        step(place, verb, path, anchor, text)


if __name__ == "__main__":
    try:
        follow(pathlib.Path(sys.argv[1]).resolve())
    except PageIsWrong as why:
        print(f"{sys.argv[1]}: {why}")
        sys.exit(1)
