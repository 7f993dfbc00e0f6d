"""`weir tokenize` and `weir detokenize` over one model: requests in, answers out, a JSON object a line each. WEIR_BIN names the binary."""
import json
import os
import subprocess


def answers(command, model, requests, ascii_only=True, seconds_max=None):
    """One answer a request, in order; RuntimeError when weir ends badly or leaves a line out. `ascii_only`: characters go as \\u escapes."""
    lines = "".join(json.dumps(request, ensure_ascii=ascii_only) + "\n" for request in requests)
    done = subprocess.run([os.environ["WEIR_BIN"], command, "--model", str(model), "--jsonl"], input=lines.encode(), capture_output=True,
                          timeout=seconds_max)
    if done.returncode != 0:
        raise RuntimeError(f"weir {command} --model {model}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    got = [json.loads(line) for line in done.stdout.decode().split("\n")[:-1]]   # not splitlines: texts have other line ends
    if len(got) != len(requests):
        raise RuntimeError(f"weir {command} --model {model}: {len(requests)} lines asked, {len(got)} answered")
    return got
