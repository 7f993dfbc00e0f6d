"""One cache of model files, filled by Python's huggingface_hub and by weir at once, and read by each from the other."""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import hub_server
import http_probe
import provide
import toy_model
import weir_process

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = "huggingface_hub==2.4.0"
ROUNDS, EACH = 5, 3


def environment(hub, home):
    return {**weir_process.QUIET_ENV, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def weir_with(model, env):
    return weir_process.Weir("launch", "--host", "127.0.0.1", "--port", "0", "--prometheus-port", "0", "--policy", "round_robin", "--worker-urls",
                             "http://127.0.0.1:9", "--model-path", model, env=env)


def answers(weir):
    def loaded():
        reply = http_probe.request(weir.http, "POST", "/v1/tokenize", '{"prompt":"hello"}')
        return reply.status == 200 and reply.json()["tokens"] == toy_model.ids("hello")
    weir_process.wait_until(loaded, 30, "a tokenizer out of the cache")


def one_round(python, number, said):
    """Everybody at once on an empty cache; then each reads offline what is there."""
    with tempfile.TemporaryDirectory(prefix="weir-hub-") as home, hub_server.Hub() as hub:
        files = {**toy_model.files(), "model.safetensors": os.urandom(10_000)}
        hub.add("org/toy", files, large=["tokenizer.json", "model.safetensors"])
        hub.faults[:] = ["slow"] * 8
        env, cache = environment(hub, home), pathlib.Path(home, "hub")
        peers = [subprocess.Popen([python, HERE / "hub_peer.py", "fetch", "org/toy", cache], env=env, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True) for _ in range(EACH)]
        weirs = [weir_with("org/toy", env) for _ in range(EACH)]
        try:
            for weir in weirs:
                answers(weir)
        finally:
            for weir in weirs:
                weir.close()
        for peer in peers:
            text, _ = peer.communicate(timeout=60)
            assert peer.returncode == 0, text
        folder = cache / "models--org--toy"
        left = list(folder.glob("blobs/*.incomplete"))
        assert not left, f"left behind: {left}"
        for name, data in toy_model.files().items():
            (pointer,) = folder.glob(f"snapshots/*/{name}")
            assert pointer.is_symlink() and pointer.read_bytes() == data, pointer
            if name == "tokenizer.json":
                assert hashlib.sha256(data).hexdigest() == pointer.resolve().name
        hub.asked.clear()
        peer = subprocess.run([python, HERE / "hub_peer.py", "offline", "org/toy", cache], env=env, capture_output=True, text=True, timeout=60)
        assert peer.returncode == 0 and peer.stdout.split()[1] == "absent", peer.stdout + peer.stderr
        with weir_with("org/toy", {**env, "HF_HUB_OFFLINE": "1"}) as weir:
            answers(weir)
        assert not hub.asked, hub.asked
        said.append(f"round {number}: {EACH} of each, one cache")


def one_after_the_other(python, said):
    """A cache that only one of them filled is complete for the other."""
    for first in ("python", "weir"):
        with tempfile.TemporaryDirectory(prefix="weir-hub-") as home, hub_server.Hub() as hub:
            hub.add("org/toy", toy_model.files(), large=["tokenizer.json"])
            env, cache = environment(hub, home), pathlib.Path(home, "hub")
            if first == "python":
                done = subprocess.run([python, HERE / "hub_peer.py", "fetch", "org/toy", cache], env=env, capture_output=True, text=True, timeout=60)
                assert done.returncode == 0, done.stdout + done.stderr
            else:
                with weir_with("org/toy", env) as weir:
                    answers(weir)
            fetched = hub.count("GET cdn/")
            if first == "python":
                with weir_with("org/toy", env) as weir:
                    answers(weir)
            else:
                done = subprocess.run([python, HERE / "hub_peer.py", "fetch", "org/toy", cache], env=env, capture_output=True, text=True, timeout=60)
                assert done.returncode == 0, done.stdout + done.stderr
            assert hub.count("GET cdn/") == fetched == 1, hub.asked
            said.append(f"filled by {first}, used by the other")


def suite(*_):
    python, said = provide.venv("hub", PACKAGE), []
    for number in range(ROUNDS):
        one_round(python, number + 1, said)
    one_after_the_other(python, said)
    return (len(said), 0, 0), "\n".join(said)


if __name__ == "__main__":
    print(suite()[1])
