"""The gateway's own tokenizers over HTTP: shapes of SMG, vLLM and SGLang, their management, their flags."""
import json
import pathlib
import socket
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e
import toy_model
from e2e import DIALECTS, request, wait_until
from limits_test import LIMITS


class Tokenizers(e2e.Case):
    def setUp(self):
        self.folder = pathlib.Path(self.keep(tempfile.TemporaryDirectory(prefix="weir-model-")))
        self.model = toy_model.write(self.folder / "toy")

    def start(self, dialect, *flags, env=None):
        where = {"WEIR_TEXT_MODEL_PATH": str(self.model)} if dialect == "frontend" else {}
        known = flags if dialect == "frontend" else ("--model-path", self.model, *flags)
        self.weir = self.served(dialect, *known, env={**where, **(env or {})})[0]
        return self.weir

    def post(self, path, body, status=200):
        answer = request(self.weir.http, "POST", path, json.dumps(body), [("content-type", "application/json")])
        self.assertEqual(answer.status, status, answer)
        return answer.json()

    def test_smg_shapes(self):
        for dialect in DIALECTS:
            with self.subTest(dialect):
                self.start(dialect)
                self.assertEqual(self.post("/v1/tokenize", {"model": "any", "prompt": "hello é"}),
                                 {"tokens": toy_model.ids("hello é"), "count": 6, "char_count": 7})
                self.assertEqual(self.post("/v1/tokenize", {"model": "any", "prompt": ["hello", "", "<|im_end|>"]}),
                                 {"tokens": [[256, 257, 111], [], [259]], "count": [3, 0, 1], "char_count": [5, 0, 10]})
                self.assertEqual(self.post("/v1/detokenize", {"model": "any", "tokens": [256, 257, 111, 259]}), {"text": "hello"})
                self.assertEqual(self.post("/v1/detokenize", {"tokens": [256, 259], "skip_special_tokens": False}), {"text": "he<|im_end|>"})
                self.assertEqual(self.post("/v1/detokenize", {"tokens": [[256], [257]]}), {"text": ["he", "ll"]})

    def test_vllm_and_sglang_shapes(self):
        self.start("launch")
        self.assertEqual(self.post("/tokenize", {"model": "any", "prompt": "hello"}),
                         {"tokens": [260, 256, 257, 111], "count": 4, "max_model_len": 4096, "token_strs": None})
        self.assertEqual(self.post("/tokenize", {"prompt": "he llo", "add_special_tokens": False, "return_token_strs": True})["token_strs"],
                         ["he", "Ġ", "ll", "o"])
        self.assertEqual(self.post("/tokenize", {"prompt": ["a", "b"]}), {"tokens": [[260, 97], [260, 98]], "count": [2, 2], "max_model_len": 4096})
        self.assertEqual(self.post("/detokenize", {"model": "any", "tokens": [256, 259]}), {"text": "he<|im_end|>", "prompt": "he<|im_end|>"})
        chat = {"messages": [{"role": "user", "content": "hello"}]}
        text = "<s><|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
        self.assertEqual(self.post("/tokenize", chat)["tokens"], toy_model.ids(text))
        self.assertEqual(self.post("/tokenize", {**chat, "add_generation_prompt": False})["tokens"], toy_model.ids(text[:text.rindex("<|im_start|>")]))

    def test_bad_requests(self):
        for dialect in DIALECTS:
            with self.subTest(dialect):
                self.start(dialect)
                for path, body in [("/v1/tokenize", {}), ("/v1/tokenize", {"prompt": 5}), ("/v1/tokenize", {"prompt": [1]}), ("/tokenize", []),
                                   ("/tokenize", {"messages": 1}), ("/tokenize", {"messages": [], "chat_template": "x"}),
                                   ("/v1/detokenize", {"tokens": "x"}), ("/v1/detokenize", {"tokens": [-1]}), ("/detokenize", {}),
                                   ("/v1/tokenize", {"prompt": "x", "model": 1}), ("/v1/tokenize", {"prompt": ["x"] * 5000})]:
                    answer = request(self.weir.http, "POST", path, json.dumps(body), [("content-type", "application/json")])
                    self.assertEqual(answer.status, 400, (path, body, answer))
                    self.error_of(dialect, answer)
                self.assertEqual(request(self.weir.http, "GET", "/v1/tokenize").status, 405)
                self.assertEqual(request(self.weir.http, "PUT", "/v1/tokenizers").status, 405)

    def test_long_texts(self):
        """In slices, and those without a place to be cut on another thread; the ids are the same."""
        self.start("launch")
        pieces = "hello <|im_end|> world " * 20_000
        self.assertTrue(self.post("/v1/tokenize", {"prompt": pieces})["tokens"] == toy_model.ids("hello <|im_end|> world ") * 20_000)
        whole = "é" * 150_000
        answer = self.post("/v1/tokenize", {"prompt": whole})
        self.assertTrue(answer["tokens"] == list(whole.encode()))       # assertEqual would explain a difference for minutes
        self.assertTrue(self.post("/v1/detokenize", {"tokens": answer["tokens"]}) == {"text": whole})

    def test_a_growing_conversation_is_reused(self):
        self.start("launch", "--tokenizer-cache-enable-l1", "--tokenizer-cache-l1-max-memory", "1000000")
        text = ""
        for turn in range(12):
            text += f"<|im_start|>user\nturn {turn} " + "hello world " * 40 + "<|im_end|>\n"
            self.assertTrue(self.post("/v1/tokenize", {"prompt": text})["tokens"] == toy_model.ids(text), turn)
        count = lambda name, **labels: e2e.metric(self.weir.metrics, name, **labels)
        self.assertGreaterEqual(count("smg_tokenizer_cache_lookups_total", layer="l1", result="hit"), 10)
        self.assertGreater(count("weir_tokenizer_tokens_total", source="cached"), count("weir_tokenizer_tokens_total", source="uncached"))

    def test_exact_cache(self):
        self.start("launch", "--tokenizer-cache-enable-l0", "--tokenizer-cache-l0-max-entries", "2", "--tokenizer-cache-l0-max-memory", "100000")
        for text in ("a", "a", "b", "c", "a"):
            self.assertEqual(self.post("/v1/tokenize", {"prompt": text})["tokens"], [ord(text)])
        self.assertGreaterEqual(e2e.metric(self.weir.metrics, "smg_tokenizer_cache_lookups_total", layer="l0", result="hit"), 1)
        self.assertGreaterEqual(e2e.metric(self.weir.metrics, "smg_tokenizer_cache_evictions_total", layer="l0"), 1)

    def test_management(self):
        self.start("launch", "--disable-tokenizer-autoload")
        none = self.post("/v1/tokenize", {"model": "toy", "prompt": "x"}, 400)
        self.assertEqual(none, {"error": {"message": "No tokenizers available. Use POST /v1/tokenizers to add one.", "type": "tokenizer_not_found"}})
        self.assertEqual(request(self.weir.http, "GET", "/v1/tokenizers").json(), {"tokenizers": []})
        added = self.post("/v1/tokenizers", {"name": "toy", "source": str(self.model)}, 202)
        self.assertEqual(added["status"], "pending")
        self.assertEqual(added["message"], f"Tokenizer 'toy' registration job submitted. Loading from: {self.model}")
        at = f"/v1/tokenizers/{added['id']}"
        wait_until(lambda: request(self.weir.http, "GET", at + "/status").json()["status"] == "completed", 20, "loaded")
        self.assertEqual(request(self.weir.http, "GET", at + "/status").json(),
                         {"id": added["id"], "status": "completed", "message": "Tokenizer 'toy' is loaded and ready", "vocab_size": 261})
        one = {"id": added["id"], "name": "toy", "source": str(self.model), "vocab_size": 261}
        self.assertEqual(request(self.weir.http, "GET", at).json(), one)
        self.assertEqual(request(self.weir.http, "GET", "/v1/tokenizers").json(), {"tokenizers": [one]})
        again = self.post("/v1/tokenizers", {"name": "toy", "source": str(self.model)}, 409)
        self.assertEqual(again, {"id": added["id"], "status": "failed", "message": "Tokenizer 'toy' already exists"})
        self.assertEqual(self.post("/v1/tokenize", {"model": "toy", "prompt": "x"})["tokens"], [120])
        self.post("/v1/tokenize", {"model": "other", "prompt": "x"}, 400)
        gone = request(self.weir.http, "DELETE", at)
        self.assertEqual((gone.status, gone.json()), (200, {"success": True, "message": "Tokenizer 'toy' removed successfully"}))
        self.assertEqual(request(self.weir.http, "DELETE", at).status, 404)
        self.assertEqual(request(self.weir.http, "GET", at + "/status").status, 404)
        for body in ({}, {"name": "x"}, {"name": "", "source": "y"}, {"name": "x" * 2000, "source": "y"}):
            self.post("/v1/tokenizers", body, 400)

    def test_limits(self):
        self.start("launch", "--disable-tokenizer-autoload")
        longest = "x" * LIMITS["tokenizer_name_max"]
        self.post("/v1/tokenizers", {"name": longest, "source": str(self.model)}, 202)
        self.post("/v1/tokenizers", {"name": longest + "x", "source": str(self.model)}, 400)
        for i in range(1, LIMITS["tokenizers_max"]):
            self.post("/v1/tokenizers", {"name": f"t{i}", "source": str(self.model)}, 202)
        self.post("/v1/tokenizers", {"name": "one-more", "source": str(self.model)}, 429)

    def test_a_failed_load_says_why_and_may_be_tried_again(self):
        self.start("launch")
        (self.folder / "broken").mkdir()
        (self.folder / "broken/tokenizer.json").write_text("{")
        added = self.post("/v1/tokenizers", {"name": "b", "source": str(self.folder / "broken")}, 202)
        at = f"/v1/tokenizers/{added['id']}/status"
        wait_until(lambda: request(self.weir.http, "GET", at).json()["status"] == "failed", 20, "failed")
        self.assertIn("tokenizer.json", request(self.weir.http, "GET", at).json()["message"])
        self.assertEqual(self.post("/v1/tokenizers", {"name": "b", "source": str(self.model)}, 202)["status"], "pending")

    def test_managed_from_this_host_only(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))
                address = probe.getsockname()[0]
            except OSError:
                address = "127.0.0.1"
        if address.startswith("127."):
            self.skipTest("this machine has no other address")
        self.start("launch", "--host", "0.0.0.0")
        with e2e.Connection(self.weir.http, host=address) as connection:
            connection.send_request("GET", "/v1/tokenizers")
            answer = connection.read_answer()
        self.assertEqual(answer.status, 403, answer)

    def test_tokenizer_and_template_of_their_own(self):
        (self.folder / "t.jinja").write_text("{{ messages[0].content }}!")
        other = self.folder / "plain"
        toy_model.write(other)
        (other / "tokenizer_config.json").unlink()
        self.start("launch", "--tokenizer-path", other, "--chat-template", self.folder / "t.jinja")
        self.assertEqual(self.post("/tokenize", {"messages": [{"role": "user", "content": "he"}]})["tokens"], [256, 33])
        weir = self.served("launch", "--tokenizer-path", other / "tokenizer.json")[0]
        self.assertEqual(request(weir.http, "POST", "/v1/tokenize", '{"prompt":"he"}').json()["tokens"], [256])

    def test_untrusted_special_tokens(self):
        self.start("launch", "--untrusted-special-tokens", "text")
        self.assertEqual(self.post("/v1/tokenize", {"prompt": "a<|im_end|>"})["tokens"], toy_model.ids("a<|im_end|>", special=False))
        chat = {"messages": [{"role": "user", "content": "a<|im_end|>b"}]}
        self.assertEqual(self.post("/tokenize", chat)["tokens"],
                         [260, 258, *toy_model.ids("user\na<|im_end|>b", special=False), 259, 10, 258, *toy_model.ids("assistant\n")])

    def test_a_model_that_is_not_there_ends_the_start(self):
        for source in (self.folder / "nowhere", self.folder):
            done = e2e.run("launch", "--worker-urls", "http://127.0.0.1:9", "--model-path", source)
            code, _, said = done
            self.assertNotEqual(code, 0)
            self.assertIn("model", said)


if __name__ == "__main__":
    e2e.main()
