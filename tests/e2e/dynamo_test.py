"""`weir frontend` before workers that announce themselves as Dynamo's do: found in a folder of records, asked for tokens, heard of their KV
blocks. The workers are `weir mocker --dynamo`; tests/interop has the real ones.
"""
import json
import pathlib
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
import toy_model  # noqa: E402
import weir_process  # noqa: E402
from e2e import CHAT, SLOW, Connection, request, wait_until  # noqa: E402

TEXT = "/v1/completions"


class Dynamo(e2e.Case):
    def deployment(self, *flags, workers=1, speed=1000, env=None):
        self.folder = pathlib.Path(self.keep(tempfile.TemporaryDirectory(prefix="weir-dynamo-")))
        self.env = {"DYN_FILE_KV": str(self.folder / "kv"), "HOME": str(self.folder), **(env or {})}
        model = toy_model.write(self.folder / "model")
        self.mockers = [self.keep(weir_process.Weir("mocker", "--dynamo", "--model-path", model, "--model-name", "tiny", "--block-size", 16,
                                                    "--speedup-ratio", speed, env=self.env)) for _ in range(workers)]
        weir = self.keep(e2e.gateway("frontend", "--discovery-backend", "file", *flags, env=self.env))
        wait_until(lambda: self.all_there(weir, workers), 30 * SLOW, f"{workers} workers")
        return weir

    def all_there(self, weir, workers):
        answer = self.ask(weir, TEXT, max_tokens=1, headers=[("x-weir-decision", "1")])
        return answer.status == 200 and self.decision(answer)["eligible"] == workers

    def ask(self, weir, path, headers=(), **fields):
        what = {"messages": [{"role": "user", "content": "hello"}]} if path == CHAT else {"prompt": "hello"}
        return request(weir.http, "POST", path, {"model": "tiny", **what, **fields}, headers, seconds_max=30 * SLOW)

    def decision(self, answer):
        return json.loads(answer.header("x-weir-decision"))

    def test_chat_and_text(self):
        weir = self.deployment(workers=2)
        self.assertEqual([m["id"] for m in request(weir.http, "GET", "/v1/models").json()["data"]], ["tiny"])
        health = request(weir.http, "GET", "/health").json()
        self.assertIn("dyn://dynamo.backend.generate", health["endpoints"])
        self.assertEqual(sum(i["endpoint"] == "generate" for i in health["instances"]), 2)
        answer = self.ask(weir, CHAT, max_tokens=5).json()
        self.assertEqual((answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]), ("length", 5))
        self.assertEqual(answer["usage"]["prompt_tokens"], len(toy_model.ids("<s><|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n")))
        events = self.ask(weir, CHAT, max_tokens=5, stream=True, stream_options={"include_usage": True}).events()
        self.assertEqual(events[-1], "[DONE]")
        self.assertEqual(json.loads(events[-2])["usage"]["completion_tokens"], 5)
        self.assertEqual(json.loads(events[-3])["choices"][0]["finish_reason"], "length")
        self.assertEqual(json.loads(events[0])["choices"][0]["delta"]["role"], "assistant")

    def test_a_stop_string_ends_the_answer(self):
        weir = self.deployment()
        full = self.ask(weir, TEXT, max_tokens=40, seed=7, ignore_eos=True).json()
        said = full["choices"][0]["text"]
        self.assertEqual(full["usage"]["completion_tokens"], 40)
        self.assertEqual(self.ask(weir, TEXT, max_tokens=40, seed=7, ignore_eos=True).json()["choices"][0]["text"], said)
        plain = next(i for i in range(10, len(said)) if said[i:i + 2].isascii() and said[i:i + 2].isprintable() and said.find(said[i:i + 2]) == i)
        for stream in (False, True):
            answer = self.ask(weir, TEXT, max_tokens=40, seed=7, ignore_eos=True, stop=said[plain:plain + 2], stream=stream)
            choices = [json.loads(e)["choices"][0] for e in answer.events()[:-1]] if stream else answer.json()["choices"]
            self.assertEqual("".join(c["text"] for c in choices), said[:plain])
            self.assertEqual(choices[-1]["finish_reason"], "stop")
        self.assertEqual(self.ask(weir, TEXT, max_tokens=3, seed=7, ignore_eos=True, echo=True).json()["choices"][0]["text"][:5], "hello")

    def test_blocks_are_known_of_and_counted_as_the_worker_does(self):
        weir = self.deployment("--router-mode", "kv", workers=3)
        prompt, explain = "abcdfgijkmnopqrs" * 4 + "z", [("x-weir-decision", "1")]
        first = self.ask(weir, TEXT, explain, prompt=prompt, max_tokens=1)
        self.assertEqual(self.decision(first)["cached_tokens"], 0)
        worker = self.decision(first)["candidates"][self.decision(first)["chosen"]]["id"]

        def again():
            answer = self.ask(weir, TEXT, [*explain, ("x-dynamo-worker-instance-id", worker)], prompt=prompt, max_tokens=1)
            return self.decision(answer)["cached_tokens"] and answer
        answer = wait_until(again, 10 * SLOW, "the events")
        self.assertEqual(self.decision(answer)["cached_tokens"], 64)
        self.assertEqual(answer.json()["usage"]["prompt_tokens_details"]["cached_tokens"], 64)
        free = self.decision(self.ask(weir, TEXT, explain, prompt=prompt, max_tokens=1))
        self.assertEqual(free["candidates"][free["chosen"]]["id"], worker, "overlap decides")

    def test_errors(self):
        weir = self.deployment()
        self.assertEqual(self.ask(weir, TEXT, prompt=["a", "b"]).status, 501)
        self.assertEqual(request(weir.http, "POST", CHAT, {"model": "nope", "messages": [{"role": "user", "content": "x"}]}).status, 404)
        self.assertEqual(request(weir.http, "POST", "/v1/embeddings", {"model": "tiny", "input": "x"}).status, 501)
        self.assertEqual(self.ask(weir, TEXT, [("x-dynamo-worker-instance-id", "12345")]).status, 400)

    def test_who_leaves_is_let_go(self):
        weir = self.deployment(speed=1)
        with Connection(weir.http) as leaver:
            leaver.send_request("POST", TEXT, json.dumps({"model": "tiny", "prompt": "x", "max_tokens": 20000, "ignore_eos": True, "stream": True}))
            wait_until(lambda: b"data:" in leaver.buffer or not leaver.more(), 30 * SLOW, "tokens")
        idle = lambda: self.decision(self.ask(weir, TEXT, [("x-weir-decision", "1")], max_tokens=1))["candidates"][0]["requests"] == 0
        wait_until(idle, 20 * SLOW, "nothing booked")

    def test_a_worker_that_dies_takes_its_answers_along(self):
        weir = self.deployment(speed=1, workers=1)
        body = {"model": "tiny", "prompt": "x", "max_tokens": 20000, "ignore_eos": True}
        with Connection(weir.http) as stream, Connection(weir.http) as whole:
            stream.send_request("POST", TEXT, json.dumps({**body, "stream": True}))
            whole.send_request("POST", TEXT, json.dumps(body))
            wait_until(lambda: b"data:" in stream.buffer or not stream.more(), 30 * SLOW, "tokens")
            self.mockers[0].signal(signal.SIGKILL)
            answer = stream.read_answer()
            self.assertEqual(answer.events()[-1], "[DONE]")
            self.assertEqual(json.loads(answer.events()[-2])["error"]["code"], 503)
            self.assertEqual(whole.read_answer().status, 503)

    def test_the_last_worker_takes_its_model_along(self):
        weir = self.deployment()
        self.mockers[0].signal(signal.SIGTERM)
        wait_until(lambda: not request(weir.http, "GET", "/v1/models").json()["data"], 20 * SLOW, "no model")
        answer = self.ask(weir, TEXT)
        self.assertEqual((answer.status, answer.body), (404, b""))


if __name__ == "__main__":
    e2e.main()
