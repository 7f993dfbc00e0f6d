"""curl, as a stranger types it: versions of HTTP, uploads, streams, conditions of the command line."""
import json
import subprocess

import provide


def suite(setup, dialect, tls):
    from main import MODEL
    curl = provide.tool("curl", "curl")
    http2 = "HTTP2" in subprocess.run([curl, "--version"], capture_output=True, text=True).stdout
    base = setup.url(dialect, tls)
    trust = ["--cacert", str(setup.certificates[0][1])] if tls else []
    results = []

    def ask(name, expect, *arguments, path="/v1/chat/completions", check=lambda out: True):
        """expect: what -w prints: status and HTTP version."""
        done = subprocess.run([curl, "-sS", "--max-time", "30", *trust, "-w", "\n%{http_code} %{http_version}", *arguments, base + path],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        out, _, said = done.stdout.rpartition("\n")
        good = done.returncode == 0 and said == expect and check(out)
        results.append((name, good, f"{said!r}, expected {expect!r}; exit {done.returncode} {done.stderr}\n{out[:1000]}"))

    def body(**fields):
        return ["-H", "content-type: application/json", "-d", json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hi"}],
                                                                       "max_tokens": 4, **fields})]
    versions = [("1.1", ["--http1.1"])] + ([("2", ["--http2" if tls else "--http2-prior-knowledge"])] if http2 else [])
    big = setup.folder / "big.json"
    big.write_text(json.dumps({"model": MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": "word-of-twenty-bytes " * 50_000}]}))
    for version, flag in versions:
        ask(f"chat over {version}", f"200 {version}", *flag, *body(), check=lambda out: json.loads(out)["usage"]["completion_tokens"] == 4)
        ask(f"stream over {version}", f"200 {version}", "-N", *flag, *body(stream=True), check=lambda out: out.rstrip().endswith("data: [DONE]"))
        ask(f"models over {version}", f"200 {version}", *flag, path="/v1/models", check=lambda out: MODEL in out)
        ask(f"1 MB body over {version}", f"200 {version}", *flag, "-H", "content-type: application/json", "--data-binary", f"@{big}")
        ask(f"chunked upload over {version}", f"200 {version}", *flag, "-H", "transfer-encoding: chunked", "-H", "content-type: application/json",
            "--data-binary", f"@{big}")
        ask(f"expect over {version}", f"200 {version}", *flag, "-H", "expect: 100-continue", "-H", "content-type: application/json", "--data-binary", f"@{big}")
        ask(f"unknown route over {version}", f"404 {version}", *flag, path="/nope")
        ask(f"head over {version}", f"200 {version}", "-I", *flag, path="/v1/models")
        ask(f"bad JSON over {version}", f"400 {version}", *flag, "-H", "content-type: application/json", "-d", "{")
    if not tls:
        ask("HTTP/1.0", "200 1.1", "--http1.0", *body())
    ask("delete is not allowed", "405 1.1", "--http1.1", "-X", "DELETE")
    if tls and http2:
        ask("h2 is chosen by ALPN", "200 2", path="/health")
    failed = [f"FAILED {name}: {why}" for name, good, why in results if not good]
    return (len(results) - len(failed), len(failed), 0 if http2 else 1), "\n".join(failed + ([] if http2 else ["skipped: this curl has no HTTP/2"]))
