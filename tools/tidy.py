#!/usr/bin/env python3
"""Checks the shape of the tree: who includes whom, file sizes, headers, fences around heavy libraries, banned patterns.

Runs as the ctest `tidy`. `tools/tidy.py [ROOT]` prints one line per finding and exits 1 when there is any.
Each check is a generator `check_*(tree)`; tools/tidy_test.py shows every one of them a tree that breaks it.
"""
import pathlib
import re
import sys

SHELVES = ["tokenizer", "template", "hub", "parsers", "kv", "fleet", "discovery", "policy", "engine", "planes", "sim", "store", "limits", "auth", "plugin"]
STAGES = ["edge", "api", "prepare", "route", "dispatch", "respond"]
LAYERS = [["base"], ["types"], ["config", "obs"], ["wire"], ["net"], SHELVES, STAGES, ["mocker"], ["gateway", "replay"], ["command"]]
RANK = {name: row for row, names in enumerate(LAYERS) for name in names}
# Folders that may see less than their row allows: the mocker is an engine, not a gateway.
ONLY = {"mocker": {"base", "types", "config", "obs", "wire", "net", "sim", "engine", "discovery", "planes"}}
# Sideways includes we want, each with its reason.
SIDEWAYS = set()

LINES_MAX = 500
LONG = {}                        # "src/kv/run_table.cc": 620 -- an entry shrinks, it never grows
LINE_LENGTH_MAX = 160            # the formatter's limit is 130; this catches what nobody formatted

