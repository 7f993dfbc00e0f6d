"""nghttp2's own load client: many streams on few connections, every one answered."""
import json
import re

import provide


def suite(setup, dialect, tls):
    from main import MODEL, run
    h2load = provide.tool("h2load", "nghttp2-client")
    body = setup.folder / "h2load.json"
    url = setup.url(dialect, tls)
    passed, failed, said = 0, 0, []
    cases = {"unary": (2000, 100, {"stream": False, "max_tokens": 1}), "streams": (400, 50, {"stream": True, "max_tokens": 5})}
    for name, (requests, streams, fields) in cases.items():
        body.write_text(json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "x"}], **fields}))
        code, text = run([h2load, "-n", requests, "-c", 4, "-m", streams, "-d", body, "-H", "content-type: application/json",
                          url.replace("localhost", "127.0.0.1") + "/v1/chat/completions"], 120)
        match = re.search(r"requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored", text)
        good = match and int(match[2]) == requests and match[3] == match[4] == "0" and "Application protocol: h2" in text
        passed, failed = passed + bool(good), failed + (not good)
        if not good:
            said.append(f"FAILED {name}\n{text}")
    return (passed, failed, 0), "\n".join(said)
