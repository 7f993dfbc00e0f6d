"""What a stranger sees first: the gateway with simulated engines inside the process, as ./run starts it."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
import weir_process  # noqa: E402
from e2e import CHAT, chat, request, wait_until  # noqa: E402


class Demo(e2e.Case):
    def demo(self, *flags):
        weir = self.keep(e2e.gateway("frontend", "--discovery-backend", "mem", "--demo-engines", "3", *flags))
        models = wait_until(lambda: request(weir.http, "GET", "/v1/models").json().get("data"), 10, "a model")
        return weir, models[0]["id"]

    def test_chat(self):
        weir, model = self.demo()
        answer = request(weir.http, "POST", CHAT, chat(model, stream=True, max_tokens=5))
        self.assertEqual(answer.events()[-1], "[DONE]")
        answer = request(weir.http, "POST", CHAT, chat(model, max_tokens=5)).json()
        self.assertEqual(answer["usage"]["completion_tokens"], 5)
        self.assertTrue(answer["choices"][0]["message"]["content"])

    def test_the_same_question_gets_the_same_answer(self):
        weir, model = self.demo()
        say = lambda: request(weir.http, "POST", CHAT, chat(model, max_tokens=8, seed=3, temperature=0)).json()["choices"][0]["message"]["content"]
        self.assertEqual(say(), say())

    def test_completions_embeddings_and_pages(self):
        weir, model = self.demo()
        answer = request(weir.http, "POST", "/v1/completions", {"model": model, "prompt": "once", "max_tokens": 3})
        self.assertEqual(answer.json()["usage"]["completion_tokens"], 3)
        answer = request(weir.http, "POST", "/v1/embeddings", {"model": model, "input": ["a", "b"]}).json()
        self.assertEqual(len(answer["data"]), 2)
        for path in ("/health", "/live", "/metrics", "/openapi.json", "/docs/"):
            self.assertEqual(request(weir.http, "GET", path).status, 200, path)

    def test_it_ends_cleanly(self):
        weir, _ = self.demo()
        weir.signal()
        self.assertEqual(weir.wait(), 0)

    def test_without_workers_it_says_where_it_looks(self):
        weir = self.keep(e2e.gateway("frontend", env={"ETCD_ENDPOINTS": f"http://127.0.0.1:{weir_process.closed_port()}"}))
        wait_until(lambda: "etcd is lost" in weir.log(), 10, "etcd named in the log")
        self.assertEqual(request(weir.http, "POST", CHAT, chat("any")).status, 404)


if __name__ == "__main__":
    e2e.main()