# Library -> (header pattern, how many of our non-test files may include it).
FENCES = {
    "simdjson": (r"simdjson\.h", 4),
    "nghttp2": (r"nghttp2/.*", 3),
    "openssl": (r"openssl/.*", 4),
    "yaml-cpp": (r"yaml-cpp/.*", 2),
    "nlohmann": (r"nlohmann/.*", 4),
    "spdlog": (r"spdlog/.*", 1),
    "pcre2": (r"pcre2.*\.h", 1),
    "curl": (r"curl/.*", 1),
}
BAD_WORDS = r"utils?|helpers?|manager"
# (what, pattern, files it may stand in, what to do instead)
PATTERNS = [
    ("switch on co_await", r"\bswitch\s*\(\s*co_await\b", None, "g++ 12 takes the wrong branch: name the value first"),
    ("coroutine lambda", r"\]\s*\([^()]*\)\s*(?:mutable\s*)?(?:noexcept\s*)?->\s*Task<", None, "captures die before the first resume: use a function"),
    ("symmetric transfer", r"coroutine_handle<[^>]*>\s+await_suspend", None, "g++ 12 recurses: return bool, let the loop resume"),
    ("atomic shared_ptr", r"std::atomic<\s*std::shared_ptr", None, "races inside libstdc++ 12: send the value to each core"),
    ("getenv", r"\bgetenv\s*\(", r"config/.*|.*_test\.cc|.*_fuzz\.cc", "the option table reads the environment"),
    ("std::thread", r"\bstd::j?thread\b(?!::)", r"base/.*|net/.*|obs/.*|gateway/(gateway|mock_host|mock_workers|routings)\..*|.*_test\.cc|.*_bench\.cc", "work runs on a core, or in blocking()"),
    ("sleep", r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\s*\(", r"base/clock.*|obs/.*|.*_test\.cc|.*_bench\.cc", "await a timer or the event itself"),
    ("using namespace std", r"\busing\s+namespace\s+std\s*;", None, "spell the names"),
]
# Option fields whose only reader is the loading of options itself.
FIELDS_OF_CONFIG = {"run.dump_to", "run.compat_defaults", "hub.home"}
# Places that exist only where this was written. A machine that clones the repository has none of them.
ELSEWHERE = [r"(?<![\w./-])/work/(?:main|shared)\b", r"\bbash_jobs\b", r"(?<![\w.])\.\./shared\b"]
ELSEWHERE_ALLOWED = {".ci/run", "tools/tidy.py", "tools/tidy_test.py"}
TEXT = {".cc", ".h", ".py", ".md", ".txt", ".cmake", ".json", ".yaml", ".yml", ".sh", ".js", ".mjs", ""}
SKIP = {".git", "build", ".cache", "node_modules", "__pycache__"}


class File:
    def __init__(self, path, root):
        self.path, self.name = path, str(path.relative_to(root))
        self.text = path.read_text(encoding="utf-8", errors="replace")
        self.lines = self.text.split("\n")

    @property
    def code(self):
        """The text with comments and string contents blanked, so that prose about a trap is not the trap."""
        if not hasattr(self, "_code"):
            keep_lines = lambda match: re.sub(r"[^\n]", " ", match.group(0))
            pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
            self._code = re.sub(pattern, lambda m: m.group(0) if self._is_include(m) else keep_lines(m), self.text, flags=re.S)
        return self._code

    def _is_include(self, match):
        return self.text.rfind("#include", self.text.rfind("\n", 0, match.start()) + 1, match.start()) >= 0

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.files = [File(p, self.root) for p in sorted(self._walk(self.root))]
        self.sources = [f for f in self.files if f.name.startswith("src/") and f.path.suffix in (".cc", ".h")]

    def _walk(self, folder):
        for path in folder.iterdir():
            if path.name in SKIP or path.is_symlink():
                continue
            if path.is_dir():
                yield from self._walk(path)
            elif path.suffix in TEXT and path.stat().st_size < 4_000_000:
                yield path


def folder_of(file):
    parts = file.name.split("/")
    return parts[1] if len(parts) > 2 else None              # src/main.cc belongs to no folder


def is_test(file):
    return re.search(r"_(test|fuzz|bench)\.(cc|h)$", file.name) is not None


def may_include(here, there):
    if here == there or (here, there) in SIDEWAYS:
        return True
    if here in ONLY:
        return there in ONLY[here]
    if there == "mocker" and here != "gateway":
        return False
    return RANK[there] < RANK[here]


def includes(file):
    for number, line in enumerate(file.lines, 1):
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if match:
            yield number, match.group(1), match.group(2)


def check_layers(tree):
    for file in tree.sources:
        here = folder_of(file)
        if here is None:
            continue
        if here not in RANK:
            yield f"{file.name}: folder '{here}' has no layer in tools/tidy.py"
            continue
        for number, quote, target in includes(file):
            there = target.split("/")[0]
            if quote != '"' or is_test(file) or "/" not in target or there not in RANK:
                continue
            if not may_include(here, there):
                yield f"{file.name}:{number}: {here} must not include {there} ({target})"


def check_includes_rooted(tree):
    for file in tree.sources:
        for number, quote, target in includes(file):
            if quote == '"' and "/" not in target:
                yield f'{file.name}:{number}: "{target}" is not rooted at src/'
            if quote == '"' and target.startswith("tests/") and not is_test(file):
                yield f"{file.name}:{number}: only tests include {target}"


def check_build_lines(tree):
    """cmake/folders.cmake: a line for each folder, in layer order, with dependencies that cover the includes."""
    folders = tree.root / "cmake/folders.cmake"
    if not folders.exists():
        return
    deps, last = {}, ("", -1)
    for name, rest in re.findall(r"^\s*weir_folder\(\s*(\w+)([^)]*)\)", folders.read_text(), flags=re.M):
        deps[name] = set(re.findall(r"\w+", (re.search(r"DEPS(.*?)(?:LIBS|$)", rest, re.S) or ["", ""])[1]))
        if name not in RANK:
            yield f"cmake/folders.cmake: folder '{name}' has no layer in tools/tidy.py"
            continue
        if RANK[name] < last[1]:
            yield f"cmake/folders.cmake: {name} stands after {last[0]}, which is in a later layer"
        last = (name, RANK[name])
        for dep in sorted(deps[name]):
            if dep not in RANK or not may_include(name, dep):
                yield f"cmake/folders.cmake: {name} must not depend on {dep}"

    def closure(name, seen):
        for dep in deps.get(name, ()):
            if dep not in seen:
                seen.add(dep)
                closure(dep, seen)
        return seen

    missing = {}
    for file in tree.sources:
        here = folder_of(file)
        if here is None or here not in RANK or here not in deps or is_test(file):
            continue
        reach = closure(here, {here})
        for _, quote, target in includes(file):
            there = target.split("/")[0]
            if quote == '"' and there in deps and there not in reach:
                missing.setdefault((here, there), file.name)
    for (here, there), name in sorted(missing.items()):
        yield f"cmake/folders.cmake: {here} includes {there} ({name}) but does not list it in DEPS"
    for here in sorted({folder_of(f) for f in tree.sources if f.path.suffix == ".cc"} - {None}):
        if here in RANK and here not in deps:
            yield f"cmake/folders.cmake: no weir_folder line for src/{here}"


def check_sizes(tree):
    for file in tree.files:
        if file.path.suffix not in (".cc", ".h", ".py") and file.name not in ("run", "test"):
            continue
        count = file.text.count("\n")
        limit = LONG.get(file.name, LINES_MAX)
        if count > limit:
            yield f"{file.name}: {count} lines, at most {limit}"
        if file.path.suffix in (".cc", ".h"):
            for number, line in enumerate(file.lines, 1):
                if len(line) > LINE_LENGTH_MAX and 'R"' not in line and not is_test(file):
                    yield f"{file.name}:{number}: {len(line)} characters in one line, at most {LINE_LENGTH_MAX}"
                if "\t" in line and not re.search(r'R"|"[^"]*\t', line):
                    yield f"{file.name}:{number}: tab"


def check_headers(tree):
    for file in tree.sources:
        if file.path.suffix != ".h":
            continue
        if "#pragma once" not in file.text:
            yield f"{file.name}: no #pragma once"
        if not file.lines[0].startswith("//"):
            yield f"{file.name}: the first line does not say what the header is for"


def check_readmes(tree):
    src = tree.root / "src"
    for folder in sorted({folder_of(f) for f in tree.sources} - {None}):
        readme = src / folder / "README.md"
        if not readme.exists() or not readme.read_text().strip():
            yield f"src/{folder}: no README.md"


def check_fences(tree):
    for library, (pattern, limit) in FENCES.items():
        users = []
        for file in tree.sources:
            for number, quote, target in includes(file):
                if not re.fullmatch(pattern, target):
                    continue
                if file.path.suffix == ".h":
                    yield f"{file.name}:{number}: {library} in a header; keep it in .cc files"
                elif not is_test(file):
                    users.append(file.name)
        users = sorted(set(users))
        if len(users) > limit:
            yield f"{library} is included by {len(users)} files, at most {limit}: {', '.join(users)}"


def check_names(tree):
    for file in tree.files:
        words = re.split(r"[/_.\-]", file.name.lower())
        bad = [w for w in words if re.fullmatch(BAD_WORDS, w)]
        if bad and not file.name.startswith("tests/golden"):
            yield f"{file.name}: '{bad[0]}' says nothing; name the idea"
    for file in tree.sources:
        for match in re.finditer(r"\b(?:class|struct|namespace|enum class)\s+(\w+)", file.code):
            parts = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", match.group(1))
            if any(re.fullmatch(BAD_WORDS, p.lower()) for p in parts):
                yield f"{file.name}:{file.line_of(match.start())}: the name {match.group(1)} says nothing; name the idea"


def check_patterns(tree):
    for file in tree.sources:
        inside = file.name[len("src/"):]
        for what, pattern, allowed, instead in PATTERNS:
            if allowed and re.fullmatch(allowed, inside):
                continue
            for match in re.finditer(pattern, file.code):
                yield f"{file.name}:{file.line_of(match.start())}: {what}: {instead}"


def check_elsewhere(tree):
    for file in tree.files:
        if file.name in ELSEWHERE_ALLOWED:
            continue
        for pattern in ELSEWHERE:
            for match in re.finditer(pattern, file.text):
                yield f"{file.name}:{file.line_of(match.start())}: names a place outside the repository: {match.group(0)}"


def check_option_fields(tree):
    """A row of the option table that fills a field must have a reader outside config/: a flag parsed and ignored is a lie."""
    readers = [f for f in tree.sources if not f.name.startswith("src/config/") and not is_test(f)]
    if not any("config/config.h" in f.text for f in readers):
        return
    for file in tree.sources:
        if not file.name.startswith("src/config/options/"):
            continue
        for match in re.finditer(r"\bWEIR_FIELD\((\w+)\.(\w+)\)", file.code):
            section, field = match.groups()
            if f"{section}.{field}" in FIELDS_OF_CONFIG:
                continue
            whole = rf"\b{section}_?(?:\.|->){field}\b"
            by_type, part = rf"\b{section.capitalize()}Config\b", rf"(?:\.|->){field}\b"
            if not any(re.search(whole, f.code) or (re.search(by_type, f.code) and re.search(part, f.code)) for f in readers):
                yield f"{file.name}:{file.line_of(match.start())}: {section}.{field} is read by nobody outside config/"


CHECKS = [check_layers, check_includes_rooted, check_build_lines, check_sizes, check_headers, check_readmes, check_fences,
          check_names, check_patterns, check_elsewhere, check_option_fields]


def findings(root):
    tree = Tree(root)
    return [finding for check in CHECKS for finding in check(tree)]


if __name__ == "__main__":
    here = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    found = findings(here)
    print("\n".join(found) if found else "tidy: nothing to say")
    sys.exit(1 if found else 0)
