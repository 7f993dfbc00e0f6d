"""Models named by an id: fetched from a hub on this machine into the hub's own cache, with whatever goes wrong on the way."""
import hashlib
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e
import toy_model
from e2e import request, wait_until
from hub_server import Hub

ID = "org/toy-model"


class Fetching(e2e.Case):
    def setUp(self):
        self.home = pathlib.Path(self.keep(tempfile.TemporaryDirectory(prefix="weir-hub-")))
        self.hub = self.keep(Hub())
        self.files = {**toy_model.files(), "model.safetensors": b"weights" * 1000, "README.md": b"x", "sub/tokenizer.json": b"{}"}
        self.repo = self.hub.add(ID, self.files, large=["tokenizer.json", "model.safetensors"])
        self.cache = self.home / "hub" / "models--org--toy-model"

    def start(self, *flags, model=ID, env=None):
        here = {"HF_ENDPOINT": self.hub.endpoint, "HF_HOME": str(self.home), "no_proxy": "127.0.0.1", **(env or {})}
        return self.served("launch", "--model-path", model, *flags, env=here)[0]

    def status(self, weir, model=ID):
        name = model.replace("/", "%2F")
        return request(weir.http, "GET", f"/v1/tokenizers/{name}/status").json()

    def ended(self, weir, model=ID):
        """The state a fetch came to, and why."""
        wait_until(lambda: self.status(weir, model)["status"] in ("completed", "failed"), 20 * e2e.SLOW, "fetched or failed")
        return self.status(weir, model)

    def works_with_it(self, weir, model=ID):
        self.assertEqual(self.ended(weir, model)["status"], "completed", weir.log())
        answer = request(weir.http, "POST", "/v1/tokenize", '{"model":"any","prompt":"hello"}')
        self.assertEqual(answer.json()["tokens"], toy_model.ids("hello"))

    def test_the_cache_is_laid_out_as_python_does(self):
        self.works_with_it(self.start())
        snapshot = self.cache / "snapshots" / self.repo.commit
        self.assertEqual((self.cache / "refs/main").read_text(), self.repo.commit)
        for name in toy_model.files():
            self.assertEqual((snapshot / name).read_bytes(), self.files[name])
            self.assertEqual(os.readlink(snapshot / name), f"../../blobs/{self.repo.etag(name)}")
        self.assertEqual({p.name for p in snapshot.iterdir()}, set(toy_model.files()), "neither weights nor what else lies there")
        self.assertTrue((self.cache / ".no_exist" / self.repo.commit / "chat_template.jinja").exists())
        self.assertTrue((self.home / "hub/.locks/models--org--toy-model" / f"{self.repo.etag('tokenizer.json')}.lock").exists())
        self.assertFalse(list(self.cache.glob("blobs/*.incomplete")))

    def test_a_second_start_asks_once_and_offline_never(self):
        self.works_with_it(self.start())
        self.hub.asked.clear()
        self.works_with_it(self.start())
        self.assertEqual(len(self.hub.asked), 1, self.hub.asked)
        self.hub.asked.clear()
        self.works_with_it(self.start(env={"HF_HUB_OFFLINE": "1"}))
        self.assertEqual(self.hub.asked, [])

    def test_the_cache_serves_while_the_hub_is_away(self):
        self.works_with_it(self.start())
        self.works_with_it(self.start(env={"HF_ENDPOINT": f"http://127.0.0.1:{e2e.weir_process.closed_port()}"}))

    def test_offline_without_a_cache(self):
        state = self.ended(self.start(env={"HF_HUB_OFFLINE": "1"}))
        self.assertIn("HF_HUB_OFFLINE", state["message"])

    def test_private_models_want_the_token_which_the_cdn_never_sees(self):
        self.repo.token = "hf_secret"
        weir = self.start()
        self.assertIn("HF_TOKEN is not set", self.ended(weir)["message"])
        self.works_with_it(self.start(env={"HF_TOKEN": "hf_secret"}))
        self.assertEqual(self.hub.tokens_at_cdn, [])
        self.assertGreater(self.hub.count("GET cdn/"), 0)
        self.assertNotIn("hf_secret", weir.log())

    def test_the_token_may_lie_in_its_file(self):
        self.repo.token = "hf_filed"
        (self.home / "token").write_text("hf_filed\n")
        self.works_with_it(self.start())

    def test_gated_and_unknown_models_say_so(self):
        self.repo.gated = True
        self.assertIn("by request", self.ended(self.start())["message"])
        self.assertIn("does not exist", self.ended(self.start(model="org/nothing"), "org/nothing")["message"])
        self.repo.gated = False
        self.assertIn("no such revision", self.ended(self.start("--model-revision", "nightly"))["message"])

    def test_revisions(self):
        self.repo.revisions["v1"] = self.repo.commit
        self.works_with_it(self.start(model=ID + "@v1"), ID + "@v1")
        self.assertEqual((self.cache / "refs/v1").read_text(), self.repo.commit)
        self.assertFalse((self.cache / "refs/main").exists())

    def test_broken_downloads_go_on_where_they_stopped(self):
        size = len(self.files["tokenizer.json"])
        self.assertGreater(size, 1500)
        for fault in (["cut 700", "cut 500"], ["status 503", "status 429"], ["slow"], ["longer"]):
            with self.subTest(fault):
                self.hub.faults[:] = fault
                self.hub.asked.clear()
                with tempfile.TemporaryDirectory(prefix="weir-hub-") as home:
                    weir = self.start(env={"HF_HOME": home})
                    if fault[0] == "longer":
                        self.assertEqual(self.ended(weir)["status"], "failed")
                    else:
                        self.works_with_it(weir)
                    if fault[0] == "cut 700":
                        ranges = [line.split()[-1] for line in self.hub.asked if "bytes=" in line]
                        self.assertEqual(ranges, ["bytes=700-", "bytes=1200-"])
                    weir.close()
        self.assertEqual(self.hub.faults, [])

    def test_bytes_of_another_digest_are_refused(self):
        self.hub.faults[:] = ["swap"] * 50
        state = self.ended(self.start())
        self.assertIn("digest", state["message"])
        self.assertFalse([p for p in self.cache.glob("blobs/*") if p.suffix != ".incomplete"])

    def test_several_at_once_fetch_each_file_once(self):
        self.hub.faults[:] = ["slow"] * 4
        weirs = [self.start() for _ in range(3)]
        for weir in weirs:
            self.works_with_it(weir)
        for name in toy_model.files():
            where = "cdn/" + ID if name in self.repo.large else f"{ID}/resolve/{self.repo.commit}"
            self.assertEqual(sum(line.startswith("GET") and line.split()[1].endswith(f"{where}/{name}") for line in self.hub.asked), 1, (name, self.hub.asked))
        blob = self.cache / "blobs" / self.repo.etag("tokenizer.json")
        self.assertEqual(hashlib.sha256(blob.read_bytes()).hexdigest(), blob.name)


if __name__ == "__main__":
    e2e.main()
